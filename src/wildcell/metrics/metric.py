"""What a metric is, and where metrics are found."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from wildcell.arrays import Floats
from wildcell.metrics.response import Response
from wildcell.names import Need, Status
from wildcell.registry import Registry


class Ratio(NamedTuple):
    """Scores that are averaged as a ratio of sums, each of shape (n_perturbations,)."""

    numerator: Floats
    denominator: Floats


Compute: TypeAlias = Callable[[Response, Response], Floats | Ratio]


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
        Whether high or low values are good.
    family
        What it looks at: profile, correlation, retrieval, genes, distance.
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
    """

    name: str
    compute: Compute
    best: Literal["high", "low"]
    family: str
    needs: frozenset[Need] = frozenset()
    null: float | None = None
    ceiling: float | Callable[[Response], Floats] | None = None
    undefined: Status = Status.UNDEFINED
    alias_of: str | None = None
    cite: str = ""

    @property
    def summary(self) -> str:
        """The first line of the metric's docstring."""
        return (self.compute.__doc__ or "").strip().partition("\n")[0]


METRICS: Registry[Metric] = Registry("metric", package="wildcell.metrics")


def metric(
    name: str,
    *,
    best: Literal["high", "low"],
    family: str,
    needs: tuple[Need, ...] = (),
    null: float | None = None,
    ceiling: float | Callable[[Response], Floats] | None = None,
    undefined: Status = Status.UNDEFINED,
    alias_of: str | None = None,
    cite: str = "",
) -> Callable[[Compute], Compute]:
    """Register a function as a metric; the arguments are the fields of `Metric`.

    Examples
    --------
    >>> import numpy as np
    >>> @metric("largest_error_example", best="low", family="profile")
    ... def largest_error(truth, prediction):
    ...     '''Largest error of any gene's mean.'''
    ...     return np.abs(prediction.mean - truth.mean).max(axis=1)
    """

    def register(compute: Compute) -> Compute:
        METRICS.add(
            name,
            Metric(
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
            ),
        )
        return compute

    return register
