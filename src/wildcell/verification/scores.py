"""Scores computed anew from what a model answered, held to those that were kept."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from wildcell.arrays import Booleans
from wildcell.errors import BenchmarkError
from wildcell.ladder import replicate_of_halves
from wildcell.metrics.convention import find_conventions
from wildcell.models.answer import unanswerable
from wildcell.models.model import MODELS
from wildcell.names import CEILING, CONDITION, ORACLES, REPLICATE, Status
from wildcell.run import Fold
from wildcell.scenarios.folder import read_prediction
from wildcell.store.atomic import read_table
from wildcell.store.runs import HALVES, OTHERWISE, PREDICTION, SCORES, SHAKEN_FILE
from wildcell.verification.finding import Finding, Verdict
from wildcell.verification.question import differs_from_shipped

COMPARED = ("value", "numerator", "denominator", "null", "n_truth", "n_prediction")
SHOWN = 3


def check_scores(
    runs: Path, folder: Path, record: Mapping[str, Any], fold: Fold, *, tolerance: float
) -> Iterator[Finding]:
    """Yield what becomes of a run when its question is asked and its answer is scored again.

    Parameters
    ----------
    runs, folder, record
        The run.
    fold
        Its question, asked again.
    tolerance
        By how much numbers may differ, in units of the larger of themselves and 1.
    """
    name = str(folder.relative_to(runs))
    verdict, said = same_question(record, fold)
    yield Finding(name, "question", verdict, said)
    if verdict is Verdict.DIFFERS:
        return
    for word, now in (("judged", fold.judged), ("trained", fold.trained)):
        is_same = record.get(word) == now
        said = "" if is_same else f"{word} on other cells, genes or depth than it says."
        yield Finding(name, word, Verdict.SAME if is_same else Verdict.DIFFERS, said)
    for check, path, make in _tables(folder, record, fold):
        try:
            verdict, said = compare(read_table(path), make(), tolerance)
        except BenchmarkError as error:
            verdict, said = Verdict.DIFFERS, str(error)
        yield Finding(name, check, verdict, said)


def same_question(record: Mapping[str, Any], fold: Fold) -> tuple[Verdict, str]:
    """Hold the data, the split and the words of a question to their fingerprints."""
    told, now = record["fingerprints"], fold.asked
    others = [name for name in now if told.get(name) != now[name]]
    if others:
        return Verdict.DIFFERS, f"the {', '.join(others)} of the run are others than these."
    scenario = fold.plan.scenario
    if differs_from_shipped(scenario, fold.plan.arm):
        return (
            Verdict.DIFFERS,
            f"its scenario {scenario.name} is not the shipped one.",
        )
    return Verdict.SAME, ""


def _tables(
    folder: Path, record: Mapping[str, Any], fold: Fold
) -> Iterator[tuple[str, Path, Callable[[], pd.DataFrame]]]:
    """Yield what is kept of a run, where, and how it is made anew."""
    if record["model"] == REPLICATE:
        halves = folder / HALVES
        if halves.is_file():
            yield "halves", halves, lambda: _halves(fold, halves)
        yield "scores", folder / SCORES, lambda: replicate_of_halves(fold.halves)
        return
    if record["model"] == CEILING:
        yield "scores", folder / SCORES, fold.judge.ceilings
        return
    if record["status"] == Status.NOT_APPLICABLE:
        yield "scores", folder / SCORES, fold.judge.not_applicable
        return
    if record["status"] != Status.OK:
        yield "scores", folder / SCORES, fold.judge.failed
        return
    yield from _of_answer(folder, record, fold)


def _of_answer(
    folder: Path, record: Mapping[str, Any], fold: Fold
) -> Iterator[tuple[str, Path, Callable[[], pd.DataFrame]]]:
    prediction = read_prediction(folder / PREDICTION)
    is_applicable = _is_applicable(folder, record, fold)
    judged = fold.judge.judged(prediction, is_applicable=is_applicable)
    yield "scores", folder / SCORES, lambda: judged.scores
    if (folder / SHAKEN_FILE).is_file():
        yield "shaken", folder / SHAKEN_FILE, lambda: judged.shaken
    for path in sorted(folder.glob(OTHERWISE.format("*"))):
        start, end = OTHERWISE.split("{}")
        called = path.name.removeprefix(start).removesuffix(end)
        (convention,) = find_conventions([called])
        judge = fold.judge_by(convention)
        yield (
            path.stem,
            path,
            lambda judge=judge: judge.score(  # type: ignore[misc]
                prediction, is_applicable=is_applicable
            ),
        )


def _halves(fold: Fold, path: Path) -> pd.DataFrame:
    """Return the scores by halves of the models that are kept."""
    has_oracles = bool(set(read_table(path)["model"]) & set(ORACLES))
    return Fold(fold.plan, fold.split, has_oracles=has_oracles).halves


def _is_applicable(folder: Path, record: Mapping[str, Any], fold: Fold) -> Booleans:
    """Return which conditions a model can answer: as its card says, or as the run does."""
    query = fold.question.task.query.conditions
    base = str(record["model"]).split("[")[0]
    if base in MODELS.names():
        return (unanswerable(MODELS.get(base), fold.question.task) == "").to_numpy()
    scores = read_table(folder / SCORES)
    excused = scores.loc[scores["status"] == Status.NOT_APPLICABLE, CONDITION].drop_duplicates()
    left_out = pd.MultiIndex.from_frame(excused.astype(str))
    return ~pd.MultiIndex.from_frame(query[CONDITION]).isin(left_out)


def compare(kept: pd.DataFrame, made: pd.DataFrame, tolerance: float) -> tuple[Verdict, str]:
    """Hold a table that was kept to one that was made anew.

    Parameters
    ----------
    kept, made
        Rows that are named by metric, context, perturbation and, where there are these, model,
        category, level and half.
    tolerance
        By how much numbers may differ, in units of the larger of themselves and 1.

    Examples
    --------
    >>> table = pd.DataFrame(
    ...     {"metric": ["rmse"], "context": ["A"], "perturbation": ["B"], "value": [1.0]}
    ... )
    >>> compare(table, table.assign(value=2.0), 0.0)
    (<Verdict.DIFFERS: 'differs'>, '1 of 1 numbers differ, by 1 at most: value of rmse (A, B)')
    """
    names = ["model", "half", "level", "category", *CONDITION, "metric"]
    keys = [name for name in names if name in kept and name in made]
    numbers = [name for name in made if name not in keys and made[name].dtype.kind in "fi"]
    left, right = _indexed(kept, keys), _indexed(made, keys)
    if not left.index.equals(right.index):
        n_gone = len(right.index.difference(left.index))
        n_more = len(left.index.difference(right.index))
        return Verdict.DIFFERS, f"{n_gone} rows are gone and {n_more} were added."
    if "status" in made:
        other = left["status"].astype(str) != right["status"].astype(str)
        if other.any():
            return Verdict.DIFFERS, f"{int(other.sum())} statuses differ: {_rows(other)}."
    return _compare_numbers(left, right, [name for name in numbers if name in left], tolerance)


def _compare_numbers(
    left: pd.DataFrame, right: pd.DataFrame, numbers: list[str], tolerance: float
) -> tuple[Verdict, str]:
    one, two = (table[numbers].to_numpy(dtype=float) for table in (left, right))
    both = np.isnan(one) & np.isnan(two)
    with np.errstate(invalid="ignore"):
        apart = np.where(both | (one == two), 0.0, np.abs(one - two))
    is_off = ~(apart <= tolerance * np.maximum(1.0, np.fmax(np.abs(one), np.abs(two))))
    is_off &= ~both
    if is_off.any():
        row, column = np.argwhere(is_off)[0]
        named = pd.Series([True], index=left.index[[row]])
        most = np.nanmax(np.where(is_off, apart, 0.0)) if np.isfinite(apart[is_off]).any() else 0.0
        return Verdict.DIFFERS, (
            f"{int(is_off.sum())} of {is_off.size} numbers differ, by {most:.3g} at most: "
            f"{numbers[column]} of {_rows(named)}"
        )
    if apart.any():
        return Verdict.SAME, f"but for {np.nanmax(apart):.2g} at most."
    return Verdict.SAME, ""


def _indexed(table: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    texts = table.astype(dict.fromkeys(keys, str))
    return texts.set_index(keys).sort_index(kind="stable")


def _rows(marked: "pd.Series[bool]") -> str:
    """Name some rows that are marked."""
    found = marked.index[marked.to_numpy()][:SHOWN]
    return "; ".join(f"{row[-1]} ({', '.join(map(str, row[-3:-1]))})" for row in found)
