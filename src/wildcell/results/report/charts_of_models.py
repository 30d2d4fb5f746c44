"""Charts of models: their scores beside floors and ceilings, and how they spread."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from wildcell.metrics.metric import METRICS
from wildcell.names import NAIVE_MODELS
from wildcell.results.rank import EVERY_CATEGORY, PSEUDO_MODELS, merit
from wildcell.results.report.dot_table import dot_table, short
from wildcell.results.report.drawn import (
    INK,
    KINDS,
    LINES,
    PALE_INK,
    QUANTILES,
    SPREAD,
    WIDTH,
    Drawn,
    by_kind,
    chosen_filter,
    chosen_metric,
    drawn,
    headline_of,
    looked,
    name_axis,
    tips,
)
from wildcell.results.report.vega import alt
from wildcell.results.words import named_once

if TYPE_CHECKING:
    from pandas.core.groupby import SeriesGroupBy


N_STEPS, DENSEST = 20, 99
"""Steps of a density, and how much of it is in the fullest."""


def dots(ranks: pd.DataFrame, *, name: str, title: str) -> Drawn:
    """Return models by metrics, a dot a cell; see `dot_table`."""
    shown = named_once(ranks)[["label", "metric", "mean", "low", "high", "scored", "expected"]]
    note = (
        "Numbers are means. The darker a dot the better within its column: the palest is the worst "
        "model, or one no better than an empty answer. The smaller a dot the fewer conditions were "
        "scored; the others count with the score of an empty answer where the model gave none."
    )
    return drawn(dot_table(ranks), shown, name=name, title=title, note=note)


def intervals(ranks: pd.DataFrame, first: str) -> Drawn | None:
    """Return the mean of each model with its interval, floors and ceilings behind them.

    Parameters
    ----------
    ranks
        Rows of `wildcell.results.rank.rank`, of one question.
    first
        The metric that is shown before another is chosen.
    """
    rows = named_once(ranks[ranks["category"] == EVERY_CATEGORY])
    rows = rows[rows["metric"].isin(headline_of(ranks, first)) & np.isfinite(rows["mean"])]
    is_pseudo = rows["model"].isin(PSEUDO_MODELS)
    if rows[~is_pseudo].empty:
        return None
    rows = rows.assign(
        kind=kinds(rows), merit=merit(rows["mean"], rows["metric"]), label=rows["label"].map(short)
    )
    points = rows[~is_pseudo]
    marks = pd.concat(
        [
            rows[is_pseudo].assign(line=rows["model"]),
            rows[rows["is_reference"]].assign(line="reference"),
        ]
    )
    chosen = chosen_metric(headline_of(ranks, first), "Metric")
    x = alt.X("mean:Q", title="mean, 95 % interval", scale=alt.Scale(zero=False))
    y = alt.Y(
        "label:N",
        sort=alt.EncodingSortField("merit", op="max", order="descending"),
        axis=name_axis(),
    )
    columns = ["metric", "label", "kind", "mean", "low", "high", "merit", "interval", "scored"]
    own = alt.Chart(points[[*columns, "abstained", "expected"]]).transform_filter(chosen_filter())
    told = ["label", "metric", "mean", "low", "high", "interval", "scored", "abstained", "expected"]
    lines = (
        alt.Chart(marks[["metric", "line", "mean", "low", "high"]])
        .transform_filter(chosen_filter())
        .mark_rule(color=PALE_INK, strokeWidth=1.5, aria=False)
        .encode(
            x="mean:Q",
            strokeDash=alt.StrokeDash(
                "line:N",
                scale=alt.Scale(domain=list(LINES), range=list(LINES.values())),
                legend=alt.Legend(title=None, orient="top", symbolStrokeColor=PALE_INK),
            ),
            tooltip=tips(["line", "mean", "low", "high"]),
        )
    )
    bars = own.mark_rule(strokeWidth=2, aria=False).encode(
        x=x, x2="high:Q", y=y, color=by_kind("color")
    )
    bars = bars.encode(x=alt.X("low:Q", title="mean, 95 % interval", scale=alt.Scale(zero=False)))
    means = own.mark_point(filled=True, opacity=1, size=70, aria=False).encode(
        x=x, y=y, color=by_kind("color"), shape=by_kind("shape"), tooltip=tips(told)
    )
    chart = alt.layer(lines, bars, means).add_params(chosen)
    table = rows[["metric", "label", "mean", "low", "high", "interval", "scored", "expected"]]
    return drawn(
        looked(chart.properties(width=WIDTH, height=alt.Step(20))),
        table,
        name="scores",
        title="Models, floors and ceilings",
        note=(
            "Points are means with the 95 % interval. Lines: the reference baseline, a replicate "
            "of the measurement with half of the cells, and the noise-free effect where known. "
            "The best is on top, whichever way the metric runs."
        ),
    )


def spreads(scores: pd.DataFrame, first: str) -> Drawn | None:
    """Return how the scores of single conditions are spread, a density and a box a model."""
    metrics = [name for name in headline_of(scores, first) if _is_of_conditions(scores, name)]
    known = scores[scores["metric"].isin(metrics) & np.isfinite(scores["value"])]
    if known.empty:
        return None
    of_conditions = known.groupby(["metric", "model", "context", "perturbation"])["value"].mean()
    by = of_conditions.groupby(level=["metric", "model"], sort=True)
    table = by.quantile(list(QUANTILES)).unstack()  # noqa: PD010  its index has no names to pivot
    table = table.set_axis(SPREAD, axis="columns")
    table = table.join(by.size().rename("conditions")).reset_index()
    table = table.assign(merit=merit(table["middle"], table["metric"]))
    dense = alt.Chart(_densities(by, table)).transform_filter(chosen_filter())
    chosen = chosen_metric([name for name in metrics if name in set(table["metric"])], "Metric")
    base = alt.Chart(table).transform_filter(chosen_filter())
    y = alt.Y(
        "model:N",
        sort=alt.EncodingSortField("merit", op="max", order="descending"),
        axis=name_axis(),
    )
    title = "score of a condition"
    told = tips(["model", "metric", *SPREAD, "conditions"])
    shades = (
        dense.transform_flatten(["place", "share"])
        .transform_calculate(
            left="datum.start + datum.place * datum.step",
            right="datum.start + (datum.place + 1) * datum.step",
        )
        .mark_bar(height=15, color=KINDS["model"], aria=False)
        .encode(
            x=alt.X("left:Q", title=title, scale=alt.Scale(zero=False)),
            x2="right:Q",
            y=y,
            opacity=alt.Opacity(
                "share:Q", scale=alt.Scale(domain=[0, DENSEST], range=[0, 0.7]), legend=None
            ),
        )
    )
    whiskers = base.mark_rule(color=PALE_INK, aria=False).encode(x="low:Q", x2="high:Q", y=y)
    boxes = base.mark_rule(strokeWidth=5, color=INK, opacity=0.75, aria=False).encode(
        x="lower:Q", x2="upper:Q", y=y, tooltip=told
    )
    ticks = base.mark_tick(color=KINDS["naive"], thickness=3, height=15, aria=False)
    ticks = ticks.encode(x="middle:Q", y=y, tooltip=told)
    chart = alt.layer(shades, whiskers, boxes, ticks).add_params(chosen)
    return drawn(
        looked(chart.properties(width=WIDTH, height=alt.Step(20))),
        table.drop(columns="merit"),
        name="spread",
        title="Single conditions",
        note=(
            "Of the conditions with a score: the darker the shade the more lie there, the thick "
            "line holds the middle half, the thin one nine of ten, the tick is the median. A good "
            "mean may hide many conditions without any skill."
        ),
    )


def _densities(by: "SeriesGroupBy[Any]", table: pd.DataFrame) -> pd.DataFrame:
    """Return how many of nine in ten conditions lie in equal steps, in parts of the fullest."""
    rows = []
    ends = table.set_index(["metric", "model"])[["low", "high"]].T.to_dict("list")
    for (metric, model), values in by:
        low, high = ends[(metric, model)]
        if not low < high:
            continue
        counted, edges = np.histogram(values.to_numpy(float), N_STEPS, (low, high))
        shares = np.round(DENSEST * counted / max(counted.max(), 1)).astype(int)
        place = np.flatnonzero(shares)
        rows.append(
            {
                "metric": metric,
                "model": model,
                "start": low,
                "step": edges[1] - edges[0],
                "place": place.tolist(),
                "share": shares[place].tolist(),
            }
        )
    columns = ["metric", "model", "start", "step", "place", "share"]
    return pd.DataFrame(rows, columns=columns).merge(
        table[["metric", "model", "merit"]], on=["metric", "model"]
    )


def _is_of_conditions(scores: pd.DataFrame, metric: str) -> bool:
    """Whether a metric gives each condition a score of its own, rather than a part of a ratio."""
    return not METRICS.get(metric).is_log and bool(
        np.isfinite(scores.loc[scores["metric"] == metric, "value"]).any()
    )


def kinds(rows: pd.DataFrame) -> np.ndarray:
    """Return whether each row is of a naive model, of the reference, or of another."""
    kinds = np.where(rows["model"].isin(NAIVE_MODELS), "naive", "model").astype(object)
    named = rows["is_reference"] if "is_reference" in rows else rows["model"] == rows["reference"]
    return np.where(named.astype(bool), "reference", kinds)
