"""Task folders, and splits beside their data, laid before the auditor."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import anndata as ad
import h5py
import numpy as np
import pandas as pd

from wildcell.arrays import as_csr
from wildcell.datasets.dataset import COMPONENT_COLUMNS, Dataset
from wildcell.datasets.load import load_dataset
from wildcell.datasets.read import UNREADABLE, read_cells
from wildcell.datasets.symbols import read_gene_names
from wildcell.errors import DataError, OptionError
from wildcell.guards.hdf5 import check_hdf5
from wildcell.guards.texts import open_bytes
from wildcell.names import CONDITION, UNS, Expression, Role
from wildcell.scenarios.controls import common_controls, kept_controls
from wildcell.scenarios.duplicates import Pile
from wildcell.scenarios.ensembl import ensembl_names
from wildcell.scenarios.feature_file import read_origin
from wildcell.scenarios.folder import is_truth, read_task, truth_from
from wildcell.scenarios.leak import Case, Side
from wildcell.scenarios.leakage import claims_of, comparable_genes, is_strict, sides_of
from wildcell.scenarios.panel import fit_panel
from wildcell.scenarios.rows import Rows, pack, read_rows
from wildcell.scenarios.split import Split
from wildcell.scenarios.task import Truth

AUDITED_ROLES = [str(Role.TRAIN), str(Role.VAL), str(Role.TEST), "given", "kept"]


class Screen(NamedTuple):
    """What of a data set an audit looks at."""

    obs: pd.DataFrame
    rows: Rows
    genes: list[str]
    components: pd.DataFrame
    ensembl: Mapping[str, str]


def case_of_split(
    table: Path,
    data: str | None,
    *,
    aliases: Mapping[str, str],
    strict: bool | None,
    claim: str = "",
) -> Case:
    """Lay a split and its data set before the auditor; an h5ad file is read bit by bit.

    Parameters
    ----------
    table
        A csv with the column role and either context and perturbation, or cell.
    data
        A named data set or a curated file; only to be left out by mistake.
    aliases
        What other names of genes and compounds stand for.
    strict
        Whether leaks stop; if None, unless all that is tested has the category seen.
    claim
        What is claimed never to have been learned from, "" for what the categories say.

    Raises
    ------
    OptionError
        The table cannot be read as a split, or does not fit the data.
    """
    split = _read_split(table)
    if data is None:
        raise OptionError(
            f"{table} says which role each {'cell' if 'cell' in split else 'condition'} has, and "
            "nothing of the cells; name the data set that it splits with --data."
        )
    screen = read_screen(data)
    roles = _roles_of_cells(split, screen.obs)
    sides = {
        role: Side(screen.obs[roles == role], Pile(screen.rows, np.flatnonzero(roles == role)))
        for role in AUDITED_ROLES
        if (roles == role).any()
    }
    for role in (str(Role.TRAIN), str(Role.TEST)):
        if role not in sides:
            raise OptionError(f"{table} gives no cell of the data set the role {role}.")
    tested = _tested(split, sides[str(Role.TEST)].obs)
    return Case(
        sides=sides,
        tested=tested,
        components=screen.components,
        genes=screen.genes,
        is_strict=is_strict(tested) if strict is None else strict,
        aliases={**screen.ensembl, **aliases},
        claim=claim,
    )


def case_of_task(
    folder: Path,
    truth: Path | None,
    data: str | None,
    *,
    aliases: Mapping[str, str],
    strict: bool | None,
    claim: str = "",
) -> Case:
    """Lay a task folder before the auditor, and the truth or the data set where there is one.

    Parameters
    ----------
    folder
        As `wildcell split` writes it.
    truth
        The judge's file; by default the one that lies beside the folder, if there is one.
    data
        The data set that the task was made of: genes are chosen anew, and it has the test cells
        where there is no truth.
    aliases, strict, claim
        As for `case_of_split`.
    """
    task = read_task(folder)
    split = _read_split(folder / "split.csv")
    beside = folder.with_name(f"{folder.name}-truth.h5ad")
    place = truth or (beside if beside.is_file() else None)
    judge = None if place is None else _read_truth(place)
    dataset = None if data is None else load_dataset(data)
    sides = {"train": task.train, "val": task.val, "given": task.query.controls}
    if judge is not None:
        sides |= {"test": judge.test, "kept": judge.kept}
    piled = sides_of(sides, task.unmeasured)
    if judge is None and dataset is not None:
        genes = comparable_genes(sides.values(), task.unmeasured)
        piled["test"] = _test_side(dataset, split, genes)
    conditions = split[split["role"] == Role.TEST] if judge is None else judge.conditions
    features, graph = folder / "features.parquet", folder / "graph.parquet"
    return Case(
        sides=piled,
        tested=conditions[[*CONDITION, "category"]].astype(str),
        components=task.query.components,
        genes=list(task.train.genes),
        is_strict=is_strict(conditions) if strict is None else strict,
        flags=None if judge is None else judge.origin.flags,
        claims_of=claims_of(task, judge),
        truth=judge,
        features=task.query.features,
        feature_origin=read_origin(features) if features.is_file() else {},
        graph=task.query.graph,
        graph_origin=read_origin(graph) if graph.is_file() else {},
        aliases={**({} if dataset is None else ensembl_names(dataset.cells.var)), **aliases},
        claim=claim,
        panels={} if dataset is None or judge is None else _panels(dataset, judge, split),
    )


def read_aliases(path: Path) -> dict[str, str]:
    """Read what other names stand for, where they stand for one thing (see `read_gene_names`)."""
    names = read_gene_names(path)
    return {
        alias: next(iter(meant))
        for meanings in names.meanings.values()
        for alias, meant in meanings.items()
        if len(meant) == 1 and alias not in names.symbols
    }


def read_screen(data: str) -> Screen:
    """Read what an audit looks at; of an h5ad file without holding its matrix twice."""
    path = Path(data)
    if path.suffix != ".h5ad":
        dataset = load_dataset(data)
        rows = pack(as_csr(dataset.cells.X), dataset.expression)
        return _screen(dataset.cells.obs, dataset.cells.var, dataset.cells.uns, rows)
    if not path.is_file():
        raise DataError(f"There is no file {path}.")
    try:
        with h5py.File(path) as file:
            check_hdf5(file, path, loaded=("obs", "var", "uns"))
            obs, var, uns = (ad.io.read_elem(file[name]) for name in ("obs", "var", "uns"))
        rows = read_rows(path, Expression(str(uns[UNS]["expression"])))
    except UNREADABLE as error:
        raise DataError(f"{path} cannot be read as a curated h5ad file: {error}.") from error
    return _screen(obs, var, uns, rows)


def _screen(obs: pd.DataFrame, var: pd.DataFrame, uns: Mapping[str, Any], rows: Rows) -> Screen:
    columns = [name for name in (*CONDITION, "replicate") if name in obs]
    components = pd.DataFrame(uns[UNS]["components"])[COMPONENT_COLUMNS]
    return Screen(obs[columns], rows, list(map(str, var.index)), components, ensembl_names(var))


def _read_split(path: Path) -> pd.DataFrame:
    if not path.exists():
        raise OptionError(
            f"There is no {path}; name a task folder that wildcell split wrote, or a csv with the "
            "column role."
        )
    try:
        with open_bytes(path) as file:
            table = pd.read_csv(file, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise OptionError(f"{path} cannot be read as a split: {error}.") from error
    if "role" not in table or not ("cell" in table or set(CONDITION) <= set(table)):
        raise OptionError(
            f"{path} is no split: it needs the column role and either cell, or context and "
            f"perturbation; it has {', '.join(table)}."
        )
    unknown = set(table["role"]) - {*AUDITED_ROLES, str(Role.UNUSED), ""}
    if unknown:
        raise OptionError(
            f"{path} gives unknown roles: {sorted(unknown)}; known are {', '.join(AUDITED_ROLES)} "
            "and unused."
        )
    return table if "category" in table else table.assign(category="")


def _roles_of_cells(split: pd.DataFrame, obs: pd.DataFrame) -> Any:
    """Return the role of every cell, "" for none, shape (n_cells,)."""
    if "cell" in split:
        keys, wanted = pd.Index(split["cell"]), obs.index.astype(str)
    else:
        tested = split.loc[split["role"] == Role.TEST, "category"]
        if len(tested) and (tested == "seen").all():
            raise OptionError(
                "This split is one of cells, which a table of conditions does not tell apart: "
                "audit the task folder, or give a table with a column cell."
            )
        keys = pd.MultiIndex.from_frame(split[CONDITION])
        wanted = pd.MultiIndex.from_frame(obs[CONDITION])
    if keys.has_duplicates:
        twice = keys[keys.duplicated()][0]
        raise OptionError(f"The split gives {twice!r} two roles.")
    codes = np.append(split["role"].to_numpy(dtype=object), "")
    return codes[keys.get_indexer(wanted)]


def _tested(split: pd.DataFrame, obs: pd.DataFrame) -> pd.DataFrame:
    if "cell" in split:
        conditions = obs[CONDITION].astype(str).drop_duplicates()
        category = "seen" if (split["category"] == "seen").any() else ""
        return conditions.assign(category=category).reset_index(drop=True)
    return split.loc[split["role"] == Role.TEST, [*CONDITION, "category"]].reset_index(drop=True)


def _read_truth(path: Path) -> Truth:
    cells = read_cells(path)
    if not is_truth(cells.uns):
        raise DataError(f"{path} is not a truth that wildcell split wrote.")
    return truth_from(cells)


def _test_side(dataset: Dataset, split: pd.DataFrame, genes: list[str]) -> Side:
    """Return the test cells of a data set, in some genes."""
    roles = _roles_of_cells(split, dataset.cells.obs)
    cells = dataset.cells[roles == Role.TEST, genes]
    matrix = as_csr(cells.X)
    return Side(cells.obs, Pile(pack(matrix, dataset.expression), np.arange(matrix.shape[0])))


def _panels(dataset: Dataset, truth: Truth, split: pd.DataFrame) -> dict[str, frozenset[str]]:
    """Return the genes that the scenario's rule chooses on training cells, and on all cells."""
    rule, roles = truth.origin.genes, split["role"].to_numpy(dtype=object)
    if rule == "all" or (split["category"] == "seen").any():
        return {}
    asked = Split("", "", truth.origin.seed, 0, 1, split)
    kept = kept_controls(
        dataset, set(split.loc[roles == Role.TEST, "control_group"]), seed=asked.seed
    )
    in_training = asked.roles_of_cells(dataset) == Role.TRAIN
    seen = {
        "train": in_training | (dataset.is_control & ~kept),
        "all": np.ones(dataset.cells.n_obs, dtype=bool),
    }
    common = common_controls(dataset, seed=asked.seed)
    return {
        name: frozenset(map(str, fit_panel(dataset, rows, rule, common=common).gene_names))
        for name, rows in seen.items()
    }
