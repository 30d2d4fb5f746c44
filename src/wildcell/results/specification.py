"""The same question answered in every defensible way: does a model beat the reference, who is best.

A specification is a metric, a panel of genes, a convention and a way to average. Metrics that are
one opinion (`wildcell.results.votes`) are one specification.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from wildcell.metrics.metric import METRICS
from wildcell.results.rank import EVERY_CATEGORY, PSEUDO_MODELS, QUESTION, merit

AVERAGES = ("macro", "micro", "worst")
TIE = 1e-9

CURVE_COLUMNS = [
    *QUESTION,
    "model",
    "metric",
    "panel",
    "convention",
    "average",
    "gain",
    "is_better",
    "is_sure",
    "place",
]


def specification_curve(
    ranks: Mapping[str, pd.DataFrame], *, metrics: Collection[str] | None = None
) -> pd.DataFrame:
    """Return what each specification says of each model beside the reference baseline.

    Parameters
    ----------
    ranks
        What `wildcell.results.rank.rank` returns, by the name of the convention.
    metrics
        Those that count; all if None.

    Returns
    -------
    A row a question, model and specification, with the columns of `CURVE_COLUMNS`: `gain`, mean
    less that of the reference, more is better; `is_sure`, whether the paired interval of the mean
    that `wildcell rank` shows lies on that side of 0; `place`, the model's rank under the
    specification.
    """
    rows = [
        {**dict(zip(QUESTION, key[:-1], strict=True)), "convention": convention, **row}
        for convention, some in ranks.items()
        for key, table in _counted(some, metrics).groupby([*QUESTION, "metric"], sort=True)
        for row in _rows(table, str(key[-1]))
    ]
    return pd.DataFrame(rows, columns=CURVE_COLUMNS)


def _counted(ranks: pd.DataFrame, metrics: Collection[str] | None) -> pd.DataFrame:
    every = ranks[(ranks["category"] == EVERY_CATEGORY) & ~ranks["model"].isin(PSEUDO_MODELS)]
    return every if metrics is None else every[every["metric"].isin(metrics)]


def _rows(table: pd.DataFrame, metric: str) -> Iterator[dict[str, Any]]:
    base = table[table["model"] == table["reference"]]
    if base.empty:
        return
    twin_of = METRICS.get(metric).twin_of
    for average in AVERAGES:
        merits = merit(table[average], table["metric"])
        zero = float(merits[base.index[0]])
        places = merits.round(9).rank(ascending=False, method="min")
        for i, row in table.iterrows():
            if row["model"] == row["reference"] or not np.isfinite(merits[i] - zero):
                continue
            gain = float(merits[i] - zero)
            yield {
                "model": row["model"],
                "metric": twin_of or metric,
                "panel": "detected genes" if twin_of else "all genes",
                "average": average,
                "gain": gain,
                "is_better": gain > TIE,
                "is_sure": average == row["mean_kind"] and _is_sure(row, gain),
                "place": places[i],
            }


def _is_sure(row: pd.Series, gain: float) -> bool:
    ends = merit_ends(row)
    return bool(min(ends) > TIE) if gain > 0 else bool(max(ends) < -TIE)


def merit_ends(row: pd.Series) -> tuple[float, float]:
    """Return the ends of a row's interval of its difference to the reference, more is better."""
    sign = 1.0 if METRICS.get(row["metric"]).best == "high" else -1.0
    return sign * row["difference_low"], sign * row["difference_high"]


def summarise_curve(curve: pd.DataFrame) -> pd.DataFrame:
    """Return, for each question and model, the share of specifications that favour it.

    Columns scenario, dataset, arm, model, better (share), surely_better and surely_worse (counts),
    best (share in which no model is before it), n.
    """
    grouped = curve.groupby([*QUESTION, "model"], sort=True)
    sure = curve["is_sure"].astype(bool)
    return (
        grouped.agg(
            better=("is_better", "mean"),
            best=("place", lambda place: float((place == 1).mean())),
            n=("gain", "size"),
        )
        .assign(
            surely_better=(sure & curve["is_better"])
            .groupby([curve[c] for c in [*QUESTION, "model"]])
            .sum(),
            surely_worse=(sure & ~curve["is_better"])
            .groupby([curve[c] for c in [*QUESTION, "model"]])
            .sum(),
        )
        .reset_index()
    )


def without_one_metric(merits: pd.DataFrame, leaders: Mapping[str, str]) -> pd.DataFrame:
    """Return who is first by mean rank when each opinion is left out in turn.

    Parameters
    ----------
    merits
        Mean merit of models by metrics, of one question.
    leaders
        The metric that each is counted with.

    Returns
    -------
    Columns left_out ("" for none), first, mean_rank.
    """
    counted = [name for name in merits if leaders.get(name, name) == name]
    ranks = merits[counted].dropna(axis=1, how="all").dropna().round(9).rank(ascending=False)
    rows = []
    for left in ["", *ranks.columns]:
        mean = ranks.drop(columns=left).mean(axis=1) if left else ranks.mean(axis=1)
        if mean.notna().any():
            rows.append({"left_out": left, "first": str(mean.idxmin()), "mean_rank": mean.min()})
    return pd.DataFrame(rows, columns=["left_out", "first", "mean_rank"])
