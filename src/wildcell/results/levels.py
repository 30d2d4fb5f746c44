"""What a mean or a difference speaks of: these conditions, new perturbations, contexts, data sets.

Each level lets something else vary, and asks for enough of it. Perturbations vary by their
components: two that share one, as the doses of a drug or the pairs of a gene, are not two
witnesses. Contexts and data sets vary by themselves.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from scipy import sparse, special

from wildcell.arrays import Floats
from wildcell.results.stats import (
    CONFIDENCE,
    CONTEXTS_TO_GENERALISE,
    Sample,
    Term,
    deviations,
    is_averaged,
    shown,
    summed,
)
from wildcell.results.words import count

COMPONENTS_TO_GENERALISE = 10
DATASETS_TO_GENERALISE = 5
CONTEXTS_TO_TELL_THE_SIGN = 3


class Level(StrEnum):
    """What a claim speaks of."""

    CONDITIONS = "these conditions"
    PERTURBATIONS = "new perturbations"
    CONTEXTS = "new contexts"
    DATASETS = "new data sets"


class AtLevel(NamedTuple):
    """A mean as a claim of one level.

    Attributes
    ----------
    level
        What it speaks of.
    mean, low, high
        With the 95 % interval, NaN where there is none.
    n
        Conditions, components, contexts or data sets that it rests on.
    reason
        Why there is no interval, or what else can be said; "" beside one.
    """

    level: Level
    mean: float
    low: float
    high: float
    n: int
    reason: str


def at_levels(
    terms: Sequence[Term], components: Mapping[str, frozenset[str]] | None = None
) -> list[AtLevel]:
    """Estimate a sum of means times factors at each level that one data set can speak of.

    Parameters
    ----------
    terms
        Samples of the same conditions in the same order, as for `wildcell.results.stats.contrast`.
    components
        Of each perturbation; each is one of its own where none are known.

    Returns
    -------
    These conditions (without an interval: nothing else is claimed), new perturbations in these
    contexts, and new contexts; nothing where no condition is known.

    Examples
    --------
    >>> unknown = np.full(4, np.nan)
    >>> contexts, drug = np.array(list("abcd"), dtype=object), np.full(4, "x", dtype=object)
    >>> scores = Sample(contexts, drug, np.array([0.5, 0.6, 0.55, 0.6]), unknown, unknown)
    >>> for found in at_levels([Term(1.0, scores)]):
    ...     print(f"{found.level}: {found.reason.partition(';')[0]}")
    these conditions: nothing beyond them is claimed
    new perturbations: too few components of perturbations: 1, at least 10
    new contexts: too few contexts to generalise: 4, at least 5
    """
    known = np.all([term.sample.is_known for term in terms], axis=0)
    if not known.any():
        return []
    chosen = [Term(factor, shown(sample, known)) for factor, sample in terms]
    if not all(is_averaged(sample) for _, sample in chosen):
        return []
    first = chosen[0].sample
    mean, within = _influence(chosen, within=True)
    _, between = _influence(chosen, within=False)
    nothing = "nothing beyond them is claimed"
    n = len(first.value)
    return [
        AtLevel(Level.CONDITIONS, mean, np.nan, np.nan, n, nothing),
        _over_perturbations(mean, within, first, components or {}),
        _over_contexts(mean, summed(between, first.codes)),
    ]


def over_datasets(means: Sequence[float]) -> AtLevel:
    """Estimate the mean over data sets, of which each counts once.

    Examples
    --------
    >>> over_datasets([0.1, 0.3]).reason
    'too few data sets to generalise: 2, at least 5'
    """
    known = np.array([mean for mean in means if np.isfinite(mean)])
    n, mean = len(known), float(known.mean()) if len(known) else np.nan
    if n < DATASETS_TO_GENERALISE:
        return _unknown(Level.DATASETS, mean, n, DATASETS_TO_GENERALISE, "data sets to generalise")
    return _by_t(Level.DATASETS, mean, (known - mean) / n, n)


def highest(levels: Sequence[AtLevel]) -> AtLevel | None:
    """Return the widest claim that has an interval, None where none has."""
    with_interval = [found for found in levels if np.isfinite(found.low)]
    return with_interval[-1] if with_interval else None


def _influence(terms: Sequence[Term], *, within: bool) -> tuple[float, Floats]:
    of_each = [(factor, *deviations(sample, within=within)) for factor, sample in terms]
    mean = sum(factor * own for factor, own, _ in of_each)
    return float(mean), np.sum([factor * parts for factor, _, parts in of_each], axis=0)


def _over_perturbations(
    mean: float, influence: Floats, sample: Sample, components: Mapping[str, frozenset[str]]
) -> AtLevel:
    """Let perturbations vary: conditions that share a component vary together."""
    parts = [components.get(str(name), frozenset([str(name)])) for name in sample.perturbation]
    names = {name: place for place, name in enumerate(sorted(set().union(*parts)))}
    n = len(names)
    if n < COMPONENTS_TO_GENERALISE:
        return _unknown(
            Level.PERTURBATIONS, mean, n, COMPONENTS_TO_GENERALISE, "components of perturbations"
        )
    rows = np.repeat(np.arange(len(parts)), [len(some) for some in parts])
    columns = [names[name] for some in parts for name in some]
    member = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(parts), n))
    shared = member @ member.T
    shared.data[:] = 1.0
    overlap = shared.sum() / shared.shape[0] ** 2
    variance = float(influence @ (shared @ influence)) / (1 - overlap)
    return _within_reach(Level.PERTURBATIONS, mean, float(np.sqrt(max(variance, 0.0))), n)


def _over_contexts(mean: float, influence: Floats) -> AtLevel:
    n = len(influence)
    if n >= CONTEXTS_TO_GENERALISE:
        return _by_t(Level.CONTEXTS, mean, influence, n)
    told = _unknown(Level.CONTEXTS, mean, n, CONTEXTS_TO_GENERALISE, "contexts to generalise")
    return told._replace(reason=told.reason + _sign_of_few(mean, influence))


def _sign_of_few(mean: float, influence: Floats) -> str:
    """Say whether few contexts agree on the sign, beyond what a t-test of them allows."""
    n = len(influence)
    values = mean + n * influence
    if n < CONTEXTS_TO_TELL_THE_SIGN or not (np.sign(values) == np.sign(mean)).all():
        return ""
    if not abs(mean) > special.stdtrit(n - 1, 0.5 + CONFIDENCE / 2) * _error(influence):
        return ""
    side = "above" if mean > 0 else "below"
    return f"; {side} 0 in each, and beyond what {n} would show by chance"


def _unknown(level: Level, mean: float, n: int, least: int, what: str) -> AtLevel:
    return AtLevel(level, mean, np.nan, np.nan, n, f"too few {what}: {n}, at least {least}")


def _error(influence: Floats) -> float:
    n = len(influence)
    return float(np.sqrt(n / (n - 1) * (influence**2).sum()))


def _by_t(level: Level, mean: float, influence: Floats, n: int) -> AtLevel:
    return _within_reach(level, mean, _error(influence), n)


def _within_reach(level: Level, mean: float, error: float, n: int) -> AtLevel:
    reach = float(special.stdtrit(n - 1, 0.5 + CONFIDENCE / 2)) * error
    return AtLevel(level, mean, mean - reach, mean + reach, n, "")


def in_words(found: AtLevel) -> str:
    """Say what a level rests on, or why it says nothing.

    Examples
    --------
    >>> in_words(AtLevel(Level.CONTEXTS, 0.1, 0.0, 0.2, 8, ""))
    'new contexts (8 contexts)'
    """
    nouns = {
        Level.CONDITIONS: "condition",
        Level.PERTURBATIONS: "component",
        Level.CONTEXTS: "context",
        Level.DATASETS: "data set",
    }
    return found.reason or f"{found.level} ({count(found.n, nouns[found.level])})"
