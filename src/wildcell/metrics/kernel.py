"""Maximum mean discrepancy of two clouds of cells."""

from collections.abc import Sequence

import numpy as np

from wildcell.arrays import Floats
from wildcell.metrics.pairwise import Cells, Pairs, energy_distance, mean_between, mean_within, pair


def gaussian_mmd(
    first: Cells,
    second: Cells,
    *,
    bandwidths: Sequence[float] = (1.0,),
    unbiased: bool = True,
) -> float:
    """Return the squared maximum mean discrepancy under a Gaussian kernel.

    k(x, y) = exp(-|x - y|^2 / (2 sigma^2)), sigma a multiple of the median distance of two
    different cells of the pooled clouds.

    Parameters
    ----------
    first, second
        Cells, shapes (n_first, n_genes) and (n_second, n_genes).
    bandwidths
        Multiples of the median distance; the kernel is the mean over them.
    unbiased
        U-statistic, which leaves out the pairs of a cell with itself and is NaN for clouds of fewer
        than two cells; or V-statistic, never negative.

    References
    ----------
    Gretton et al., J Mach Learn Res 13:723 (2012).

    Examples
    --------
    >>> import numpy as np
    >>> cells = np.random.default_rng(0).normal(size=(50, 4))
    >>> gaussian_mmd(cells, cells, unbiased=False)
    0.0
    """
    pairs = pair(first, second)
    if min(first.shape[0], second.shape[0]) < 1 + unbiased:
        return float("nan")
    median = median_distance(pairs)
    if median == 0:  # more than half of all pairs coincide: there is no scale to see differences at
        return 0.0
    return float(
        np.mean(
            [_discrepancy(pairs, multiple * median, unbiased=unbiased) for multiple in bandwidths]
        )
    )


def discrepancy(first: Cells, second: Cells, within_first: float, sigma: float) -> float:
    """Return the unbiased squared discrepancy under one Gaussian kernel of a given width.

    Parameters
    ----------
    first, second
        Cells, shapes (n_first, n_genes) and (n_second, n_genes).
    within_first
        Mean of the kernel over two different cells of the first cloud; see `own_scale`.
    sigma
        Width of the kernel; NaN is a cloud without one.

    Examples
    --------
    >>> import numpy as np
    >>> cells = np.random.default_rng(0).normal(size=(50, 4))
    >>> width, within = own_scale(cells)
    >>> bool(discrepancy(cells, cells + 1, within, width) > 0.1)
    True
    """
    if np.isnan(sigma) or second.shape[0] < 2:
        return float("nan")
    pairs = pair(first, second)
    within_second = mean_within(_kernel(pairs.within_second, sigma))
    return within_first + within_second - 2 * mean_between(_kernel(pairs.between, sigma))


def own_scale(cells: Cells) -> tuple[float, float]:
    """Return the median distance of two cells of a cloud, and the mean kernel of that width.

    NaN for fewer than two cells, and where more than half of all pairs coincide.
    """
    pairs = pair(cells)
    median = median_distance(pairs) if cells.shape[0] > 1 else 0.0
    if median == 0:
        return float("nan"), float("nan")
    return median, mean_within(_kernel(pairs.squared, median))


def linear_mmd(first: Cells, second: Cells, *, unbiased: bool = True) -> float:
    """Return the squared maximum mean discrepancy under the kernel k(x, y) = <x, y>.

    The squared distance of the means, less what noise adds to it if `unbiased`.
    """
    return energy_distance(first, second, squared=True, unbiased=unbiased) / 2


def median_distance(pairs: Pairs) -> float:
    """Return the median distance between two different cells of the pooled clouds."""
    upper = np.triu_indices(len(pairs.squared), k=1)
    return float(np.median(np.sqrt(pairs.squared[upper])))


def _discrepancy(pairs: Pairs, sigma: float, *, unbiased: bool) -> float:
    within_first = mean_within(_kernel(pairs.within_first, sigma), unbiased=unbiased)
    within_second = mean_within(_kernel(pairs.within_second, sigma), unbiased=unbiased)
    return within_first + within_second - 2 * mean_between(_kernel(pairs.between, sigma))


def _kernel(squared: Floats, sigma: float) -> Floats:
    return np.exp(squared / (-2 * sigma**2))
