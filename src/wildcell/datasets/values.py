"""One streamed look at the numbers of a matrix, and what they can be by the look of them."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from wildcell.arrays import CHUNK_ROWS, Booleans, Floats
from wildcell.names import Expression
from wildcell.streams.matrix import SMALL_CHUNK, stream_of

LARGEST_LOG = {Expression.LOGNORM: 20.0, Expression.LOG2: 40.0}
"""Above these, logarithms would stand for more molecules than any cell or array has."""


@dataclass
class ValueSummary:
    """What was seen in a matrix.

    Attributes
    ----------
    kinds
        How many of the values are nan, infinite, negative, fractional, non-zero.
    first
        Row, column and value of the first of each kind.
    smallest, largest
        Over the finite values, implicit zeros included.
    row_sums
        Shape (n_cells,).
    linear_row_sums
        Sums of what the values are the log1p of, shape (n_cells,); NaN where values are too high
        to be logarithms.
    """

    row_sums: Floats
    linear_row_sums: Floats
    kinds: Counter[str] = field(default_factory=Counter)
    first: dict[str, tuple[int, int, float]] = field(default_factory=dict)
    smallest: float = 0.0
    largest: float = 0.0

    @property
    def expression(self) -> Expression | None:
        """What the values can be by their look; see `detect_expression`."""
        if self.kinds["nan"] or self.kinds["infinite"] or self.kinds["negative"]:
            return None
        if not self.kinds["fractional"]:
            return Expression.COUNTS
        is_plausible = self.largest <= LARGEST_LOG[Expression.LOGNORM]
        return Expression.LOGNORM if is_plausible else None


def summarise_values(matrix: Any) -> ValueSummary:
    """Look at every value of a matrix once, in chunks of rows.

    Parameters
    ----------
    matrix
        Shape (n_cells, n_genes): a stream; or dense, sparse, or backed by a file.

    Examples
    --------
    >>> import numpy as np
    >>> summarise_values(np.array([[0.0, 1.5], [2.0, np.nan]])).kinds["fractional"]
    1
    """
    n_cells = matrix.shape[0]
    summary = ValueSummary(np.zeros(n_cells), np.full(n_cells, np.nan))
    for start, rows in _chunks(matrix):
        _look_at(rows, start, summary)
    return summary


def _chunks(matrix: Any) -> Iterator[tuple[int, sparse.csr_matrix]]:
    if isinstance(matrix, np.ndarray) or sparse.issparse(matrix):
        matrix = stream_of(matrix)
    if callable(getattr(matrix, "chunks", None)):
        yield from matrix.chunks(SMALL_CHUNK)
        return
    for start in range(0, matrix.shape[0], CHUNK_ROWS):
        yield start, as_doubles(matrix[start : start + CHUNK_ROWS])


def as_doubles(matrix: Any) -> sparse.csr_matrix:
    """Return CSR in float64, of any numbers: scipy has no sparse matrices of float16."""
    if matrix.dtype == np.float16 and sparse.issparse(matrix):
        data = matrix.data.astype(np.float64)
        return sparse.csr_matrix((data, matrix.indices, matrix.indptr), shape=matrix.shape)
    return sparse.csr_matrix(matrix.astype(np.float64))


def detect_expression(matrix: Any) -> Expression | None:
    """Tell counts from log-normalised values by integrality.

    Parameters
    ----------
    matrix
        Shape (n_cells, n_genes); dense, sparse, or backed by a file.

    Returns
    -------
    `counts` for non-negative integers, `lognorm` for non-negative values of plausible size of
    which some are fractions, None where neither can be said.

    Examples
    --------
    >>> import numpy as np
    >>> str(detect_expression(np.array([[0.0, 3.0]])))
    'counts'
    """
    return summarise_values(matrix).expression


def _look_at(chunk: sparse.csr_matrix, start: int, summary: ValueSummary) -> None:
    values = chunk.data
    smallest, largest = float(values.min(initial=0.0)), float(values.max(initial=0.0))
    kinds = {"fractional": values != np.rint(values), "nonzero": values != 0}
    if not np.isfinite(smallest) or not np.isfinite(largest):
        is_finite = np.isfinite(values)
        kinds |= {"nan": np.isnan(values), "infinite": np.isinf(values)}
        kinds["fractional"] &= is_finite
        finite = values[is_finite]
        smallest, largest = float(finite.min(initial=0.0)), float(finite.max(initial=0.0))
    if smallest < 0 or "nan" in kinds:
        kinds["negative"] = values < 0
    for kind, is_kind in kinds.items():
        _count(kind, is_kind, chunk, start, summary)
    summary.smallest = min(summary.smallest, smallest)
    summary.largest = max(summary.largest, largest)
    inside = slice(start, start + chunk.shape[0])
    summary.row_sums[inside] = sum_by_row(values, chunk.indptr)
    if largest <= LARGEST_LOG[Expression.LOGNORM]:
        summary.linear_row_sums[inside] = sum_by_row(np.expm1(values), chunk.indptr)


def sum_by_row(values: NDArray[Any], indptr: NDArray[Any]) -> Floats:
    """Sum the stored values of each row of a CSR matrix, in double precision, shape (n_rows,)."""
    sums = np.zeros(len(indptr) - 1)
    is_filled = np.diff(indptr) > 0
    if is_filled.any():
        sums[is_filled] = np.add.reduceat(values, indptr[:-1][is_filled], dtype=np.float64)
    return sums


def _count(
    kind: str, is_kind: Booleans, chunk: sparse.csr_matrix, start: int, into: ValueSummary
) -> None:
    n = int(np.count_nonzero(is_kind))
    into.kinds[kind] += n
    if n and kind not in into.first:
        where = int(np.argmax(is_kind))
        row = int(np.searchsorted(chunk.indptr, where, side="right")) - 1
        into.first[kind] = (start + row, int(chunk.indices[where]), float(chunk.data[where]))
