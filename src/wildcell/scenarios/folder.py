"""The task folder, which any model can read, and the judge's file, which none should."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from scipy import sparse

from wildcell.arrays import as_csr
from wildcell.datasets.dataset import COMPONENT_COLUMNS
from wildcell.datasets.read import read_cells
from wildcell.errors import DataError, PredictionError, StoreError
from wildcell.guards.tables import read_parquet
from wildcell.guards.texts import open_bytes, parse_json, read_text
from wildcell.names import CONDITION, SHAM, UNS, Expression, Kind
from wildcell.scenarios.feature_file import write_as_told
from wildcell.scenarios.graph_file import read_graph
from wildcell.scenarios.pose import Question
from wildcell.scenarios.prediction import Prediction
from wildcell.scenarios.split import Split
from wildcell.scenarios.task import Cells, Origin, Query, Task, Truth
from wildcell.store.atomic import write_cells, write_json, write_table, writing

OPTIONAL_FILES = ("features.parquet", "graph.parquet")
TRUTH_SIDES = ["test", "kept", "given"]
TRUTH_PARTS = ["conditions", "targets", "noisy_groups", "unseen_genes", "origin"]
TASK_FILES = {
    "train.h5ad": "perturbed training cells with the controls given for their contexts",
    "val.h5ad": "cells set aside for choosing options, with their given controls",
    "controls_given.h5ad": "the given controls of the conditions that are asked",
    "query.csv": "the conditions that are asked",
    "components.csv": "the parts of every perturbation",
    "features.parquet": "features of the components, where there are some",
    "graph.parquet": "which components are near others, where that is told",
    "preprocess.json": "genes, scale and library size",
    "split.csv": "the role of every condition that was measured",
}


def write_question(question: Question, split: Split, *, task_folder: Path, truth: Path) -> None:
    """Write a task folder, and the truth elsewhere.

    Raises
    ------
    StoreError
        The truth would lie inside the task folder, that folder is there already and not empty,
        or a file cannot be written; then nothing is left behind.
    """
    if task_folder.resolve() in truth.resolve().parents:
        raise StoreError(f"{truth} lies inside the task folder, where models would find it.")
    is_sham = split.conditions["category"] == SHAM
    with writing(task_folder) as folder:
        write_task(folder, question.task, split.conditions[~is_sham])
        write_truth(truth, question.truth)


def write_task(folder: Path, task: Task, conditions: pd.DataFrame) -> None:
    """Write a task into a new folder.

    Parameters
    ----------
    folder
        Where to; it must not be there.
    task
        The task.
    conditions
        The role of every condition.
    """
    folder.mkdir()
    write_cells(folder / "train.h5ad", to_anndata(task.train))
    write_cells(folder / "val.h5ad", to_anndata(task.val))
    write_cells(folder / "controls_given.h5ad", to_anndata(task.query.controls))
    write_table(folder / "query.csv", task.query.conditions)
    write_table(folder / "components.csv", task.query.components)
    write_table(folder / "split.csv", conditions)
    if task.query.features is not None:
        features = task.query.features.rename_axis("component")
        features.columns = features.columns.astype(str)
        write_as_told(folder / "features.parquet", features)
    if task.query.graph is not None:
        write_as_told(folder / "graph.parquet", task.query.graph)
    write_json(folder / "preprocess.json", _preprocessing(task))


def _preprocessing(task: Task) -> dict[str, Any]:
    cells = task.query.controls
    return {
        "expression": str(cells.expression),
        "target_sum": cells.target_sum,
        "genes": list(cells.genes),
        "target": task.target,
        "epoch_cells": task.epoch_cells,
        "unmeasured": {name: list(genes) for name, genes in task.unmeasured.items()},
        "files": TASK_FILES,
    }


def read_task(folder: Path) -> Task:
    """Read a task folder.

    Raises
    ------
    DataError
        The folder is absent, or a file is absent or unreadable.
    """
    needed = [name for name in TASK_FILES if name not in OPTIONAL_FILES]
    lacking = [name for name in needed if not (folder / name).is_file()]
    if lacking:
        raise DataError(
            f"{folder} is not a task folder: it lacks {', '.join(lacking)}. "
            "Make one with: wildcell split"
        )
    try:
        query = _read_query(folder)
        said = _read_preprocessing(folder / "preprocess.json")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder} holds a table that cannot be read: {error}.") from error
    return Task(
        from_anndata(read_cells(folder / "train.h5ad")),
        from_anndata(read_cells(folder / "val.h5ad")),
        query,
        target=said.get("target", ""),
        epoch_cells=said.get("epoch_cells", 0),
        unmeasured={name: tuple(genes) for name, genes in said.get("unmeasured", {}).items()},
    )


def _read_preprocessing(path: Path) -> dict[str, Any]:
    said = parse_json(read_text(path), str(path))
    if not isinstance(said, dict):
        raise DataError(f"{path} holds no settings by name.")
    return said


def _read_table(path: Path) -> pd.DataFrame:
    with open_bytes(path) as file:
        return pd.read_csv(file, dtype=str, keep_default_na=False)


def _read_query(folder: Path) -> Query:
    components = _read_table(folder / "components.csv")
    for number in ("dose", "time"):
        components[number] = pd.to_numeric(components[number])
    conditions = _read_table(folder / "query.csv")
    features, graph = (folder / name for name in OPTIONAL_FILES)
    return Query(
        conditions=conditions[[*CONDITION, "control_group", "category"]],
        controls=from_anndata(read_cells(folder / "controls_given.h5ad")),
        components=components[COMPONENT_COLUMNS],
        features=read_parquet(features) if features.is_file() else None,
        graph=read_graph(graph) if graph.is_file() else None,
    )


def write_truth(path: Path, truth: Truth) -> None:
    """Write the judge's side of a question as one h5ad."""
    sides = {name: to_anndata(getattr(truth, name)) for name in TRUTH_SIDES}
    cells = ad.concat(sides, label="side", index_unique="-", merge="same", uns_merge="first")
    cells.uns[UNS] = {
        **sides["test"].uns[UNS],
        "kind": "truth",
        "conditions": truth.conditions,
        "targets": truth.targets,
        "noisy_groups": np.array(truth.noisy_groups, dtype=str),
        "unseen_genes": np.array(truth.unseen_genes, dtype=str),
        "origin": json.dumps(asdict(truth.origin)),
    }
    write_cells(path, cells)


def is_truth(uns: Mapping[str, Any]) -> bool:
    """Whether a file with this `uns` holds the judge's side of a question."""
    metadata = uns.get(UNS, {})
    return isinstance(metadata, Mapping) and str(metadata.get("kind", "")) == "truth"


def truth_from(cells: ad.AnnData) -> Truth:
    """Return the truth that a judge's file holds."""
    metadata = cells.uns[UNS]
    lacking = [name for name in TRUTH_PARTS if name not in metadata]
    if lacking:
        raise DataError(
            f"The truth lacks {', '.join(lacking)}: it was written by another version; "
            "make it anew with: wildcell split"
        )
    with _written_otherwise("The truth"):
        return _truth_from(cells, metadata)


def _truth_from(cells: ad.AnnData, metadata: Mapping[str, Any]) -> Truth:
    cells.uns[UNS] = {**metadata, "kind": "side"}
    sides = {name: from_anndata(cells[cells.obs["side"] == name]) for name in TRUTH_SIDES}
    conditions = metadata["conditions"].reset_index(drop=True)
    targets = metadata["targets"].reset_index(drop=True).astype(str)
    return Truth(
        conditions=conditions.astype({name: str for name in conditions if name != "n_cells"}),
        targets=targets,
        noisy_groups=tuple(map(str, metadata["noisy_groups"])),
        unseen_genes=tuple(map(str, metadata["unseen_genes"])),
        origin=_origin_from(str(metadata["origin"])),
        **sides,
    )


def _origin_from(text: str) -> Origin:
    words = parse_json(text, "The origin of the truth")
    return Origin(**{**words, "flags": tuple(words["flags"])})


@contextmanager
def _written_otherwise(what: str) -> Iterator[None]:
    """Turn what goes wrong with labels that are not as they are written here into an error."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"{what} is not one that wildcell split wrote ({type(error).__name__}: {error})."
        ) from error


def to_anndata(cells: Cells) -> ad.AnnData:
    """Return cells as an AnnData that says what its numbers are."""
    obs = cells.obs.set_axis(cells.obs.index.astype(str))
    result = ad.AnnData(X=cells.X, obs=obs, var=pd.DataFrame(index=pd.Index(cells.genes)))
    result.uns[UNS] = {"expression": str(cells.expression)}
    if cells.target_sum is not None:
        result.uns[UNS]["target_sum"] = cells.target_sum
    if cells.embedding is not None:
        result.obsm["embedding"] = cells.embedding
    return result


def from_anndata(cells: ad.AnnData) -> Cells:
    """Return the cells of a file that `to_anndata` made."""
    with _written_otherwise("A file of the task folder"):
        return _cells_from(cells)


def _cells_from(cells: ad.AnnData) -> Cells:
    metadata = cells.uns.get(UNS, {})
    obs = cells.obs.reset_index(drop=True)
    lacking = [name for name in (*CONDITION, "control_group", "total_counts") if name not in obs]
    if is_truth(cells.uns) or "expression" not in metadata or lacking:
        raise DataError(
            "A file of the task folder is not one that wildcell split wrote"
            + (f": its obs lacks {', '.join(lacking)}." if lacking else ".")
        )
    texts = [name for name in obs if name != "total_counts"]
    target_sum = metadata.get("target_sum")
    return Cells(
        X=as_csr(cells.X),
        genes=np.array(cells.var_names, dtype=object),
        obs=obs[[*texts, "total_counts"]].astype(dict.fromkeys(texts, str)),
        expression=Expression(str(metadata["expression"])),
        target_sum=None if target_sum is None else float(target_sum),
        embedding=np.array(cells.obsm["embedding"]) if "embedding" in cells.obsm else None,
    )


def write_prediction(path: Path, prediction: Prediction) -> None:
    """Write a prediction as h5ad."""
    cells = ad.AnnData(
        X=prediction.X,
        obs=prediction.obs.reset_index(drop=True).rename(index=str),
        var=pd.DataFrame(index=pd.Index(prediction.genes, name="gene")),
    )
    cells.uns[UNS] = {"kind": str(prediction.kind), "expression": str(prediction.expression)}
    if prediction.target_sum is not None:
        cells.uns[UNS]["target_sum"] = prediction.target_sum
    write_cells(path, cells)


def read_prediction(path: Path) -> Prediction:
    """Read what `write_prediction` wrote.

    Raises
    ------
    DataError
        The file cannot be read.
    PredictionError
        It is no prediction, or does not say of what kind.
    """
    cells = read_cells(path)
    try:
        stated = cells.uns[UNS]
        expression, kind = Expression(str(stated["expression"])), Kind(str(stated["kind"]))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise PredictionError(
            f"{path} does not say in uns['{UNS}'] what its numbers (expression) and rows (kind) "
            "are: it was not written by wildcell, or it is damaged."
        ) from error
    return prediction_from(cells, expression=expression, kind=kind)


def prediction_from(cells: ad.AnnData, *, expression: Expression, kind: Kind) -> Prediction:
    """Return the prediction that a file holds, whose obs has context and perturbation.

    Parameters
    ----------
    cells
        The file's content.
    expression, kind
        What its numbers and rows are.
    """
    lacking = [name for name in CONDITION if name not in cells.obs]
    if lacking:
        raise PredictionError(
            f"The prediction's obs lacks {' and '.join(lacking)}; it has "
            f"{', '.join(map(str, cells.obs.columns)) or 'no columns'}. "
            "Name the columns with --context-column and --perturbation-column."
        )
    obs = cells.obs[CONDITION].astype(str)
    if "total_counts" in cells.obs:
        obs["total_counts"] = _numbers(cells.obs["total_counts"])
    target_sum = _target_sum(cells.uns.get(UNS))
    X = cells.X if sparse.issparse(cells.X) else np.asarray(cells.X)
    return Prediction(
        X=X,
        obs=obs.reset_index(drop=True),
        genes=np.array(cells.var_names, dtype=object),
        kind=kind,
        expression=expression,
        target_sum=target_sum,
    )


def _numbers(column: pd.Series) -> pd.Series:
    try:
        return column.astype(float)
    except (TypeError, ValueError) as error:
        raise PredictionError(
            f"The prediction's obs[{column.name!r}] must be numbers: {error}"
        ) from error


def _target_sum(stated: Any) -> float | None:
    """Return the library size that a prediction states, if it does."""
    found = stated.get("target_sum") if isinstance(stated, Mapping) else None
    try:
        return None if found is None else float(found)
    except (TypeError, ValueError) as error:
        raise PredictionError(
            f"uns['{UNS}']['target_sum'] of the prediction must be a number: {error}"
        ) from error
