"""From two responses to the long table: each number with its reason to be one, or not."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wildcell.arrays import Booleans, Codes, Floats
from wildcell.metrics.metric import Metric, Ratio
from wildcell.metrics.response import Response
from wildcell.names import ABSTENTIONS, SCORE_COLUMNS, Need, Status

Statuses = NDArray[np.object_]


@dataclass(frozen=True)
class Case:
    """The evidence on which one answer is judged in one context.

    Attributes
    ----------
    truth, prediction
        With the same perturbations and genes, in one order.
    given
        The given controls as an answer, whose scores are the null values of metrics that
        declare none.
    has_few_controls
        Conditions whose delta the controls cannot carry, shape (n_perturbations,).
    """

    truth: Response
    prediction: Response
    given: Response
    has_few_controls: Booleans


def score_case(case: Case, metrics: Sequence[Metric]) -> pd.DataFrame:
    """Score the predicted responses of one context.

    Returns
    -------
    One row a perturbation and metric: perturbation, metric, value, numerator, denominator, null,
    n_truth, n_prediction, level, preset, status.
    """
    return pd.concat([_score_metric(item, case) for item in metrics], ignore_index=True)


def too_few_controls(truth: Response, given: Response) -> Booleans:
    """Mark conditions with fewer than `min_controls` in both halves together."""
    few = truth.n_controls + given.n_controls < truth.convention.min_controls
    return np.asarray(few | (truth.n_controls == 0) | (given.n_controls == 0))


def _score_metric(metric: Metric, case: Case) -> pd.DataFrame:
    status = _status_by_prediction(metric, case)
    by_truth = _status_by_truth(metric, case)
    status = np.where(by_truth == Status.OK, status, by_truth)
    values, parts = _nothing(case), Ratio(_nothing(case), _nothing(case))
    if (status == Status.OK).any():
        values, parts = compute(metric, case.truth, case.prediction)
    without = (status == Status.OK) & ~np.isfinite(values)
    status[without] = Status.MISSING if Need.CELLS in metric.needs else Status.FLAT
    null, null_parts = _nothing(case), Ratio(_nothing(case), _nothing(case))
    if np.isin(status, ABSTENTIONS).any():
        null, null_parts = compute(metric, case.truth, case.given)
        is_undefined = ~np.isfinite(compute(metric, case.truth, case.truth)[0])
        status[np.isin(status, ABSTENTIONS) & is_undefined] = metric.undefined
    is_scored, is_silent = status == Status.OK, np.isin(status, ABSTENTIONS)
    denominator = np.where(is_silent, null_parts.denominator, parts.denominator)
    return pd.DataFrame(
        {
            "perturbation": list(case.truth.perturbations),
            "metric": metric.name,
            "value": np.where(is_scored, values, np.nan),
            "numerator": np.where(is_scored, parts.numerator, np.nan),
            "denominator": np.where(is_scored | is_silent, denominator, np.nan),
            "null": null if metric.null is None else metric.null,
            "n_truth": _n_looked_at(metric, case.truth, case.prediction),
            "n_prediction": _n_looked_at(metric, case.prediction, case.truth),
            "level": "condition",
            "preset": case.truth.convention.name,
            "status": status.astype(str),
        }
    )


def compute(metric: Metric, truth: Response, prediction: Response) -> tuple[Floats, Ratio]:
    """Return a metric's value a perturbation, and its parts, NaN unless it is a ratio of sums."""
    with np.errstate(divide="ignore", invalid="ignore"):
        result = metric.compute(truth, prediction)
        if isinstance(result, Ratio):
            return metric.as_value(result.numerator / result.denominator), result
    unknown = np.full(len(truth.perturbations), np.nan)
    return result, Ratio(unknown, unknown)


def _n_looked_at(metric: Metric, response: Response, beside: Response) -> Codes:
    """Return how many cells of each row a metric looks at, where it looks at those that are drawn.

    A metric of equal numbers looks at no more than there are on the other side, if there are any.
    """
    if Need.CELLS not in metric.needs:
        return response.n_cells
    n = np.minimum(response.n_cells, response.convention.max_cells)
    is_limited = metric.is_matched & (beside.n_cells > 0)
    return np.where(is_limited, np.minimum(n, beside.n_cells), n)


def _nothing(case: Case) -> Floats:
    return np.full(len(case.truth.perturbations), np.nan)


def _all_ok(case: Case) -> Statuses:
    return np.full(len(case.truth.perturbations), Status.OK, dtype=object)


def _status_by_prediction(metric: Metric, case: Case) -> Statuses:
    """Return what forbids scoring on the answer's side; later rules win."""
    status = _all_ok(case)
    if _lacks_counts(metric, case.prediction):
        status[:] = Status.NEEDS_COUNTS
    if Need.CELLS in metric.needs and case.prediction.cells is None:
        status[:] = Status.NEEDS_CELLS
    if Need.DELTA in metric.needs:
        status[case.prediction.is_flat] = Status.FLAT
    status[case.prediction.is_missing] = Status.MISSING
    return status


def _status_by_truth(metric: Metric, case: Case) -> Statuses:
    """Return what forbids scoring whatever the answer; later rules win."""
    status = _all_ok(case)
    if {Need.ERROR, Need.DE} & metric.needs:
        status[case.truth.n_cells < 2] = Status.TOO_FEW_CELLS
    if _lacks_counts(metric, case.truth):
        status[:] = Status.NEEDS_COUNTS
    if Need.CELLS in metric.needs and case.truth.cells is None:
        status[:] = Status.NEEDS_CELLS
    if Need.DE in metric.needs and not case.truth.has_tests:
        status[:] = Status.NEEDS_CELLS
    if Need.HALVES in metric.needs:
        status[:] = np.where(status == Status.OK, _status_of_halves(case.truth), status)
    if Need.REFERENCE in metric.needs:
        status[lacks_reference(case.truth)] = Status.NEEDS_REFERENCE
    if Need.SINGLES in metric.needs:
        status[lacks_singles(case.truth)] = Status.NEEDS_REFERENCE
    if Need.DELTA in metric.needs:
        status[case.truth.is_flat] = Status.UNDEFINED
        status[case.has_few_controls] = Status.TOO_FEW_CONTROLS
    return status


def _lacks_counts(metric: Metric, response: Response) -> bool:
    has_no_linear = Need.LFC in metric.needs and response.linear_mean is None
    return has_no_linear or (Need.COUNTS in metric.needs and response.library_sizes is None)


def _status_of_halves(truth: Response) -> Statuses:
    """Return whether there are halves of the cells with errors of their own."""
    if truth.halves is None:
        return np.full(len(truth.perturbations), Status.NEEDS_CELLS, dtype=object)
    is_small = np.min([half.n for half in truth.halves], axis=0) < 2
    return np.where(is_small, Status.TOO_FEW_CELLS, Status.OK)


def lacks_reference(truth: Response) -> Booleans:
    """Mark the conditions that the reference baseline does not answer, (n_perturbations,)."""
    if truth.shared is None:
        return np.ones(len(truth.perturbations), dtype=bool)
    return np.asarray(np.isnan(truth.shared).any(axis=1))


def lacks_singles(truth: Response) -> Booleans:
    """Mark conditions that are no combination of trained singles, shape (n_perturbations,)."""
    if truth.additive is None:
        return np.ones(len(truth.perturbations), dtype=bool)
    return np.asarray(np.isnan(truth.additive).any(axis=1))


def label(scores: pd.DataFrame, **labels: Any) -> pd.DataFrame:
    """Return scores with labels added, in the declared columns and order."""
    return scores.assign(**labels)[SCORE_COLUMNS]
