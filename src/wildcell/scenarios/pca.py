"""Principal components of log values, fitted without making them dense."""

from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import LinearOperator

from wildcell.arrays import Floats, Matrix
from wildcell.errors import DataError
from wildcell.scenarios.truncated_svd import truncated_svd

NO_VARIANCE = 1e-10
"""Cells whose variance is below this share of their mean square do not differ."""


class Components(NamedTuple):
    """Principal components of log values.

    Attributes
    ----------
    mean
        Mean of the cells they were fitted on, shape (n_genes,).
    axes
        Shape (n_dimensions, n_genes), orthonormal rows, the most variable first; the largest entry
        of each in size is positive.
    """

    mean: Floats
    axes: Floats

    def transform(self, lognorm: Matrix) -> Floats:
        """Return the coordinates of cells, shape (n_cells, n_dimensions)."""
        return np.asarray(lognorm @ self.axes.T - self.mean @ self.axes.T)


def fit_pca(lognorm: Matrix, n_dimensions: int) -> Components:
    """Fit principal components to log values, which are centred and never made dense.

    Parameters
    ----------
    lognorm
        Shape (n_cells, n_genes).
    n_dimensions
        How many at most; fewer where the cells have fewer.

    Raises
    ------
    DataError
        The cells do not differ.

    Examples
    --------
    >>> fit_pca(sparse.csr_matrix([[0.0, 1.0], [0.0, 3.0]]), 5).axes.round(6).tolist()
    [[0.0, 1.0]]
    """
    values = sparse.csr_matrix(lognorm, dtype=np.float64)
    mean = np.asarray(values.mean(axis=0)).ravel()
    squares = float((values.data**2).sum())
    if squares - values.shape[0] * float(mean @ mean) <= NO_VARIANCE * squares:
        raise DataError(
            f"No principal components can be fitted to {values.shape[0]} cells that do not differ; "
            "choose other genes, or another embedding."
        )
    found = truncated_svd(_centred(values, mean), n_dimensions)
    return Components(mean, found.right)


def _centred(values: Matrix, mean: Floats) -> LinearOperator:
    """Return the matrix of deviations from the mean, as what it does to vectors."""

    def forward(columns: Floats) -> Floats:
        return values @ columns - mean @ columns

    def backward(rows: Floats) -> Floats:
        return values.T @ rows - np.multiply.outer(mean, rows.sum(axis=0))

    return LinearOperator(
        shape=values.shape,
        matvec=lambda vector: forward(vector.ravel()),
        rmatvec=lambda vector: backward(vector.ravel()),
        matmat=forward,
        rmatmat=backward,
        dtype=np.float64,
    )
