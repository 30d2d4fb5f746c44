"""Means with intervals, differences to the reference, and places on the calibrated scale.

Seeds are averaged first, within a condition. Conditions are then averaged within their context,
and contexts with equal weight. From five contexts on the interval is Student's t on the context
means and speaks of new contexts; below that it is taken over the perturbations, each with all its
conditions, holds for the contexts at hand alone, and says so. Where contexts are known to lie in
clusters the clusters are what varies, if three at least are measured; else the interval speaks of
new contexts of the same clusters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from wildcell.arrays import Booleans, Codes, Floats
from wildcell.metrics.metric import LEAST_RATIO, Best
from wildcell.names import Status

CONFIDENCE = 0.95
CONTEXTS_TO_GENERALISE = 5
CLUSTERS_TO_GENERALISE = 3
CONDITIONS_TO_TEST = 5
HEADROOM_IN_ERRORS = 4.0
"""The ceiling must lie this many standard errors above the reference for a scaled score."""

NEW_CLUSTERS = "new clusters"
NEW_CONTEXTS = "new contexts"
OF_THESE_CLUSTERS = "contexts of these clusters"
THESE_CONTEXTS = "these contexts"
NO_INTERVAL = ""


class Estimate(NamedTuple):
    """A mean, its standard error, the interval with what it speaks of, and what varies in it.

    `n` is how many contexts, clusters or perturbations vary by themselves.
    """

    mean: float
    error: float
    low: float
    high: float
    level: str
    n: int = 0


UNKNOWN = Estimate(np.nan, np.nan, np.nan, np.nan, NO_INTERVAL)


@dataclass(frozen=True)
class Sample:
    """What one model scored by one metric: a row a condition, seeds averaged.

    Attributes
    ----------
    context, perturbation
        Of each condition, shape (n_conditions,).
    value
        Scores with abstentions at their null value; NaN where the condition does not count.
    numerator, denominator
        Parts of a ratio of sums; NaN for other metrics.
    is_log
        Whether the mean is the logarithm of the ratio of sums.
    shaken
        What the noise of the kept controls does to the conditions together; None where that is
        not known.
    """

    context: NDArray[np.object_]
    perturbation: NDArray[np.object_]
    value: Floats
    numerator: Floats
    denominator: Floats
    is_log: bool = False
    shaken: "Shaken | None" = None

    @cached_property
    def is_ratio(self) -> bool:
        """Whether the mean is the ratio of the parts' sums."""
        return bool(np.isfinite(self.numerator).any())

    @cached_property
    def is_known(self) -> Booleans:
        """Which conditions count."""
        return np.isfinite(self.numerator if self.is_ratio else self.value)

    @cached_property
    def codes(self) -> Codes:
        """Number of each condition's context."""
        return pd.factorize(self.context)[0]

    @cached_property
    def perturbation_codes(self) -> Codes:
        """Number of each condition's perturbation."""
        return pd.factorize(self.perturbation)[0]

    @cached_property
    def estimate(self) -> Estimate:
        """The mean with its interval; see `estimate`."""
        return contrast([Term(1.0, self)])

    def mean(self) -> float:
        """Return the mean over contexts, or the ratio of sums."""
        return self.estimate.mean


def estimate(sample: Sample) -> Estimate:
    """Estimate the mean of a sample, with its interval.

    Examples
    --------
    >>> scores = np.array([0.5, 0.7, 0.6, 0.8, 0.4])
    >>> unknown = np.full(5, np.nan)
    >>> contexts = np.array(list("abcde"), dtype=object)
    >>> drug = np.full(5, "drug", dtype=object)
    >>> found = estimate(Sample(contexts, drug, scores, unknown, unknown))
    >>> round(found.mean, 3), found.level
    (0.6, 'new contexts')
    """
    return sample.estimate


def mean_over_conditions(sample: Sample) -> float:
    """Return the mean of the known conditions with equal weight, or their ratio of sums.

    NaN where nothing is known, or the ratio's denominators are not above 0 as a whole.

    Examples
    --------
    >>> unknown, names = np.full(3, np.nan), np.array(list("aab"), dtype=object)
    >>> mean_over_conditions(Sample(names, names, np.array([0.0, 0.5, 1.0]), unknown, unknown))
    0.5
    """
    known = shown(sample, sample.is_known)
    if not len(known.value) or not is_averaged(known):
        return np.nan
    if not known.is_ratio:
        return float(known.value.mean())
    return deviations(known, within=False)[0]


class Shaken(NamedTuple):
    """How far scores move without each block of the kept controls, (n_conditions, n_blocks) each.

    Scaled so that the squares of what they add up to in a context are a variance.

    Attributes
    ----------
    over
        Of the value or, for a ratio of sums, of the numerator.
    under
        Of the denominator.
    """

    over: Floats
    under: Floats


class Term(NamedTuple):
    """The mean of a sample, times a factor."""

    factor: float
    sample: Sample


def contrast(terms: Sequence[Term], clusters: Mapping[str, str] | None = None) -> Estimate:
    """Estimate a sum of means times factors, such as the difference of two, with its interval.

    All means are over the conditions that every sample knows, so that the sum is paired by
    condition.

    Parameters
    ----------
    terms
        Samples of the same conditions in the same order.
    clusters
        The cluster of each context, where contexts lie in clusters.

    Examples
    --------
    >>> unknown = np.full(5, np.nan)
    >>> contexts = np.array(list("abcde"), dtype=object)
    >>> drug = np.full(5, "drug", dtype=object)
    >>> easy, hard = (
    ...     Sample(contexts, drug, np.arange(5.0) + gain, unknown, unknown) for gain in (0.5, 0.25)
    ... )
    >>> gap = contrast([Term(1, easy), Term(-1, hard)])
    >>> gap.mean, gap.low, gap.level
    (0.25, 0.25, 'new contexts')
    """
    known = np.all([term.sample.is_known for term in terms], axis=0)
    if not known.any():
        return UNKNOWN
    known_terms = [Term(factor, shown(sample, known)) for factor, sample in terms]
    if not all(is_averaged(sample) for _, sample in known_terms):
        return UNKNOWN
    level, blocks = _independent_blocks(known_terms[0].sample, clusters or {})
    of_each = [deviations(sample, within=level == THESE_CONTEXTS) for _, sample in known_terms]
    mean = sum(term.factor * mean for term, (mean, _) in zip(known_terms, of_each, strict=True))
    influence = np.sum(
        [term.factor * parts for term, (_, parts) in zip(known_terms, of_each, strict=True)], axis=0
    )
    shared = shared_variance(known_terms) if level == THESE_CONTEXTS else 0.0
    return _interval(float(mean), summed(influence, blocks), level, shared)


def shared_variance(terms: Sequence["Term"]) -> float:
    """Return the variance that the noise of the kept controls adds to a sum of means.

    All conditions of a context share it, and contexts do not.
    """
    if any(sample.shaken is None for _, sample in terms):
        return 0.0
    moved = np.sum([factor * shaken_influence(sample) for factor, sample in terms], axis=0)
    codes = terms[0].sample.codes
    by_context = np.zeros((codes.max() + 1, moved.shape[1]))
    np.add.at(by_context, codes, moved)
    return float((by_context**2).sum())


def shaken_influence(sample: Sample) -> Floats:
    """Return what each condition adds to the mean without each block, (n_conditions, n_blocks)."""
    assert sample.shaken is not None
    over, under = (np.nan_to_num(part) for part in sample.shaken)
    if not sample.is_ratio:
        codes = sample.codes
        n_of = np.bincount(codes)
        return over / n_of[codes][:, None] / len(n_of)
    total, silent = float(sample.denominator.sum()), float((sample.denominator == 0).mean())
    ratio = float(sample.numerator.sum()) / total if total else np.nan
    moved = (over - ratio * under) / total
    return moved * (1 - silent) / max(ratio, LEAST_RATIO) if sample.is_log else moved


def is_averaged(sample: Sample) -> bool:
    """Whether the denominators of a ratio of sums, if it is one, are above 0 as a whole."""
    if not sample.is_ratio or sample.is_log:  # those of a log are squares, of which 0 is silence
        return True
    return is_resolved(sample.denominator)


def _independent_blocks(sample: Sample, clusters: Mapping[str, str]) -> tuple[str, Codes]:
    """Return what an interval speaks of, and the block of each condition that varies by itself."""
    contexts = set(sample.context)
    if contexts <= set(clusters):
        of_context = np.array([clusters[name] for name in sample.context], dtype=object)
        if len(set(of_context)) >= CLUSTERS_TO_GENERALISE:
            return NEW_CLUSTERS, pd.factorize(of_context)[0]
    if len(contexts) >= CONTEXTS_TO_GENERALISE:
        return OF_THESE_CLUSTERS if contexts <= set(clusters) else NEW_CONTEXTS, sample.codes
    return THESE_CONTEXTS, sample.perturbation_codes


def deviations(sample: Sample, *, within: bool) -> tuple[float, Floats]:
    """Return the mean of a sample, and what each condition adds to its deviation.

    Parameters
    ----------
    sample
        With all conditions known.
    within
        Whether the contexts are fixed, and only conditions within them deviate; in a ratio of sums
        contexts have no means of their own.
    """
    if sample.is_ratio:
        return _of_log_ratio(sample) if sample.is_log else _of_ratio(sample)
    codes = sample.codes
    n_of = np.bincount(codes)
    mean_of = np.bincount(codes, sample.value) / n_of
    mean = float(mean_of.mean())
    centre = mean_of[codes] if within else mean
    return mean, (sample.value - centre) / n_of[codes] / len(n_of)


def _of_ratio(sample: Sample) -> tuple[float, Floats]:
    total = float(sample.denominator.sum())
    ratio = float(sample.numerator.sum()) / total
    return ratio, (sample.numerator - ratio * sample.denominator) / total


def _of_log_ratio(sample: Sample) -> tuple[float, Floats]:
    """Return the logarithm of a ratio of sums, silence at the worst value by its share.

    A condition of which nothing is predicted adds nothing to either sum: without its share silence
    would cost nothing.
    """
    worst, is_silent = float(-np.log(LEAST_RATIO)), sample.denominator == 0
    if is_silent.all():
        return worst, np.zeros(len(is_silent))
    ratio, parts = _of_ratio(sample)
    ratio = max(ratio, LEAST_RATIO)
    spoken, share = float(np.log(ratio)), float(is_silent.mean())
    lost = float(np.copysign(worst, spoken)) - spoken
    influence = (1 - share) * parts / ratio + lost * (is_silent - share) / len(is_silent)
    return spoken + share * lost, influence


def is_resolved(signal: Floats) -> bool:
    """Whether squared effects, unbiased and signed, are above 0 as a whole.

    By a one-sided signed-rank test over the conditions; of fewer than five only the sum is asked.
    """
    known = signal[np.isfinite(signal)]
    if len(known) == 0 or known.sum() <= 0:
        return False
    if len(known) < CONDITIONS_TO_TEST:
        return True
    return _is_above(known.astype(np.float64).tobytes())


@lru_cache(maxsize=256)
def _is_above(signal: bytes) -> bool:
    """Test a signal, which is that of the truth and so the same for all models."""
    from scipy.stats import wilcoxon  # noqa: PLC0415 - takes long to load, and few need it

    known = np.frombuffer(signal, dtype=np.float64)
    return bool(wilcoxon(known, alternative="greater").pvalue < 1 - CONFIDENCE)


def summed(influence: Floats, blocks: Codes) -> Floats:
    """Sum what each condition adds to the deviation of the mean, by the number of its block."""
    return np.bincount(blocks, influence).astype(np.float64)


def _interval(mean: float, influence: Floats, level: str, shared: float = 0.0) -> Estimate:
    """Return a mean with its interval; `influence` adds up to the deviation of independent blocks.

    `shared` is the variance of what all blocks have in common. One block alone has no interval.
    """
    n = len(influence)
    if n < 2:
        return Estimate(mean, np.nan, np.nan, np.nan, NO_INTERVAL, n)
    error = float(np.sqrt(n / (n - 1) * (influence**2).sum() + shared))
    reach = float(special.stdtrit(n - 1, 0.5 + CONFIDENCE / 2)) * error
    return Estimate(mean, error, mean - reach, mean + reach, level, n)


def difference(first: Sample, second: Sample) -> Sample:
    """Return the paired difference of two samples of the same conditions."""
    shaken = None
    if first.shaken is not None and second.shaken is not None:
        shaken = Shaken(first.shaken.over - second.shaken.over, first.shaken.under)
    return replace(
        first,
        value=first.value - second.value,
        numerator=first.numerator - second.numerator,
        shaken=shaken,
    )


def gain(model: Sample, reference: Sample, *, best: Best) -> Estimate:
    """Estimate the paired difference of two samples.

    Where the best score is 0, it is that of their means' distances from it.
    """
    if best != "zero":
        return estimate(difference(model, reference))
    signs = [np.sign(sample.mean()) for sample in (model, reference)]
    if not np.isfinite(signs).all():
        return UNKNOWN
    return contrast([Term(signs[0], model), Term(-signs[1], reference)])


class Scaled(NamedTuple):
    """A score on the scale from the reference baseline (0) to the noise-free effect (1)."""

    value: float
    low: float
    high: float
    status: str


def scaled(model: Sample, reference: Sample, ceiling: Sample, *, best: Best) -> Scaled:
    """Return (u - b) / (c - b), of means over the same conditions, unclipped.

    The interval is that of the mean of z = (u - b) - s (c - b), over the mean of c - b.

    Returns
    -------
    With the status `no_headroom` where the ceiling is not resolved to be better than the
    reference.
    """
    nothing = Scaled(np.nan, np.nan, np.nan, str(Status.NO_HEADROOM))
    shared = model.is_known & reference.is_known & np.isfinite(ceiling.value)
    if not shared.any():
        return nothing
    u, b = shown(model, shared), shown(reference, shared)
    c = _with_parts_of(shown(ceiling, shared), b)
    headroom = estimate(difference(c, b))
    sign = 1 if best == "high" else -1
    if not sign * headroom.mean > HEADROOM_IN_ERRORS * headroom.error:
        return nothing
    above = difference(u, b)
    value = above.mean() / headroom.mean
    z = estimate(_minus(above, value, difference(c, b)))
    reach = (z.high - z.mean) / abs(headroom.mean)
    return Scaled(value, value - reach, value + reach, str(Status.OK))


def _with_parts_of(ceiling: Sample, reference: Sample) -> Sample:
    """Give a ceiling the denominators of a ratio of sums, where the metric is one.

    They move with the controls as the reference's do; the ceiling itself is taken to be known.
    """
    shaken = None
    if reference.shaken is not None:
        under = reference.shaken.under
        shaken = Shaken(ceiling.value[:, None] * under, under)
    numerator = ceiling.value * reference.denominator
    return replace(ceiling, numerator=numerator, denominator=reference.denominator, shaken=shaken)


def _minus(above: Sample, factor: float, headroom: Sample) -> Sample:
    shaken = None
    if above.shaken is not None and headroom.shaken is not None:
        shaken = Shaken(above.shaken.over - factor * headroom.shaken.over, above.shaken.under)
    return replace(
        above,
        value=above.value - factor * headroom.value,
        numerator=above.numerator - factor * headroom.numerator,
        shaken=shaken,
    )


def shown(sample: Sample, rows: Booleans) -> Sample:
    """Return the rows of a sample where `rows` holds."""
    if rows.all():
        return sample
    return Sample(
        sample.context[rows],
        sample.perturbation[rows],
        sample.value[rows],
        sample.numerator[rows],
        sample.denominator[rows],
        sample.is_log,
        None if sample.shaken is None else Shaken(*(part[rows] for part in sample.shaken)),
    )
