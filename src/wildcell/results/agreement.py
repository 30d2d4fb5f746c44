"""Whether a metric says the same of a condition twice."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import special

from wildcell.results.stats import CONFIDENCE, Sample

LEAST_CONDITIONS = 5
SPREAD = 1.06
"""Of the transformed rank correlation of unrelated scores, over 1 / sqrt(n - 3)."""


class Agreement(NamedTuple):
    """A rank correlation over conditions, with its interval."""

    value: float = np.nan
    low: float = np.nan
    high: float = np.nan


def agreement(first: Sample, second: Sample) -> Agreement:
    """Return the rank correlation of two samples of the same conditions, with its 95 % interval.

    Of ratios of sums, the numerators are compared. The interval is Fisher's, of conditions that
    vary by themselves (Fieller, Hartley & Pearson 1957).

    Parameters
    ----------
    first, second
        What one answer scores by two measurements. Fewer than five conditions, or scores that are
        all the same, tell nothing.

    Examples
    --------
    >>> names, unknown = np.array(list("abcdef"), dtype=object), np.full(6, np.nan)
    >>> one = Sample(names, names, np.arange(6.0), unknown, unknown)
    >>> float(agreement(one, one).value)
    1.0
    """
    is_known = first.is_known & second.is_known
    scores = [_scores(sample)[is_known] for sample in (first, second)]
    n = int(is_known.sum())
    if n < LEAST_CONDITIONS or any(np.ptp(own) == 0 for own in scores):
        return Agreement()
    value = float(np.corrcoef(pd.DataFrame(scores).rank(axis=1))[0, 1])
    reach = float(special.ndtri(0.5 + CONFIDENCE / 2)) * SPREAD / np.sqrt(n - 3)
    centre = np.arctanh(np.clip(value, -1 + 1e-12, 1 - 1e-12))
    return Agreement(value, float(np.tanh(centre - reach)), float(np.tanh(centre + reach)))


def _scores(sample: Sample) -> np.ndarray:
    return sample.numerator if sample.is_ratio and not sample.is_log else sample.value
