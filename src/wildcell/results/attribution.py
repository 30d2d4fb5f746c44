"""What scores vary with: model, metric, context, seed, and these together.

Merits are brought to one scale by their normal scores within metric and data set (rank over
models and contexts), and the sum of squares of complete tables of means is split among main
effects and pairs of factors, as in an analysis of variance of a balanced layout. A factor's share
is of all that varies; that of a pair is what the pair adds to both.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import special

from wildcell.arrays import Floats
from wildcell.results.rank import PSEUDO_MODELS, QUESTION, merit, with_nulls, without_shams
from wildcell.results.stats import CONFIDENCE, CONTEXTS_TO_GENERALISE

FACTORS = ("model", "metric", "context", "seed")
COLUMNS = [*QUESTION, "source", "share", "low", "high", "n_levels"]


def attribute_variance(
    scores: pd.DataFrame, *, metrics: Sequence[str] | None = None
) -> pd.DataFrame:
    """Split the variance of scores within each question.

    Parameters
    ----------
    scores
        The long table, of any number of questions.
    metrics
        All of them if None; those that are one opinion should be there once.

    Returns
    -------
    A row a question and source (`model`, `model x metric`, ...; `rest` for what is of more than
    two), with its share and the 95 % interval that a jackknife of contexts gives; NaN for fewer
    than five contexts. Models, metrics, contexts and seeds that lack a score are left out.
    """
    rows = []
    for question, table in without_shams(scores).groupby(QUESTION, sort=True):
        layout, factors = _layout(table, metrics)
        if layout is None:
            continue
        shares = _shares(layout, factors)
        errors = _errors(layout, factors)
        for source, share in shares.items():
            reach = errors.get(source, np.nan)
            sizes = [
                layout.shape[factors.index(name)] for name in source.split(" x ") if name in factors
            ]
            rows.append(
                {
                    **dict(zip(QUESTION, question, strict=True)),
                    "source": source,
                    "share": share,
                    "low": max(share - reach, 0.0) if np.isfinite(reach) else np.nan,
                    "high": min(share + reach, 1.0) if np.isfinite(reach) else np.nan,
                    "n_levels": int(np.prod(sizes)) if sizes else 0,
                }
            )
    return pd.DataFrame(rows, columns=COLUMNS)


def _layout(scores: pd.DataFrame, metrics: Sequence[str] | None) -> tuple[Floats | None, list[str]]:
    """Return the complete table of normal scores, an axis a factor that varies, and the factors."""
    own = with_nulls(scores[~scores["model"].isin(PSEUDO_MODELS)])
    own = own if metrics is None else own[own["metric"].isin(metrics)]
    own = own.assign(merit=merit(own["value"], own["metric"]))
    means = own.groupby(list(FACTORS))["merit"].mean().dropna()
    if means.empty:
        return None, []
    wide = means.unstack(["context", "seed"])  # noqa: PD010  one row a model and metric
    table = wide.dropna(axis=1, how="all").unstack("metric")  # noqa: PD010
    table = table.reorder_levels(["metric", "context", "seed"], axis=1).sort_index(axis=1)
    complete = _complete(table)
    if complete is None:
        return None, []
    normal = _normal_scores(complete)
    levels = [complete.index, *(complete.columns.unique(level) for level in range(3))]
    cube = normal.reshape([len(level) for level in levels])
    varying = [axis for axis in range(4) if cube.shape[axis] > 1]
    fixed = tuple(axis for axis in range(4) if cube.shape[axis] == 1)
    if 0 not in varying or len(varying) < 2:
        return None, []
    return cube.squeeze(axis=fixed) if fixed else cube, [FACTORS[axis] for axis in varying]


def _complete(table: pd.DataFrame) -> pd.DataFrame | None:
    """Return the table without metrics, then models, that lack scores others have."""
    by_metric = table.T.groupby(level="metric").agg(lambda some: some.notna().mean()).T
    kept = [name for name in by_metric if by_metric[name].mean() > 0.5]
    chosen = table.loc[:, table.columns.get_level_values("metric").isin(kept)]
    chosen = chosen.loc[chosen.notna().mean(axis=1) > 0.5]
    is_full = chosen.notna().all(axis=0)
    whole = is_full.groupby(["context", "seed"]).all()
    places = whole[whole].index
    chosen = chosen.loc[:, [key[1:] in places for key in chosen.columns]]
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


def _errors(cube: Floats, factors: Sequence[str]) -> dict[str, float]:
    """Return how far the interval of each share reaches, without each context in turn."""
    if "context" not in factors or cube.shape[factors.index("context")] < CONTEXTS_TO_GENERALISE:
        return {}
    axis = factors.index("context")
    n = cube.shape[axis]
    without = pd.DataFrame([_shares(np.delete(cube, i, axis=axis), factors) for i in range(n)])
    error = np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum())
    reach = float(special.stdtrit(n - 1, 0.5 + CONFIDENCE / 2)) * error
    return {str(source): float(value) for source, value in reach.items()}
