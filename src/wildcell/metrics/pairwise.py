"""Distances between the cells of one or two clouds.

A cloud is a dense or CSR matrix of shape (n_cells, n_genes). Distances come from inner products in
double precision over a block of genes at a time: what is held beside the matrix of pairs is one
dense block of centred cells.
"""

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wildcell.arrays import Floats, Matrix
from wildcell.parallel import compiled

Cells: TypeAlias = NDArray[np.floating[Any]] | Matrix

GENES_AT_ONCE = 2048


@dataclass(frozen=True)
class Pairs:
    """All pairs among the cells of two clouds.

    Attributes
    ----------
    squared
        Squared Euclidean distances among all cells, the first cloud's before the second's.
    n_first
        Cells of the first cloud.
    diameter
        Diagonal of the box around all cells: no two are farther apart.
    """

    squared: Floats
    n_first: int
    diameter: float

    @property
    def between(self) -> Floats:
        """Squared distances of the first cloud's cells to the second's, (n_first, n_second)."""
        return self.squared[: self.n_first, self.n_first :]

    @property
    def within_first(self) -> Floats:
        """Squared distances within the first cloud, shape (n_first, n_first)."""
        return self.squared[: self.n_first, : self.n_first]

    @property
    def within_second(self) -> Floats:
        """Squared distances within the second cloud, shape (n_second, n_second)."""
        return self.squared[self.n_first :, self.n_first :]


def pair(first: Cells, second: Cells | None = None) -> Pairs:
    """Measure all pairs of two clouds, or of one, at once.

    Parameters
    ----------
    first, second
        Shapes (n_first, n_genes) and (n_second, n_genes).

    Examples
    --------
    >>> import numpy as np
    >>> pair(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0], [0.0, 1.0]])).between.round(9).tolist()
    [[25.0, 1.0]]
    """
    clouds = (first,) if second is None else (first, second)
    n = sum(cells.shape[0] for cells in clouds)
    products = np.zeros((n, n))
    squared_diameter = 0.0
    for start in range(0, first.shape[1] if n else 0, GENES_AT_ONCE):
        rows = np.concatenate([_dense(cells, start) for cells in clouds])
        extent = rows.max(axis=0) - rows.min(axis=0)
        squared_diameter += float(extent @ extent)
        rows -= rows.mean(axis=0)  # large and close values would cancel
        products += rows @ rows.T
    _square(products, np.diag(products).copy())
    return Pairs(products, first.shape[0], float(np.sqrt(squared_diameter)))


@compiled
def _square(products: Floats, norms: Floats) -> None:
    """Turn inner products into squared distances, in place and in one pass."""
    for i in range(len(norms)):
        row = products[i]
        norm = norms[i]
        for j in range(len(norms)):
            squared = norm + norms[j] - 2 * row[j]
            row[j] = squared if squared > 0 else 0.0
        row[i] = 0.0


def distances(first: Cells, second: Cells | None = None) -> Floats:
    """Return the Euclidean distances of cells to those of another cloud, or to one another.

    Shape (n_first, n_second), or (n_first, n_first).
    """
    pairs = pair(first, second)
    return np.sqrt(pairs.within_first if second is None else pairs.between)


def mean_distance_within(cells: Cells, *, squared: bool = False, unbiased: bool = True) -> float:
    """Return the mean distance between two cells of one cloud.

    Parameters
    ----------
    cells
        Shape (n_cells, n_genes).
    squared
        Whether distances are squared.
    unbiased
        Whether the pairs of a cell with itself are left out; NaN for fewer than two cells then.
    """
    values = pair(cells).squared
    return mean_within(values if squared else np.sqrt(values), unbiased=unbiased)


def mean_distance_between(first: Cells, second: Cells) -> float:
    """Return the mean distance between a cell of one cloud and a cell of the other."""
    return mean_between(distances(first, second))


def mean_between(values: Floats) -> float:
    """Return the mean over the pairs of two clouds; NaN where there are none."""
    return float(values.mean()) if values.size else float("nan")


def mean_within(values: Floats, *, unbiased: bool = True) -> float:
    """Return the mean over the pairs of one cloud, shape (n_cells, n_cells).

    Unbiased, the diagonal is left out, and the mean of fewer than two cells is NaN.
    """
    n = len(values)
    if n < 1 + unbiased:
        return float("nan")
    if not unbiased:
        return float(values.mean())
    return float((values.sum() - np.trace(values)) / (n * (n - 1)))


def energy_distance(
    first: Cells,
    second: Cells,
    *,
    squared: bool = False,
    unbiased: bool = True,
    within_first: float | None = None,
    within_second: float | None = None,
) -> float:
    """Return the energy distance of two clouds: 2 E d(X,Y) - E d(X,X') - E d(Y,Y').

    Parameters
    ----------
    first, second
        Cells, shapes (n_first, n_genes) and (n_second, n_genes).
    squared
        Whether d is the squared distance. Without `unbiased` the result is then twice the squared
        distance of the means, and says nothing more.
    unbiased
        U-statistic, 0 on average for samples of one distribution, and NaN for clouds of fewer than
        two cells; or V-statistic, never negative and exactly 0 for equal samples.
    within_first, within_second
        What `mean_distance_within` says of a cloud, where it is known already.

    References
    ----------
    Szekely & Rizzo, J Stat Plan Inference 143:1249 (2013).

    Examples
    --------
    >>> import numpy as np
    >>> cells = np.random.default_rng(0).normal(size=(50, 4))
    >>> round(energy_distance(cells, cells + 10), 1)
    35.1
    """
    pairs = pair(first, second)
    values = pairs if squared else replace(pairs, squared=np.sqrt(pairs.squared))
    if within_first is None:
        within_first = mean_within(values.within_first, unbiased=unbiased)
    if within_second is None:
        within_second = mean_within(values.within_second, unbiased=unbiased)
    return 2 * mean_between(values.between) - within_first - within_second


def _dense(cells: Cells, start: int) -> Floats:
    """Return a block of genes, dense and in double precision, in memory of its own."""
    if cells.shape[1] > GENES_AT_ONCE:
        cells = cells[:, start : start + GENES_AT_ONCE]
    if isinstance(cells, np.ndarray):
        return np.array(cells, dtype=np.float64)
    return cells.astype(np.float64).toarray()
