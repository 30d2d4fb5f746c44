"""Matrices that are too large to be held: sparse rows in temporary files, read as they are used.

A spilled matrix is a `csr_matrix` whose values and columns are views of files: all that can be done
with another can be done with it, but writing to it. Whoever goes through it in chunks (see
`wildcell.streams.matrix`) holds a chunk at a time. The files have no names, lie in TMPDIR, and are
gone with the last view.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from wildcell.arrays import Booleans, Codes, Matrix, Moments, as_csr, moments_of_parts
from wildcell.errors import OptionError
from wildcell.store.spill import Spool, is_spilled, release
from wildcell.streams.matrix import (
    CHUNK,
    Chunk,
    SelectedRows,
    StackedRows,
    Stream,
    stream_of,
    stretches,
)

HOLD_VARIABLE = "WILDCELL_HOLD_GIB"
"""Environment variable: how large a matrix of cells may be that is held in memory, in GiB."""

HOLD_GIB = 0.125
"""What it is by default."""

BYTES_A_VALUE = 8
"""Of a stored value in single precision and its column."""


def most_held() -> int:
    """Return how many stored values a matrix may have that is held in memory.

    Raises
    ------
    OptionError
        The environment variable is no number from 0.
    """
    said = os.environ.get(HOLD_VARIABLE, str(HOLD_GIB))
    try:
        gib = float(said)
    except ValueError:
        gib = -1.0
    if not 0 <= gib < float("inf"):
        raise OptionError(f"{HOLD_VARIABLE} must be a number of GiB, 0 or more; got {said!r}.")
    return int(gib * 2**30 / BYTES_A_VALUE)


def are_rows_spilled(matrix: Any) -> bool:
    """Whether the values of a sparse matrix lie in a file."""
    return sparse.issparse(matrix) and is_spilled(getattr(matrix, "data", None))


def let_go(matrix: Any) -> None:
    """Let go of the memory in which what was read of a spilled matrix is; others stay as is."""
    if are_rows_spilled(matrix):
        release(matrix.data, matrix.indices)


def spill(chunks: Iterable[Chunk], n_columns: int, dtype: "np.dtype[np.generic]") -> Matrix:
    """Write rows to temporary files, and return them as a matrix that cannot be written to.

    Parameters
    ----------
    chunks
        All rows in order, canonical CSR.
    n_columns
        Number of columns.
    dtype
        Of the values.

    Raises
    ------
    StoreError
        The disk is full.

    Examples
    --------
    >>> rows = spill(stream_of(np.eye(2)).chunks(), 2, np.dtype(np.float32))
    >>> rows.toarray().tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    spooled = _SpooledRows(n_columns, np.dtype(dtype))
    for _, rows in chunks:
        spooled.add(rows)
    return spooled.finish()


class _SpooledRows:
    """Rows that are written to temporary files as they come."""

    def __init__(self, n_columns: int, dtype: "np.dtype[Any]") -> None:
        self._n_columns = n_columns
        self._data, self._indices = Spool(dtype), Spool(np.dtype(np.int32))
        self._bounds = [np.zeros(1, np.int64)]

    def add(self, rows: Matrix) -> None:
        """Append some rows."""
        self._data.add(rows.data)
        self._indices.add(rows.indices)
        self._bounds.append(self._bounds[-1][-1] + rows.indptr[1:].astype(np.int64))

    def finish(self) -> Matrix:
        """Return all rows."""
        indptr = np.concatenate(self._bounds)
        columns = self._indices.finish()
        # scipy has one type for both, and would hold a copy of the columns if they differed.
        if indptr[-1] > np.iinfo(np.int32).max:
            columns = _as_long(columns)
        parts = self._data.finish(), columns, indptr.astype(columns.dtype)
        return sparse.csr_matrix(parts, shape=(len(indptr) - 1, self._n_columns), copy=False)


def _as_long(columns: NDArray[np.int32]) -> NDArray[np.int64]:
    longer = Spool(np.dtype(np.int64))
    for start in range(0, len(columns), CHUNK):
        longer.add(columns[start : start + CHUNK])
        release(columns)
    return longer.finish()


class GrowingRows:
    """Rows that come a few at a time: held, until they are too many and go to temporary files.

    Parameters
    ----------
    n_columns
        Number of columns.

    Examples
    --------
    >>> growing = GrowingRows(2)
    >>> growing.add(sparse.csr_matrix([[1.0, 0.0]]))
    >>> growing.add(sparse.csr_matrix([[0.0, 2.0]]))
    >>> growing.finish().toarray().tolist()
    [[1.0, 0.0], [0.0, 2.0]]
    """

    def __init__(self, n_columns: int) -> None:
        self._n_columns, self._most = n_columns, most_held()
        self._held: list[Matrix] = []
        self._n_held = 0
        self._spooled: _SpooledRows | None = None

    def add(self, rows: Matrix) -> None:
        """Append some rows, in single precision.

        Raises
        ------
        StoreError
            The disk is full.
        """
        self._held.append(rows)
        self._n_held += rows.nnz
        if self._n_held > self._most:
            self._write()

    def finish(self) -> Matrix:
        """Return all rows."""
        if self._spooled is not None:
            self._write()
            return self._spooled.finish()
        if not self._held:
            return sparse.csr_matrix((0, self._n_columns), dtype=np.float32)
        return sparse.vstack(self._held, format="csr", dtype=np.float32)

    def _write(self) -> None:
        """Move what is held to the files."""
        if self._spooled is None:
            self._spooled = _SpooledRows(self._n_columns, np.dtype(np.float32))
        for rows in self._held:
            self._spooled.add(rows)
        self._held, self._n_held = [], 0


def rows_of(matrix: Matrix, rows: Booleans, columns: Codes | None = None) -> Matrix:
    """Return a copy of some rows, as `as_csr` does; a large one is spilled.

    Parameters
    ----------
    matrix
        Shape (n_cells, n_genes).
    rows
        Which rows, shape (n_cells,).
    columns
        Which columns, in order; all if None.

    Examples
    --------
    >>> rows_of(sparse.csr_matrix(np.eye(3)), np.array([True, False, True])).toarray().tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    if columns is not None and np.array_equal(columns, np.arange(matrix.shape[1])):
        columns = None  # lest all of them are copied once more
    if not are_rows_spilled(matrix) and _n_values(matrix, rows) <= most_held():
        taken = matrix[np.flatnonzero(rows)]
        return as_csr(taken if columns is None else taken[:, columns])
    growing = GrowingRows(matrix.shape[1] if columns is None else len(columns))
    for some in _taken(matrix, rows):
        growing.add(as_csr(some if columns is None else some[:, columns]))
    return growing.finish()


def _taken(matrix: Matrix, rows: Booleans) -> Iterator[Matrix]:
    """Yield some rows, a stretch at a time; of a spilled matrix no others are read."""
    if not are_rows_spilled(matrix):
        for _, some in SelectedRows(stream_of(matrix), rows).chunks():
            yield some
        return
    for start, end in stretches(matrix.indptr.astype(np.int64)):
        chosen = start + np.flatnonzero(rows[start:end])
        if len(chosen):
            yield matrix[chosen]
            let_go(matrix)


def stacked_rows(parts: Sequence[Matrix]) -> Matrix:
    """Return matrices one below the other; they are spilled if they are large together."""
    if sum(part.nnz for part in parts) <= most_held():
        return sparse.vstack(parts, format="csr")
    stream = StackedRows([stream_of(part) for part in parts])
    return spill(stream.chunks(), stream.shape[1], np.result_type(*(part.dtype for part in parts)))


def _n_values(matrix: Matrix, rows: Booleans) -> int:
    """Return how many values some rows have; all of them where rows are not at hand."""
    if not sparse.issparse(matrix):
        return int(rows.sum()) * matrix.shape[1]
    if matrix.format != "csr":
        return int(matrix.nnz)
    return int(np.diff(matrix.indptr)[rows].sum(dtype=np.int64))


def moments_in_chunks(stream: Stream, groups: Codes, n_groups: int) -> Moments:
    """Return what `wildcell.arrays.moments` does of rows that are read in chunks, to the bit."""
    parts = ((rows, groups[start : start + rows.shape[0]]) for start, rows in stream.chunks())
    return moments_of_parts(parts, n_groups, stream.shape[1])
