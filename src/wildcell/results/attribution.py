"""What scores vary with: model, metric, context, seed, convention, data set, and these together.

Merits are brought to one scale by their normal scores within metric and question (rank over
models, contexts and the rest; over models and data sets where data sets are compared), and the sum
of squares of complete tables of means is split among main effects and pairs of factors, as in an
analysis of variance of a balanced layout. A factor's share is of all that varies; that of a pair is
what the pair adds to both.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from wildcell.arrays import Floats
from wildcell.results.rank import PSEUDO_MODELS, QUESTION, merit, with_nulls, without_shams
from wildcell.results.stats import CONFIDENCE, CONTEXTS_TO_GENERALISE

FACTORS = ("model", "metric", "context", "seed", "convention")
OVER_DATASETS = ("model", "metric", "dataset")
ALL_DATASETS = "all data sets"
COLUMNS = [*QUESTION, "source", "share", "low", "high", "n_levels"]


def attribute_variance(
    scores: Mapping[str, pd.DataFrame], *, metrics: Sequence[str] | None = None
) -> pd.DataFrame:
    """Split the variance of scores within each question.

    Parameters
    ----------
    scores
        The long table, of any number of questions, by the name of the convention, ours first. The
        convention is a factor where others have scores of the same answers by all metrics of ours.
    metrics
        All of them if None; those that are one opinion should be there once.

    Returns
    -------
    A row a question and source (`model`, `model x metric`, ...; `rest` for what is of more than
    two), with its share and the 95 % interval that a jackknife of contexts gives; NaN for fewer
    than five contexts. Models, metrics, contexts and seeds that lack a score are left out.
    """
    rows = []
    tables = {
        name: _merits(table, metrics).assign(convention=name) for name, table in scores.items()
    }
    ours = next(iter(tables.values()))
    asked = set(ours["metric"])
    every = pd.concat([one for one in tables.values() if asked <= set(one["metric"])])
    of_ours = dict(iter(ours.groupby(QUESTION)))
    for question, table in every.groupby(QUESTION, sort=True):
        layout, factors = _layout(table, FACTORS)
        if layout is None and question in of_ours:
            layout, factors = _layout(of_ours[question], FACTORS)
        labels = dict(zip(QUESTION, question, strict=True))
        rows += [{**labels, **row} for row in _attributed(layout, factors, "context")]
    return pd.DataFrame(rows, columns=COLUMNS)


def attribute_over_datasets(
    scores: pd.DataFrame, *, metrics: Sequence[str] | None = None
) -> pd.DataFrame:
    """Split the variance of models' mean scores over data sets that were asked the same question.

    Parameters
    ----------
    scores
        The long table.
    metrics
        All of them if None.

    Returns
    -------
    As `attribute_variance`, `dataset` being "all data sets", a row a scenario, arm and source.
    """
    rows = []
    for (scenario, arm), table in _merits(scores, metrics).groupby(["scenario", "arm"], sort=True):
        if table["dataset"].nunique() < 2:
            continue
        layout, factors = _layout(table, OVER_DATASETS)
        labels = dict(zip(QUESTION, (scenario, ALL_DATASETS, arm), strict=True))
        rows += [{**labels, **row} for row in _attributed(layout, factors, "dataset")]
    return pd.DataFrame(rows, columns=COLUMNS)


def _merits(scores: pd.DataFrame, metrics: Sequence[str] | None) -> pd.DataFrame:
    """Return the scores of models with their merits, abstentions at their null value."""
    own = without_shams(scores)
    own = own[~own["model"].isin(PSEUDO_MODELS)]
    own = own if metrics is None else own[own["metric"].isin(metrics)]
    parts = [with_nulls(some) for _, some in own.groupby(QUESTION, sort=False)]
    filled = pd.concat(parts) if parts else own
    return filled.assign(merit=merit(filled["value"], filled["metric"]))


def _attributed(
    layout: Floats | None, factors: Sequence[str], repeated: str
) -> Iterator[dict[str, Any]]:
    """Yield each source with its share, and its interval by a jackknife of one of the factors."""
    if layout is None:
        return
    errors = _errors(layout, factors, repeated)
    for source, share in _shares(layout, factors).items():
        reach = errors.get(source, np.nan)
        sizes = [
            layout.shape[factors.index(name)] for name in source.split(" x ") if name in factors
        ]
        yield {
            "source": source,
            "share": share,
            "low": max(share - reach, 0.0) if np.isfinite(reach) else np.nan,
            "high": min(share + reach, 1.0) if np.isfinite(reach) else np.nan,
            "n_levels": int(np.prod(sizes)) if sizes else 0,
        }


def _layout(scores: pd.DataFrame, names: Sequence[str]) -> tuple[Floats | None, list[str]]:
    """Return the complete table of normal scores, an axis a factor that varies, and the factors.

    `names` are the factors, model and metric first.
    """
    means = scores.groupby(list(names))["merit"].mean().dropna()
    if means.empty:
        return None, []
    wide = means.unstack(list(names[2:]))  # noqa: PD010  one row a model and metric
    table = wide.dropna(axis=1, how="all").unstack("metric")  # noqa: PD010
    table = table.reorder_levels(list(names[1:]), axis=1).sort_index(axis=1)
    complete = _complete(table)
    if complete is None:
        return None, []
    levels = [complete.index, *(complete.columns.unique(level) for level in names[1:])]
    sizes = [len(level) for level in levels]
    if np.prod(sizes) != complete.size:
        return None, []
    cube = _normal_scores(complete).reshape(sizes)
    varying = [axis for axis in range(cube.ndim) if cube.shape[axis] > 1]
    fixed = tuple(axis for axis in range(cube.ndim) if cube.shape[axis] == 1)
    if 0 not in varying or len(varying) < 2:
        return None, []
    return cube.squeeze(axis=fixed), [names[axis] for axis in varying]


def _complete(table: pd.DataFrame) -> pd.DataFrame | None:
    """Return the table without metrics, then models, that lack scores others have."""
    by_metric = table.T.groupby(level="metric").agg(lambda some: some.notna().mean()).T
    kept = [name for name in by_metric if by_metric[name].mean() > 0.5]
    chosen = table.loc[:, table.columns.get_level_values("metric").isin(kept)]
    chosen = chosen.loc[chosen.notna().mean(axis=1) > 0.5]
    is_full = chosen.notna().all(axis=0)
    whole = is_full.groupby(list(table.columns.names[1:])).all()
    places = whole[whole].index
    chosen = chosen.loc[:, chosen.columns.droplevel("metric").isin(places)]
    return chosen if chosen.shape[0] > 1 and chosen.shape[1] > 1 else None


def _normal_scores(table: pd.DataFrame) -> Floats:
    """Return normal scores of ranks within each metric."""
    values = np.empty(table.shape)
    names = table.columns.get_level_values("metric")
    for name in names.unique():
        rows = np.flatnonzero(names == name)
        block = pd.DataFrame(table.iloc[:, rows].to_numpy().reshape(-1, 1).round(12)).rank()[0]
        place = (block.to_numpy() - 0.5) / len(block)
        values[:, rows] = special.ndtri(place).reshape(table.shape[0], len(rows))
    return values


def _shares(cube: Floats, factors: Sequence[str]) -> dict[str, float]:
    """Return the share of the sum of squares of each factor and pair, and of the rest."""
    away = cube - cube.mean()
    total = float((away**2).sum())
    if total <= 0:
        return {}
    axes = range(cube.ndim)
    means = {
        chosen: away.mean(axis=tuple(axis for axis in axes if axis not in chosen), keepdims=True)
        for size in (1, 2)
        for chosen in combinations(axes, size)
    }
    shares = {}
    for chosen, mean in means.items():
        alone = mean
        if len(chosen) == 2:
            alone = mean - means[(chosen[0],)] - means[(chosen[1],)]
        squares = float((np.broadcast_to(alone, cube.shape) ** 2).sum())
        shares[" x ".join(factors[axis] for axis in chosen)] = squares / total
    return {**shares, "rest": max(1.0 - sum(shares.values()), 0.0)}


def _errors(cube: Floats, factors: Sequence[str], repeated: str) -> dict[str, float]:
    """Return how far the interval of each share reaches, without each level of one in turn."""
    if repeated not in factors or cube.shape[factors.index(repeated)] < CONTEXTS_TO_GENERALISE:
        return {}
    axis = factors.index(repeated)
    n = cube.shape[axis]
    without = pd.DataFrame([_shares(np.delete(cube, i, axis=axis), factors) for i in range(n)])
    error = np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum())
    reach = float(special.stdtrit(n - 1, 0.5 + CONFIDENCE / 2)) * error
    return {str(source): float(value) for source, value in reach.items()}
