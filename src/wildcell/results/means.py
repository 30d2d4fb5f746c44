"""Three ways to average one model's scores: by context, by condition, and where it is worst."""

from typing import NamedTuple

import numpy as np

from wildcell.metrics.metric import Best
from wildcell.results.stats import Sample, mean_over_conditions, shown

MACRO, MICRO = "macro", "micro"


class Means(NamedTuple):
    """The means of one sample.

    Attributes
    ----------
    mean_kind
        Which of the first two the sample's `mean` is: `macro`, or `micro` for a ratio of sums, to
        which each condition adds by the size of its effect.
    macro
        Mean over contexts of the means of their conditions, each context with equal weight.
    micro
        Mean over all conditions with equal weight; of a ratio of sums, the ratio over all.
    worst
        Mean of the context in which it is worst.
    worst_context
        Its name.
    """

    mean_kind: str
    macro: float
    micro: float
    worst: float
    worst_context: str


def means(sample: Sample, *, best: Best) -> Means:
    """Average a sample over contexts and over conditions, and find its worst context.

    A context whose true effects are not resolved has no ratio of sums, and drops out of all but
    `micro` for every model alike. Where the mean is the logarithm of a ratio, a context in which an
    answer is silent counts as far off as silence does.

    Examples
    --------
    >>> contexts = np.array(["a", "a", "a", "b"], dtype=object)
    >>> drugs = np.array(["x", "y", "z", "x"], dtype=object)
    >>> unknown = np.full(4, np.nan)
    >>> scores = np.array([0.6, 0.6, 0.6, 0.2])
    >>> found = means(Sample(contexts, drugs, scores, unknown, unknown), best="high")
    >>> round(found.macro, 3), round(found.micro, 3), found.worst, found.worst_context
    (0.4, 0.5, 0.2, 'b')
    """
    kind, micro = MICRO if sample.is_ratio else MACRO, mean_over_conditions(sample)
    known = {name: mean for name, mean in context_means(sample).items() if np.isfinite(mean)}
    if not known:
        return Means(kind, np.nan, micro, np.nan, "")
    worst = min(known, key=lambda name: (_goodness(known[name], best), name))
    return Means(kind, float(np.mean(list(known.values()))), micro, known[worst], worst)


def context_means(sample: Sample) -> dict[str, float]:
    """Return the mean of each context with known conditions, sorted; NaN if not resolved."""
    return {
        str(name): mean_over_conditions(shown(sample, sample.context == name))
        for name in sorted(set(sample.context[sample.is_known]))
    }


def _goodness(mean: float, best: Best) -> float:
    return {"high": mean, "low": -mean, "zero": -abs(mean)}[best]
