"""A folder of runs held to what it says of itself."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd

from wildcell.errors import BenchmarkError
from wildcell.store.runs import RECORD, read_record, run_folders
from wildcell.verification.finding import Finding, Verdict, table_of
from wildcell.verification.question import Given, Questions
from wildcell.verification.scores import check_scores
from wildcell.verification.stored import OF_FILES, check_stored

TOLERANCE = 1e-6
"""By how much scores may differ: other processors and libraries sum in another order."""

OnRun = Callable[[int, int, str], object]


def show_nothing(done: int, total: int, name: str) -> None:
    """Report no progress."""


def verify_runs(
    runs: Path,
    given: Given | None = None,
    *,
    tolerance: float = TOLERANCE,
    only_stored: bool = False,
    on_run: OnRun = show_nothing,
) -> pd.DataFrame:
    """Hold all finished runs to their records: files, fingerprints, and scores computed anew.

    Nothing is written, no model is run, and nothing that a run's folder holds is executed.

    Parameters
    ----------
    runs
        Folder of runs.
    given
        What records do not hold: data in files, features, graphs.
    tolerance
        By how much numbers may differ, in units of the larger of themselves and 1.
    only_stored
        Whether scores are left alone, so that no question is asked again.
    on_run
        Called before each run with the number of runs behind it, of all runs, and its folder.

    Returns
    -------
    Columns folder, check, verdict (same, differs, untold) and said, a row a check of a run.

    Raises
    ------
    StoreError
        There are no runs.
    """
    folders = run_folders(runs)
    questions = Questions(given or Given())
    findings: list[Finding] = []
    for done, folder in enumerate(sorted(folders, key=_by_question)):
        on_run(done, len(folders), str(folder.relative_to(runs)))
        findings += findings_of_run(runs, folder, questions, tolerance, only_stored=only_stored)
    return table_of(findings)


def _by_question(folder: Path) -> tuple[Path, str, Path]:
    """Order runs so that those of one question follow each other."""
    return folder.parents[1], folder.name.split("-")[0], folder


def findings_of_run(
    runs: Path, folder: Path, questions: Questions, tolerance: float, *, only_stored: bool = False
) -> Iterator[Finding]:
    """Yield what becomes of the checks of one run; arguments as in `verify_runs`."""
    name = str(folder.relative_to(runs))
    try:
        record = read_record(folder / RECORD)
        yield from check_stored(runs, folder, record)
    except BenchmarkError as error:
        yield Finding(name, "record", Verdict.DIFFERS, str(error))
        return
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        yield Finding(name, "record", Verdict.DIFFERS, f"run.json is damaged: {error!r}.")
        return
    if only_stored:
        return
    if OF_FILES in record["fingerprints"]:
        said = "it scored files that are not kept: score them again with wildcell score."
        yield Finding(name, "scores", Verdict.UNTOLD, said)
        return
    try:
        fold = questions.of(record)
        yield from check_scores(runs, folder, record, fold, tolerance=tolerance)
    except BenchmarkError as error:
        yield Finding(name, "scores", Verdict.UNTOLD, str(error))
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        yield Finding(name, "record", Verdict.DIFFERS, f"run.json is damaged: {error!r}.")
