"""The records of the runs that scores were submitted of: what they hold, and must hold."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from wildcell.errors import DataError, StoreError
from wildcell.guards.texts import parse_json, read_text
from wildcell.names import CEILING, REPLICATE, Status
from wildcell.store.fingerprint import fingerprint
from wildcell.submitted.plain_name import name_trouble
from wildcell.submitted.remark import shown
from wildcell.submitted.table import RUN

SCHEMA = 1
MOST_RUNS = 10_000
MOST_RECORD_BYTES = 2**26
HASH = re.compile(r"[0-9a-f]{16,64}")

KINDS: Mapping[str, type | tuple[type, ...]] = {
    "scenario": str,
    "dataset": str,
    "arm": str,
    "model": str,
    "seed": int,
    "fold": int,
    "options": dict,
    "status": str,
    "reason": str,
    "flags": list,
    "question": str,
    "reference": str,
    "n_folds": int,
    "genes": str,
    "n_genes": int,
    "expression": str,
    "target_sum": (int, float, type(None)),
    "synthetic_cells": bool,
    "is_sealed": (bool, type(None)),
    "judged": str,
    "started": str,
    "sizes": dict,
    "versions": dict,
    "hardware": dict,
    "fingerprints": dict,
}
"""What every record must have, and of which kind."""

OPTIONAL = ("trained", "recipe", "training", "shared_reliability")
QUESTION_HASHES = ("dataset", "split")


def told_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run.json says that is handed in: no logs, paths or costs."""
    return {name: record[name] for name in [*KINDS, *OPTIONAL] if name in record}


def read_runs(path: Path) -> list[dict[str, Any]]:
    """Read the records beside a table of scores.

    Raises
    ------
    StoreError
        They cannot be read, or are not laid out as records are.
    """
    try:
        content = parse_json(read_text(path, most_bytes=MOST_RECORD_BYTES), str(path))
    except (OSError, UnicodeDecodeError, DataError) as error:
        raise StoreError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict) or set(content) != {"schema", "runs"}:
        raise StoreError(f'{path} must be {{"schema": {SCHEMA}, "runs": [...]}}, and no more.')
    if content["schema"] != SCHEMA:
        raise StoreError(f"{path} is of schema {shown(content['schema'])}; known is {SCHEMA}.")
    runs = content["runs"]
    if not isinstance(runs, list) or not 0 < len(runs) <= MOST_RUNS:
        raise StoreError(f"{path}: runs must be a list of 1 to {MOST_RUNS} records.")
    if not all(isinstance(run, dict) for run in runs):
        raise StoreError(f"{path}: each of the runs must be a record, in curly brackets.")
    return runs


def record_troubles(runs: Sequence[Mapping[str, Any]], table: pd.DataFrame) -> Iterator[str]:
    """Say what is wrong with records, and where they say something else than the scores.

    Parameters
    ----------
    runs
        As they were read.
    table
        The scores, which were found to be right by themselves.
    """
    for place, run in enumerate(runs):
        troubles = list(_of_one(run))
        yield from (f"run {place}: {said}" for said in troubles)
        if troubles:
            return
    told = [tuple(run[name] for name in RUN) for run in runs]
    scored = set(table[RUN].drop_duplicates().itertuples(index=False, name=None))
    if len(set(told)) < len(told):
        yield "a run is there twice."
    for apart in sorted(set(told) ^ scored, key=str)[:1]:
        where = "no record" if apart in scored else "no scores"
        yield f"there are {where} of {_named(apart)}."
    yield from _together(runs, str(table["scenario"].iloc[0]))


def _of_one(run: Mapping[str, Any]) -> Iterator[str]:
    if lacking := [name for name in KINDS if name not in run]:
        yield f"the record lacks {', '.join(lacking)}."
        return
    if unknown := [name for name in run if name not in KINDS and name not in OPTIONAL]:
        yield (
            f"the record has unknown keys {', '.join(map(shown, unknown[:3]))}. Known: "
            f"{', '.join([*KINDS, *OPTIONAL])}."
        )
    for name, kind in KINDS.items():
        is_number = isinstance(run[name], bool) and kind is int
        if is_number or not isinstance(run[name], kind):
            yield f"{name} is of another kind than it must be: {shown(run[name])}."
            return
    yield from _texts(run)
    if run["status"] not in (Status.OK, Status.NOT_APPLICABLE, Status.ERROR):
        yield f"the status of a run is ok, not_applicable or error; got {shown(run['status'])}."
    if not 0 <= run["fold"] < run["n_folds"]:
        yield f"fold {run['fold']} is none of {run['n_folds']}."
    yield from _hashes(run)


def _texts(run: Mapping[str, Any]) -> Iterator[str]:
    names = ["scenario", "dataset", "arm", "model", "reference", "genes", "expression", "started"]
    for name in names:
        if trouble := name_trouble(run[name]):
            yield f"{name} {shown(run[name])} {trouble}."
    if not all(isinstance(flag, str) for flag in run["flags"]):
        yield "flags must be a list of text."


def _hashes(run: Mapping[str, Any]) -> Iterator[str]:
    told = dict(run["fingerprints"])
    for name in (*QUESTION_HASHES, "inputs"):
        if not isinstance(told.get(name), str) or not HASH.fullmatch(told[name]):
            yield f"the fingerprint of {name} is {shown(told.get(name))}, which is none."
            return
    if not all(isinstance(text, str) for text in told.values()):
        yield "fingerprints must be text."
        return
    whole = told.pop("inputs")
    is_made_here = "reading" not in told
    if is_made_here:
        told.pop("prediction", None)
    if fingerprint(told) != whole:
        yield "its fingerprints do not add up: it was edited."


def _together(runs: Sequence[Mapping[str, Any]], scenario: str) -> Iterator[str]:
    if {run["scenario"] for run in runs} != {scenario}:
        yield f"records are of another scenario than the scores, {shown(scenario)}."
    called = {run["model"] for run in runs}
    if len(called) > 1:
        yield f"records are of several models: {', '.join(map(shown, sorted(called)[:3]))}."
    for name in ("reference", "question"):
        if len({run[name] for run in runs}) > 1:
            yield f"records differ in {name}, which is one in a scenario."
    of_seed: dict[tuple[Any, ...], set[int]] = {}
    for run in runs:
        of_seed.setdefault((run["dataset"], run["arm"], run["seed"], run["n_folds"]), set()).add(
            run["fold"]
        )
    for (dataset, arm, seed, n_folds), found in of_seed.items():
        if len(found) < n_folds:
            yield (
                f"{len(found)} of {n_folds} folds are there of seed {seed} of {shown(arm)} on "
                f"{shown(dataset)}; all must be."
            )


def is_yardstick(model: str) -> bool:
    """Whether a name is that of a replicate or ceiling, which nobody submits."""
    return model in (REPLICATE, CEILING)


def _named(run: tuple[Any, ...]) -> str:
    dataset, arm, seed, fold = run
    return f"seed {seed}, fold {fold} of {shown(arm)} on {shown(dataset)}"
