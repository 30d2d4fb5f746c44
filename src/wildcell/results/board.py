"""Models side by side at one metric: means over the same conditions, and what varies by itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from wildcell.arrays import Booleans, Floats
from wildcell.metrics.metric import METRICS
from wildcell.names import NAIVE_MODELS
from wildcell.results.rank import PSEUDO_MODELS, begin_alike
from wildcell.results.stats import (
    CONTEXTS_TO_GENERALISE,
    NEW_CONTEXTS,
    THESE_CONTEXTS,
    Sample,
    deviations,
    shaken_influence,
    shown,
    summed,
)

TIE = 1e-6
"""Scores that are nearer than this are the same but for rounding."""

LEAST_SHARE = 0.5
"""A model that answers a smaller share of the conditions is not compared: the rest would shrink to
what it answers."""


@dataclass(frozen=True)
class Board:
    """What models scored by one metric, turned so that more is better.

    Attributes
    ----------
    models
        Those compared, shape (n_models,).
    twins
        Of each, the models whose scores coincide with its own; a naive model stands for the others.
    left_out
        Those that answer too few conditions.
    mean
        Over the conditions that all of them know, shape (n_models,).
    influence
        What each block adds to the deviation of each mean, shape (n_blocks, n_models).
    level
        What the blocks are: new contexts from five on, else perturbations in these contexts.
    samples
        Of each model, on these conditions.
    n_asked
        How many conditions any model knows.
    shared
        What the noise of the controls adds to each mean, which all blocks have in common, where
        they are perturbations: shape (n_shared, n_models).
    """

    models: tuple[str, ...]
    twins: Mapping[str, tuple[str, ...]]
    left_out: tuple[str, ...]
    mean: Floats
    influence: Floats
    level: str
    samples: Mapping[str, Sample]
    n_asked: int
    shared: Floats = field(default_factory=lambda: np.zeros((0, 0)))

    @property
    def n_blocks(self) -> int:
        """How many contexts or perturbations vary by themselves."""
        return len(self.influence)

    @property
    def n_conditions(self) -> int:
        """How many conditions all models know."""
        return len(next(iter(self.samples.values())).value) if self.samples else 0

    @cached_property
    def contexts(self) -> NDArray[np.object_]:
        """Of each condition, shape (n_conditions,)."""
        return next(iter(self.samples.values())).context

    @cached_property
    def merits(self) -> Floats:
        """Scores of each condition, more is better, shape (n_conditions, n_models)."""
        return np.column_stack([_merit_of_conditions(self.samples[name]) for name in self.models])

    def error(self) -> Floats:
        """Return the standard error of each difference of two means, (n_models, n_models)."""
        n = self.n_blocks
        if n < 2:
            return np.full((len(self.models), len(self.models)), np.nan)
        variance = n / (n - 1) * _of_differences(self.influence)
        if self.shared.size:
            variance = variance + _of_differences(self.shared)
        return np.asarray(np.sqrt(np.maximum(variance, 0.0)))


def _of_differences(parts: Floats) -> Floats:
    """Return the sum of squared differences of each pair of columns."""
    products = parts.T @ parts
    squares = np.diag(products)
    return np.asarray(squares[:, None] + squares[None, :] - 2 * products)


def board(samples: Mapping[str, Sample], metric: str) -> Board:
    """Lay the models of one question and metric side by side.

    Parameters
    ----------
    samples
        Of each model, the same conditions in the same order, as of
        `wildcell.results.rank.samples_of`; the replicate and the ceiling are passed over.
    metric
        Its name; where low is good, or near 0, means change their sign.

    Examples
    --------
    >>> unknown, drug = np.full(5, np.nan), np.full(5, "drug", dtype=object)
    >>> contexts = np.array(list("abcde"), dtype=object)
    >>> two = {
    ...     name: Sample(contexts, drug, np.arange(5.0) + gain, unknown, unknown)
    ...     for name, gain in (("mine", 0.5), ("theirs", 0.0))
    ... }
    >>> laid = board(two, "pearson_delta")
    >>> laid.mean.tolist(), laid.level, laid.n_blocks
    ([2.5, 2.0], 'new contexts', 5)
    """
    own = {name: sample for name, sample in samples.items() if name not in PSEUDO_MODELS}
    known = {name: sample.is_known for name, sample in own.items() if sample.is_known.any()}
    asked = np.any(list(known.values()), axis=0) if known else np.zeros(0, dtype=bool)
    kept = [name for name in known if known[name].sum() >= LEAST_SHARE * asked.sum()]
    shared: Booleans = np.all([known[name] for name in kept], axis=0) if kept else asked
    out = tuple(sorted(set(own) - set(kept)))
    if not kept or not shared.any():
        return Board((), {}, out, np.zeros(0), np.zeros((0, 0)), "", {}, int(asked.sum()))
    common, twins = _without_twins({name: shown(own[name], shared) for name in sorted(kept)})
    first = next(iter(common.values()))
    is_new = len(set(first.context)) >= CONTEXTS_TO_GENERALISE
    blocks = first.codes if is_new else first.perturbation_codes
    best = METRICS.get(metric).best
    means, influences = [], []
    for sample in common.values():
        mean, parts = deviations(sample, within=not is_new)
        sign = {"high": 1.0, "low": -1.0, "zero": -float(np.sign(mean))}[best]
        means.append(sign * mean)
        influences.append(sign * summed(parts, blocks))
    return Board(
        tuple(common),
        twins,
        out,
        np.array(means),
        np.column_stack(influences),
        NEW_CONTEXTS if is_new else THESE_CONTEXTS,
        {name: _turned(sample, best) for name, sample in common.items()},
        int(asked.sum()),
        np.zeros((0, 0)) if is_new else _shared(list(common.values()), best),
    )


def _shared(samples: Sequence[Sample], best: str) -> Floats:
    """Return what the controls add to each mean, by context and block; nothing if not known."""
    if any(sample.shaken is None for sample in samples):
        return np.zeros((0, 0))
    codes = samples[0].codes
    columns = []
    for sample in samples:
        moved = shaken_influence(sample)
        by_context = np.zeros((codes.max() + 1, moved.shape[1]))
        np.add.at(by_context, codes, moved)
        sign = -float(np.sign(deviations(sample, within=True)[0])) if best == "zero" else 1.0
        columns.append(sign * by_context.ravel())
    return np.column_stack(columns)


def _without_twins(
    samples: Mapping[str, Sample],
) -> tuple[dict[str, Sample], dict[str, tuple[str, ...]]]:
    """Return one of each set of models that scored the same, and whom it stands for."""
    kept: dict[str, Sample] = {}
    twins: dict[str, tuple[str, ...]] = {}
    place = {name: order for order, name in enumerate(NAIVE_MODELS)}
    for name in sorted(samples, key=lambda name: (place.get(name, len(place)), name)):
        first = next((one for one in kept if _coincide(kept[one], samples[name])), None)
        if first is None:
            kept[name], twins[name] = samples[name], ()
        else:
            twins[first] += (name,)
    order = sorted(kept)
    return {name: kept[name] for name in order}, {name: twins[name] for name in order}


def _coincide(one: Sample, other: Sample) -> bool:
    return all(
        # The first condition tells most models apart, and fast.
        begin_alike(first, second, TIE)
        and np.allclose(first, second, rtol=TIE, atol=TIE, equal_nan=True)
        for first, second in (
            (_merit_of_conditions(one), _merit_of_conditions(other)),
            (one.denominator, other.denominator),
        )
    )


def _turned(sample: Sample, best: str) -> Sample:
    if best == "high":
        return sample
    turn = (lambda x: -np.abs(x)) if best == "zero" else np.negative
    return Sample(
        sample.context,
        sample.perturbation,
        turn(sample.value),
        sample.numerator if best == "zero" else -sample.numerator,
        sample.denominator,
        sample.is_log,
    )


def _merit_of_conditions(sample: Sample) -> Floats:
    """Return what a condition is won by: parts of a sum have the same denominator for all."""
    return sample.numerator if sample.is_ratio and not sample.is_log else sample.value
