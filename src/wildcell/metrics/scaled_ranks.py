"""Rank tests of counts that are scaled and logged as they are ranked, some genes at a time."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wildcell.arrays import Codes, Floats, Matrix
from wildcell.metrics.mann_whitney import (
    RankTest,
    SortableGenes,
    against_controls,
    rank_test,
    refuse_too_many,
    sorted_rows,
)
from wildcell.metrics.ranks import count_by_gene, gather
from wildcell.parallel import compiled, cores

POSITIVE = np.uint64(1 << 63)
"""The bit that the keys of numbers of at least 0 have: the key of zero."""


class Counts(NamedTuple):
    """Counts of some cells.

    Attributes
    ----------
    X
        Shape (n_cells, n_genes), none below 0.
    unit
        What a count of each cell is divided by, shape (n_cells,).
    codes
        Group of each cell, shape (n_cells,).
    """

    X: Matrix
    unit: Floats
    codes: Codes


def rank_scaled(cells: Counts, n_groups: int, controls: Counts) -> RankTest:
    """Test log1p of scaled counts against controls: as `mann_whitney`, without a copy of them all.

    Values are compared in double precision.

    Parameters
    ----------
    cells
        Groups 0 to n_groups - 1.
    n_groups
        Number of groups.
    controls
        Of any group.

    Examples
    --------
    >>> from scipy import sparse
    >>> one, two = (sparse.csr_matrix(np.array(x, np.float32)) for x in ([[4], [6]], [[1], [2]]))
    >>> cells = Counts(one, np.array([2.0, 1.0]), np.array([0, 0]))
    >>> rank_scaled(cells, 1, Counts(two, np.ones(2), np.zeros(2, int))).statistic.tolist()
    [[3.5]]
    """
    plan = against_controls(
        np.bincount(cells.codes, minlength=n_groups).astype(np.int64), controls.X.shape[0]
    )
    refuse_too_many(plan)
    parts = _in_one_type(cells.X, controls.X)
    n_values = np.zeros(cells.X.shape[1], np.int64)
    for part in parts:
        count_by_gene(*part, _every_row(part), _no_sign(part), n_values)
    unit = np.concatenate([cells.unit, controls.unit])
    labels = np.concatenate([cells.codes, np.full(controls.X.shape[0], n_groups)]).astype(np.int32)

    def read(genes: slice) -> SortableGenes:
        bounds, rows, values = _gathered(parts, genes, n_values[genes])
        keys = np.log1p(values / unit[rows]).view(np.uint64)
        keys |= POSITIVE
        return SortableGenes(bounds, labels[rows], keys)

    return rank_test(read, n_values, plan, continuity=True, n_threads=cores())


class _Part(NamedTuple):
    """A CSR matrix, its values as bits."""

    indptr: NDArray[np.int64]
    indices: NDArray[Any]
    bits: NDArray[Any]


def _in_one_type(*matrices: Matrix) -> list[_Part]:
    rows = [sorted_rows(matrix) for matrix in matrices]
    single = all(one.dtype == np.float32 for one in rows)
    found = [one.data.astype(np.float32 if single else np.float64, copy=False) for one in rows]
    return [
        _Part(one.indptr.astype(np.int64), one.indices, data.view(f"u{data.itemsize}"))
        for one, data in zip(rows, found, strict=True)
    ]


def _gathered(
    parts: list[_Part], genes: slice, n_values: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.floating[Any]]]:
    """Return the values of some genes, one after another, and the row of each over all parts."""
    bounds = np.concatenate([[0], np.cumsum(n_values)])
    bits, rows = np.empty(bounds[-1], parts[0].bits.dtype), np.empty(bounds[-1], np.int32)
    ends, n_before = bounds[:-1].copy(), 0
    for part in parts:
        every = _every_row(part)
        names = (every + n_before).astype(np.int32)
        window = (genes.start, genes.stop, _no_sign(part))
        gather(*part, every, names, *window, ends, bits, rows)
        n_before += len(every)
    return bounds, rows, bits.view(f"f{bits.itemsize}")


def _every_row(part: _Part) -> NDArray[np.int64]:
    return np.arange(len(part.indptr) - 1)


def _no_sign(part: _Part) -> Any:
    """Return the bit that keys of numbers below 0 would have turned: there are none."""
    return part.bits.dtype.type(0)


def mean_scaled(counts: Counts, n_groups: int) -> Floats:
    """Return the mean of scaled counts of each group, shape (n_groups, n_genes)."""
    order = np.argsort(counts.codes, kind="stable")
    total = np.zeros((n_groups, counts.X.shape[1]))
    _add(*(counts.X.indptr, counts.X.indices, counts.X.data), order, *counts[1:], total)
    n = np.bincount(counts.codes, minlength=n_groups)
    return total / np.where(n, n, np.nan)[:, None]


@compiled
def _add(  # noqa: PLR0917 - compiled functions are called by position
    indptr: NDArray[Any],
    indices: NDArray[Any],
    data: NDArray[Any],
    rows: Codes,
    unit: Floats,
    codes: Codes,
    total: Floats,
) -> None:
    for row in rows:
        own, divisor = total[codes[row]], unit[row]
        for i in range(indptr[row], indptr[row + 1]):
            own[indices[i]] += np.float64(data[i]) / divisor
