"""The few metrics that a user sees first, and the fewer that models are ranked by."""

from collections.abc import Sequence

from wildcell.metrics.metric import METRICS, Metric

HEADLINE = (
    "effect_r2",
    "pearson_delta",
    "pearson_specific",
    "retrieval_cosine",
    "de_auprc",
    "de_direction",
    "amplitude",
    "energy_distance_pca",
)
"""Size, shape, what is specific, identity, genes, direction, amplitude and spread."""

RANKED = ("effect_r2", "pearson_specific", "retrieval_cosine", "de_auprc")
"""The headline metrics by which models are ranked over all; the others say why."""

SETS = ("headline", "all")
"""Words that stand for many metrics."""


def find_metrics(names: Sequence[str]) -> tuple[Metric, ...]:
    """Return the metrics of these names, each once.

    Parameters
    ----------
    names
        Of metrics; or `headline`, those above and what they score on the second panel of genes;
        or `all`, these and every other metric that is no alias of another.

    Examples
    --------
    >>> [item.name for item in find_metrics(["rmse", "headline"])][:3]
    ['rmse', 'effect_r2', 'pearson_delta']
    """
    found = [name for word in names for name in (_members(word) if word in SETS else [word])]
    return tuple(METRICS.get(name) for name in dict.fromkeys(found))


def _members(word: str) -> list[str]:
    cards = [METRICS.get(name) for name in METRICS.names()]
    twins = [METRICS.get(name).twin for name in HEADLINE]
    first = [*HEADLINE, *filter(None, twins)]
    if word == "headline":
        return first
    return [*first, *(one.name for one in cards if one.alias_of is None and one.twin_of is None)]
