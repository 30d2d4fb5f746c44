"""How large a difference must be to be seen."""

import numpy as np
from scipy import special

from wildcell.results.stats import CONFIDENCE

POWER = 0.8


def detectable_difference(
    error: float, n_blocks: int, *, power: float = POWER, reach: float | None = None
) -> float:
    """Return the least true difference that a two-sided test sees with some power.

    Parameters
    ----------
    error
        Standard error of the difference.
    n_blocks
        Contexts, or families of perturbations, that vary by themselves; NaN below two.
    power
        In what share of such studies it is to be seen.
    reach
        How many errors a difference must exceed to be seen; that of one test at 5 % if None.

    Examples
    --------
    >>> round(detectable_difference(0.01, 20), 4)
    0.0295
    """
    if n_blocks < 2:
        return np.nan
    if reach is None:
        reach = float(special.stdtrit(n_blocks - 1, 0.5 + CONFIDENCE / 2))
    return (reach + float(special.stdtrit(n_blocks - 1, power))) * error


def blocks_to_see(
    difference: float, error: float, n_blocks: int, *, most: int = 100_000
) -> int | None:
    """Return how many blocks like these it takes to see a difference, None for too many to tell.

    The error shrinks with the square root of their number.

    Examples
    --------
    >>> blocks_to_see(0.02, 0.02, 10)
    81
    """
    if n_blocks < 2 or not (difference > 0 and error > 0):
        return None
    sd = error * np.sqrt(n_blocks)
    low, high = 2, most
    if detectable_difference(sd / np.sqrt(high), high) > difference:
        return None
    while low < high:
        middle = (low + high) // 2
        if detectable_difference(sd / np.sqrt(middle), middle) <= difference:
            high = middle
        else:
            low = middle + 1
    return low
