"""Results that others handed in, held to the rules and to their own predictions."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from wildcell.errors import BenchmarkError, StoreError
from wildcell.names import CONDITION, Role
from wildcell.results.rank import without_shams
from wildcell.run import Fold
from wildcell.store.atomic import read_table
from wildcell.store.runs import RECORD, SCORES, read_record, run_folders
from wildcell.submission.shipped import impostors
from wildcell.submitted.agreement import Submitted
from wildcell.submitted.read import look_at
from wildcell.submitted.remark import Remark, shown
from wildcell.submitted.table import RUN
from wildcell.verification.finding import Verdict
from wildcell.verification.question import Given, Questions
from wildcell.verification.scores import compare, same_question
from wildcell.verification.verify import TOLERANCE, findings_of_run

OnPart = Callable[[int, int, str], object]
UNTOLD = "no prediction is here: its scores are as its authors say."


def show_nothing(done: int, total: int, name: str) -> None:
    """Report no progress."""


def check_results(
    folder: Path,
    given: Given | None = None,
    *,
    models: Sequence[str] = (),
    tolerance: float = TOLERANCE,
    only_stored: bool = False,
    on_part: OnPart = show_nothing,
) -> list[Remark]:
    """Say all that is wrong with a folder of results, and what cannot be told.

    Every file is held to its rules, and every model to what the reference baseline of its question
    was asked. Where runs lie beside the scores, their predictions are scored anew; of reference
    baselines the question is asked again. Nothing is written, no model is run, and nothing that was
    handed in is executed.

    Parameters
    ----------
    folder
        Of results.
    given
        Data that records do not hold.
    models
        Whose predictions are scored anew; of all if none is named. Rules are held for all.
    tolerance
        By how much numbers may differ, in units of the larger of themselves and 1.
    only_stored
        Whether no question is asked again, and nothing scored.
    on_part
        Called with the number of parts behind it, of all parts, and the name of the next.
    """
    given = given or Given()
    looked = look_at(folder)
    found = list(looked.submitted)
    remarks = [*looked.remarks, *impostors(found)]
    if only_stored:
        return remarks
    chosen = [one for one in found if not models or one.model in models]
    parts = [part for one in found for part in _questions(one)]
    parts += [part for one in chosen for part in _evidence(one, tolerance)]
    questions = Questions(given)
    for done, part in enumerate(sorted(parts, key=lambda part: part.question)):
        on_part(done, len(parts), part.name)
        remarks += part.look(questions)
    return [*remarks, *(remark for one in chosen for remark in _lacking(one))]


class Part(NamedTuple):
    """One thing to look at; those of one question follow each other, so that it is asked once."""

    question: tuple[str, ...]
    name: str
    look: Callable[[Questions], Iterable[Remark]]


def _question_of(record: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(record.get(name)) for name in ["scenario", *RUN])


def _questions(one: Submitted) -> Iterator[Part]:
    """Yield the questions of a reference baseline, which stand for those of all models."""
    for run in one.runs if one.model == one.runs[0]["reference"] else []:
        yield Part(
            _question_of(run), one.entry.told(one.entry.records), partial(_asked_again, one, run)
        )


def _asked_again(one: Submitted, run: Mapping[str, Any], questions: Questions) -> Iterator[Remark]:
    """Hold a question to the scenario and the data."""
    records, table = one.entry.told(one.entry.records), one.entry.told(one.entry.scores)
    where = f"seed {run['seed']}, fold {run['fold']} of {shown(run['arm'])}"
    try:
        fold = questions.of(run)
    except BenchmarkError as error:
        yield Remark(records, f"was not asked again: {error}", is_wrong=False)
        return
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        yield Remark(records, f"{where}: its recipe is damaged: {error!r}.")
        return
    verdict, said = same_question(run, fold)
    if verdict is Verdict.DIFFERS:
        yield Remark(records, f"{where}: {said}")
    elif run["judged"] != fold.judged:
        yield Remark(records, f"{where} was judged by other cells, genes or depth.")
    else:
        yield from _conditions(one, run, fold, table)


def _conditions(one: Submitted, run: Mapping[str, Any], fold: Fold, table: str) -> Iterator[Remark]:
    """Hold the conditions that were scored to those that are asked."""
    split = fold.split.conditions
    asked = _labels(without_shams(split[split["role"] == Role.TEST]))
    found = _labels(without_shams(_of_run(one.scores, run)))
    if asked != found:
        other = sorted(asked ^ found)
        context, perturbation = other[0]
        yield Remark(
            table,
            f"{len(found - asked)} conditions are scored that the scenario does not ask, and "
            f"{len(asked - found)} are lacking, such as {shown(perturbation)} in {shown(context)}.",
        )


def _labels(table: pd.DataFrame) -> set[tuple[str, str]]:
    return set(table[CONDITION].astype(str).itertuples(index=False, name=None))


def _evidence(one: Submitted, tolerance: float) -> Iterator[Part]:
    """Yield the runs that lie beside the scores of a model."""
    for folder in _folders(one):
        name = f"{one.entry.told(one.entry.runs)}/{folder.relative_to(one.entry.runs).as_posix()}"
        try:
            record = read_record(folder / RECORD)
        except BenchmarkError:
            record = {}
        yield Part(_question_of(record), name, partial(_scored_anew, one, folder, name, tolerance))


def _folders(one: Submitted) -> list[Path]:
    try:
        return run_folders(one.entry.runs)
    except StoreError:
        return []


def _scored_anew(
    one: Submitted, folder: Path, name: str, tolerance: float, questions: Questions
) -> Iterator[Remark]:
    """Hold the scores of a run to its prediction, and what is shown to these scores."""
    is_readable = True
    for found in findings_of_run(one.entry.runs, folder, questions, tolerance):
        is_readable &= found.check != "record"
        if found.verdict is Verdict.DIFFERS:
            yield Remark(name, f"{found.check} differs: {found.said}")
        elif found.verdict is Verdict.UNTOLD:
            said = f"{found.check} cannot be told: {found.said}"
            yield Remark(name, said, is_wrong=False)
    if is_readable and (folder / SCORES).is_file():
        yield from _same_as_run(one, folder, name, tolerance)


def _same_as_run(one: Submitted, folder: Path, name: str, tolerance: float) -> Iterator[Remark]:
    try:
        own = _of_run(one.scores, read_record(folder / RECORD))
        scores = read_table(folder / SCORES)
        verdict, said = compare(own, scores.assign(model=one.model), tolerance)
    except (BenchmarkError, LookupError, TypeError, ValueError) as error:
        yield Remark(name, f"scores cannot be held to what is shown: {error!r}.")
        return
    if verdict is Verdict.DIFFERS:
        yield Remark(one.entry.told(one.entry.scores), f"is not what its runs hold: {said}")


def _lacking(one: Submitted) -> Iterator[Remark]:
    """Note the runs of a model that do not lie beside their scores."""
    folders = _folders(one)
    if not folders:
        yield Remark(one.entry.told(one.entry.scores), UNTOLD, is_wrong=False)
    elif len(folders) < len(one.runs):
        said = f"{len(one.runs) - len(folders)} of {len(one.runs)} runs are not here."
        yield Remark(one.entry.told(one.entry.runs), said, is_wrong=False)


def _of_run(scores: pd.DataFrame, run: Mapping[str, Any]) -> pd.DataFrame:
    is_of = pd.Series(True, index=scores.index)
    for name in RUN:
        is_of &= scores[name] == run[name]
    return scores[is_of]
