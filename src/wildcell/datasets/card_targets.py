"""Whether a genetic perturbation changes the gene that it targets, and which way."""

import numpy as np
import pandas as pd

from wildcell.arrays import Codes, Floats
from wildcell.datasets.card_effects import Measured
from wildcell.datasets.dataset import Dataset
from wildcell.names import CONDITION, Expression, Modality, Status

PSEUDOCOUNT = 0.1
"""Added to arithmetic means at a library size of 10,000 before their ratio is taken."""

DIRECTIONS = {Modality.CRISPRA: 1, Modality.CRISPRI: -1, Modality.CRISPRKO: -1}
"""Which way a target is meant to move."""

TARGET_NUMBERS = ["delta", "log2_fold_change", "z", "control_mean", "signal"]


def target_rows(dataset: Dataset) -> pd.DataFrame:
    """List the components of the genetic perturbations in each context.

    Returns
    -------
    Columns context, perturbation, component, modality; `gene`, the component where it is a gene
    of the panel and "" elsewhere; `condition` and `column`, where they are in
    `Dataset.conditions` and in the panel (-1 where in neither).

    Examples
    --------
    >>> from wildcell.datasets.load import load_dataset
    >>> rows = target_rows(load_dataset("simulated", n_contexts=1, n_combinations=1))
    >>> int(rows["perturbation"].value_counts().max())
    2
    """
    conditions = dataset.conditions[[*CONDITION, "modality"]]
    genetic = {modality.value for modality in Modality if modality.is_genetic}
    conditions = conditions.rename_axis("condition").reset_index()
    parts = dataset.components[["perturbation", "component"]].astype(str)
    rows = conditions[conditions["modality"].isin(genetic)].merge(parts, on="perturbation")
    rows["column"] = dataset.cells.var_names.get_indexer(rows["component"])
    rows["gene"] = rows["component"].where(rows["column"] >= 0, "")
    names = [*CONDITION, "component", "gene", "modality", "condition", "column"]
    return rows.sort_values(["condition", "component"])[names].reset_index(drop=True)


def target_numbers(
    measured: Measured, at: tuple[Codes, Codes], expression: Expression
) -> pd.DataFrame:
    """Return how targets move.

    Parameters
    ----------
    measured
        Some conditions and their controls.
    at
        Row in `measured` and column of each target.
    expression
        What the numbers of the screen are.

    Returns
    -------
    One row a target, with the columns of `TARGET_NUMBERS`.
    """
    delta = measured.delta[at]
    squared_error = measured.cell_error[at] + measured.control_error[at]
    error = np.sqrt(np.where(squared_error > 0, squared_error, np.nan))
    fold_change, control_mean = _fold_changes(measured, at)
    if expression is Expression.LOG2:
        fold_change = delta
    numbers = [delta, fold_change, delta / error, control_mean, delta**2 - squared_error]
    return pd.DataFrame(dict(zip(TARGET_NUMBERS, numbers, strict=True)))


def with_verdicts(rows: pd.DataFrame, status: "pd.Series[str]") -> pd.DataFrame:
    """Say of each target whether it moves as expected, or why that cannot be told.

    Parameters
    ----------
    rows
        Those of `target_rows`, with the columns of `TARGET_NUMBERS`.
    status
        Status of each condition; its numbers are withheld where it is not ok.
    """
    of_condition = status.to_numpy()[rows["condition"]]
    told = of_condition == Status.OK.value
    numbers = rows[TARGET_NUMBERS].where(pd.Series(told, index=rows.index), np.nan)
    is_undefined = (rows["gene"] == "") | (told & numbers["z"].isna())
    reason = np.where(is_undefined, Status.UNDEFINED.value, of_condition)
    expected = rows["modality"].map({key.value: way for key, way in DIRECTIONS.items()})
    moves = (np.sign(numbers["delta"]) == expected).astype("boolean")
    return rows.assign(**numbers, as_expected=moves.mask(reason != Status.OK.value), status=reason)


def _fold_changes(measured: Measured, at: tuple[Codes, Codes]) -> tuple[Floats, Floats]:
    perturbed, controls = measured.cells.per_ten_thousand, measured.controls.per_ten_thousand
    if perturbed is None or controls is None:
        unknown = np.full(len(at[0]), np.nan)
        return unknown, unknown
    ratio = (perturbed[at] + PSEUDOCOUNT) / (controls[at] + PSEUDOCOUNT)
    return np.log2(ratio), controls[at]
