"""The end of a judgement of files: a table of metrics by models, and a sentence a prediction."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from wildcell.metrics.headline import HEADLINE, RANKED, SETS
from wildcell.metrics.metric import METRICS
from wildcell.results.overall import mean_ranks
from wildcell.results.rank import EVERY_CATEGORY, PSEUDO_MODELS

MEAN_RANK = "mean rank"


def summary_table(ranks: pd.DataFrame, asked: Sequence[str]) -> pd.DataFrame:
    """Return means by metric and model, over all conditions of one question.

    Parameters
    ----------
    ranks
        What `wildcell.results.rank.rank` returns of one question.
    asked
        The metrics as they were asked for: names, `headline` or `all`. Of a set the headline
        metrics are shown, of names each.

    Returns
    -------
    Columns metric, best, model, mean, scored, expected; metrics in the order of the headline, then
    as asked. Where two models or more can be ranked, rows of the `mean rank` come last.
    """
    shown = _shown(asked)
    every = ranks[(ranks["category"] == EVERY_CATEGORY) & ranks["metric"].isin(shown)]
    place = every["metric"].map({name: order for order, name in enumerate(shown)})
    table = every.iloc[np.argsort(place.to_numpy(), kind="stable")]
    best = table["metric"].map(lambda name: METRICS.get(name).best)
    columns = ["metric", "best", "model", "mean", "scored", "expected"]
    return pd.concat([table.assign(best=best)[columns], _places(ranks)], ignore_index=True)


def means_table(ranks: pd.DataFrame, models: Sequence[str], asked: Sequence[str]) -> pd.DataFrame:
    """Return the means of models over contexts, over conditions and where they are worst.

    Parameters
    ----------
    ranks, asked
        As in `summary_table`.
    models
        What the predictions are called.

    Returns
    -------
    A row for each metric of the summary's sentence and each model with a score, with the columns
    metric, model, macro, micro, worst, worst_context of `wildcell.results.rank.rank`; no rows where
    the truth is of one context.
    """
    told = _told_metrics(asked)
    is_told = (ranks["category"] == EVERY_CATEGORY) & ranks["metric"].isin(told)
    rows = ranks[is_told & ranks["model"].isin(models) & (ranks["scored"] > 0)]
    if not (rows["n_contexts"] > 1).any():
        rows = rows.iloc[:0]
    place = rows["metric"].map({name: order for order, name in enumerate(told)})
    columns = ["metric", "model", "macro", "micro", "worst", "worst_context"]
    return rows.iloc[np.argsort(place.to_numpy(), kind="stable")][columns]


def summary_sentence(ranks: pd.DataFrame, model: str, asked: Sequence[str]) -> str:
    """Say what a prediction scores by the metrics that models are ranked by, with intervals.

    Parameters
    ----------
    ranks, asked
        As in `summary_table`.
    model
        What the prediction is called.
    """
    told = _told_metrics(asked)
    rows = ranks[(ranks["category"] == EVERY_CATEGORY) & (ranks["model"] == model)]
    by_metric = rows.set_index("metric").reindex(told)
    known = by_metric[np.isfinite(by_metric["mean"]) & (by_metric["scored"] > 0)]
    if known.empty:
        return f"{model} has no score by {', '.join(told)}: {_why_none(by_metric)}."
    means = ", ".join(f"{name} {_told(row)}" for name, row in known.iterrows())
    levels = sorted(set(known.loc[np.isfinite(known["low"]), "interval"]))
    spoken = f"; 95 % intervals, for {', '.join(levels)}" if levels else ""
    return f"{model}: {means}{spoken}.{_without_score(by_metric.drop(known.index))}"


def _shown(asked: Sequence[str]) -> list[str]:
    headline = list(HEADLINE) if set(asked) & set(SETS) else []
    return list(dict.fromkeys([*headline, *(name for name in asked if name not in SETS)]))


def _told_metrics(asked: Sequence[str]) -> list[str]:
    shown = _shown(asked)
    return [name for name in shown if name in RANKED] or shown


def _places(ranks: pd.DataFrame) -> pd.DataFrame:
    """Return the mean rank of each model as rows of the summary, none where there is one model."""
    places = mean_ranks(ranks).dropna()
    if len(places) < 2:
        return pd.DataFrame()
    names = places.index.get_level_values("model")
    n_models = ranks.loc[~ranks["model"].isin(PSEUDO_MODELS), "model"].nunique()
    return pd.DataFrame(
        {
            "metric": MEAN_RANK,
            "best": "low",
            "model": names,
            "mean": places.to_numpy(),
            "scored": len(places),
            "expected": n_models,
        }
    )


def _told(row: pd.Series) -> str:
    interval = f" ({row['low']:.2f} to {row['high']:.2f})" if np.isfinite(row["low"]) else ""
    return f"{row['mean']:.2f}{interval} on {row['scored']:.0f} of {row['expected']:.0f}"


def _without_score(rows: pd.DataFrame) -> str:
    """Return a sentence on the metrics that have no mean, and why; "" if there are none."""
    if rows.empty:
        return ""
    told = (f"{name} ({_why_none(row)})" for name, row in rows.groupby(level=0, sort=False))
    return f" Without a score: {', '.join(told)}."


def _why_none(rows: pd.DataFrame) -> str:
    reasons = dict.fromkeys(filter(None, rows["unscored"].fillna("not scored")))
    return "; ".join(reasons) or "nothing was asked"
