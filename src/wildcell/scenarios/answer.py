"""A prediction brought to the truth's genes, scale and conditions, or refused with the reason."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from wildcell.arrays import Booleans, Codes, Floats, Matrix, Names, as_csr, log_normalise
from wildcell.datasets.values import LARGEST_LOG, ValueSummary, summarise_values
from wildcell.errors import PredictionError
from wildcell.names import CONDITION, CONTROL, Expression, Kind
from wildcell.scenarios.prediction import Prediction
from wildcell.scenarios.task import Cells, Truth, cells_on
from wildcell.streams.matrix import SelectedRows, stream_of
from wildcell.streams.spilled import GrowingRows, stacked_rows

LEAST_SHARE = 0.98
"""A panel whose counts are less of the library sizes than this is one of more genes."""

COUNTS_BESIDE_LOGS = (
    "The prediction holds counts and the truth log values of a library size that is not known; "
    "give the prediction in the truth's scale, or state the truth's target_sum."
)


def check_conditions(obs: pd.DataFrame, asked: pd.DataFrame) -> None:
    """Raise `PredictionError` unless a prediction answers just the conditions asked.

    Parameters
    ----------
    obs
        Context and perturbation of each predicted row; those of controls are passed over.
    asked
        The conditions.
    """
    answered = _conditions_of(obs)
    wanted = set(map(tuple, asked[CONDITION].to_numpy()))
    missing, extra = sorted(wanted - answered), sorted(answered - wanted)
    if missing:
        raise PredictionError(
            f"The prediction lacks {len(missing)} of {len(wanted)} conditions: {_some(missing)}. "
            "Add them, or have them counted as abstentions with --conditions asked."
        )
    if extra:
        raise PredictionError(
            f"The prediction has {len(extra)} conditions that the truth lacks: {_some(extra)}. "
            "Drop them, or have them ignored with --conditions asked."
        )


def check_some_conditions(obs: pd.DataFrame, asked: pd.DataFrame) -> None:
    """Raise `PredictionError` if a prediction answers none of the conditions asked.

    Parameters are those of `check_conditions`.
    """
    answered = _conditions_of(obs)
    wanted = set(map(tuple, asked[CONDITION].to_numpy()))
    if not answered:
        raise PredictionError(
            f"The prediction has no perturbed cells: it holds controls alone, {len(obs)} rows."
        )
    if wanted and not wanted & answered:
        raise PredictionError(
            "The prediction and the truth have no conditions in common; the truth has "
            f"{_some(sorted(wanted))}, the prediction {_some(sorted(answered))}."
        )


def to_truth(prediction: Prediction, truth: Truth) -> Prediction:
    """Return the perturbed rows of a prediction in the truth's genes and log scale.

    At genes that models were not given, the rows are those of the given controls: no change.

    Raises
    ------
    PredictionError
        Genes are missing or doubled, values are not finite or do not fit the stated scale, or
        the scale cannot be brought to the truth's.
    """
    is_unseen = np.isin(truth.test.genes, truth.unseen_genes)
    columns = gene_columns(prediction.genes, truth.test.genes[~is_unseen])
    is_perturbed = (prediction.obs["perturbation"] != CONTROL).to_numpy()
    values = _as_matrix(prediction)
    values = values if is_perturbed.all() else values[is_perturbed]
    obs = prediction.obs.loc[is_perturbed].reset_index(drop=True)
    check_values(summarise_values(values), prediction.expression, obs)
    _refuse_other_logs(prediction, truth.test)
    if prediction.expression is Expression.COUNTS:
        is_measured = np.isin(prediction.genes, truth.test.genes)
        counts = values if is_measured.all() else values[:, is_measured]
        obs = obs.assign(total_counts=_library_sizes(counts, obs, truth.test))
    scaled = _to_log_scale(values, obs, columns, prediction, truth.test)
    if is_unseen.any():
        scaled = _with_unseen(scaled, obs, truth, is_unseen, prediction.kind)
    return replace(
        prediction,
        X=scaled if prediction.kind is Kind.CELLS else scaled.toarray().astype(np.float64),
        obs=obs,
        genes=truth.test.genes,
        expression=_log_scale(truth.test),
        target_sum=truth.test.target_sum,
    )


def _with_unseen(
    values: Matrix, obs: pd.DataFrame, truth: Truth, is_unseen: Booleans, kind: Kind
) -> Matrix:
    """Return rows with the genes that models were not given, as they are in given controls."""
    unseen = cells_on(truth.given, truth.test.genes[is_unseen])
    group_of = truth.conditions.set_index(CONDITION)["control_group"]
    groups = group_of.reindex(pd.MultiIndex.from_frame(obs[CONDITION])).astype(str).to_numpy()
    if kind is Kind.MEAN:
        names, control = unseen.control_moments()
        rows = names.get_indexer(groups)
        silent = sparse.csr_matrix(np.where((rows >= 0)[:, None], control.mean[rows], 0.0))
    else:
        silent = unseen.lognorm[_controls_in_turn(groups, unseen)]
    joined = sparse.hstack([values, silent], format="csr")
    order = np.argsort(np.concatenate([np.flatnonzero(~is_unseen), np.flatnonzero(is_unseen)]))
    return joined[:, order]


def _controls_in_turn(groups: NDArray[Any], controls: Cells) -> Codes:
    """Return a control of the group of each cell, each control as often as any other."""
    rows = np.zeros(len(groups), dtype=np.intp)
    of_control = controls.obs["control_group"].to_numpy()
    for group in set(groups):
        own, cells = np.flatnonzero(of_control == group), np.flatnonzero(groups == group)
        if len(own):
            rows[cells] = own[np.arange(len(cells)) % len(own)]
    return rows


def with_shams_answered(prediction: Prediction, truth: Truth) -> Prediction:
    """Return a prediction that answers shams, too, as `Truth.answered_by` says.

    Parameters
    ----------
    prediction
        From `to_truth`.
    truth
        What it is judged by.
    """
    keys = pd.MultiIndex.from_frame(truth.conditions[CONDITION])
    of_row = keys.get_indexer(pd.MultiIndex.from_frame(prediction.obs[CONDITION]))
    shams = np.flatnonzero(truth.answered_by != np.arange(len(keys)))
    copies = [np.flatnonzero(of_row == truth.answered_by[row]) for row in shams]
    if not sum(map(len, copies)):
        return prediction
    answers = np.concatenate(copies)
    obs = prediction.obs.iloc[answers].copy()
    names = truth.conditions["perturbation"].to_numpy(dtype=object)[shams]
    obs["perturbation"] = np.repeat(names, [len(rows) for rows in copies])
    return replace(
        prediction,
        X=_with_copies(prediction.X, answers),
        obs=pd.concat([prediction.obs, obs], ignore_index=True),
    )


def _with_copies(rows: Matrix | Floats, copied: Codes) -> Matrix | Floats:
    """Return rows, and below them some of them again."""
    if sparse.issparse(rows):
        return stacked_rows([rows, rows[copied]])
    return np.concatenate([rows, rows[copied]])


def as_cells(prediction: Prediction) -> Cells:
    """Return predicted cells in log scale as cells without controls of their own."""
    assert prediction.kind is Kind.CELLS
    return Cells(
        X=sparse.csr_matrix(prediction.X),
        genes=prediction.genes,
        obs=prediction.obs,
        expression=prediction.expression,
        target_sum=prediction.target_sum,
    )


def mean_rows(prediction: Prediction, conditions: pd.DataFrame) -> Floats:
    """Return predicted means in the order of `conditions`, NaN rows where there is none."""
    keys = pd.MultiIndex.from_frame(prediction.obs[CONDITION])
    if keys.has_duplicates:
        twice = sorted(set(keys[keys.duplicated()]))
        raise PredictionError(
            f"The prediction has several means of one condition: {_some(twice)}. "
            "Give one row a condition, or cells."
        )
    rows = keys.get_indexer(pd.MultiIndex.from_frame(conditions[CONDITION]))
    values = np.asarray(prediction.X, dtype=np.float64)
    if len(values) == 0:
        return np.full((len(rows), values.shape[1]), np.nan)
    return np.where((rows >= 0)[:, None], values[rows], np.nan)


def gene_columns(predicted: Names, wanted: Names) -> Codes:
    """Return where each wanted gene stands among the predicted ones."""
    index = pd.Index(predicted)
    if index.has_duplicates:
        twice = sorted(set(index[index.duplicated()]))
        raise PredictionError(f"The prediction names genes twice: {_some(twice)}; keep one each.")
    columns = index.get_indexer(pd.Index(wanted))
    missing = sorted(np.asarray(wanted)[columns < 0])
    if missing:
        raise PredictionError(
            f"The prediction lacks {len(missing)} of {len(wanted)} genes: {_some(missing)}. "
            "Predict them all, or score the common ones with --genes common."
        )
    return np.asarray(columns)


def check_values(values: ValueSummary, expression: Expression, obs: pd.DataFrame) -> None:
    """Raise `PredictionError` unless all values are finite and of the scale that is stated."""
    n_bad = values.kinds["nan"] + values.kinds["infinite"]
    if n_bad:
        row = min(values.first[kind][0] for kind in ("nan", "infinite") if kind in values.first)
        condition = tuple(obs[CONDITION].iloc[row])
        raise PredictionError(
            f"The prediction holds {n_bad} values that are NaN or infinite, first in condition "
            f"{condition}. Leave out what cannot be predicted."
        )
    if expression is Expression.LOG2:
        return
    if values.kinds["negative"]:
        raise PredictionError(
            f"The prediction is called {expression} but holds negative values, down to "
            f"{values.smallest:.3g}. Clip them at 0, or state the scale that it is in."
        )
    if expression is Expression.COUNTS and values.kinds["fractional"]:
        raise PredictionError(
            "The prediction is called counts but holds fractions, such as "
            f"{values.first['fractional'][2]:.4g}. State --expression lognorm if that is it."
        )
    if expression is Expression.LOGNORM and values.largest > LARGEST_LOG[expression]:
        raise PredictionError(
            f"The prediction is called lognorm but reaches {values.largest:.4g}; log values stay "
            f"below {LARGEST_LOG[expression]:g}. State --expression counts if that is it."
        )


def _refuse_other_logs(prediction: Prediction, truth: Cells) -> None:
    if (prediction.expression is Expression.LOG2) != (truth.expression is Expression.LOG2):
        raise PredictionError(
            f"The prediction is {prediction.expression} and the truth {truth.expression}; "
            "bring the prediction to the truth's scale."
        )


def _to_log_scale(
    values: Matrix, obs: pd.DataFrame, columns: Codes, prediction: Prediction, truth: Cells
) -> Matrix:
    is_same = np.array_equal(columns, np.arange(values.shape[1]))  # and need not be copied
    if prediction.expression is Expression.COUNTS:
        assert truth.target_sum is not None
        depth = obs["total_counts"].to_numpy(float)
        return _normalised(values, None if is_same else columns, depth, truth.target_sum)
    on_genes = values if is_same else values[:, columns]
    if prediction.target_sum in {None, truth.target_sum}:
        return on_genes
    if truth.target_sum is None or prediction.kind is Kind.MEAN:
        raise PredictionError(
            f"The prediction's log values are at a library size of {prediction.target_sum:g}, the "
            f"truth's at {truth.target_sum}; give them at the truth's."
        )
    rescaled = on_genes.astype(np.float64)
    rescaled.data = np.log1p(np.expm1(rescaled.data) * truth.target_sum / prediction.target_sum)
    return rescaled


def _normalised(counts: Matrix, columns: Codes | None, depth: Floats, target_sum: float) -> Matrix:
    """Return log values of counts on some genes, all if None; many are computed in chunks."""
    logs = GrowingRows(counts.shape[1] if columns is None else len(columns))
    for start, rows in SelectedRows(stream_of(counts), columns=columns).chunks():
        own = depth[start : start + rows.shape[0]]
        logs.add(log_normalise(as_csr(rows), own, target_sum))
    return logs.finish()


def _library_sizes(counts: Matrix, obs: pd.DataFrame, truth: Cells) -> Floats:
    """Return the total counts of predicted cells: as stated, or over the genes of the truth."""
    if truth.target_sum is None:
        raise PredictionError(COUNTS_BESIDE_LOGS)
    if "total_counts" in obs:
        return obs["total_counts"].to_numpy(float)
    if is_panel_of_more(truth):
        raise PredictionError(
            "The prediction holds counts of a panel of genes, so that its library sizes are not "
            "known. State them in obs['total_counts'], or predict log1p values at a library size "
            f"of {truth.target_sum:g}."
        )
    return np.asarray(counts.sum(axis=1), dtype=float).ravel()


def is_panel_of_more(truth: Cells) -> bool:
    """Whether the library sizes of a truth are well above what its genes sum to."""
    if truth.expression is Expression.LOG2:
        return False
    is_counts = truth.expression is Expression.COUNTS
    on_panel = float(truth.X.sum() if is_counts else np.expm1(truth.X.data).sum(dtype=float))
    return on_panel < LEAST_SHARE * true_sizes(truth)


def true_sizes(truth: Cells) -> float:
    """Return the sum of the library sizes of a truth's cells; 0 where they are not known."""
    if truth.expression is Expression.COUNTS:
        return float(truth.obs["total_counts"].sum())
    return len(truth.obs) * (truth.target_sum or 0.0)


def _log_scale(truth: Cells) -> Expression:
    is_array = truth.expression is Expression.LOG2
    return Expression.LOG2 if is_array else Expression.LOGNORM


def _as_matrix(prediction: Prediction) -> Matrix:
    dtype = np.float64 if prediction.kind is Kind.MEAN else np.float32
    return sparse.csr_matrix(prediction.X, dtype=dtype)


def _conditions_of(obs: pd.DataFrame) -> set[tuple[str, ...]]:
    perturbed = obs.loc[obs["perturbation"] != CONTROL, CONDITION]
    return set(map(tuple, perturbed.drop_duplicates().to_numpy()))


def _some(items: list[object] | list[tuple[str, ...]] | list[str]) -> str:
    shown = ", ".join(map(str, items[:3]))
    return shown if len(items) <= 3 else f"{shown} and {len(items) - 3} more"
