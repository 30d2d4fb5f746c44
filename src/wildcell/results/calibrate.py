"""The top of the scale: what the noise-free effect scores, and what a replicate scores."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from wildcell.arrays import Booleans, Floats
from wildcell.metrics.metric import Metric
from wildcell.metrics.response import Response
from wildcell.names import Need, Status
from wildcell.results.score import lacks_reference

RATIO_MEAN_COLUMNS = ["value", "numerator", "denominator"]


def ceiling_scores(
    truth: Response, metrics: Sequence[Metric], *, has_few_controls: Booleans
) -> pd.DataFrame:
    """Return the analytic scores of the noise-free effect, for the metrics that have one.

    Parameters
    ----------
    truth
        The measured responses of one context.
    metrics
        Those without a declared ceiling are passed over.
    has_few_controls
        Conditions whose delta the controls cannot carry, shape (n_perturbations,).
    """
    tables = [
        _ceiling(item, truth, has_few_controls) for item in metrics if item.ceiling is not None
    ]
    return pd.concat(tables, ignore_index=True)


def _ceiling(metric: Metric, truth: Response, few: Booleans) -> pd.DataFrame:
    is_unsupported = np.zeros(len(truth.perturbations), dtype=bool)
    if Need.REFERENCE in metric.needs:
        is_unsupported = lacks_reference(truth)
    value = np.where(is_unsupported, np.nan, _ceiling_value(metric, truth))
    status = np.full(len(value), str(Status.OK), dtype=object)
    status[~np.isfinite(value)] = str(Status.NEEDS_CELLS)
    status[is_unsupported] = str(Status.NEEDS_REFERENCE)
    if Need.DELTA in metric.needs:
        status[few] = str(Status.TOO_FEW_CONTROLS)
    return pd.DataFrame(
        {
            "perturbation": list(truth.perturbations),
            "metric": metric.name,
            "value": np.where(status == Status.OK, value, np.nan),
            "numerator": np.nan,
            "denominator": np.nan,
            "null": np.nan,
            "n_truth": truth.n_cells,
            "n_prediction": 0,
            "level": "condition",
            "preset": truth.convention.name,
            "status": status.astype(str),
        }
    )


def _ceiling_value(metric: Metric, truth: Response) -> Floats:
    assert metric.ceiling is not None
    if callable(metric.ceiling):
        return metric.ceiling(truth)
    return np.full(len(truth.perturbations), float(metric.ceiling))


def both_ways(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Average the scores of one half against the other and of the other against the one.

    Parameters
    ----------
    first, second
        Tables with the same rows in the same order. Where either way is undefined, so is the
        average, with that way's status.
    """
    result = first.copy()
    for column in RATIO_MEAN_COLUMNS:
        result[column] = (first[column] + second[column]) / 2
    result["status"] = first["status"].where(first["status"] != Status.OK, second["status"])
    result.loc[result["status"] != Status.OK, RATIO_MEAN_COLUMNS] = np.nan
    return result
