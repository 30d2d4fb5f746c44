"""Sparse rows of expression, summed by group: the one pass that all means come from."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from wildcell.parallel import compiled, over_slices

Floats: TypeAlias = NDArray[np.float64]
Codes: TypeAlias = NDArray[np.intp]
Booleans: TypeAlias = NDArray[np.bool_]
Names: TypeAlias = NDArray[np.object_]
Matrix: TypeAlias = sparse.csr_matrix

CHUNK_ROWS = 8192
"""Rows that are looked at in one go."""


def as_csr(matrix: Any) -> Matrix:
    """Return `matrix` as a canonical CSR copy, in float32, sharing no memory with the caller."""
    if getattr(matrix, "dtype", None) == np.float16:
        matrix = matrix.astype(np.float32)  # scipy has no sparse matrices of float16
    rows = sparse.csr_matrix(matrix, dtype=np.float32, copy=True)
    rows.sum_duplicates()
    rows.eliminate_zeros()
    return rows


def log_normalise(counts: Matrix, total_counts: Floats, target_sum: float) -> Matrix:
    """Return log1p of counts scaled so that each cell sums to `target_sum`.

    Parameters
    ----------
    counts
        Raw counts, shape (n_cells, n_genes); possibly of a subset of the genes.
    total_counts
        Library size of each cell over all genes, shape (n_cells,). Cells of size 0 stay 0.
    target_sum
        The library size that all cells are brought to.
    """
    scale = np.divide(
        target_sum, total_counts, out=np.zeros(len(total_counts)), where=total_counts > 0
    )
    lognorm = counts.astype(np.float32, copy=True)
    lognorm.data *= np.repeat(scale, np.diff(lognorm.indptr)).astype(np.float32)
    np.log1p(lognorm.data, out=lognorm.data)
    return lognorm


@dataclass(frozen=True)
class Moments:
    """First and second moments of groups of cells, mergeable across chunks.

    Attributes
    ----------
    n
        Cells in each group, shape (n_groups,).
    total
        Sum over the cells of each group, shape (n_groups, n_genes).
    total_squares
        Sum of squares, shape (n_groups, n_genes).
    """

    n: NDArray[np.int64]
    total: Floats
    total_squares: Floats

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(
            self.n + other.n, self.total + other.total, self.total_squares + other.total_squares
        )

    @property
    def mean(self) -> Floats:
        """Mean of each group, shape (n_groups, n_genes); NaN for an empty group."""
        return self.total / np.where(self.n, self.n, np.nan)[:, None]

    @property
    def squared_error(self) -> Floats:
        """Squared standard error of the mean, shape (n_groups, n_genes); NaN below 2 cells."""
        n = np.where(self.n > 1, self.n, np.nan)[:, None]
        variance = np.square(self.total)
        variance /= n
        np.subtract(self.total_squares, variance, out=variance)
        variance /= n - 1
        np.maximum(variance, 0, out=variance)
        variance /= n
        return variance


def moments(matrix: Matrix, groups: Codes, n_groups: int) -> Moments:
    """Accumulate the moments of the rows of `matrix` by group.

    Parameters
    ----------
    matrix
        Shape (n_cells, n_genes).
    groups
        Group of each row, shape (n_cells,); rows with a negative group are passed over.
    n_groups
        Number of groups; groups without rows have n = 0.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy import sparse
    >>> X = sparse.csr_matrix(np.array([[1.0, 0.0], [3.0, 2.0], [5.0, 5.0]]))
    >>> moments(X, np.array([0, 0, 1]), 2).mean.tolist()
    [[2.0, 1.0], [5.0, 5.0]]
    """
    return moments_of_parts([(matrix, groups)], n_groups, matrix.shape[1])


def moments_of_parts(parts: Iterable[tuple[Matrix, Codes]], n_groups: int, n_genes: int) -> Moments:
    """Accumulate the moments of rows that come in parts, to the bit as if they came together.

    Parameters
    ----------
    parts
        Some rows at a time, shape (n_cells, n_genes), and the group of each, as for `moments`.
    n_groups, n_genes
        Number of groups and of columns.

    Examples
    --------
    >>> parts = [(sparse.csr_matrix([[1.0]]), np.array([0])), (sparse.eye(1), np.array([0]))]
    >>> moments_of_parts(parts, 1, 1).total.tolist()
    [[2.0]]
    """
    n = np.zeros(n_groups, np.int64)
    total, squares = np.zeros((2, n_groups, n_genes))
    for matrix, groups in parts:
        n += _add_part(sparse.csr_matrix(matrix), groups, total, squares)
    return Moments(n, total, squares)


def _add_part(rows: Matrix, groups: Codes, total: Floats, squares: Floats) -> NDArray[np.int64]:
    """Add rows to the sums of their groups, and return how many each has."""
    order = np.argsort(groups, kind="stable")
    ends = np.searchsorted(groups[order], np.arange(len(total) + 1))
    n = np.diff(ends).astype(np.int64)

    def add(some: slice) -> None:
        _add(
            rows.indptr, rows.indices, rows.data, order, ends, some.start, some.stop, total, squares
        )

    over_slices(add, n)
    return n


@compiled
def _add(  # noqa: PLR0917 - compiled functions are called by position
    indptr: NDArray[Any],
    indices: NDArray[Any],
    data: NDArray[Any],
    order: Codes,
    ends: Codes,
    first: int,
    last: int,
    total: Floats,
    squares: Floats,
) -> None:
    """Add the rows of groups `first` to `last`, those between two of `ends` in `order`."""
    for group in range(first, last):
        own_total, own_squares = total[group], squares[group]
        for k in range(ends[group], ends[group + 1]):
            for i in range(indptr[order[k]], indptr[order[k] + 1]):
                value = np.float64(data[i])
                own_total[indices[i]] += value
                own_squares[indices[i]] += value * value
