"""Scores under a preset as rows of the long table, each with its reason to be a number or not."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wildcell.arrays import Booleans, Floats
from wildcell.metrics.evidence import Evidence, Side
from wildcell.metrics.preset import Preset, PresetMetric
from wildcell.names import CONTROL, Need, Status
from wildcell.results.score import Statuses


def score_evidence(preset: Preset, evidence: Evidence) -> pd.DataFrame:
    """Compute all scores of a preset on one context.

    Returns
    -------
    One row a perturbation and metric, in the preset's order: perturbation, metric, value, null,
    n_truth, n_prediction, status; for distances that a package takes of the controls, too, one row
    more.
    """
    return pd.concat([_table(metric, evidence) for metric in preset.metrics], ignore_index=True)


def unscored(preset: Preset, statuses: Mapping[str, Status]) -> pd.DataFrame:
    """Return the rows of perturbations that are not scored, with the reason of each."""
    rows = [
        {
            "perturbation": perturbation,
            "metric": metric.name,
            "value": np.nan,
            "null": _null_of(metric),
            "n_truth": 0,
            "n_prediction": 0,
            "status": str(status),
        }
        for metric in preset.metrics
        for perturbation, status in statuses.items()
    ]
    return pd.DataFrame(rows)


def without_score(scores: pd.DataFrame) -> str:
    """Say which metrics have no score of any perturbation, and why; '' where all have some.

    Parameters
    ----------
    scores
        Of one prediction: columns metric, value, status.

    Examples
    --------
    >>> rows = {"metric": ["mse", "pr_auc"], "value": [1.0, np.nan], "status": ["ok", "undefined"]}
    >>> without_score(pd.DataFrame(rows))
    'Without a score: pr_auc (undefined: 1).'
    """
    is_scored = scores.groupby("metric")["value"].transform("count") > 0
    of_metric = scores[~is_scored].groupby("metric", sort=False)["status"]
    reasons = of_metric.agg(lambda status: ", ".join(_counted(status)))
    by_reason = reasons.groupby(reasons, sort=False).groups
    told = [f"{', '.join(names)} ({reason})" for reason, names in by_reason.items()]
    return f"Without a score: {'; '.join(told)}." if told else ""


def _counted(status: "pd.Series[str]") -> list[str]:
    return [f"{name}: {n}" for name, n in status.value_counts().items()]


def _table(metric: PresetMetric, evidence: Evidence) -> pd.DataFrame:
    names = [*evidence.perturbations, CONTROL] if metric.scores_controls else evidence.perturbations
    reason = _missing_need(metric, evidence)
    values = np.full(len(names), np.nan) if reason else _computed(metric, evidence)
    status = np.full(len(names), reason or Status.OK, dtype=object)
    if not reason:
        status = np.where(np.isfinite(values), Status.OK, _undefined(metric, evidence, len(names)))
    return pd.DataFrame(
        {
            "perturbation": list(names),
            "metric": metric.name,
            "value": np.where(status == Status.OK, values, np.nan),
            "null": _null_of(metric),
            "n_truth": _n_cells(evidence.truth, metric),
            "n_prediction": _n_cells(evidence.prediction, metric),
            "status": status.astype(str),
        }
    )


def _null_of(metric: PresetMetric) -> float:
    return np.nan if metric.null is None else metric.null


def _computed(metric: PresetMetric, evidence: Evidence) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return metric.compute(evidence)


def _missing_need(metric: PresetMetric, evidence: Evidence) -> Status | None:
    if Need.CELLS in metric.needs and not evidence.prediction.is_of_cells:
        return Status.NEEDS_CELLS
    if Need.DELTA in metric.needs and evidence.prediction.control is None:
        return Status.TOO_FEW_CONTROLS
    return None


def _undefined(metric: PresetMetric, evidence: Evidence, n: int) -> Statuses:
    """Return why each value would not be one: a flat prediction, or the truth."""
    reasons = np.full(n, metric.undefined, dtype=object)
    reasons[: evidence.truth.n][is_flat(evidence.prediction) & ~is_flat(evidence.truth)] = (
        Status.FLAT
    )
    return reasons


def is_flat(side: Side) -> Booleans:
    """Which deltas, or where there are no controls which means, are constant over the genes."""
    shown = side.mean if side.control is None else side.delta
    return np.asarray(np.ptp(shown, axis=1) == 0)


def _n_cells(side: Side, metric: PresetMetric) -> NDArray[np.int64]:
    n = side.n_cells
    if metric.scores_controls:
        n = np.append(n, 0 if side.controls is None else side.controls.X.shape[0])
    return n if metric.max_cells is None else np.minimum(n, metric.max_cells)
