"""Matrices read in chunks of rows, wherever they lie: in memory, or in an h5ad or zarr file.

A chunk holds a bounded number of values, whatever the width of the matrix, and is canonical CSR in
a float type that loses nothing that single precision would keep. Files are never read whole.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from wildcell.arrays import Codes, Matrix
from wildcell.errors import DataError
from wildcell.store.spill import release
from wildcell.streams.transpose import transposing

CHUNK = 2**22
"""Values read at once."""

SMALL_CHUNK = 2**18
"""Values read at once where all are kept, or looked at in a core's own memory."""

SPARE = 1.1
"""Room that is kept while a matrix is read, in units of what its first rows make likely."""

EXACT_IN_SINGLE = {"b1", "i1", "u1", "i2", "u2", "f2", "f4"}
"""Types of numbers that are read as float32; others as float64."""

Array: TypeAlias = Any
"""An array of numpy, h5py or zarr: of a shape, a dtype, and slices that are numpy's."""


class Chunk(NamedTuple):
    """Consecutive rows of a matrix.

    Attributes
    ----------
    start
        Number of the first row.
    rows
        Canonical CSR, shape (n_rows, n_columns), in float32 or float64.
    """

    start: int
    rows: Matrix


class Stream(Protocol):
    """A matrix that is read in chunks of rows, as often as wanted."""

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        ...

    def chunks(self, n_values: int = CHUNK) -> Iterator[Chunk]:
        """Yield all rows in order, about `n_values` stored values at a time, a row at least."""
        ...


@dataclass(frozen=True)
class SparseRows:
    """A CSR matrix, in memory or in a file.

    Attributes
    ----------
    data, indices
        Values and their columns, shape (n_values,): numpy's, h5py's or zarr's.
    indptr
        Where each row begins, shape (n_rows + 1,).
    shape
        Number of rows and columns.
    name
        What errors call it.
    """

    data: Array
    indices: Array
    indptr: NDArray[np.int64]
    shape: tuple[int, int]
    name: str = "the matrix"

    def __post_init__(self) -> None:
        real_type(self.data.dtype, self.name)
        steps, n_values = np.diff(self.indptr), self.data.shape[0]
        fits = len(self.indptr) == self.shape[0] + 1 and self.indices.shape[0] == n_values
        if not fits or self.indptr[0] != 0 or self.indptr[-1] != n_values or (steps < 0).any():
            raise DataError(f"The parts of {self.name} do not fit each other: it is damaged.")

    def chunks(self, n_values: int = CHUNK) -> Iterator[Chunk]:
        """Yield all rows in order, about `n_values` stored values at a time, a row at least."""
        dtype = real_type(self.data.dtype, self.name)
        for start, end in stretches(self.indptr, n_values):
            inside = slice(int(self.indptr[start]), int(self.indptr[end]))
            columns = np.asarray(self.indices[inside])
            self._check(columns)
            parts = (
                np.asarray(self.data[inside]).astype(dtype, copy=False),
                columns.astype(np.int32, copy=False),
                (self.indptr[start : end + 1] - self.indptr[start]).astype(np.int32),
            )
            yield Chunk(start, _canonical(parts, (end - start, self.shape[1])))
            release(self.data, self.indices)

    def _check(self, columns: NDArray[Any]) -> None:
        if columns.size and (columns.min() < 0 or columns.max() >= self.shape[1]):
            raise DataError(
                f"{self.name} has {self.shape[1]} columns and values beyond them: it is damaged."
            )


@dataclass(frozen=True)
class DenseRows:
    """A dense matrix, in memory or in a file; zeros are left out of its chunks.

    Attributes
    ----------
    values
        Shape (n_rows, n_columns): numpy's, h5py's or zarr's.
    name
        What errors call it.
    """

    values: Array
    name: str = "the matrix"

    def __post_init__(self) -> None:
        real_type(self.values.dtype, self.name)
        if len(self.values.shape) != 2:
            raise DataError(
                f"{self.name} has the shape {self.values.shape}; give a row a cell and a column a "
                "gene."
            )

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return int(self.values.shape[0]), int(self.values.shape[1])

    def chunks(self, n_values: int = CHUNK) -> Iterator[Chunk]:
        """Yield all rows in order, about `n_values` values at a time, a row at least."""
        dtype = real_type(self.values.dtype, self.name)
        height = max(1, n_values // max(1, self.shape[1]))
        for start in range(0, self.shape[0], height):
            rows = np.asarray(self.values[start : start + height]).astype(dtype, copy=False)
            yield Chunk(start, sparse.csr_matrix(rows))


@dataclass(frozen=True)
class SparseColumns:
    """A CSC matrix, in memory or in a file; its rows are gathered in a temporary file.

    Attributes
    ----------
    columns
        The same numbers as rows of the transposed matrix.
    """

    columns: SparseRows

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return self.columns.shape[1], self.columns.shape[0]

    def chunks(self, n_values: int = CHUNK) -> Iterator[Chunk]:
        """Yield all rows in order, about `n_values` stored values at a time, a row at least."""
        dtype, n_rows = real_type(self.columns.data.dtype, self.columns.name), self.shape[0]
        with transposing(n_rows, value_type=dtype) as gathered:
            for start, columns in self.columns.chunks(n_values):
                gathered.add(columns, start + np.arange(columns.shape[0]))
            for low, high in stretches(np.concatenate([[0], np.cumsum(gathered.counts)]), n_values):
                bounds, columns, values = gathered.read(low, high)
                parts = (values, columns, bounds.astype(np.int32))
                yield Chunk(low, sparse.csr_matrix(parts, shape=(high - low, self.shape[1])))


@dataclass(frozen=True)
class StackedRows:
    """Matrices of the same columns, one below the other.

    Attributes
    ----------
    parts
        The matrices, one at least.
    """

    parts: Sequence[Stream]

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return sum(part.shape[0] for part in self.parts), self.parts[0].shape[1]

    def chunks(self, n_values: int = CHUNK) -> Iterator[Chunk]:
        """Yield the rows of each part in order, about `n_values` stored values at a time."""
        first = 0
        for part in self.parts:
            for start, rows in part.chunks(n_values):
                yield Chunk(first + start, rows)
            first += part.shape[0]


@dataclass(frozen=True)
class SelectedRows:
    """Some rows of a matrix, in its order, and some of its columns in any order.

    Attributes
    ----------
    of
        The matrix.
    rows
        Rows that are taken, shape (n_all_rows,); all if None.
    columns
        Columns that are taken, in the order wanted; all if None.
    """

    of: Stream
    rows: NDArray[np.bool_] | None = None
    columns: Codes | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        n_rows, n_columns = self.of.shape
        return (
            n_rows if self.rows is None else int(self.rows.sum()),
            n_columns if self.columns is None else len(self.columns),
        )

    def chunks(self, n_values: int = CHUNK) -> Iterator[Chunk]:
        """Yield the rows taken in order, from chunks of `n_values` values of the whole matrix."""
        first = 0
        for start, rows in self.of.chunks(n_values):
            taken = rows
            if self.rows is not None:
                taken = rows[self.rows[start : start + rows.shape[0]]]
            if self.columns is not None:
                taken = taken[:, self.columns]
                taken.sort_indices()
            if taken.shape[0]:
                yield Chunk(first, taken)
            first += taken.shape[0]


def stream_of(matrix: Any, name: str = "the matrix") -> Stream:
    """Return a matrix in memory as a stream: dense, or sparse in any format.

    Parameters
    ----------
    matrix
        Shape (n_rows, n_columns); it is not copied unless its format has neither rows nor columns.
    name
        What errors call it.

    Raises
    ------
    DataError
        It holds no real numbers of at most 64 bits.

    Examples
    --------
    >>> [chunk.rows.toarray().tolist() for chunk in stream_of(np.eye(2)).chunks()]
    [[[1.0, 0.0], [0.0, 1.0]]]
    """
    if not sparse.issparse(matrix):
        return DenseRows(np.asarray(matrix), name)
    if matrix.format not in {"csr", "csc"}:
        matrix = sparse.csr_matrix(matrix)
    stored = matrix.data, matrix.indices, matrix.indptr.astype(np.int64)
    if matrix.format == "csc":
        return SparseColumns(SparseRows(*stored, matrix.shape[::-1], name))
    return SparseRows(*stored, matrix.shape, name)


def read_all(stream: Stream) -> Matrix:
    """Read a matrix whole, as canonical CSR."""
    bounds, columns, values = (
        [np.zeros(1, np.int64)],
        np.empty(0, np.int32),
        np.empty(0, np.float32),
    )
    for first, rows in stream.chunks():
        start = int(bounds[-1][-1])
        stop = start + rows.nnz
        if stop > len(values):
            likely = int(stop / (first + rows.shape[0]) * stream.shape[0] * SPARE)
            columns = _longer(columns[:start], likely, np.int32)
            values = _longer(values[:start], likely, rows.dtype)
        columns[start:stop], values[start:stop] = rows.indices, rows.data
        bounds.append(start + rows.indptr[1:].astype(np.int64))
    n_values = bounds[-1][-1]
    parts = values[:n_values], columns[:n_values], np.concatenate(bounds)
    return sparse.csr_matrix(parts, shape=stream.shape)


def _longer(array: NDArray[Any], size: int, dtype: Any) -> NDArray[Any]:
    """Return an array with room for more; memory that is never written to costs nothing."""
    longer = np.empty(size, dtype)
    longer[: len(array)] = array
    return longer


def stretches(bounds: NDArray[np.int64], n_values: int = CHUNK) -> Iterator[tuple[int, int]]:
    """Yield the first and the end of stretches of rows of about `n_values` values, a row at least.

    Examples
    --------
    >>> list(stretches(np.array([0, 2, 4, 9, 9]), 4))
    [(0, 2), (2, 4)]
    """
    start, n_rows = 0, len(bounds) - 1
    while start < n_rows:
        within = int(np.searchsorted(bounds, bounds[start] + n_values, side="right")) - 1
        end = max(start + 1, within)
        yield start, end
        start = end


def real_type(dtype: Any, name: str) -> Any:
    """Return the float type in which numbers are read.

    Raises
    ------
    DataError
        They are no real numbers of at most 64 bits.
    """
    dtype = np.dtype(dtype)
    if dtype.kind not in "fiub" or dtype.itemsize > 8:
        raise DataError(f"{name} holds {dtype}; give real numbers of at most 64 bits.")
    return np.float32 if f"{dtype.kind}{dtype.itemsize}" in EXACT_IN_SINGLE else np.float64


def _canonical(parts: tuple[NDArray[Any], ...], shape: tuple[int, int]) -> Matrix:
    """Return CSR whose columns ascend, each once; the given arrays are never changed."""
    rows = sparse.csr_matrix(parts, shape=shape, copy=False)
    if not rows.has_canonical_format:
        rows = rows.copy()
        rows.sum_duplicates()
    return rows
