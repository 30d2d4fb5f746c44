"""Graphs between genes, for models that pass messages along them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
from scipy import sparse

from wildcell.arrays import Booleans, Floats, Matrix, Moments, Names, moments
from wildcell.datasets.labels import find_column
from wildcell.errors import OptionError
from wildcell.scenarios.gene_sets import Membership
from wildcell.scenarios.task import Cells

BLOCK_GENES = 512
BLOCK_CELLS = 4096

DENSE_SHARE = 0.2
"""From this share of non-zero values on, products of dense matrices are the faster ones."""

NO_VARIANCE = 1e-10
"""A gene whose variance is below this share of its mean square does not vary."""


@dataclass(frozen=True)
class GeneGraph:
    """The nearest neighbours of each gene, and how near they are.

    Attributes
    ----------
    names
        Names of the nodes, shape (n_genes,).
    adjacency
        Shape (n_genes, n_genes): row i holds the weights, above 0 and at most 1, of the neighbours
        of gene i; the diagonal is empty. Neighbours need not be mutual.
    """

    names: Names
    adjacency: Matrix

    @property
    def symmetric(self) -> Matrix:
        """The adjacency with an edge where either gene is a neighbour of the other."""
        return sparse.csr_matrix(self.adjacency.maximum(self.adjacency.T))

    @cached_property
    def isolated(self) -> list[str]:
        """The genes without any edge, in the order of `names`."""
        return [str(name) for name in self.names[np.diff(self.symmetric.indptr) == 0]]


def coexpression_graph(
    cells: Cells, *, n_neighbours: int = 20, above: float = 0.0, within: str | None = None
) -> GeneGraph:
    """Join each gene to those whose log values correlate most with its own, either way.

    The cells given are all that is looked at: of a task, give `task.train`.

    Parameters
    ----------
    cells
        The cells to learn from, X of shape (n_cells, n_genes).
    n_neighbours
        Neighbours of a gene at most; of equals, those that come first.
    above
        Absolute correlations must lie above this.
    within
        A column of `cells.obs`, such as `context`: what differs between its groups is then left
        out, by correlating the deviations from the mean of each.

    Returns
    -------
    A node a gene; weights are absolute Pearson correlations. A gene that does not vary is
    isolated.

    Raises
    ------
    OptionError
        Fewer than 1 neighbour is asked for.
    UnknownNameError
        There is no such column.

    Notes
    -----
    Besides the cells, 512 rows of correlations and 4,096 cells are held at a time.

    Examples
    --------
    >>> from wildcell.names import Expression
    >>> X = sparse.csr_matrix([[1.0, 2.0, 0.0], [2.0, 4.0, 1.0], [3.0, 6.0, 0.0]])
    >>> cells = Cells(X, np.array(["A", "B", "C"], dtype=object), pd.DataFrame(index=range(3)),
    ...               Expression.LOGNORM)
    >>> coexpression_graph(cells).adjacency.toarray().round(6)[0].tolist()
    [0.0, 1.0, 0.0]
    """
    values = cells.lognorm
    groups = np.zeros(cells.n, dtype=np.intp)
    if within is not None:
        groups, _ = pd.factorize(find_column(cells.obs, within, "within"))
    found = moments(values, groups, int(groups.max(initial=0)) + 1)
    return _nearest(cells.genes, _correlations(values, found), n_neighbours, above)


def _correlations(values: Matrix, found: Moments) -> Iterator[Floats]:
    """Yield absolute correlations of blocks of genes with all, the deviations being from groups."""
    roots = found.total / np.sqrt(np.maximum(found.n, 1))[:, None]
    squares = found.total_squares.sum(axis=0)
    variance = squares - (roots**2).sum(axis=0)
    varies = variance > NO_VARIANCE * squares
    scale = np.divide(1.0, np.sqrt(np.abs(variance)), out=np.zeros_like(variance), where=varies)
    for block in _blocks(values.shape[1], BLOCK_GENES):
        covariance = _products(values, block) - roots[:, block].T @ roots
        yield np.minimum(np.abs(covariance * scale[block, None] * scale), 1.0)


def _products(values: Matrix, block: slice) -> Floats:
    """Return the inner products of a block of columns with all, shape (n_block, n_columns)."""
    is_dense = values.nnz > DENSE_SHARE * values.shape[0] * values.shape[1]
    total = np.zeros((len(range(*block.indices(values.shape[1]))), values.shape[1]))
    for rows in _blocks(values.shape[0], BLOCK_CELLS):
        chunk = values[rows].astype(np.float64)
        if is_dense:
            dense = chunk.toarray()
            total += dense[:, block].T @ dense
        else:
            total += (chunk[:, block].T @ chunk).toarray()
    return total


def overlap_graph(
    membership: Membership,
    *,
    names: Sequence[str] | None = None,
    measure: Literal["jaccard", "cosine"] = "jaccard",
    n_neighbours: int = 20,
    above: float = 0.0,
) -> GeneGraph:
    """Join each gene to those that share the largest part of its gene sets.

    Parameters
    ----------
    membership
        Which genes belong to which sets; weights are not looked at.
    names
        The nodes, such as the genes of a task or what was perturbed; all genes in the sets if
        none are named. One that is in no set is isolated.
    measure
        Sets shared over sets of either (`jaccard`), or over the root of the product of both
        numbers (`cosine`).
    n_neighbours
        Neighbours of a gene at most; of equals, those that come first.
    above
        The measure must lie above this.

    Raises
    ------
    OptionError
        Fewer than 1 neighbour is asked for, the measure is not known, or a name comes twice.

    Examples
    --------
    >>> from wildcell.scenarios.gene_sets import membership_of
    >>> sets = {"a": ["X", "Y"], "b": ["Y", "Z"]}
    >>> overlap_graph(membership_of(sets, min_size=1)).adjacency.toarray().tolist()
    [[0.0, 0.5, 0.0], [0.5, 0.0, 0.5], [0.0, 0.5, 0.0]]
    """
    nodes = list(membership.genes if names is None else names)
    if len(set(nodes)) < len(nodes):
        raise OptionError("The nodes of a graph need names of their own; one comes twice.")
    if measure not in ("jaccard", "cosine"):
        raise OptionError(f"Overlap is measured by jaccard or cosine; got {measure!r}.")
    members = _binary_rows(membership, nodes)
    return _nearest(np.array(nodes, dtype=object), _overlaps(members, measure), n_neighbours, above)


def _binary_rows(membership: Membership, nodes: Sequence[str]) -> Matrix:
    """Return 1 where a node is in a set, shape (n_nodes, n_sets)."""
    rows = pd.Index(membership.genes).get_indexer(nodes)
    binary = membership.weights.astype(bool).astype(np.float64)
    found = sparse.diags_array((rows >= 0).astype(float)) @ binary[np.maximum(rows, 0)]
    members = sparse.csr_matrix(found)
    members.eliminate_zeros()
    return members


def _overlaps(members: Matrix, measure: str) -> Iterator[Floats]:
    sizes = np.diff(members.indptr).astype(float)
    for block in _blocks(members.shape[0], BLOCK_GENES):
        shared = (members[block] @ members.T).toarray()
        if measure == "jaccard":
            whole = sizes[block, None] + sizes - shared
        else:
            whole = np.sqrt(sizes[block, None] * sizes)
        yield np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)


def _nearest(names: Names, rows: Iterator[Floats], n_neighbours: int, above: float) -> GeneGraph:
    """Keep the largest weights of each row, given as blocks of rows of a square."""
    if n_neighbours < 1:
        raise OptionError(f"A gene has 1 neighbour or more; asked for {n_neighbours}.")
    blocks, start = [], 0
    for block in rows:
        itself = np.arange(start, start + len(block))
        block[np.arange(len(block)), itself] = 0.0
        block[block <= max(above, 0.0)] = 0.0
        blocks.append(sparse.csr_matrix(np.where(_are_largest(block, n_neighbours), block, 0.0)))
        start += len(block)
    return GeneGraph(names.copy(), sparse.csr_matrix(sparse.vstack(blocks, format="csr")))


def _are_largest(block: Floats, n: int) -> Booleans:
    """Mark the `n` largest values of each row; of equals, those that come first."""
    if n >= block.shape[1]:
        return np.ones(block.shape, dtype=bool)
    threshold = np.partition(block, -n, axis=1)[:, [-n]]
    is_above, is_equal = block > threshold, block == threshold
    room = n - is_above.sum(axis=1, keepdims=True)
    return is_above | (is_equal & (np.cumsum(is_equal, axis=1) <= room))


def _blocks(n: int, size: int) -> Iterator[slice]:
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))
