"""Energy distances of many clouds to one reference, such as the controls.

Distances come from inner products. Genes that most cells have are multiplied as dense matrices; of
the others only the values that are not zero are, for most of their products are zero.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from wildcell.arrays import Codes, Floats, Matrix
from wildcell.metrics.conditions import over_conditions
from wildcell.metrics.mann_whitney import sorted_rows
from wildcell.metrics.pairwise import Cells
from wildcell.parallel import compiled
from wildcell.streams.matrix import stretches

BLOCK_BYTES = 2**26

TOGETHER = 512
"""Cells of small groups that are measured at once: matrix products of few rows are slow."""

RARE = 0.12
"""Genes that a smaller share of the reference has are multiplied by value: it is faster then."""

Singles: TypeAlias = NDArray[np.float32]


class Genes(NamedTuple):
    """Which genes are multiplied in which way.

    Attributes
    ----------
    column
        Column of each gene among the common ones, or -1 minus that among the rare ones, shape
        (n_genes,).
    centre
        What is taken off the common ones, so that large and close values do not cancel.
    """

    column: Codes
    centre: Singles

    @property
    def n_rare(self) -> int:
        """Number of rare genes."""
        return len(self.column) - len(self.centre)


class Block(NamedTuple):
    """Consecutive cells of a cloud.

    Attributes
    ----------
    start
        Number of the first cell.
    rows
        Their values of the common genes around a centre, dense, shape (n_cells, n_common).
    rare
        Their values of the rare genes, shape (n_cells, n_rare).
    squares
        Squared lengths of both together, shape (n_cells,).
    """

    start: int
    rows: Singles
    rare: Matrix
    squares: Singles

    def between(self, start: int, stop: int) -> "Block":
        """Return those of its cells whose numbers lie between two, the latter not among them."""
        inside = slice(max(start - self.start, 0), max(stop - self.start, 0))
        return Block(
            self.start + inside.start, self.rows[inside], self.rare[inside], self.squares[inside]
        )


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
    [35.2]
    """
    cells, reference = sorted_rows(cells), sorted_rows(reference)
    genes = _genes_of(reference)
    order = np.argsort(codes, kind="stable")
    bounds = np.searchsorted(codes[order], np.arange(n_groups + 1))
    between, within, of_reference = np.zeros(n_groups), np.zeros(n_groups), 0.0
    for others in _blocks(reference, genes):

        def measure(low: int, high: int, others: Block = others) -> None:
            own = cells[order[bounds[low] : bounds[high]]]
            ends = bounds[low : high + 1] - bounds[low]
            for mine in _blocks(own, genes):
                to_others = _distances_by_row(mine, others)
                for group, (start, stop) in enumerate(pairwise(ends), low):
                    part = mine.between(start, stop)
                    between[group] += to_others[part.start - mine.start :][: len(part.rows)].sum()
                    if others.start == 0:
                        within[group] += _total_onwards(part, own[:stop], genes)

        over_conditions(measure, *zip(*stretches(bounds, TOGETHER), strict=True))
        of_reference += _total_onwards(others, reference, genes)
    n = np.where(np.diff(bounds) > 0, np.diff(bounds), np.nan)
    n_reference = reference.shape[0]
    mean_between = between / n / n_reference
    return np.asarray(2 * mean_between - within / n**2 - of_reference / n_reference**2)


def _genes_of(reference: Matrix) -> Genes:
    share = np.bincount(reference.indices, minlength=reference.shape[1]) / reference.shape[0]
    is_common = share >= RARE
    mean = np.asarray(reference.mean(axis=0), dtype=np.float32).ravel()
    column = np.where(is_common, np.cumsum(is_common) - 1, -np.cumsum(~is_common))
    return Genes(column, mean[is_common])


def _blocks(cells: Matrix, genes: Genes, start: int = 0) -> Iterator[Block]:
    """Yield cells from `start` on, some at a time."""
    height = max(1, BLOCK_BYTES // (4 * cells.shape[1]))
    for first in range(start, cells.shape[0], height):
        yield _block(cells[first : first + height], genes, first)


def _block(cells: Matrix, genes: Genes, start: int) -> Block:
    rows = np.tile(-genes.centre, (cells.shape[0], 1))
    bounds = np.zeros(cells.shape[0] + 1, np.int64)
    columns, values = np.empty(cells.nnz, np.int32), np.empty(cells.nnz, np.float32)
    _spread(cells.indptr, cells.indices, cells.data, genes.column, rows, bounds, columns, values)
    kept = slice(int(bounds[-1]))
    rare = sparse.csr_matrix(
        (values[kept].copy(), columns[kept].copy(), bounds), shape=(len(rows), genes.n_rare)
    )
    of_rare = np.asarray(rare.multiply(rare).sum(axis=1)).ravel()
    return Block(start, rows, rare, np.einsum("ng,ng->n", rows, rows) + of_rare)


@compiled
def _spread(  # noqa: PLR0917 - compiled functions are called by position
    indptr: NDArray[Any],
    indices: NDArray[Any],
    data: NDArray[Any],
    column: Codes,
    rows: Singles,
    rare_bounds: NDArray[np.int64],
    rare_columns: NDArray[np.int32],
    rare_values: Singles,
) -> None:
    """Add the values of common genes to dense rows, and gather those of rare ones."""
    n = 0
    for i in range(len(rows)):
        for k in range(indptr[i], indptr[i + 1]):
            place = column[indices[k]]
            if place >= 0:
                rows[i, place] += data[k]
            else:
                rare_columns[n] = -1 - place
                rare_values[n] = data[k]
                n += 1
        rare_bounds[i + 1] = n


def _products(first: Block, second: Block) -> Singles:
    """Return the inner products of the cells of two blocks, shape (n_first, n_second)."""
    products = first.rows @ second.rows.T
    mine, theirs = first.rare, second.rare.tocsc()
    _add_rare(
        mine.indptr,
        mine.indices,
        mine.data,
        theirs.indptr,
        theirs.indices,
        theirs.data,
        products,
    )
    return products


@compiled
def _add_rare(  # noqa: PLR0917 - compiled functions are called by position
    indptr: NDArray[Any],
    indices: NDArray[Any],
    data: Singles,
    other_indptr: NDArray[Any],
    other_indices: NDArray[Any],
    other_data: Singles,
    products: Singles,
) -> None:
    """Add the products of sparse rows and the sparse columns of other cells' values."""
    for i in range(len(products)):
        row = products[i]
        for k in range(indptr[i], indptr[i + 1]):
            value = data[k]
            for j in range(other_indptr[indices[k]], other_indptr[indices[k] + 1]):
                row[other_indices[j]] += value * other_data[j]


def _distances_by_row(first: Block, second: Block) -> Floats:
    """Return the sum of the distances of each cell of a block to all of another."""
    return np.asarray(_sum_roots(_products(first, second), first.squares, second.squares))


def _total_onwards(block: Block, cells: Matrix, genes: Genes) -> float:
    """Return the sum of distances within a block of a cloud, and to and from the cells after it.

    A cell is at no distance of itself, whatever rounding says.
    """
    products = _products(block, block)
    np.fill_diagonal(products, np.inf)
    total = float(_sum_roots(products, block.squares, block.squares).sum())
    later = _blocks(cells, genes, block.start + len(block.rows))
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
