"""Run folders: where a run lies, who is writing it, whether it is finished."""

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pandas as pd

from wildcell.errors import DataError, StoreError
from wildcell.guards.limits import refuse_link
from wildcell.guards.tables import read_parquet
from wildcell.guards.texts import parse_json, read_text
from wildcell.names import (
    BY_CELLS,
    CONDITION,
    CONDITION_COLUMNS,
    CONTROL,
    COST_COLUMNS,
    SCORE_COLUMNS,
    SHAKEN,
    SHAKEN_UNDER,
    SHAM,
    Role,
)
from wildcell.store.atomic import remove_parts, write_json, write_table
from wildcell.store.fingerprint import file_sha256, fingerprint

RECORD = "run.json"
NAMES_OF_A_RECORD = ("scenario", "dataset", "arm", "model", "status", "reason")
TABLES_OF_A_RECORD = ("options", "versions", "hardware", "fingerprints", "files")
LOCK = ".lock"
SCORES = "scores.parquet"
SHAKEN_FILE = "shaken.parquet"
LOOKS = "looks.parquet"
"""Some genes and cells of each condition, beside the scores of an answer."""

PLACE = "place of the folder"
OTHERWISE = "scores-{}.parquet"
"""Scores of a run under another convention, by its name."""

HALVES = "halves.parquet"
"""Scores by either half of the test cells, beside those of the replicate."""

COSTS = "costs.parquet"
PREDICTION = "prediction.h5ad"
PROGRESS = "progress.pt"
LOG = "log.txt"
CONDITIONS = "conditions"
ASKED = "asked"
LONGEST_SLUG = 60


@dataclass(frozen=True)
class RunKey:
    """What makes a run another run: its folder follows from it."""

    scenario: str
    dataset: str
    arm: str
    model: str
    seed: int
    fold: int
    options: Mapping[str, Any] = field(default_factory=dict)

    def folder(self, runs: Path) -> Path:
        """Return the run's folder below the folder of all runs."""
        leaf = f"{self.seed}.{self.fold}-{fingerprint(self.options)[:8]}"
        return runs.joinpath(
            *(slug(name) for name in (self.scenario, self.dataset, self.arm, self.model)), leaf
        )

    def conditions(self, runs: Path) -> Path:
        """Return the table of the question's conditions, one for the runs of all models."""
        return self.folder(runs).parents[1] / f"{CONDITIONS}-{self.seed}.{self.fold}.parquet"

    @property
    def question(self) -> tuple[str, str, str, int]:
        """Scenario, data set, arm and seed."""
        return self.scenario, self.dataset, self.arm, self.seed

    def split_tables(self, runs: Path) -> Path:
        """Return the folder of the tables that the splits of a seed follow from."""
        return self.folder(runs).parents[1] / f"split-{self.seed}"

    def pool_tables(self, runs: Path) -> Path:
        """Return the folder of the tables of what is pooled with the target in a fold."""
        return self.folder(runs).parents[1] / f"pool-{self.seed}.{self.fold}"


def slug(name: str) -> str:
    """Return a name fit for a folder; names that lose characters get a hash of the whole.

    Examples
    --------
    >>> slug("unseen-context")
    'unseen-context'
    >>> slug("../human hepatocyte, 24 h").startswith("human-hepatocyte-24-h-")
    True
    """
    safe = re.sub(r"[^A-Za-z0-9._=-]+", "-", name).strip("-.")[:LONGEST_SLUG]
    if safe == name and safe:
        return safe
    return f"{safe}-{hashlib.blake2b(name.encode(), digest_size=4).hexdigest()}"


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Hold a run folder against other processes; a process that dies lets go of it.

    The lock is the system's own (`flock`), which on NFS holds between machines, too. What a process
    that died left half written is deleted.

    Raises
    ------
    StoreError
        The folder cannot be made or written, or lies where files cannot be locked.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            refuse_link(path)
        lock = (folder / LOCK).open("a")
    except OSError as error:
        raise StoreError(
            f"{folder} cannot be made or written ({error.strerror}); name another place."
        ) from error
    with lock:
        _lock(lock, fcntl.LOCK_EX, folder)
        os.utime(lock.fileno())  # since when it is held
        remove_parts(folder)
        yield


def is_held(folder: Path) -> bool:
    """Whether another process holds a run folder now."""
    try:
        lock = (folder / LOCK).open("r+")
    except OSError:
        return False
    with lock:
        try:
            _lock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB, folder)
        except BlockingIOError:
            return True
    return False


def _lock(lock: TextIO, how: int, folder: Path) -> None:
    try:
        fcntl.flock(lock, how)
    except BlockingIOError:
        raise
    except OSError as error:
        raise StoreError(
            f"{folder} lies where files cannot be locked ({error.strerror}), so that two processes "
            "could write to it at once. Name a place on a local disk, on NFS, or on Lustre mounted "
            "with flock."
        ) from error


def finished_record(folder: Path, inputs: str) -> dict[str, Any] | None:
    """Return the record of a finished run, or None where there is none.

    Raises
    ------
    StoreError
        The folder holds a run of the same name that was made from something else.
    """
    record = read_record(folder / RECORD) if (folder / RECORD).is_file() else None
    if record is None:
        return None
    found = record.get("fingerprints", {}).get("inputs")
    if found != inputs:
        raise StoreError(
            f"{folder} holds a run made from other data, split, options or model file "
            f"(fingerprint {found}, now {inputs}). Name another folder for these runs, or delete "
            "that one."
        )
    return record


def read_record(path: Path) -> dict[str, Any]:
    """Read a run.json."""
    try:
        return _with_kinds(dict(parse_json(read_text(path), str(path))))
    except (OSError, ValueError, TypeError, DataError) as error:
        raise StoreError(f"{path} cannot be read: {error}. Delete its folder.") from error


def _with_kinds(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record whose names are texts and whose tables are tables, where it has them."""
    for kind, keys in ((str, NAMES_OF_A_RECORD), (dict, TABLES_OF_A_RECORD)):
        for key in keys:
            if key in record and not isinstance(record[key], kind):
                raise TypeError(f"{key} is {record[key]!r:.80}, not a {kind.__name__}")
    return record


def finish(
    folder: Path, record: Mapping[str, Any], scores: pd.DataFrame, costs: pd.DataFrame
) -> None:
    """Write a run's tables, and last its record, which marks it as finished.

    The record has the SHA-256 of the prediction and of the tables that follow from it.
    """
    write_table(folder / SCORES, scores)
    write_table(folder / COSTS, costs)
    kept = (PREDICTION, SCORES, SHAKEN_FILE, LOOKS)
    files = {name: file_sha256(folder / name) for name in kept if (folder / name).is_file()}
    write_json(folder / RECORD, {**record, "files": files})


def keep_conditions(path: Path, asked: str, make: Callable[[], pd.DataFrame]) -> None:
    """Write the table of a question's conditions, unless it is there already.

    Parameters
    ----------
    path
        From `RunKey.conditions`.
    asked
        Fingerprint of what the question follows from; a table of another question is replaced.
    make
        Makes the table.
    """
    if not _is_of(path, asked):
        write_table(path, make().assign(**{ASKED: asked}))


def _is_of(path: Path, asked: str) -> bool:
    """Whether a table is there, whole, and of this question."""
    try:
        return set(read_parquet(path, columns=[ASKED])[ASKED]) == {asked}
    except (OSError, KeyError, DataError):  # absent, damaged or of another kind
        return False


def read_conditions(runs: Path) -> pd.DataFrame:
    """Return the conditions of all questions as one long table, those tested with their difficulty.

    Joined to scores by scenario, dataset, arm, seed, fold, context and perturbation. Of scores of
    files from elsewhere it has what the truth alone tells.
    """
    tables = [read_parquet(path) for path in sorted(runs.rglob(f"{CONDITIONS}-*.parquet"))]
    if not tables:
        return pd.DataFrame(columns=CONDITION_COLUMNS)
    known = [table.dropna(axis="columns", how="all") for table in tables]
    return pd.concat(known, ignore_index=True).reindex(columns=CONDITION_COLUMNS)


def components_of(conditions: pd.DataFrame) -> dict[str, frozenset[str]]:
    """Return the components of each perturbation that is tested, where they are known.

    Parameters
    ----------
    conditions
        From `read_conditions`, of one data set.
    """
    told = conditions.dropna(subset=["components"]).drop_duplicates("perturbation")
    told = told[told["components"] != ""]
    return {
        str(name): frozenset(json.loads(parts))
        for name, parts in zip(told["perturbation"], told["components"], strict=True)
    }


def judged_otherwise(runs: Path, *, base: str | None = None) -> list[str]:
    """Say which arms judged conditions that they share by other cells, controls, genes or depth.

    A difference of such arms is one of the yardstick, too.

    Parameters
    ----------
    runs
        Folder of runs.
    base
        The arm that others are compared with; if None, all are compared with each other.
    """
    table = read_conditions(runs)
    table = table[(table["role"] == Role.TEST) & (table["category"] != SHAM)].dropna(
        subset=["judged"]
    )
    return [
        f"{' / '.join(map(str, question))}: {sentence}"
        for question, of_question in table.groupby(["scenario", "dataset"], sort=True)
        for sentence in _judged_otherwise(of_question, base)
    ]


def _judged_otherwise(table: pd.DataFrame, base: str | None) -> Iterator[str]:
    row = ["seed", *CONDITION]
    hashes = table.groupby([*row, "arm"])["judged"].agg(lambda found: "".join(sorted(set(found))))
    beside = hashes.unstack("arm")  # noqa: PD010  a pivot table makes rows not asked
    for one, other in combinations(beside.columns, 2):
        if base is not None and base not in (one, other):
            continue
        both = beside[[one, other]].dropna()
        n_other = int((both[one] != both[other]).sum())
        if n_other:
            yield (
                f"arms {one} and {other} judged {n_other} of the {len(both)} conditions that they "
                "share by other cells, controls, genes or depth: their difference is of that, too."
            )


def run_folders(runs: Path) -> list[Path]:
    """Return the folders of all finished runs, sorted.

    Raises
    ------
    StoreError
        There is no such folder, or no finished run in it.
    """
    if not runs.is_dir():
        raise StoreError(f"There is no folder {runs}.")
    found = sorted(path.parent for path in runs.rglob(RECORD))
    if not found:
        raise StoreError(f"{runs} holds no finished runs; make some with: wildcell run")
    return found


def read_scores(runs: Path, *, with_controls: bool = False) -> pd.DataFrame:
    """Return the scores of all finished runs as one long table.

    Parameters
    ----------
    runs
        Folder of runs.
    with_controls
        Whether to add the columns of `wildcell.names.SHAKEN` and `SHAKEN_UNDER`, for intervals that
        count the noise of the controls, 0 where they are not known; and of `BY_CELLS`, what is
        explained by blocks of the test cells, NaN where that is not known.
    """
    folders = run_folders(runs)
    scores = _stacked(folders, SCORES)
    if with_controls and any((folder / SHAKEN_FILE).is_file() for folder in folders):
        scores = _with_shaken(scores, folders)
    return scores.drop(columns=PLACE)


def _stacked(folders: Sequence[Path], name: str) -> pd.DataFrame:
    """Return the tables of these folders that there are, with the place of the folder."""
    tables = [
        read_parquet(folder / name).assign(**{PLACE: place})
        for place, folder in enumerate(folders)
        if (folder / name).is_file()
    ]
    return pd.concat(tables, ignore_index=True)


def _with_shaken(scores: pd.DataFrame, folders: Sequence[Path]) -> pd.DataFrame:
    moves = [*SHAKEN, *SHAKEN_UNDER]
    keys = [PLACE, "metric", *CONDITION]
    known = _stacked(folders, SHAKEN_FILE).reindex(columns=[*keys, *moves, *BY_CELLS])
    known[[*moves, *BY_CELLS]] = known[[*moves, *BY_CELLS]].astype(np.float32)
    moved = scores[keys].merge(known, how="left", on=keys)[[*moves, *BY_CELLS]]
    moved[moves] = moved[moves].fillna(0)
    return pd.concat([scores, moved.set_axis(scores.index)], axis=1)


def read_halves(runs: Path) -> pd.DataFrame:
    """Return the scores by halves of the test cells: those of `read_scores`, and `half`.

    Models are the replicate, the reference and the ceiling of each question, and oracles where
    they were asked for. No rows where none of the runs has them.
    """
    files = [folder / HALVES for folder in run_folders(runs)]
    tables = [read_parquet(path) for path in files if path.is_file()]
    columns = [*SCORE_COLUMNS, "half"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def read_looks(runs: Path, wanted: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return some genes and cells of each condition, with the columns that name the run.

    Parameters
    ----------
    runs
        Folder of runs.
    wanted
        Which conditions are read: columns scenario, dataset, arm, seed, fold, context and
        perturbation. All if None.

    Returns
    -------
    The columns of `wildcell.metrics.looks.looks`, context, and scenario, dataset, arm, model, seed
    and fold. No rows where no run has them.
    """
    names = ["scenario", "dataset", "arm", "model", "seed", "fold"]
    question = [name for name in names if name != "model"]
    of_question = None if wanted is None else dict(iter(wanted.groupby(question)[CONDITION]))
    tables = []
    for folder in run_folders(runs):
        if not (folder / LOOKS).is_file():
            continue
        record = read_record(folder / RECORD)
        asked = None
        if of_question is not None:
            asked = of_question.get(tuple(record.get(name) for name in question))
            if asked is None:
                continue
        table = _looked_at(read_parquet(folder / LOOKS), asked)
        tables.append(table.assign(**{name: record.get(name) for name in names}))
    columns = [*names, *CONDITION, "look", "gene", "x", "y", "error"]
    if not tables:
        return pd.DataFrame(columns=columns)
    return pd.concat(tables, ignore_index=True)[columns]


def _looked_at(looks: pd.DataFrame, asked: pd.DataFrame | None) -> pd.DataFrame:
    """Return the rows of some conditions, and of the controls of their contexts."""
    if asked is None:
        return looks
    is_asked = pd.MultiIndex.from_frame(looks[CONDITION]).isin(pd.MultiIndex.from_frame(asked))
    is_control = (looks["perturbation"] == CONTROL) & looks["context"].isin(asked["context"])
    return looks[is_asked | is_control]


def read_costs(runs: Path) -> pd.DataFrame:
    """Return what each finished run took, with the columns that name it and its status."""
    names = ["scenario", "dataset", "arm", "model", "seed", "fold", "status"]
    tables = []
    for folder in run_folders(runs):
        if (folder / COSTS).is_file():
            record = read_record(folder / RECORD)
            table = read_parquet(folder / COSTS)
            tables.append(table.assign(**{name: record.get(name) for name in names}))
    columns = [*names, *COST_COLUMNS]
    return (
        pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)
    )


def read_scores_otherwise(runs: Path) -> pd.DataFrame:
    """Return the scores of all finished runs under other conventions, named in `preset`.

    Raises
    ------
    StoreError
        No run was scored under another one.
    """
    files = [
        path for folder in run_folders(runs) for path in sorted(folder.glob(OTHERWISE.format("*")))
    ]
    if not files:
        raise StoreError(
            f"{runs} holds no scores under other conventions; make them with: wildcell run ... "
            "--convention all"
        )
    return pd.concat([read_parquet(path) for path in files], ignore_index=True)


def unfinished(records: pd.DataFrame) -> list[str]:
    """Say which questions lack folds, as after a start that was cut short.

    Parameters
    ----------
    records
        From `read_records`.
    """
    sentences = []
    for names, table in records.groupby(["scenario", "dataset", "arm", "seed"], sort=True):
        n_folds, n_found = int(table["n_folds"].max()), int(table["fold"].nunique())
        if n_found < n_folds:
            *question, seed = map(str, names)
            sentences.append(
                f"{' / '.join(question)}, seed {seed}: {n_found} of {n_folds} folds are finished; "
                "start the same run again to have them all."
            )
    return sentences


def read_records(runs: Path) -> pd.DataFrame:
    """Return the records of all finished runs, a row a run, with its folder."""
    return pd.DataFrame(
        [
            {**read_record(folder / RECORD), "folder": str(folder.relative_to(runs))}
            for folder in run_folders(runs)
        ]
    )
