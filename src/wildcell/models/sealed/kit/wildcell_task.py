"""A task folder read, and a prediction written, by a script of any Python with anndata.

wildcell puts this file on the path of the models that it starts; it imports nothing of wildcell,
and runs with libraries that are years old.
"""

import json
import sys
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import anndata as ad
import numpy as np
import pandas as pd
from scipy import sparse

CONTROL = "control"


class Task(NamedTuple):
    """What is asked, and all that may be known.

    `train`, `val` and `controls` are AnnData: `X` holds log values, CSR, float32, at the library
    size `target_sum`, and where there are counts `layers["counts"]` has them; `obs` has context,
    perturbation and control_group. `query` is a table of the conditions asked; `parts` has the
    components of every perturbation. `options` are those of the command line.
    """

    folder: Path
    train: Any
    val: Any
    controls: Any
    query: Any
    parts: Dict[str, List[str]]
    target_sum: float
    genes: List[str]
    seed: int
    options: Dict[str, Any]


def read_task(arguments: Optional[Sequence[str]] = None) -> Task:
    """Return the task whose folder is named first on the command line."""
    words = sys.argv[1:] if arguments is None else arguments
    folder, options = Path(words[0]), _options(words[2:])
    said = json.loads((folder / "preprocess.json").read_text())
    files = ("train", "val", "controls_given")
    train, val, controls = (_log_values(ad.read_h5ad(folder / f"{name}.h5ad")) for name in files)
    parts = pd.read_csv(folder / "components.csv", dtype=str, keep_default_na=False)
    return Task(
        folder=folder,
        train=train,
        val=val,
        controls=controls,
        query=pd.read_csv(folder / "query.csv", dtype=str, keep_default_na=False),
        parts=parts.groupby("perturbation")["component"].agg(list).to_dict(),
        target_sum=said["target_sum"],
        genes=said["genes"],
        seed=options.pop("seed", 0),
        options=options,
    )


def read_features(task: Task) -> Any:
    """Return the features, a row a component, or None where there are none; pyarrow reads them."""
    file = task.folder / "features.parquet"
    return pd.read_parquet(file) if file.is_file() else None


def read_graph(task: Task) -> Any:
    """Return the edges between components, or None where there is no graph; pyarrow reads them.

    Columns component, neighbour and weight.
    """
    file = task.folder / "graph.parquet"
    return pd.read_parquet(file) if file.is_file() else None


def _options(words: Sequence[str]) -> Dict[str, Any]:
    return {key[2:]: _value(text) for key, text in zip(words[::2], words[1::2])}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _log_values(cells: Any) -> Any:
    cells.X = sparse.csr_matrix(cells.X)
    words = cells.uns["wildcell"]
    if words["expression"] == "counts":
        cells.layers["counts"] = cells.X.astype(np.float32)
        scale = float(words["target_sum"]) / np.maximum(cells.obs["total_counts"].to_numpy(), 1.0)
        cells.X = sparse.diags(scale).dot(cells.X).tocsr()
        cells.X.data = np.log1p(cells.X.data)
    cells.X = cells.X.astype(np.float32)
    for name in ("context", "perturbation", "control_group"):
        cells.obs[name] = cells.obs[name].astype(str)
    cells.uns = {}
    return cells


def control_means(task: Task) -> Any:
    """Return the mean log values of the controls of each condition asked, a row a condition."""
    groups = task.controls.obs["control_group"].to_numpy()
    means = {group: _mean(task.controls.X[groups == group]) for group in np.unique(groups)}
    return np.stack([means[group] for group in task.query["control_group"]])


def effects(task: Task) -> Dict[Tuple[str, str], Any]:
    """Return the mean change of each trained condition: (context, perturbation) -> (n_genes,)."""
    obs, X = task.train.obs, task.train.X
    is_control = (obs["perturbation"] == CONTROL).to_numpy()
    groups = obs["control_group"].to_numpy()
    control = {
        group: _mean(X[is_control & (groups == group)]) for group in np.unique(groups[is_control])
    }
    found = {}
    for key, rows in obs[~is_control].groupby(["context", "perturbation"]).indices.items():
        cells = np.flatnonzero(~is_control)[rows]
        found[key] = _mean(X[cells]) - control[groups[cells[0]]]
    return found


def _mean(X: Any) -> Any:
    return np.asarray(X.mean(axis=0), dtype=np.float64).ravel()


def write_means(task: Task, means: Any, rows: Optional[Sequence[int]] = None) -> None:
    """Write mean log values, a row a condition of the query, or of its rows that are named."""
    query = task.query if rows is None else task.query.iloc[rows]
    answer = ad.AnnData(
        np.maximum(np.asarray(means, dtype=np.float32), 0.0),
        obs=query[["context", "perturbation"]].set_axis([str(i) for i in range(len(query))]),
        var=pd.DataFrame(index=pd.Index(task.genes)),
    )
    _write(answer, task, "mean")


def write_cells(task: Task, X: Any, obs: Any) -> None:
    """Write predicted cells: log values, and a table with their context and perturbation."""
    X = sparse.csr_matrix(X, dtype=np.float32)
    X.data = np.maximum(X.data, 0.0)
    answer = ad.AnnData(
        X,
        obs=obs[["context", "perturbation"]].set_axis([str(i) for i in range(len(obs))]),
        var=pd.DataFrame(index=pd.Index(task.genes)),
    )
    _write(answer, task, "cells")


def _write(answer: Any, task: Task, kind: str) -> None:
    answer.uns["wildcell"] = {"kind": kind, "expression": "lognorm", "target_sum": task.target_sum}
    answer.write_h5ad(sys.argv[2])
