"""Ridge and nearest neighbours on rows of features, and whether to believe them."""

from collections.abc import Sequence
from math import inf

import numpy as np
from scipy.spatial.distance import cdist

from wildcell.arrays import Floats

FEWEST_TO_CHOOSE = 3
"""With fewer rows, nothing can be learned from leaving one out."""


def ridge_coefficients(rows: Floats, values: Floats, *, penalty: float) -> Floats:
    """Return the coefficients B that minimise |values - rows B|^2 + penalty |B|^2.

    Parameters
    ----------
    rows
        Shape (n_rows, n_features).
    values
        Shape (n_rows, n_values).
    penalty
        Above 0; infinite for coefficients of 0.

    Returns
    -------
    coefficients
        Shape (n_features, n_values).

    Examples
    --------
    >>> B = ridge_coefficients(np.array([[1.0], [1.0]]), np.array([[2.0], [4.0]]), penalty=1.0)
    >>> B.round(6).tolist()
    [[2.0]]
    """
    left, sizes, right = np.linalg.svd(rows, full_matrices=False)
    return (right.T * (sizes / (sizes**2 + penalty))) @ (left.T @ values)


def left_out_ridge_errors(rows: Floats, values: Floats, penalties: Sequence[float]) -> Floats:
    """Return the squared error on each row when it alone is left out of a ridge regression.

    Closed form on the hat matrix, with an intercept that is not penalised.

    Parameters
    ----------
    rows
        Centred, shape (n_rows, n_features).
    values
        Shape (n_rows, n_values).
    penalties
        The penalties to try.

    Returns
    -------
    errors
        Sums over the values, shape (n_penalties, n_rows).
    """
    left, sizes, _ = np.linalg.svd(rows, full_matrices=False)
    centred = values - values.mean(axis=0)
    projected = left.T @ centred
    errors = []
    for penalty in penalties:
        kept = sizes**2 / (sizes**2 + penalty)
        residual = centred - (left * kept) @ projected
        free = 1.0 - 1.0 / len(rows) - left**2 @ kept
        # A row that decides its own prediction has no freedom left, and no error to speak of.
        errors.append((residual**2).sum(axis=1) / np.maximum(free, 1e-9) ** 2)
    return np.array(errors)


def nearest_weights(distances: Floats, k: int) -> Floats:
    """Return weights, shape (n_rows, n_others), that average the `k` nearest others of each row.

    Examples
    --------
    >>> nearest_weights(np.array([[3.0, 1.0, 2.0]]), 2).tolist()
    [[0.0, 0.5, 0.5]]
    """
    weights = np.zeros_like(distances)
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :k]
    np.put_along_axis(weights, nearest, 1.0 / max(nearest.shape[1], 1), axis=1)
    return weights


def left_out_neighbours_errors(rows: Floats, values: Floats, ks: Sequence[int]) -> Floats:
    """Return the squared error on each row of the mean of its nearest others.

    Parameters
    ----------
    rows
        Shape (n_rows, n_features).
    values
        Shape (n_rows, n_values).
    ks
        The numbers of neighbours to try.

    Returns
    -------
    errors
        Sums over the values, shape (n_ks, n_rows).
    """
    distances = cdist(rows, rows)
    np.fill_diagonal(distances, inf)
    return np.array(
        [((values - nearest_weights(distances, k) @ values) ** 2).sum(axis=1) for k in ks]
    )


def believable(errors: Floats) -> int:
    """Return the choice with the least mean error if it surely beats the last, else the last.

    Parameters
    ----------
    errors
        Of each choice on the same rows, shape (n_choices, n_rows). The last choice is the one
        that believes nothing; another must beat it by more than a standard error of the mean
        difference, so that noise alone seldom does.

    Examples
    --------
    >>> believable(np.array([[0.5, 0.6, 0.4], [1.0, 1.1, 1.0]]))
    0
    >>> believable(np.array([[0.0, 2.0, 0.9], [1.0, 1.0, 1.0]]))
    1
    """
    gains = errors[-1] - errors
    last, n_rows = len(errors) - 1, errors.shape[1]
    if n_rows < FEWEST_TO_CHOOSE:
        return last
    best = int(np.argmax(gains.mean(axis=1)))
    standard_error = gains[best].std(ddof=1) / np.sqrt(n_rows)
    return best if gains[best].mean() > standard_error else last
