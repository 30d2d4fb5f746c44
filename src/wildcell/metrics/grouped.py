"""Cells by group: rows of one matrix, taken out when they are looked at."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, overload

import numpy as np
from scipy import sparse

from wildcell.arrays import Codes, Floats, Matrix
from wildcell.streams.spilled import let_go

FEWEST_DEALT = 4
"""Of so many cells each of two folds has a pair."""


class Rows(Protocol):
    """A sparse matrix, in memory or not, whose rows are taken by number."""

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        ...

    def __getitem__(self, rows: Codes, /) -> Matrix:
        """Return some rows, in the order given."""
        ...


@dataclass(frozen=True, eq=False)
class GroupedCells(Sequence[Matrix]):
    """Some groups of the rows of a matrix, as a sequence of matrices.

    Attributes
    ----------
    matrix
        Log values, shape (n_cells, n_genes), in memory or in a file.
    rows
        Which rows each group is made of; a group may be empty.
    columns
        Which genes, in order; all if None.

    Examples
    --------
    >>> X = sparse.csr_matrix(np.arange(6.0).reshape(3, 2))
    >>> GroupedCells(X, (np.array([2, 0]), np.array([], dtype=int)))[0].toarray().tolist()
    [[4.0, 5.0], [0.0, 1.0]]
    """

    matrix: Rows
    rows: tuple[Codes, ...]
    columns: Codes | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, item: int) -> Matrix: ...
    @overload
    def __getitem__(self, item: slice) -> "GroupedCells": ...
    def __getitem__(self, item: int | slice) -> "Matrix | GroupedCells":
        if isinstance(item, slice):
            return replace(self, rows=self.rows[item])
        cells = self.matrix[self.rows[item]]
        let_go(self.matrix)
        return cells if self.columns is None else cells[:, self.columns]

    def take(self, groups: Codes) -> "GroupedCells":
        """Return some groups, in order."""
        return replace(self, rows=tuple(self.rows[group] for group in groups))


def grouped(matrix: Matrix, codes: Codes, n_groups: int) -> GroupedCells:
    """Group the rows of a matrix by code; rows with a negative code are passed over.

    Examples
    --------
    >>> X = sparse.csr_matrix(np.arange(3.0)[:, None])
    >>> [one.toarray().ravel().tolist() for one in grouped(X, np.array([1, -1, 1]), 2)]
    [[], [0.0, 2.0]]
    """
    order = np.argsort(codes, kind="stable")
    ends = np.searchsorted(codes[order], np.arange(n_groups + 1))
    return GroupedCells(matrix, tuple(np.split(order, ends)[1:-1]))


def on_columns(cells: Sequence[Matrix], columns: Codes) -> Sequence[Matrix]:
    """Return cells on some genes, in order."""
    if isinstance(cells, GroupedCells):
        own = columns if cells.columns is None else cells.columns[columns]
        return replace(cells, columns=own)
    return tuple(one[:, columns] for one in cells)


def stacked(cells: Sequence[Matrix], groups: Codes) -> tuple[Matrix, Codes]:
    """Return the cells of some groups in one matrix, and the place in `groups` each belongs to."""
    if isinstance(cells, GroupedCells):
        rows = [cells.rows[group] for group in groups]
        sizes = [len(own) for own in rows]
        whole = replace(cells, rows=(np.concatenate(rows).astype(np.intp),))[0]
    else:
        chosen = [cells[group] for group in groups]
        sizes = [one.shape[0] for one in chosen]
        whole = sparse.vstack(chosen, format="csr")
    return whole, np.repeat(np.arange(len(groups)), sizes)


def sampled(cells: Sequence[Matrix], n: int | Codes, names: Sequence[str]) -> Sequence[Matrix]:
    """Return at most `n` cells of each group, drawn by its name alone.

    Parameters
    ----------
    cells
        Cells of each group.
    n
        One number, or one a group; groups that are no larger are whole.
    names
        One a group.
    """
    most = np.broadcast_to(n, len(cells)).tolist()
    every = zip(sizes_of(cells).tolist(), most, names, strict=True)
    return picked(cells, [drawn(size, k, name) for size, k, name in every])


def picked(cells: Sequence[Matrix], places: Sequence[Codes]) -> Sequence[Matrix]:
    """Return some cells of each group, by their places in it."""
    if isinstance(cells, GroupedCells):
        own = zip(cells.rows, places, strict=True)
        return replace(cells, rows=tuple(rows[places_of] for rows, places_of in own))
    return tuple(one[places_of] for one, places_of in zip(cells, places, strict=True))


def drawn(size: int, n: int, name: str) -> Codes:
    """Return at most `n` positions below `size`, rising, drawn by a name.

    Examples
    --------
    >>> drawn(4, 9, "KLF1").tolist(), len(drawn(9, 4, "KLF1"))
    ([0, 1, 2, 3], 4)
    """
    if size <= n:
        return np.arange(size)
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    return np.sort(rng.choice(size, n, replace=False))


def dealt(size: int, name: str) -> tuple[Codes, Codes]:
    """Return the positions below `size` in two folds, each rising, dealt by a name.

    The folds are as large as one another, or the first has one more; fewer than `FEWEST_DEALT`
    are all in the first.

    Examples
    --------
    >>> first, second = dealt(9, "KLF1")
    >>> len(first), sorted([*first.tolist(), *second.tolist()]) == list(range(9))
    (5, True)
    >>> dealt(3, "KLF1")[0].tolist()
    [0, 1, 2]
    """
    whole = np.arange(size)
    if size < FEWEST_DEALT:
        return whole, whole[:0]
    second = drawn(size, size // 2, f"the second fold of {name}")
    return np.setdiff1d(whole, second), second


def sizes_of(cells: Sequence[Matrix]) -> Codes:
    """Return the number of cells of each group, shape (n_groups,)."""
    if isinstance(cells, GroupedCells):
        return np.array([len(rows) for rows in cells.rows], dtype=np.intp)
    return np.array([one.shape[0] for one in cells], dtype=np.intp)


def share_nonzero(cells: Matrix) -> Floats:
    """Return the share of cells in which each gene is not 0, shape (n_genes,); NaN of none."""
    n = np.bincount(cells.indices[cells.data != 0], minlength=cells.shape[1])
    return n / (cells.shape[0] or np.nan)
