"""Rows turned into columns through a temporary file, so that neither side has to fit in memory.

Chunks of rows come in; each is sorted by column and written behind the one before. Then any stretch
of columns can be read: its values lie together in every chunk.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wildcell.arrays import Matrix
from wildcell.parallel import compiled, over_slices
from wildcell.store.spill import read_at, temporary_file, write_at_end


class Columns(NamedTuple):
    """Nonzeros of consecutive columns, one column after another, rows in their order.

    Attributes
    ----------
    bounds
        Where each column begins, shape (n_columns + 1,).
    marks
        What each value's row was marked with.
    values
        The values.
    """

    bounds: NDArray[np.int64]
    marks: NDArray[Any]
    values: NDArray[Any]


class _Place(NamedTuple):
    """Where a chunk lies in the file: bounds of its columns, its marks, its values."""

    bounds: int
    marks: int
    values: int


@dataclass
class Transposed:
    """What was added so far, by column.

    Attributes
    ----------
    file
        Where it lies.
    n_columns
        Number of columns.
    mark_type, value_type
        Types in which marks and values are kept.
    counts
        Nonzeros of each column, shape (n_columns,).
    """

    file: IO[bytes]
    n_columns: int
    mark_type: Any
    value_type: Any
    counts: NDArray[np.int64]
    _places: list[_Place] = field(default_factory=list)

    @classmethod
    def of_nothing(cls, n_columns: int, *, mark_type: Any, value_type: Any) -> "Transposed":
        """Return an empty store, whose file is gone when it is."""
        counts = np.zeros(n_columns, np.int64)
        return cls(temporary_file(), n_columns, np.dtype(mark_type), np.dtype(value_type), counts)

    def add(self, rows: Matrix, marks: NDArray[Any]) -> None:
        """Add some rows.

        Parameters
        ----------
        rows
            Canonical CSR, shape (n_rows, n_columns).
        marks
            What the values of each row are marked with, shape (n_rows,); rows with a negative mark
            are passed over, as are zeros.

        Raises
        ------
        StoreError
            The disk is full.
        """
        indptr, marks = rows.indptr.astype(np.int64), marks.astype(np.int64)
        values = rows.data.astype(self.value_type, copy=False)
        counts = np.zeros(self.n_columns, dtype=np.int64)
        _count(indptr, rows.indices, values, marks, counts)
        bounds = np.concatenate([[0], np.cumsum(counts)])
        kept_marks = np.empty(bounds[-1], dtype=self.mark_type)
        kept_values = np.empty(bounds[-1], dtype=self.value_type)

        def sort(columns: slice) -> None:
            ends = bounds[columns].copy()
            first = columns.start
            _sort(indptr, rows.indices, values, marks, first, ends, kept_marks, kept_values)

        over_slices(sort, counts)
        places = [write_at_end(self.file, part) for part in (bounds, kept_marks, kept_values)]
        self._places.append(_Place(*places))
        self.counts += counts

    def read(self, low: int, high: int) -> Columns:
        """Return columns `low` to `high`, the latter not among them; threads may read at once."""
        bounds = np.concatenate([[0], np.cumsum(self.counts[low:high])])
        marks = np.empty(bounds[-1], dtype=self.mark_type)
        values = np.empty(bounds[-1], dtype=self.value_type)
        ends = bounds[:-1].copy()
        for place in self._places:
            inside = self._read(place.bounds, np.int64, low, high + 1)
            first, last = int(inside[0]), int(inside[-1])
            _append(
                inside - first,
                self._read(place.marks, self.mark_type, first, last),
                self._read(place.values, self.value_type, first, last),
                ends,
                marks,
                values,
            )
        return Columns(bounds, marks, values)

    def _read(self, place: int, dtype: Any, first: int, last: int) -> NDArray[Any]:
        array = np.empty(last - first, dtype=dtype)
        read_at(self.file, place + first * array.itemsize, array)
        return array


@contextmanager
def transposing(
    n_columns: int, *, mark_type: Any = np.int32, value_type: Any = np.float32
) -> Iterator[Transposed]:
    """Yield an empty store of columns, whose file is gone when the block ends.

    Examples
    --------
    >>> from scipy import sparse
    >>> with transposing(2) as columns:
    ...     columns.add(sparse.csr_matrix([[1.0, 2.0], [3.0, 0.0]]), np.array([7, 8]))
    ...     columns.read(0, 1).marks.tolist(), columns.read(0, 2).values.tolist()
    ([7, 8], [1.0, 3.0, 2.0])
    """
    columns = Transposed.of_nothing(n_columns, mark_type=mark_type, value_type=value_type)
    with columns.file:
        yield columns


@compiled
def _count(
    indptr: NDArray[np.int64],
    indices: NDArray[Any],
    values: NDArray[Any],
    marks: NDArray[Any],
    counts: NDArray[Any],
) -> None:
    for row in range(len(marks)):
        if marks[row] >= 0:
            for i in range(indptr[row], indptr[row + 1]):
                counts[indices[i]] += values[i] != 0


@compiled
def _sort(  # noqa: PLR0917 - compiled functions are called by position
    indptr: NDArray[np.int64],
    indices: NDArray[Any],
    values: NDArray[Any],
    marks: NDArray[np.int64],
    first: int,
    ends: NDArray[np.int64],
    into_marks: NDArray[Any],
    into_values: NDArray[Any],
) -> None:
    """Put the values of columns `first` and on where `ends` says, which is moved on."""
    last = first + len(ends)
    for row in range(len(marks)):
        if marks[row] < 0:
            continue
        stop = indptr[row + 1]
        i = first_at_least(indices, indptr[row], stop, first)
        while i < stop and indices[i] < last:
            if values[i] != 0:
                column = indices[i] - first
                into_marks[ends[column]] = marks[row]
                into_values[ends[column]] = values[i]
                ends[column] += 1
            i += 1


@compiled
def first_at_least(indices: NDArray[Any], start: int, stop: int, column: int) -> int:
    """Return where, from `start` to `stop`, the ascending indices reach a column."""
    while start < stop:
        middle = (start + stop) // 2
        if indices[middle] < column:
            start = middle + 1
        else:
            stop = middle
    return start


@compiled
def _append(  # noqa: PLR0917 - as above
    bounds: NDArray[np.int64],
    marks: NDArray[Any],
    values: NDArray[Any],
    ends: NDArray[np.int64],
    into_marks: NDArray[Any],
    into_values: NDArray[Any],
) -> None:
    """Put the values of each column where `ends` says, which is moved on."""
    for column in range(len(ends)):
        for i in range(bounds[column], bounds[column + 1]):
            into_marks[ends[column]] = marks[i]
            into_values[ends[column]] = values[i]
            ends[column] += 1
