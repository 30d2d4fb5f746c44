"""How far a folder of runs is: what is finished, failed, at work, or missing, and what it cost."""

from collections.abc import Iterator, Mapping
from dataclasses import astuple
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from wildcell.errors import StoreError
from wildcell.names import Status
from wildcell.store.runs import LOCK, RECORD, is_held, read_record
from wildcell.sweeps.book import Planned, read_failures, read_plans
from wildcell.sweeps.layout import Problem

PLACE = list(Planned.__annotations__)
COST = ["wall_s", "cpu_s", "peak_memory_mb"]
STATUS_COLUMNS = [*PLACE, "state", "reason", "since", *COST]


class JobState(StrEnum):
    """How far a job is."""

    DONE = "done"
    FAILED = "failed"
    RUNNING = "running"
    MISSING = "missing"


class Progress(NamedTuple):
    """How far a folder of runs is.

    Attributes
    ----------
    jobs
        A row a job, columns `STATUS_COLUMNS`: its names, its folder, its `JobState`, why it failed,
        since when it is at work, or when it was begun, and what it took, NaN where that is
        not known.
    problems
        What sweeps could not ask at all.
    """

    jobs: pd.DataFrame
    problems: list[Problem]


def progress_of(runs: Path) -> Progress:
    """Return how far all runs of a folder are, and all that sweeps have planned there.

    Raises
    ------
    StoreError
        There is no such folder.
    """
    if not runs.is_dir():
        raise StoreError(f"There is no folder {runs}.")
    planned, problems = read_plans(runs)
    failures = read_failures(runs)
    found = {str(path.parent.relative_to(runs)) for path in runs.rglob(RECORD)}
    rows = [
        {**_row(runs, folder, failures), "folder": folder, **_names(planned.get(folder))}
        for folder in sorted(found | set(planned))
    ]
    return Progress(pd.DataFrame(rows, columns=STATUS_COLUMNS), problems)


def _names(job: Planned | None) -> dict[str, Any]:
    return {} if job is None else dict(zip(PLACE, astuple(job), strict=True))


def _row(runs: Path, folder: str, failures: Mapping[str, str]) -> dict[str, Any]:
    place = runs / folder
    if (place / RECORD).is_file():
        return _finished(place)
    if is_held(place):
        began = datetime.fromtimestamp((place / LOCK).stat().st_mtime, UTC)
        return {"state": JobState.RUNNING, "since": began.isoformat(timespec="seconds")}
    if folder in failures:
        return {"state": JobState.FAILED, "reason": failures[folder]}
    return {"state": JobState.MISSING}


def _finished(place: Path) -> dict[str, Any]:
    try:
        record = read_record(place / RECORD)
    except StoreError as error:
        return {"state": JobState.FAILED, "reason": str(error)}
    is_failed = record.get("status") == Status.ERROR
    return {
        **{name: record.get(name) for name in [*PLACE, *COST]},
        "state": JobState.FAILED if is_failed else JobState.DONE,
        "reason": record.get("reason", ""),
        "since": record.get("started"),
    }


def summary(jobs: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Return how many jobs are in each state, and what those that ended took.

    Parameters
    ----------
    jobs
        From `progress_of`.
    by
        Columns that jobs are counted by.

    Returns
    -------
    Those columns, one a state, wall_s and cpu_s (sums), peak_memory_mb (the highest); NaN where
    nothing is known.
    """
    counts = pd.crosstab([jobs[name] for name in by], jobs["state"])
    counts = counts.reindex(columns=[str(state) for state in JobState], fill_value=0)
    groups = jobs.astype(dict.fromkeys(COST, float)).groupby(by)
    sums = groups[["wall_s", "cpu_s"]].sum(min_count=1)
    return counts.join(sums).join(groups["peak_memory_mb"].max()).reset_index()


def reasons(jobs: pd.DataFrame) -> Iterator[tuple[str, str, int]]:
    """Yield the models that failed, why, and in how many jobs, the most frequent first."""
    failed = jobs[jobs["state"] == JobState.FAILED]
    for (model, reason), n in (
        failed.groupby(["model", "reason"]).size().sort_values(ascending=False).items()
    ):
        yield str(model), str(reason), int(n)
