"""Errors and correlations in which genes weigh by how specific their response is.

Arrays of profiles and weights are of shape (n_perturbations, n_genes); rows of weights sum to 1.
"""

import numpy as np

from wildcell.arrays import Floats
from wildcell.metrics.recovery import divided


def specificity_weights(statistic: Floats, *, exponent: float = 2.0) -> Floats:
    """Return weights that grow with the size of a test statistic, scaled to 0 to 1 in each row.

    Parameters
    ----------
    statistic
        Of a test of each perturbation against all others, shape (n_perturbations, n_genes); NaN
        weighs nothing. A row without spread weighs all genes alike.
    exponent
        To which the scaled sizes are raised.

    References
    ----------
    Mejia et al., Diversity by design (2025).

    Examples
    --------
    >>> import numpy as np
    >>> specificity_weights(np.array([[-3.0, 1.0, 2.0]])).tolist()
    [[0.8, 0.0, 0.2]]
    """
    size = np.abs(np.where(np.isfinite(statistic), statistic, np.nan))
    is_known = ~np.isnan(size)
    lowest = np.where(is_known, size, np.inf).min(axis=1, keepdims=True)
    highest = np.where(is_known, size, -np.inf).max(axis=1, keepdims=True)
    spread = np.maximum(highest - lowest, 0)
    raised = np.nan_to_num(divided(size - lowest, spread)) ** exponent
    total = raised.sum(axis=1, keepdims=True)
    return np.where(total > 0, raised / np.where(total > 0, total, 1.0), 1 / size.shape[1])


def weighted_squared_error(truth: Floats, prediction: Floats, weights: Floats) -> Floats:
    """Return the weighted mean squared error of each row, shape (n_perturbations,)."""
    return np.einsum("pg,pg->p", weights, (prediction - truth) ** 2)


def weighted_r2(truth: Floats, prediction: Floats, weights: Floats) -> Floats:
    """Return the weighted share of each row's variance over genes that is explained.

    1 is best, not bounded below; NaN where the truth is constant.

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.array([[1.0, 3.0]])
    >>> weighted_r2(truth, np.array([[2.0, 2.0]]), np.array([[0.5, 0.5]])).tolist()
    [0.0]
    """
    centre = np.einsum("pg,pg->p", weights, truth)[:, None]
    variance = np.einsum("pg,pg->p", weights, (truth - centre) ** 2)
    return 1 - divided(weighted_squared_error(truth, prediction, weights), variance)


def r2(truth: Floats, prediction: Floats) -> Floats:
    """Return the share of each row's variance over genes that is explained."""
    return weighted_r2(truth, prediction, np.full(truth.shape, 1 / truth.shape[1]))
