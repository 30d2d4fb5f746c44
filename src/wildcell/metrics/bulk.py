"""Profiles of summed counts, and their sampling noise by the jackknife.

The profile of a group is log1p(target_sum P_g / sum P), with P the sum of its cells' counts: it
weighs cells by depth, where a mean of log values weighs them alike.
"""

from typing import Any

import numpy as np
from scipy import sparse

from wildcell.arrays import Codes, Floats, Matrix, moments
from wildcell.metrics.conditions import over_conditions
from wildcell.parallel import compiled


def bulk_profiles(counts: Matrix, codes: Codes, n_groups: int, target_sum: float) -> Floats:
    """Return log1p of each group's summed counts at a target sum, shape (n_groups, n_genes).

    Zero for a group without counts.

    Parameters
    ----------
    counts
        Shape (n_cells, n_genes).
    codes
        Group of each cell, shape (n_cells,).
    n_groups
        Number of groups.
    target_sum
        What a profile sums to before the logarithm.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy import sparse
    >>> counts = sparse.csr_matrix(np.array([[1.0, 0.0], [2.0, 1.0]]))
    >>> np.expm1(bulk_profiles(counts, np.array([0, 0]), 1, 100.0)).round(6).tolist()
    [[75.0, 25.0]]
    """
    total = moments(counts, codes, n_groups).total
    size = total.sum(axis=1, keepdims=True)
    return np.log1p(target_sum * total / np.where(size > 0, size, 1.0))


def jackknife_noise(counts: Matrix, codes: Codes, n_groups: int, target_sum: float) -> Floats:
    """Return the variance of each group's profile, summed over genes, shape (n_groups,).

    By leaving out each cell in turn: (n - 1) / n times the sum of squared deviations of the n
    profiles from their mean. Zero for fewer than two cells and for a group without counts.

    Parameters
    ----------
    counts, codes, n_groups, target_sum
        As in `bulk_profiles`.
    """
    total = moments(counts, codes, n_groups).total
    rows = sparse.csr_matrix(counts)

    def of_group(group: int) -> float:
        own = rows[np.flatnonzero(codes == group)]
        n = own.shape[0]
        if n < 2 or total[group].sum() <= 0:
            return 0.0
        arrays = (own.indptr, own.indices, own.data)
        return (n - 1) / n * float(_squared_deviations(*arrays, total[group], target_sum))

    return np.array(over_conditions(of_group, range(n_groups)))


@compiled
def _squared_deviations(
    starts: Any, genes: Any, values: Any, total: Any, target_sum: float
) -> float:
    """Sum, over genes, the squared deviations of profiles that each lack one cell."""
    n_cells, n_genes = len(starts) - 1, len(total)
    size = total.sum()
    whole = np.log1p(target_sum * total / size)
    sums, squares = np.zeros(n_genes), np.zeros(n_genes)
    cell = np.zeros(n_genes)
    for i in range(n_cells):
        left = size
        for j in range(starts[i], starts[i + 1]):
            cell[genes[j]] = values[j]
            left -= values[j]
        scale = target_sum / left if left > 0 else 0.0
        for gene in range(n_genes):
            if total[gene] > 0:
                change = np.log1p(scale * (total[gene] - cell[gene])) - whole[gene]
                sums[gene] += change
                squares[gene] += change * change
        for j in range(starts[i], starts[i + 1]):
            cell[genes[j]] = 0.0
    return max((squares - sums**2 / n_cells).sum(), 0.0)
