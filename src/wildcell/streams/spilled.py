"""Matrices that are too large to be held: sparse rows in temporary files, read as they are used.

A spilled matrix is a `csr_matrix` whose values and columns are views of files: all that can be done
with another can be done with it, but writing to it. Whoever goes through it in chunks (see
`wildcell.streams.matrix`) holds a chunk at a time. The files have no names, lie in TMPDIR, and are
gone with the last view.
"""

import os
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from wildcell.arrays import Booleans, Codes, Matrix, Moments, as_csr, moments_of_parts
from wildcell.errors import OptionError
from wildcell.store.spill import Spool, is_spilled, release
from wildcell.streams.matrix import CHUNK, Chunk, SelectedRows, StackedRows, Stream, stream_of

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


def are_rows_spilled(matrix: Matrix) -> bool:
    """Whether the values of a sparse matrix lie in a file."""
    return sparse.issparse(matrix) and is_spilled(getattr(matrix, "data", None))


def let_go(matrix: Matrix) -> None:
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
    data, indices = Spool(np.dtype(dtype)), Spool(np.dtype(np.int32))
    bounds = [np.zeros(1, np.int64)]
    for _, rows in chunks:
        data.add(rows.data)
        indices.add(rows.indices)
        bounds.append(bounds[-1][-1] + rows.indptr[1:].astype(np.int64))
    indptr = np.concatenate(bounds)
    columns = indices.finish()
    # scipy has one type for both, and would hold a copy of the columns if they differed.
    if indptr[-1] > np.iinfo(np.int32).max:
        columns = _as_long(columns)
    parts = data.finish(), columns, indptr.astype(columns.dtype)
    return sparse.csr_matrix(parts, shape=(len(indptr) - 1, n_columns), copy=False)


def _as_long(columns: NDArray[np.int32]) -> NDArray[np.int64]:
    longer = Spool(np.dtype(np.int64))
    for start in range(0, len(columns), CHUNK):
        longer.add(columns[start : start + CHUNK])
        release(columns)
    return longer.finish()


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
    if _n_values(matrix, rows) <= most_held():
        taken = matrix[np.flatnonzero(rows)]
        let_go(matrix)
        return as_csr(taken if columns is None else taken[:, columns])
    stream = SelectedRows(stream_of(matrix), rows, columns)
    chunks = (Chunk(start, as_csr(some)) for start, some in stream.chunks())
    return spill(chunks, stream.shape[1], np.dtype(np.float32))


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
