"""Means with intervals, differences to the reference, and places on the calibrated scale.

Seeds are averaged first, within a condition. Conditions are then averaged within their context,
and contexts with equal weight. From five contexts on the interval is Student's t on the context
means and speaks of new contexts; below that it is taken over the conditions, holds for the
contexts at hand alone, and says so.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from wildcell.arrays import Booleans, Floats
from wildcell.names import Status

CONFIDENCE = 0.95
CONTEXTS_TO_GENERALISE = 5
HEADROOM_IN_ERRORS = 4.0
"""The ceiling must lie this many standard errors above the reference for a scaled score."""

NEW_CONTEXTS = "new contexts"
THESE_CONTEXTS = "these contexts"
NO_INTERVAL = ""


class Estimate(NamedTuple):
    """A mean, its standard error, and the interval with what it speaks of."""

    mean: float
    error: float
    low: float
    high: float
    level: str


UNKNOWN = Estimate(np.nan, np.nan, np.nan, np.nan, NO_INTERVAL)


@dataclass(frozen=True)
class Sample:
    """What one model scored by one metric: a row a condition, seeds averaged.

    Attributes
    ----------
    context
        Context of each condition, shape (n_conditions,).
    value
        Scores with abstentions at their null value; NaN where the condition does not count.
    numerator, denominator
        Parts of a ratio of sums; NaN for other metrics.
    """

    context: NDArray[np.object_]
    value: Floats
    numerator: Floats
    denominator: Floats

    @property
    def is_ratio(self) -> bool:
        """Whether the mean is the ratio of the parts' sums."""
        return bool(np.isfinite(self.numerator).any())

    @property
    def is_known(self) -> Booleans:
        """Which conditions count."""
        return np.isfinite(self.numerator if self.is_ratio else self.value)

    def mean(self) -> float:
        """Return the mean over contexts, or the ratio of sums."""
        return estimate(self).mean


def estimate(sample: Sample) -> Estimate:
    """Estimate the mean of a sample, with its interval.

    Examples
    --------
    >>> scores = np.array([0.5, 0.7, 0.6, 0.8, 0.4])
    >>> unknown = np.full(5, np.nan)
    >>> contexts = np.array(list("abcde"), dtype=object)
    >>> found = estimate(Sample(contexts, scores, unknown, unknown))
    >>> round(found.mean, 3), found.level
    (0.6, 'new contexts')
    """
    known = sample.is_known
    if not known.any():
        return UNKNOWN
    context = sample.context[known]
    if sample.is_ratio:
        return _ratio_of_sums(context, sample.numerator[known], sample.denominator[known])
    return _mean_of_contexts(context, sample.value[known])


def _mean_of_contexts(context: NDArray[np.object_], value: Floats) -> Estimate:
    codes = pd.factorize(context)[0]
    n_of = np.bincount(codes)
    mean_of = np.bincount(codes, value) / n_of
    mean = float(mean_of.mean())
    if len(n_of) >= CONTEXTS_TO_GENERALISE:
        error = float(mean_of.std(ddof=1) / np.sqrt(len(n_of)))
        return _interval(mean, error, len(n_of) - 1, NEW_CONTEXTS)
    squares = np.bincount(codes, (value - mean_of[codes]) ** 2)
    if (n_of < 2).any():
        return Estimate(mean, np.nan, np.nan, np.nan, NO_INTERVAL)
    variance_of_mean = squares / (n_of - 1) / n_of
    error = float(np.sqrt(variance_of_mean.sum()) / len(n_of))
    return _interval(mean, error, int((n_of - 1).sum()), THESE_CONTEXTS)


def _ratio_of_sums(
    context: NDArray[np.object_], numerator: Floats, denominator: Floats
) -> Estimate:
    total = float(denominator.sum())
    if total <= 0:
        return UNKNOWN
    ratio = float(numerator.sum()) / total
    residual = (numerator - ratio * denominator) / total
    codes = pd.factorize(context)[0]
    n_contexts = int(codes.max()) + 1
    if n_contexts >= CONTEXTS_TO_GENERALISE:
        blocks, level = np.bincount(codes, residual).astype(np.float64), NEW_CONTEXTS
    else:
        blocks, level = residual, THESE_CONTEXTS
    if len(blocks) < 2:
        return Estimate(ratio, np.nan, np.nan, np.nan, NO_INTERVAL)
    n = len(blocks)
    error = float(np.sqrt(n / (n - 1) * (blocks**2).sum()))
    return _interval(ratio, error, n - 1, level)


def _interval(mean: float, error: float, degrees: int, level: str) -> Estimate:
    reach = float(stats.t.ppf(0.5 + CONFIDENCE / 2, degrees)) * error
    return Estimate(mean, error, mean - reach, mean + reach, level)


def difference(first: Sample, second: Sample) -> Sample:
    """Return the paired difference of two samples of the same conditions."""
    return Sample(
        first.context,
        first.value - second.value,
        first.numerator - second.numerator,
        first.denominator,
    )


class Scaled(NamedTuple):
    """A score on the scale from the reference baseline (0) to the noise-free effect (1)."""

    value: float
    low: float
    high: float
    status: str


def scaled(model: Sample, reference: Sample, ceiling: Sample) -> Scaled:
    """Return (u - b) / (c - b), of means over the same conditions, unclipped.

    The interval is that of the mean of z = (u - b) - s (c - b), over the mean of c - b.

    Returns
    -------
    With the status `no_headroom` where the ceiling is not resolved above the reference.
    """
    nothing = Scaled(np.nan, np.nan, np.nan, str(Status.NO_HEADROOM))
    shared = model.is_known & reference.is_known & np.isfinite(ceiling.value)
    if not shared.any():
        return nothing
    u, b = _shown(model, shared), _shown(reference, shared)
    c = _with_parts_of(_shown(ceiling, shared), b)
    headroom = estimate(difference(c, b))
    sign = np.sign(headroom.mean)
    if not sign * headroom.mean > HEADROOM_IN_ERRORS * headroom.error:
        return nothing
    gain = difference(u, b)
    value = gain.mean() / headroom.mean
    z = estimate(_minus(gain, value, difference(c, b)))
    reach = (z.high - z.mean) / abs(headroom.mean)
    return Scaled(value, value - reach, value + reach, str(Status.OK))


def _with_parts_of(ceiling: Sample, reference: Sample) -> Sample:
    """Give a ceiling the denominators of a ratio of sums, where the metric is one."""
    numerator = ceiling.value * reference.denominator
    return replace(ceiling, numerator=numerator, denominator=reference.denominator)


def _minus(gain: Sample, factor: float, headroom: Sample) -> Sample:
    return Sample(
        gain.context,
        gain.value - factor * headroom.value,
        gain.numerator - factor * headroom.numerator,
        gain.denominator,
    )


def _shown(sample: Sample, rows: Booleans) -> Sample:
    return Sample(
        sample.context[rows], sample.value[rows], sample.numerator[rows], sample.denominator[rows]
    )
