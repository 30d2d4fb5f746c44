"""Which metrics are one opinion: declared aliases, and metrics that order conditions alike."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import special

from wildcell.arrays import Floats
from wildcell.metrics.metric import METRICS
from wildcell.results.rank import QUESTION, merit, samples_of, without_shams
from wildcell.results.stats import CONFIDENCE

SAME = 0.99
LEAST_CONDITIONS = 8


def condition_merits(scores: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return, for each model of one question, the merit of each condition by each metric.

    Returns
    -------
    Tables of conditions by metrics, more is better; NaN where there is no score. Seeds are
    averaged, abstentions take their null value.
    """
    tables = {}
    for metric, samples in samples_of(without_shams(scores)).items():
        values = np.stack([sample.value for sample in samples.values()], axis=1)
        flat = merit(pd.Series(values.ravel()), pd.Series(metric, range(values.size)))
        one = next(iter(samples.values()))
        index = pd.MultiIndex.from_arrays([one.context, one.perturbation])
        merits = flat.to_numpy().reshape(values.shape)
        tables[metric] = pd.DataFrame(merits, index, list(samples))
    if not tables:
        return {}
    every = pd.concat(tables, axis=1)
    models = every.columns.get_level_values(1)
    return {model: every.loc[:, models == model].droplevel(1, axis=1) for model in models.unique()}


def correlations_over_conditions(scores: pd.DataFrame, *, models: Sequence[str]) -> pd.DataFrame:
    """Return the rank correlation of each pair of metrics over conditions, averaged over models.

    Correlations are taken within a question and a model, so that no difference of level between
    data sets or models counts.

    Parameters
    ----------
    scores
        The long table, of any number of questions.
    models
        Those that are averaged over; a model whose scores are constant says nothing.

    Returns
    -------
    Columns scenario, dataset, arm, first, second, correlation, low, high (over models, 95 %, by
    Student's t; NaN for one), n_models, n_conditions.
    """
    rows = []
    for question, table in scores.groupby(QUESTION, sort=True):
        merits = condition_merits(table[table["model"].isin(models)])
        metrics = sorted(set().union(*merits.values()))
        tables = [some.reindex(columns=metrics) for some in merits.values()]
        known = [some.notna().to_numpy(np.intp) for some in tables]
        sizes = np.max([some.T @ some for some in known], axis=0, initial=0)
        found = np.array([_spearman(some) for some in tables])
        rows += [
            {
                **dict(zip(QUESTION, question, strict=True)),
                "first": metrics[i],
                "second": metrics[j],
                **_averaged(found[:, i, j]),
                "n_conditions": int(sizes[i, j]),
            }
            for i, j in combinations(range(len(metrics)), 2)
        ]
    names = ["correlation", "low", "high", "n_models", "n_conditions"]
    return pd.DataFrame(rows, columns=[*QUESTION, "first", "second", *names])


def _spearman(merits: pd.DataFrame) -> Floats:
    if len(merits) < LEAST_CONDITIONS:
        return np.full((merits.shape[1], merits.shape[1]), np.nan)
    return merits.corr(method="spearman", min_periods=LEAST_CONDITIONS).to_numpy()


def _averaged(correlations: Floats) -> dict[str, float]:
    known = correlations[np.isfinite(correlations)]
    if not len(known):
        return {"correlation": np.nan, "low": np.nan, "high": np.nan, "n_models": 0}
    mean, n = float(known.mean()), len(known)
    low = high = np.nan
    if n > 1:
        reach = float(special.stdtrit(n - 1, 0.5 + CONFIDENCE / 2) * known.std(ddof=1) / np.sqrt(n))
        low, high = max(mean - reach, -1.0), min(mean + reach, 1.0)
    return {"correlation": mean, "low": low, "high": high, "n_models": n}


def opinions(metrics: Sequence[str], correlations: pd.DataFrame) -> dict[str, str]:
    """Return the metric that each one is counted with: of a cluster, the first as given.

    Parameters
    ----------
    metrics
        Their names, in order of preference.
    correlations
        What `correlations_over_conditions` returned: metrics are one opinion where the correlation
        is 0.99 or more, or -0.99 or less, in every question that knows it.

    Examples
    --------
    >>> table = pd.DataFrame({"first": ["rmse"], "second": ["mae"], "correlation": [0.995]})
    >>> opinions(["rmse", "mae", "pearson"], table)
    {'rmse': 'rmse', 'mae': 'rmse', 'pearson': 'pearson'}
    """
    least = (
        correlations["correlation"]
        .abs()
        .groupby([correlations["first"], correlations["second"]])
        .min()
    )
    same = {frozenset(map(str, pair)) for pair, value in least.items() if value >= SAME}
    leader: dict[str, str] = {}
    for name in metrics:
        declared = _declared(name)
        first = next(
            (
                leader[other]
                for other in leader
                if other == declared or _declared(other) == name or frozenset((name, other)) in same
            ),
            name,
        )
        leader[name] = first
    return leader


def _declared(name: str) -> str | None:
    """Return the metric that one says it equals, or is a second opinion of."""
    if name not in METRICS.names():
        return None
    metric = METRICS.get(name)
    return metric.alias_of or metric.twin_of


def means_of_models(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the mean merit of each model by each metric of one question, models by metrics."""
    found: dict[str, Mapping[str, float]] = {}
    for metric, samples in samples_of(without_shams(scores)).items():
        means = pd.Series({model: sample.mean() for model, sample in samples.items()})
        found[metric] = merit(means, pd.Series(metric, means.index)).to_dict()
    return pd.DataFrame(found)
