"""One-dimensional optimal transport, gene by gene, on sparse values."""

from typing import Any

import numpy as np
from scipy import sparse

from wildcell.arrays import Floats
from wildcell.metrics.pairwise import Cells
from wildcell.parallel import compiled


def wasserstein_by_gene(first: Cells, second: Cells) -> Floats:
    """Return the 1-Wasserstein distance of each gene's values in two clouds of cells.

    Equal to `scipy.stats.wasserstein_distance` a gene; only nonzero values are sorted, the zeros of
    a gene are one block. NaN where a cloud is empty.

    Parameters
    ----------
    first, second
        Shapes (n_first, n_genes) and (n_second, n_genes).

    Returns
    -------
    Floats
        Shape (n_genes,); its mean is the score of a condition.

    Examples
    --------
    >>> import numpy as np
    >>> wasserstein_by_gene(np.array([[0.0, 1.0], [0.0, 3.0]]), np.array([[2.0, 2.0]])).tolist()
    [2.0, 1.0]
    """
    if first.shape[0] == 0 or second.shape[0] == 0:
        return np.full(first.shape[1], np.nan)
    distances = np.empty(first.shape[1])
    _by_gene(*_columns(first), *_columns(second), distances)
    return distances


def _columns(cells: Cells) -> tuple[int, Any, Any]:
    """Return the number of cells, and where each gene's stored values start, and the values."""
    columns = sparse.csc_matrix(cells, dtype=np.float64)
    return columns.shape[0], columns.indptr, columns.data


@compiled
def _by_gene(  # noqa: PLR0917  compiled functions take arguments by position
    n_first: int,
    starts_first: Any,
    values_first: Any,
    n_second: int,
    starts_second: Any,
    values_second: Any,
    into: Any,
) -> None:
    for gene in range(len(into)):
        u = np.sort(values_first[starts_first[gene] : starts_first[gene + 1]])
        v = np.sort(values_second[starts_second[gene] : starts_second[gene + 1]])
        into[gene] = _area(u, n_first, v, n_second)


@compiled
def _area(u: Any, n_u: int, v: Any, n_v: int) -> float:
    """Return the area between two distribution functions, given sorted values beside zeros."""
    area = 0.0
    below_u = below_v = i = j = 0
    zeros_seen = False
    position = 0.0
    while i < len(u) or j < len(v) or not zeros_seen:
        next_u = u[i] if i < len(u) else np.inf
        next_v = v[j] if j < len(v) else np.inf
        value = min(next_u, next_v)
        if not zeros_seen:
            value = min(value, 0.0)
        if below_u + below_v > 0:
            area += abs(below_u / n_u - below_v / n_v) * (value - position)
        position = value
        if not zeros_seen and value == 0.0:
            below_u += n_u - len(u)
            below_v += n_v - len(v)
            zeros_seen = True
        elif next_u == value:
            below_u += 1
            i += 1
        else:
            below_v += 1
            j += 1
    return area
