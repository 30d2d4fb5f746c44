"""Cells as packed rows: two bytes a gene and two a count, so that a million fit in memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from wildcell.arrays import Floats, as_csr
from wildcell.errors import DataError
from wildcell.guards.hdf5 import check_hdf5
from wildcell.names import Expression
from wildcell.store.spill import Spool, release
from wildcell.streams.matrix import CHUNK, DenseRows, SparseRows, Stream, stretches
from wildcell.streams.spilled import most_held

MOST_VALUES = 250_000_000
"""About how many values of a file are held; of a larger one, a share of the genes is read."""

LARGEST_COUNT = np.iinfo(np.uint16).max
"""Higher counts are held as this one."""

Array: TypeAlias = NDArray[Any]
Terms: TypeAlias = Callable[[Array, Array], Array]


@dataclass(frozen=True)
class Rows:
    """Sparse rows, genes in ascending order.

    Attributes
    ----------
    indptr
        Where each row begins, shape (n_rows + 1,).
    genes
        Column of each value.
    values
        Counts in 16 bits, or float32 where `expression` is not counts.
    n_genes
        Number of columns.
    expression
        What the values are.
    """

    indptr: NDArray[np.int64]
    genes: Array
    values: Array
    n_genes: int
    expression: Expression

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.indptr) - 1

    @property
    def are_counts(self) -> bool:
        """Whether the values are counts."""
        return self.expression is Expression.COUNTS

    def sum_rows(self, terms: Terms, dtype: Any = np.float64) -> Array:
        """Sum `terms(genes, values)` over each row, shape (n_rows,), a stretch at a time."""
        sums = [np.zeros(0, dtype), *(_sums(part, terms, dtype) for part in self.parts())]
        return np.concatenate(sums)

    def sum_genes(self, terms: Terms) -> Floats:
        """Sum `terms(genes, values)` over each gene, shape (n_genes,), a stretch at a time."""
        sums = np.zeros(self.n_genes)
        for part in self.parts():
            weights = terms(part.genes, part.values)
            sums += np.bincount(part.genes, weights=weights, minlength=self.n_genes)
        return sums

    def parts(self) -> Iterator["Rows"]:
        """Yield the rows in consecutive parts, as views."""
        for start, end in stretches(self.indptr):
            inside = slice(self.indptr[start], self.indptr[end])
            yield Rows(
                self.indptr[start : end + 1] - self.indptr[start],
                self.genes[inside],
                self.values[inside],
                self.n_genes,
                self.expression,
            )
            release(self.genes, self.values)


def _sums(part: Rows, terms: Terms, dtype: Any) -> Array:
    sums = np.zeros(part.n, dtype)
    is_filled = np.diff(part.indptr) > 0
    if is_filled.any():
        starts = part.indptr[:-1][is_filled]
        sums[is_filled] = np.add.reduceat(terms(part.genes, part.values).astype(dtype), starts)
    return sums


def pack(matrix: sparse.csr_matrix, expression: Expression) -> Rows:
    """Return the rows of a canonical sparse matrix, packed.

    Raises
    ------
    DataError
        Counts are said to be held, and something else is.

    Examples
    --------
    >>> pack(sparse.csr_matrix([[0.0, 3.0], [1.0, 0.0]]), Expression.COUNTS).values.tolist()
    [3, 1]
    """
    return Rows(
        matrix.indptr.astype(np.int64),
        matrix.indices.astype(_gene_type(matrix.shape[1])),
        _packed_values(matrix.data, expression),
        matrix.shape[1],
        expression,
    )


def pack_all(matrix: Stream, expression: Expression) -> Rows:
    """Return all rows of a matrix, packed a chunk at a time; many are left in temporary files.

    Raises
    ------
    DataError
        As for `pack`.
    """
    n_genes = matrix.shape[1]
    genes, values = Spool(np.dtype(_gene_type(n_genes))), Spool(np.dtype(_value_type(expression)))
    lengths = [np.zeros(1, dtype=np.int64)]
    for _, rows in matrix.chunks(CHUNK):
        part = pack(as_csr(rows), expression)
        genes.add(part.genes)
        values.add(part.values)
        lengths.append(np.diff(part.indptr))
    indptr = np.cumsum(np.concatenate(lengths))
    packed = genes.finish(), values.finish()
    if indptr[-1] <= most_held():
        packed = packed[0].copy(), packed[1].copy()
    return Rows(indptr, *packed, n_genes, expression)


def read_rows(path: Path, expression: Expression) -> Rows:
    """Read the expression of an h5ad file, a stretch at a time.

    Raises
    ------
    DataError
        `X` is neither dense nor in rows (CSR), or does not hold what it should.
    """
    with h5py.File(path) as file:
        check_hdf5(file, path, loaded=())
        X = file["X"]
        if isinstance(X, h5py.Dataset):
            return pack_all(DenseRows(X, "X"), expression)
        if X.attrs["encoding-type"] != "csr_matrix":
            raise DataError(
                f"X of {path} is stored as {X.attrs['encoding-type']}, which cannot be read row "
                "by row; write it as CSR."
            )
        return _read_sparse(X, expression)


def _read_sparse(X: Any, expression: Expression) -> Rows:
    given = X["indptr"][:].astype(np.int64)
    n_rows, n_genes = len(given) - 1, int(X.attrs["shape"][1])
    SparseRows(X["data"], X["indices"], given, (n_rows, n_genes), "X")  # its parts fit
    is_read = _genes_to_read(int(given[-1]), n_genes)
    indptr = np.zeros(n_rows + 1, dtype=np.int64)
    genes = np.empty(given[-1], dtype=_gene_type(n_genes))
    values = np.empty(given[-1], dtype=_value_type(expression))
    for start, end in stretches(given):
        inside = slice(given[start], given[end])
        matrix = sparse.csr_matrix(
            (X["data"][inside], X["indices"][inside], given[start : end + 1] - given[start]),
            shape=(end - start, n_genes),
        )
        matrix.check_format(full_check=True)
        matrix.data[~is_read[matrix.indices]] = 0
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
        part = pack(matrix, expression)
        indptr[start + 1 : end + 1] = indptr[start] + part.indptr[1:]
        genes[indptr[start] : indptr[end]] = part.genes
        values[indptr[start] : indptr[end]] = part.values
    return Rows(indptr, genes[: indptr[-1]], values[: indptr[-1]], n_genes, expression)


def _genes_to_read(n_values: int, n_genes: int) -> NDArray[np.bool_]:
    """Mark the genes to read: all of them, or a random share of so many that they fit."""
    share = MOST_VALUES / n_values if n_values > MOST_VALUES else 1.0
    return np.random.default_rng(0).random(n_genes) < share


def _gene_type(n_genes: int) -> Any:
    return np.uint16 if n_genes <= np.iinfo(np.uint16).max else np.uint32


def _value_type(expression: Expression) -> Any:
    return np.uint16 if expression is Expression.COUNTS else np.float32


def _packed_values(values: Array, expression: Expression) -> Array:
    if expression is not Expression.COUNTS:
        return values.astype(np.float32)
    clipped = np.clip(values, 0, LARGEST_COUNT)
    packed = clipped.astype(np.uint16)
    if (values < 0).any() or (clipped != packed).any():
        raise DataError("Counts are said to be held, but some values are negative or not whole.")
    return packed
