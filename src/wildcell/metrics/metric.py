"""What a metric is, and where metrics are found."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from wildcell.arrays import Floats
from wildcell.metrics.response import Response
from wildcell.names import Need, Status
from wildcell.registry import Registry


class Ratio(NamedTuple):
    """Scores that are averaged as a ratio of sums, each of shape (n_perturbations,)."""

    numerator: Floats
    denominator: Floats


Best: TypeAlias = Literal["high", "low", "zero"]
Compute: TypeAlias = Callable[[Response, Response], Floats | Ratio]

ON_DETECTED = "_detected"
"""What is added to a metric's name where it is scored on the second panel."""

LEAST_RATIO = 1e-3
"""A ratio of which the logarithm is taken counts as this much, if it is less or negative."""


@dataclass(frozen=True)
class Metric:
    """A function of truth and prediction, with what it declares of itself.

    Attributes
    ----------
    name
        What its scores are called.
    compute
        `(truth, prediction) -> scores`, one number a perturbation; NaN where it is undefined.
    best
        Whether high values, low ones or those near 0 are good.
    family
        What it looks at: profile, correlation, retrieval, genes, interaction, distance, structure.
    needs
        What must be there for it to be defined.
    null
        The value an abstention takes in means; None for that of the given controls themselves.
    ceiling
        The score of the noise-free effect, as a constant or a function of the truth; None where
        there is no analytic one.
    undefined
        The status of a NaN that nothing else explains.
    alias_of
        The metric that it equals or is a monotone function of; aliases are counted once.
    cite
        Where it was published.
    formula, range
        What it computes, and between which values, in a line each.
    is_log
        Whether the logarithm of a ratio of sums is taken; see `as_value`.
    is_matched
        Whether it looks at as many cells of the truth as of the answer.
    twin_of
        The metric of which this is the score on the second panel of genes, or by another test:
        never counted or ranked beside it.
    slack
        How much better than the truth's own an answer may score: where what is to be found comes
        of a test of the cells, and the answer enters by its means, or where either half of the
        cells is scored by itself.
    compares_answers
        Whether a score depends on the answers to other perturbations, as ranks of predictions do.
    """

    name: str
    compute: Compute
    best: Best
    family: str
    needs: frozenset[Need] = frozenset()
    null: float | None = None
    ceiling: float | Callable[[Response], Floats] | None = None
    undefined: Status = Status.UNDEFINED
    alias_of: str | None = None
    cite: str = ""
    formula: str = ""
    range: str = ""
    is_log: bool = False
    is_matched: bool = False
    twin_of: str | None = None
    slack: float = 0.0
    compares_answers: bool = False

    @property
    def twin(self) -> str | None:
        """The name of its scores on the second panel, where it has some."""
        name = self.name + ON_DETECTED
        return name if name in METRICS.names() else None

    @property
    def summary(self) -> str:
        """The first line of the metric's docstring."""
        return (self.compute.__doc__ or "").strip().partition("\n")[0]

    @property
    def perfect(self) -> float:
        """The score of an answer equal to the truth."""
        return 1.0 if self.best == "high" else 0.0

    def goodness(self, value: Floats) -> Floats:
        """Return scores turned so that more is better."""
        if self.best == "high":
            return value
        return -value if self.best == "low" else -np.abs(value)

    def as_value(self, ratio: Floats) -> Floats:
        """Return the score that a ratio is."""
        return np.log(np.maximum(ratio, LEAST_RATIO)) if self.is_log else ratio


METRICS: Registry[Metric] = Registry("metric", "wildcell.metrics")


def metric(
    name: str,
    *,
    best: Best,
    family: str,
    needs: tuple[Need, ...] = (),
    null: float | None = None,
    ceiling: float | Callable[[Response], Floats] | None = None,
    undefined: Status = Status.UNDEFINED,
    alias_of: str | None = None,
    cite: str = "",
    formula: str = "",
    range: str = "",  # noqa: A002  the word of the field
    is_log: bool = False,
    is_matched: bool = False,
    twin_of: str | None = None,
    has_twin: bool = False,
    slack: float = 0.0,
    compares_answers: bool = False,
) -> Callable[[Compute], Compute]:
    """Register a function as a metric; the arguments are the fields of `Metric`.

    With `has_twin` its scores on the second panel of genes are a metric, too.

    Examples
    --------
    >>> import numpy as np
    >>> @metric("largest_error_example", best="low", family="profile")
    ... def largest_error(truth, prediction):
    ...     '''Largest error of any gene's mean.'''
    ...     return np.abs(prediction.mean - truth.mean).max(axis=1)
    """

    def register(compute: Compute) -> Compute:
        registered = Metric(
            name,
            compute,
            best,
            family,
            frozenset(needs),
            null,
            ceiling,
            undefined,
            alias_of,
            cite,
            formula,
            range,
            is_log,
            is_matched,
            twin_of,
            slack=slack,
            compares_answers=compares_answers,
        )
        METRICS.add(name, registered)
        if has_twin:
            METRICS.add(name + ON_DETECTED, _twin(registered))
        return compute

    return register


def _twin(of: Metric) -> Metric:
    """Return a metric on the genes that are found in enough of the given controls."""

    @wraps(of.compute)
    def on_detected(truth: Response, prediction: Response) -> Floats | Ratio:
        return of.compute(truth.on_detected, prediction.on_detected)

    def ceiling_on_detected(truth: Response) -> Floats:
        assert callable(of.ceiling)
        return of.ceiling(truth.on_detected)

    return replace(
        of,
        name=of.name + ON_DETECTED,
        compute=on_detected,
        ceiling=ceiling_on_detected if callable(of.ceiling) else of.ceiling,
        twin_of=of.name,
    )
