"""Distances between the cells of one or two clouds."""

import numpy as np

from wildcell.arrays import Floats


def distances(first: Floats, second: Floats) -> Floats:
    """Return all Euclidean distances between rows, shape (n_first, n_second)."""
    squared = (
        np.einsum("cg,cg->c", first, first)[:, None]
        + np.einsum("cg,cg->c", second, second)[None, :]
        - 2 * first @ second.T
    )
    return np.sqrt(np.maximum(squared, 0.0))


def mean_distance_within(cells: Floats) -> float:
    """Return the mean distance between two different cells; NaN for fewer than two.

    Parameters
    ----------
    cells
        Shape (n_cells, n_genes).
    """
    n = len(cells)
    if n < 2:
        return float("nan")
    within = distances(cells.astype(np.float64), cells.astype(np.float64))
    np.fill_diagonal(within, 0.0)
    return float(within.sum() / (n * (n - 1)))


def mean_distance_between(first: Floats, second: Floats) -> float:
    """Return the mean distance between a cell of one cloud and a cell of the other."""
    if len(first) == 0 or len(second) == 0:
        return float("nan")
    return float(distances(first.astype(np.float64), second.astype(np.float64)).mean())
