"""One streamed look at the numbers of a matrix, and what they can be by the look of them."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse

from wildcell.arrays import CHUNK_ROWS, Floats
from wildcell.names import Expression

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
    """

    row_sums: Floats
    kinds: Counter[str] = field(default_factory=Counter)
    first: dict[str, tuple[int, int, float]] = field(default_factory=dict)
    smallest: float = 0.0
    largest: float = 0.0


def summarise_values(matrix: Any) -> ValueSummary:
    """Look at every value of a matrix once, in chunks of rows.

    Parameters
    ----------
    matrix
        Shape (n_cells, n_genes); dense, sparse, or backed by a file.

    Examples
    --------
    >>> import numpy as np
    >>> summarise_values(np.array([[0.0, 1.5], [2.0, np.nan]])).kinds["fractional"]
    1
    """
    summary = ValueSummary(np.zeros(matrix.shape[0]))
    for start in range(0, matrix.shape[0], CHUNK_ROWS):
        chunk = as_doubles(matrix[start : start + CHUNK_ROWS])
        _look_at(chunk, start, summary)
    return summary


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
    seen = summarise_values(matrix)
    if seen.kinds["nan"] or seen.kinds["infinite"] or seen.kinds["negative"]:
        return None
    if not seen.kinds["fractional"]:
        return Expression.COUNTS
    is_plausible = seen.largest <= LARGEST_LOG[Expression.LOGNORM]
    return Expression.LOGNORM if is_plausible else None


def _look_at(chunk: sparse.csr_matrix, start: int, summary: ValueSummary) -> None:
    values = chunk.data
    is_finite = np.isfinite(values)
    kinds = {
        "nan": np.isnan(values),
        "infinite": np.isinf(values),
        "negative": values < 0,
        "fractional": is_finite & (values != np.rint(values)),
        "nonzero": values != 0,
    }
    for kind, is_kind in kinds.items():
        _count(kind, np.flatnonzero(is_kind), chunk, start, summary)
    finite = values[is_finite]
    summary.smallest = min(summary.smallest, finite.min(initial=0.0))
    summary.largest = max(summary.largest, finite.max(initial=0.0))
    summary.row_sums[start : start + chunk.shape[0]] = np.asarray(chunk.sum(axis=1)).ravel()


def _count(
    kind: str, where: np.ndarray[Any, Any], chunk: sparse.csr_matrix, start: int, into: ValueSummary
) -> None:
    into.kinds[kind] += len(where)
    if len(where) and kind not in into.first:
        row = int(np.searchsorted(chunk.indptr, where[0], side="right")) - 1
        column, value = chunk.indices[where[0]], chunk.data[where[0]]
        into.first[kind] = (start + row, int(column), float(value))
