"""Errors of means, deltas and fold changes."""

import numpy as np

from wildcell.arrays import Floats
from wildcell.metrics.de_recovery import is_found
from wildcell.metrics.metric import Ratio, metric
from wildcell.metrics.recovery import divided
from wildcell.metrics.response import Response
from wildcell.metrics.signal import measured_signal
from wildcell.names import Need, Status

CELL_EVAL = "cell-eval2 0.20 (Arc Institute)"


def _delta_error(truth: Response, prediction: Response) -> Floats:
    """Return d - D, 0 at the genes that are targeted directly, (n_perturbations, n_genes)."""
    return np.where(truth.kept_genes, prediction.delta - truth.delta, 0.0)


@metric(
    "mse",
    best="low",
    family="profile",
    alias_of="rmse",
    formula="mean over genes of (p - t)^2",
    range="0 and above",
)
def mse(truth: Response, prediction: Response) -> Floats:
    """Mean squared error of the mean profile."""
    return np.asarray(((prediction.mean - truth.mean) ** 2).mean(axis=1))


@metric(
    "l2",
    best="low",
    family="profile",
    alias_of="rmse",
    formula="root of the sum over genes of (p - t)^2",
    range="0 and above",
    cite="Ahlmann-Eltze, Huber & Anders 2025, Nature Methods, doi:10.1038/s41592-025-02772-6",
)
def l2(truth: Response, prediction: Response) -> Floats:
    """Euclidean distance of the mean profiles."""
    return np.asarray(np.linalg.norm(prediction.mean - truth.mean, axis=1))


@metric(
    "mse_delta",
    best="low",
    family="correlation",
    needs=(Need.DELTA,),
    formula="mean over genes of (d - D)^2",
    range="0 and above",
)
def mse_delta(truth: Response, prediction: Response) -> Floats:
    """Mean squared error of the delta, each against its own half of the controls."""
    error = _delta_error(truth, prediction)
    return np.einsum("pg,pg->p", error, error) / truth.kept_genes.sum(axis=1)


@metric(
    "mae_delta",
    best="low",
    family="correlation",
    needs=(Need.DELTA,),
    formula="mean over genes of |d - D|",
    range="0 and above",
)
def mae_delta(truth: Response, prediction: Response) -> Floats:
    """Mean absolute error of the delta, each against its own half of the controls."""
    error = np.abs(_delta_error(truth, prediction))
    return np.asarray(error.sum(axis=1) / truth.kept_genes.sum(axis=1))


@metric(
    "mse_over_effect",
    best="low",
    family="correlation",
    needs=(Need.DELTA, Need.ERROR),
    null=1.0,
    formula="sum over conditions of |p - t|^2 - N_p, over the sum of S = D·D - N_p - N_k",
    range="about 0 and above",
    cite=CELL_EVAL,
)
def mse_over_effect(truth: Response, prediction: Response) -> Ratio:
    """Squared error over squared effect, both without noise: 0 for the effect, 1 for no change.

    Were the two halves of the controls one, it would be 1 - `effect_r2` + N_k / S.
    """
    parts = measured_signal(truth)
    error = np.where(truth.kept_genes, prediction.mean - truth.mean, 0.0)
    return Ratio(np.einsum("pg,pg->p", error, error) - parts.cell_noise, parts.signal)


@metric(
    "lfc_nmae",
    best="low",
    family="genes",
    needs=(Need.DELTA, Need.LFC, Need.DE),
    null=1.0,
    undefined=Status.TOO_FEW_DE_GENES,
    formula="sum over R of |l - L|, over the sum over R of |L|",
    range="0 and above",
    cite=CELL_EVAL,
)
def lfc_nmae(truth: Response, prediction: Response) -> Floats:
    """Absolute error of the differential genes' fold changes over their size; 1 for no change."""
    found = is_found(truth)
    error = np.where(found, np.abs(prediction.lfc - truth.lfc), 0.0).sum(axis=1)
    return divided(error, np.where(found, np.abs(truth.lfc), 0.0).sum(axis=1))
