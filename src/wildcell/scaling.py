"""What a model costs as cells and batches grow: each measurement in a process of its own."""

import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from importlib import import_module
from inspect import signature
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from wildcell.arrays import Codes
from wildcell.errors import OptionError, StoreError
from wildcell.models.answer import answer, unanswerable
from wildcell.models.find import find_model
from wildcell.models.sealed.terms import Terms
from wildcell.names import CONDITION, COST_COLUMNS, Status
from wildcell.record import whole_cost
from wildcell.scenarios.folder import read_task
from wildcell.scenarios.task import Cells, Task
from wildcell.store.atomic import read_table, write_table
from wildcell.store.fingerprint import fingerprint
from wildcell.store.provenance import Cost, measured, peak_memory_mb
from wildcell.store.runs import claimed

ASKED = "asked"
KEY = ["model", "options", "n_cells", "batch_size"]
COLUMNS = list(dict.fromkeys([ASKED, *KEY, *COST_COLUMNS, "rest_memory_mb", "status", "reason"]))

OnSize = Callable[[int, int, str], object]


def print_nothing(done: int, total: int, name: str) -> None:
    """Report no progress."""


class Size(NamedTuple):
    """One measurement: a model on so many training cells in batches of so many."""

    model: str
    options: Mapping[str, Any]
    n_cells: int
    batch_size: int | None

    @property
    def name(self) -> str:
        """What is measured, in words."""
        batch = "" if self.batch_size is None else f", batches of {self.batch_size}"
        return f"{self.model}, {self.n_cells} cells{batch}"

    def key(self) -> dict[str, Any]:
        """Return what tells the measurement from others of one task, in columns."""
        options = "; ".join(f"{name}={value}" for name, value in sorted(self.options.items()))
        batch = np.nan if self.batch_size is None else float(self.batch_size)
        return dict(zip(KEY, (self.model, options, self.n_cells, batch), strict=True))


def measure_growth(
    task_folder: Path,
    *,
    models: Sequence[str],
    n_cells: Sequence[int],
    out: Path,
    batch_sizes: Sequence[int] = (),
    options: Mapping[str, Mapping[str, Any]] | None = None,
    seed: int = 0,
    terms: Terms | None = None,
    on_size: OnSize = print_nothing,
) -> pd.DataFrame:
    """Fit and ask models on more and more training cells of one task, and keep what each took.

    Every measurement is made in a new process, and kept in `out` when it ends: a second start
    goes on. One that fails is a row with the status `error`, without costs.

    Parameters
    ----------
    task_folder
        What `wildcell split` wrote.
    models
        Names, classes in files or folders, as for `wildcell.run.run_scenario`.
    n_cells
        Training cells. Fewer than there are are drawn alike from every condition; more are those
        that there are, repeated.
    out
        Table, .csv or .parquet.
    batch_sizes
        In the place of each model's own. Models that take none are measured once a number of cells.
    options
        Of models, by name.
    seed
        Of the models, and of what is drawn.
    terms
        What models in processes of their own may take.
    on_size
        Called before each measurement with the number behind it, of all, and its name.

    Returns
    -------
    Columns asked (hash of task and seed), model, options, n_cells, batch_size, wall_s, cpu_s,
    peak_memory_mb (of the process, which held `rest_memory_mb` before it fitted),
    device_peak_memory_mb, batch, status, reason.

    Raises
    ------
    OptionError
        A number is below 1, or there are fewer cells than conditions.
    """
    task = read_task(task_folder)
    _check(task, models, n_cells, batch_sizes)
    asked = fingerprint({"train": task.train.X, "obs": task.train.obs, "seed": seed})
    sizes = _sizes(models, n_cells, batch_sizes, options or {})
    with claimed(out.absolute().parent / f".{out.name}.measuring"):
        rows = _read(out)
        for done, size in enumerate(sizes):
            key = {ASKED: asked, **size.key()}
            if _is_known(rows, key):
                continue
            on_size(done, len(sizes), size.name)
            rows = [row for row in rows if not _is_same(row, key)]
            rows.append({**key, **_measured_apart(task_folder, size, seed, terms)})
            write_table(out, _table(rows))
    table = _table(rows)
    return table[(table[ASKED] == asked) & table["model"].isin(models)]


def _check(
    task: Task, models: Sequence[str], n_cells: Sequence[int], batch_sizes: Sequence[int]
) -> None:
    for name in models:
        find_model(name)
    if not n_cells or min([*n_cells, *batch_sizes]) < 1:
        raise OptionError("Name the numbers of cells, and of cells a batch, all at least 1.")
    n_conditions = len(task.train.obs[CONDITION].drop_duplicates())
    if min(n_cells) < n_conditions:
        raise OptionError(
            f"{min(n_cells)} cells are fewer than the {n_conditions} conditions trained on, "
            "controls included; each keeps a cell."
        )


def _sizes(
    models: Sequence[str],
    n_cells: Sequence[int],
    batch_sizes: Sequence[int],
    options: Mapping[str, Mapping[str, Any]],
) -> list[Size]:
    return [
        Size(model, options.get(model, {}), n, batch)
        for model in dict.fromkeys(models)
        for n, batch in product(
            sorted(set(n_cells)), sorted(set(batch_sizes)) if _takes_batches(model) else [None]
        )
    ]


def _takes_batches(model: str) -> bool:
    return "batch_size" in signature(find_model(model).make).parameters


def _read(out: Path) -> list[dict[str, Any]]:
    """Return the measurements that are kept, none if there is no file."""
    if not out.is_file():
        return []
    table = read_table(out)
    if not set(COLUMNS) <= set(table):
        raise StoreError(f"{out} holds no measurements of scaling; name another file.")
    words = {"options": "", "reason": ""}
    return [
        {str(name): value for name, value in row.items()}
        for row in table.astype(dict.fromkeys(words, object)).fillna(words).to_dict("records")
    ]


def _table(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    numbers = dict.fromkeys([*COST_COLUMNS, "batch_size", "rest_memory_mb"], np.float64)
    return pd.DataFrame(rows, columns=COLUMNS).astype({**numbers, "n_cells": np.int64})


def _is_known(rows: Sequence[Mapping[str, Any]], key: Mapping[str, Any]) -> bool:
    return any(row["status"] == Status.OK and _is_same(row, key) for row in rows)


def _is_same(row: Mapping[str, Any], key: Mapping[str, Any]) -> bool:
    return all(
        row[name] == value or pd.isna([row[name], value]).all() for name, value in key.items()
    )


def _measured_apart(
    task_folder: Path, size: Size, seed: int, terms: Terms | None
) -> dict[str, Any]:
    """Measure in a new process, which may die without harm to this one."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as other:
        try:
            return other.submit(_measured, task_folder, size, seed, terms).result()
        except BrokenProcessPool:
            reason = "its process died, as one does that the system stops for its memory"
            return {"status": str(Status.ERROR), "reason": reason}


def _measured(task_folder: Path, size: Size, seed: int, terms: Terms | None) -> dict[str, Any]:
    """Fit and ask a model once; return its row."""
    task = read_task(task_folder)
    train = resized(task.train, size.n_cells, np.random.default_rng(seed))
    task = replace(task, train=train)
    card = find_model(size.model, terms)
    is_applicable = (unanswerable(card, task) == "").to_numpy()
    batch = {} if size.batch_size is None else {"batch_size": size.batch_size}
    training: dict[str, Any] = {}
    apart: list[Cost] = []
    if card.extra and card.is_installed:
        import_module(card.extra)  # loading it costs the same whatever the cells
    rest = peak_memory_mb()
    try:
        with measured() as cost:
            answer(
                card,
                task,
                is_applicable,
                seed,
                {**size.options, **batch},
                on_trained=training.update,
                on_ended=apart.append,
            )
    except (Exception, SystemExit) as error:  # noqa: BLE001  a model's crash is a result
        reason = f"{type(error).__name__}: {error} {traceback.format_exc(limit=-1)}"
        return {"status": str(Status.ERROR), "reason": " ".join(reason.split())}
    told = {name: training.get(name) for name in ("device_peak_memory_mb", "batch")}
    whole = whole_cost(cost, next(iter(apart), None))
    return {**vars(whole), **told, "rest_memory_mb": rest, "status": str(Status.OK), "reason": ""}


def resized(cells: Cells, n: int, rng: np.random.Generator) -> Cells:
    """Return `n` cells: drawn alike from every condition, or all of them and some again.

    Parameters
    ----------
    cells
        Those that there are.
    n
        How many there shall be, at least one for each condition.
    rng
        Draws them.
    """
    whole, rest = divmod(n, cells.n)
    rows = np.concatenate([np.tile(np.arange(cells.n), whole), _spread(cells.obs, rng)[:rest]])
    return cells.select(np.sort(rows))


def _spread(obs: pd.DataFrame, rng: np.random.Generator) -> Codes:
    """Return rows in an order whose beginnings hold all conditions in proportion to their size."""
    order = rng.permutation(len(obs))
    groups = obs[CONDITION].iloc[order].groupby(CONDITION, observed=True, sort=False)
    place = groups.cumcount().to_numpy()
    share = (place + 0.5) / groups["context"].transform("size").to_numpy()
    return order[np.argsort(np.where(place == 0, -1.0, share), kind="stable")]
