"""Rows that wait in a file and are read when they are looked at."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from wildcell.arrays import Codes, Matrix
from wildcell.store.spill import read_at, write_at_end
from wildcell.streams.matrix import CHUNK, Chunk, stretches

ENTRY = np.dtype([("gene", np.int32), ("value", np.float32)])
"""How a stored value lies in the file."""


@dataclass(frozen=True, eq=False)
class StoredRows:
    """Rows of a sparse matrix in a file. They are taken by number, as those of a matrix are.

    Attributes
    ----------
    file
        Where they lie.
    offset
        Where in the file the first begins, in bytes.
    bounds
        Where each row begins, in values, shape (n_rows + 1,).
    n_columns
        Number of columns.
    """

    file: IO[bytes]
    offset: int
    bounds: NDArray[np.int64]
    n_columns: int

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return len(self.bounds) - 1, self.n_columns

    def __getitem__(self, rows: Codes) -> Matrix:
        """Return some rows, in the order given; threads may read at once."""
        rows = np.asarray(rows, dtype=np.intp)
        sizes = self.bounds[rows + 1] - self.bounds[rows]
        indptr = np.concatenate([[0], np.cumsum(sizes)])
        entries = np.empty(indptr[-1], dtype=ENTRY)
        for first, last in _runs(rows):
            into = entries[indptr[first] : indptr[last]]
            read_at(self.file, self.offset + int(self.bounds[rows[first]]) * ENTRY.itemsize, into)
        parts = entries["value"].copy(), entries["gene"].copy(), indptr.astype(np.int32)
        return sparse.csr_matrix(parts, shape=(len(rows), self.n_columns))

    def chunks(self, n_values: int = CHUNK) -> Iterator[Chunk]:
        """Yield all rows in order, about `n_values` stored values at a time, a row at least."""
        for start, end in stretches(self.bounds, n_values):
            yield Chunk(start, self[np.arange(start, end)])


@dataclass
class RowWriter:
    """Appends rows to a file.

    Attributes
    ----------
    file
        The file.
    n_columns
        Number of columns.
    """

    file: IO[bytes]
    n_columns: int
    _sizes: list[NDArray[Any]] = field(default_factory=list)

    def add(self, rows: Matrix) -> None:
        """Append rows, canonical CSR of shape (n_rows, n_columns)."""
        entries = np.empty(rows.nnz, dtype=ENTRY)
        entries["gene"], entries["value"] = rows.indices, rows.data
        write_at_end(self.file, entries)
        self._sizes.append(np.diff(rows.indptr))

    def finish(self) -> StoredRows:
        """Return what was appended."""
        sizes = np.concatenate([np.zeros(1, np.int64), *self._sizes])
        return StoredRows(self.file, 0, np.cumsum(sizes), self.n_columns)


def _runs(rows: Codes) -> Iterator[tuple[int, int]]:
    """Yield where runs of consecutive numbers begin and end."""
    cuts = np.flatnonzero(np.diff(rows) != 1) + 1
    edges = [0, *cuts.tolist(), len(rows)]
    for first, last in pairwise(edges):
        if last > first:
            yield first, last
