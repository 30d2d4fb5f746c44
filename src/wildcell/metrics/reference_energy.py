"""Energy distances of many clouds to one reference, such as the controls."""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wildcell.arrays import Codes, Floats
from wildcell.metrics.conditions import over_conditions
from wildcell.metrics.pairwise import Cells
from wildcell.parallel import compiled
from wildcell.streams.matrix import stretches

BLOCK_BYTES = 2**26

TOGETHER = 512
"""Cells of small groups that are measured at once: matrix products of few rows are slow."""

Singles: TypeAlias = NDArray[np.float32]


class Block(NamedTuple):
    """Consecutive cells of a cloud.

    Attributes
    ----------
    start
        Number of the first cell.
    rows
        Their values around a centre, dense, shape (n_cells, n_genes).
    squares
        Squared lengths of `rows`, shape (n_cells,).
    """

    start: int
    rows: Singles
    squares: Singles

    def between(self, start: int, stop: int) -> "Block":
        """Return those of its cells whose numbers lie between two, the latter not among them."""
        inside = slice(max(start - self.start, 0), max(stop - self.start, 0))
        return Block(self.start + inside.start, self.rows[inside], self.squares[inside])


def energies_to_reference(cells: Cells, codes: Codes, n_groups: int, reference: Cells) -> Floats:
    """Return 2 E d(X,Y) - E d(X,X') - E d(Y,Y') of each group of cells and one reference.

    V-statistics: pairs of a cell with itself count. Equal to `energy_distance(..., unbiased=False)`
    to single precision, with the reference's own pairs measured once and each cell made dense once
    for all its pairs.

    Parameters
    ----------
    cells, reference
        Shapes (n_cells, n_genes) and (n_reference, n_genes).
    codes
        Group of each cell, shape (n_cells,); cells with a negative code are passed over.
    n_groups
        Number of groups.

    Returns
    -------
    Shape (n_groups,); NaN for a group without cells.

    Examples
    --------
    >>> import numpy as np
    >>> cells = np.random.default_rng(0).normal(size=(50, 4))
    >>> energies_to_reference(cells + 10, np.zeros(50, int), 1, cells).round(1).tolist()
    [35.1]
    """
    centre = np.asarray(reference.mean(axis=0), dtype=np.float32).ravel()
    order = np.argsort(codes, kind="stable")
    bounds = np.searchsorted(codes[order], np.arange(n_groups + 1))
    between, within, of_reference = np.zeros(n_groups), np.zeros(n_groups), 0.0
    for others in _blocks(reference, centre):

        def measure(low: int, high: int, others: Block = others) -> None:
            own = cells[order[bounds[low] : bounds[high]]]
            ends = bounds[low : high + 1] - bounds[low]
            for mine in _blocks(own, centre):
                to_others = _distances_by_row(mine, others)
                for group, (start, stop) in enumerate(pairwise(ends), low):
                    part = mine.between(start, stop)
                    between[group] += to_others[part.start - mine.start :][: len(part.rows)].sum()
                    if others.start == 0:
                        within[group] += _total_onwards(part, own[:stop], centre)

        over_conditions(measure, *zip(*stretches(bounds, TOGETHER), strict=True))
        of_reference += _total_onwards(others, reference, centre)
    n = np.where(np.diff(bounds) > 0, np.diff(bounds), np.nan)
    n_reference = reference.shape[0]
    mean_between = between / n / n_reference
    return np.asarray(2 * mean_between - within / n**2 - of_reference / n_reference**2)


def _blocks(cells: Cells, centre: Singles, start: int = 0) -> Iterator[Block]:
    """Yield cells from `start` on, some at a time."""
    height = max(1, BLOCK_BYTES // (4 * cells.shape[1]))
    for first in range(start, cells.shape[0], height):
        some = cells[first : first + height]
        dense = some if isinstance(some, np.ndarray) else some.toarray()
        rows = dense.astype(np.float32, copy=False) - centre
        yield Block(first, rows, np.einsum("ng,ng->n", rows, rows))


def _distances_by_row(first: Block, second: Block) -> Floats:
    """Return the sum of the distances of each cell of a block to all of another."""
    return np.asarray(_sum_roots(first.rows @ second.rows.T, first.squares, second.squares))


def _total_onwards(block: Block, cells: Cells, centre: Singles) -> float:
    """Return the sum of distances within a block of a cloud, and to and from the cells after it.

    A cell is at no distance of itself, whatever rounding says.
    """
    products = block.rows @ block.rows.T
    np.fill_diagonal(products, np.inf)
    total = float(_sum_roots(products, block.squares, block.squares).sum())
    later = _blocks(cells, centre, block.start + len(block.rows))
    return total + 2 * sum(float(_distances_by_row(block, other).sum()) for other in later)


@compiled
def _sum_roots(products: Singles, squares: Singles, other_squares: Singles) -> Floats:
    """Sum by row the roots of the squared lengths of differences, from inner products."""
    totals = np.zeros(len(squares))
    for i in range(len(squares)):
        total = 0.0
        for j in range(len(other_squares)):
            squared = squares[i] + other_squares[j] - np.float32(2) * products[i, j]
            if squared > 0:
                total += np.sqrt(squared)
        totals[i] = total
    return totals
