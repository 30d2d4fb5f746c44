"""What passes between wildcell and a model in a process of its own: a folder in, a file out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from wildcell.datasets.open import open_cells
from wildcell.errors import PredictionError
from wildcell.guards.limits import refuse_link
from wildcell.guards.tables import read_parquet
from wildcell.guards.texts import open_bytes
from wildcell.names import CONDITION, Expression, Kind, Role
from wildcell.scenarios.folder import prediction_from, write_task
from wildcell.scenarios.prediction import Prediction
from wildcell.scenarios.reading import (
    Labels,
    check_mean_scale,
    labelled,
    library_size,
    prediction_kind,
    stated_library_size,
    stated_or_detected,
)
from wildcell.scenarios.task import Cells, Query, Task
from wildcell.store.atomic import writing

SPLIT_COLUMNS = [
    "dataset",
    *CONDITION,
    "control_group",
    "modality",
    "n_cells",
    "n_components",
    "role",
    "reason",
    "category",
]


def give(folder: Path, task: Task) -> None:
    """Write the task folder of a task, as `wildcell split` does.

    What its `split.csv` says is said by the task: the conditions that are asked have no cells.
    """
    with writing(folder) as part:
        write_task(part, task, _roles(task))


def _roles(task: Task) -> pd.DataFrame:
    """Return a row a condition that is trained on, set aside, or asked."""
    asked = task.query.conditions.assign(dataset=task.target, n_cells=0, role=str(Role.TEST))
    table = pd.concat(
        [_counted(task.train, Role.TRAIN), _counted(task.val, Role.VAL), asked], ignore_index=True
    )
    parts = task.query.components.groupby("perturbation").size()
    table["n_components"] = table["perturbation"].map(parts).fillna(1).astype(int)
    table["modality"] = table["reason"] = ""
    table["category"] = table["category"].fillna("")
    return table[SPLIT_COLUMNS]


def _counted(cells: Cells, role: Role) -> pd.DataFrame:
    names = [*CONDITION, "control_group"]
    obs = cells.obs.loc[~cells.is_control].assign(dataset=cells.obs.get("dataset", ""))
    table = obs.groupby([*names, "dataset"], sort=True).size().reset_index(name="n_cells")
    return table.assign(role=str(role), category="")


def take(path: Path, query: Query) -> Prediction:
    """Read the answer that a model left.

    Parameters
    ----------
    path
        An h5ad or zarr file, as `wildcell score` reads it; or a table, .csv or .parquet, of means
        of log values: columns context, perturbation, and one a gene.
    query
        What was asked.

    Raises
    ------
    BenchmarkError
        It cannot be read, or does not say what it must.
    """
    refuse_link(path)
    if path.suffix in {".csv", ".parquet"}:
        return _from_table(path, query)
    read = labelled(open_cells(path), Labels())
    expression, _ = stated_or_detected(read, None)
    kind = prediction_kind(read.cells)
    check_mean_scale(read.file, kind, expression)
    has_depth = expression is Expression.LOGNORM
    depth = stated_library_size(read) if kind is Kind.MEAN or not has_depth else library_size(read)
    prediction = prediction_from(read.in_memory, expression=expression, kind=kind)
    return replace(prediction, target_sum=depth if has_depth else None)


def _from_table(path: Path, query: Query) -> Prediction:
    try:
        table = read_parquet(path) if path.suffix == ".parquet" else _read_csv(path)
    except (OSError, ValueError, TypeError, LookupError, MemoryError) as error:
        raise PredictionError(f"{path.name} cannot be read as a table: {error}.") from error
    if lacking := [name for name in CONDITION if name not in table]:
        raise PredictionError(
            f"{path.name} has no column {' and none '.join(lacking)}; a table of means has context "
            "and perturbation, and a column a gene."
        )
    values = table.drop(columns=CONDITION)
    try:
        X = values.to_numpy(dtype=np.float64)
    except ValueError as error:
        raise PredictionError(f"{path.name} holds something else than numbers: {error}.") from error
    is_array = query.controls.expression is Expression.LOG2
    return Prediction(
        X=X,
        obs=table[CONDITION].astype(str).reset_index(drop=True),
        genes=np.array(values.columns.astype(str), dtype=object),
        kind=Kind.MEAN,
        expression=Expression.LOG2 if is_array else Expression.LOGNORM,
    )


def _read_csv(path: Path) -> pd.DataFrame:
    texts = dict.fromkeys(CONDITION, str)
    with open_bytes(path) as file:
        return pd.read_csv(file, dtype=texts, keep_default_na=False, na_values={})
