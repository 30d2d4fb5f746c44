"""The leading singular vectors of a large matrix, the same at every call."""

from typing import Any, NamedTuple

import numpy as np
from scipy.sparse.linalg import svds

from wildcell.arrays import Floats

SMALLEST_SHARE = 1e-7
"""Singular values below this share of the largest are noise of the computation."""


class SingularVectors(NamedTuple):
    """The leading part of A = left diag(strengths) right.

    Attributes
    ----------
    left
        Shape (n_rows, n_dimensions), orthonormal columns.
    strengths
        Singular values, shape (n_dimensions,), falling.
    right
        Shape (n_dimensions, n_columns), orthonormal rows; the largest entry of each in size is
        positive.
    """

    left: Floats
    strengths: Floats
    right: Floats


def truncated_svd(matrix: Any, n_dimensions: int) -> SingularVectors:
    """Return the leading singular vectors; fewer than asked for where the rank is smaller.

    Parameters
    ----------
    matrix
        Sparse, or a `LinearOperator`, of float64, shape (n_rows, n_columns); not all zero.
    n_dimensions
        How many at most.

    Examples
    --------
    >>> from scipy import sparse
    >>> truncated_svd(sparse.diags_array([1.0, -3.0, 2.0]).tocsr(), 2).strengths.round(6).tolist()
    [3.0, 2.0]
    """
    n_least = min(matrix.shape)
    if n_dimensions >= n_least:
        dense = np.asarray(matrix @ np.eye(matrix.shape[1]))
        left, values, right = np.linalg.svd(dense, full_matrices=False)
    else:
        # A start of its own keeps the result the same at every call; any start will do.
        start = np.random.default_rng(0).standard_normal(n_least)
        left, values, right = svds(matrix, k=n_dimensions, v0=start, solver="arpack")
        falling = np.argsort(-values, kind="stable")
        left, values, right = left[:, falling], values[falling], right[falling]
    is_sound = values > SMALLEST_SHARE * max(values.max(initial=0.0), np.finfo(float).tiny)
    left, values, right = left[:, is_sound], values[is_sound], right[is_sound]
    largest = np.argmax(np.abs(right), axis=1)
    signs = np.sign(right[np.arange(len(right)), largest])
    return SingularVectors(left * signs, values, right * signs[:, None])
