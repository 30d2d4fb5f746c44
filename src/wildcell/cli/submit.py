"""Results handed in to a leaderboard, and results of others checked."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from wildcell.cli.progress import say

if TYPE_CHECKING:
    from wildcell.submitted.card import Card
    from wildcell.submitted.remark import Remark
    from wildcell.verification.question import Given

Several = Parameter(negative=())


def submit(
    folder: Path,
    /,
    *,
    check: Annotated[bool, Several] = False,
    card: Path | None = None,
    model: Annotated[list[str] | None, Several] = None,
    out: Path = Path("results"),
    predictions: Annotated[bool, Several] = False,
    data: Annotated[list[Path] | None, Several] = None,
    features: Path | None = None,
    graph: Path | None = None,
    foreign: Annotated[list[str] | None, Several] = None,
    tolerance: float = 1e-6,
    stored: Annotated[bool, Several] = False,
) -> None:
    """Write results for a leaderboard from runs; or, with --check, check a folder of results.

    The scores, costs and records of a model go to OUT, with those of the naive models, the
    replicate and the ceiling of the same questions, and are then checked. A check holds every file
    to its rules, asks the questions again where their data are at hand, and scores predictions
    anew where they are; it ends with 1 if anything is wrong. Nothing of a submission is executed.

    Parameters
    ----------
    folder
        Folder of runs; with --check, of results.
    check
        Check a folder of results, and write nothing.
    card
        What is to be said of the model, as TOML; a template is made by wildcell new card.
    model
        The model as runs call it; may be given several times. By default the one that does not
        come with wildcell, or all shipped ones where there is no card.
    out
        Folder of results to add to.
    predictions
        Copy the runs with their predictions, too, so that others can score them anew.
    data
        A file that runs were made of, found by its name; may be given several times.
    features, graph
        Files that were handed to wildcell run.
    foreign
        Other screens that were handed to it; may be given several times.
    tolerance
        By how much scores may differ, in units of the larger of themselves and 1.
    stored
        Hold files to their rules alone: ask nothing again, and score nothing.
    """
    from wildcell.verification.question import Given

    given = Given(data={path.stem: path for path in data or []}, foreign=tuple(foreign or ()))
    given = _with_tables(given, features, graph)
    if check:
        remarks = _checked(folder, given, model or [], tolerance, stored=stored)
    else:
        _write(folder, out, _card(card), model or [], has_predictions=predictions)
        remarks = _checked(out, given, [], tolerance, stored=True)
    _print(remarks)
    wrong = sum(remark.is_wrong for remark in remarks)
    where = folder if check else out
    if wrong:
        say(f"{where}: {wrong} {'things are' if wrong > 1 else 'thing is'} wrong.")
        raise SystemExit(1)
    say(f"{where}: nothing is wrong.")


def _with_tables(given: "Given", features: Path | None, graph: Path | None) -> "Given":
    from dataclasses import replace

    from wildcell.scenarios.features import read_features
    from wildcell.scenarios.graph_file import read_graph

    return replace(
        given,
        features=None if features is None else read_features(features),
        graph=None if graph is None else read_graph(graph),
    )


def _card(path: Path | None) -> "Card | None":
    from wildcell.submitted.card import read_card

    return None if path is None else read_card(path)


def _write(
    runs: Path, out: Path, card: "Card | None", models: Sequence[str], *, has_predictions: bool
) -> None:
    from wildcell.cli.progress import working
    from wildcell.submission.make import submit_runs

    with working("writing results"):
        written = submit_runs(runs, out, card=card, models=models, has_predictions=has_predictions)
    for path in sorted(str(entry.scores) for entry in written):
        say(f"Wrote {path}")


def _checked(
    folder: Path, given: "Given", models: Sequence[str], tolerance: float, *, stored: bool
) -> "list[Remark]":
    from wildcell.cli.progress import counting
    from wildcell.submission.check import check_results

    with counting("check") as show:
        return check_results(
            folder, given, models=models, tolerance=tolerance, only_stored=stored, on_part=show
        )


def _print(remarks: "Sequence[Remark]") -> None:
    """Print what is wrong, and then what is to be noted; the same said of many files once."""
    for is_wrong, word in ((True, "wrong"), (False, "note")):
        by_said: dict[str, list[str]] = {}
        for remark in remarks:
            if remark.is_wrong == is_wrong:
                by_said.setdefault(remark.said, []).append(remark.file)
        for said, files in by_said.items():
            others = f" and {len(files) - 1} more" if files[1:] else ""
            say(f"{word}: {files[0]}{others}: {said}")
