"""Charts of models: their scores beside floors and ceilings, their spread, cost and arms."""

import numpy as np
import pandas as pd

from wildcell.metrics.metric import METRICS
from wildcell.names import NAIVE_MODELS
from wildcell.results.findings.models import pareto
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
        kind=_kinds(rows), merit=merit(rows["mean"], rows["metric"]), label=rows["label"].map(short)
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
    """Return how the scores of single conditions are spread, a box a model."""
    metrics = [name for name in headline_of(scores, first) if _is_of_conditions(scores, name)]
    known = scores[scores["metric"].isin(metrics) & np.isfinite(scores["value"])]
    if known.empty:
        return None
    of_conditions = known.groupby(["metric", "model", "context", "perturbation"])["value"].mean()
    by = of_conditions.groupby(level=["metric", "model"], sort=True)
    quantiles = [
        by.quantile(share).rename(name) for share, name in zip(QUANTILES, SPREAD, strict=True)
    ]
    table = pd.concat(quantiles, axis=1)
    table = table.join(by.size().rename("conditions")).reset_index()
    table = table.assign(merit=merit(table["middle"], table["metric"]))
    chosen = chosen_metric([name for name in metrics if name in set(table["metric"])], "Metric")
    base = alt.Chart(table).transform_filter(chosen_filter())
    y = alt.Y(
        "model:N",
        sort=alt.EncodingSortField("merit", op="max", order="descending"),
        axis=name_axis(),
    )
    title = "score of a condition"
    told = tips(["model", "metric", *SPREAD, "conditions"])
    whiskers = base.mark_rule(color=PALE_INK, aria=False).encode(
        x=alt.X("low:Q", title=title, scale=alt.Scale(zero=False)), x2="high:Q", y=y
    )
    boxes = base.mark_bar(height=9, color="#8fb8c6", aria=False).encode(
        x="lower:Q", x2="upper:Q", y=y, tooltip=told
    )
    ticks = base.mark_tick(color=INK, thickness=2, height=12, aria=False).encode(x="middle:Q", y=y)
    chart = alt.layer(whiskers, boxes, ticks).add_params(chosen)
    return drawn(
        looked(chart.properties(width=WIDTH, height=alt.Step(20))),
        table.drop(columns="merit"),
        name="spread",
        title="Single conditions",
        note=(
            "Of the conditions with a score: the box holds the middle half, the line nine of ten, "
            "the tick is the median. A good mean may hide many conditions without any skill."
        ),
    )


def costs(ranks: pd.DataFrame, costs: pd.DataFrame, metric: str) -> Drawn | None:
    """Return what each model scored against what it took, and what nothing is better than."""
    if costs.empty:
        return None
    spent = costs.groupby("model")[["cpu_s", "wall_s"]].sum()
    spent = spent.join(costs.groupby("model")["peak_memory_mb"].max())
    rows = ranks[(ranks["category"] == EVERY_CATEGORY) & (ranks["metric"] == metric)]
    rows = rows[~rows["model"].isin(PSEUDO_MODELS)].join(spent, on="model")
    rows = rows[np.isfinite(rows["mean"]) & (rows["cpu_s"] > 0)]
    if len(rows) < 2:
        return None
    rows = rows.assign(kind=_kinds(rows), label=rows["model"])
    good = merit(rows["mean"], rows["metric"]).to_numpy(float)
    front = rows.iloc[pareto(rows["cpu_s"].to_numpy(float), good)]
    x = alt.X("cpu_s:Q", title="CPU seconds, all folds", scale=alt.Scale(type="log", nice=False))
    y = alt.Y("mean:Q", title=metric, scale=alt.Scale(zero=False))
    columns = ["label", "kind", "mean", "low", "high", "cpu_s", "wall_s", "peak_memory_mb"]
    base = alt.Chart(rows[columns])
    steps = (
        alt.Chart(front[["cpu_s", "mean"]])
        .mark_line(interpolate="step-after", color=PALE_INK, strokeDash=[4, 3], aria=False)
        .encode(x=x, y=y)
    )
    points = base.mark_point(filled=True, size=80, opacity=1, aria=False).encode(
        x=x, y=y, color=by_kind("color"), shape=by_kind("shape"), tooltip=tips(columns)
    )
    names = (
        alt.Chart(front[columns])
        .mark_text(align="left", dx=7, dy=-7, fontSize=10, color=INK, aria=False)
        .encode(x=x, y=y, text="label:N")
    )
    chart = alt.layer(steps, names, points).properties(width=WIDTH, height=280)
    return drawn(
        looked(chart),
        rows[columns],
        name="cost",
        title=f"Cost and {metric}",
        note=(
            "The broken line joins the models, named, that nothing is both cheaper and better "
            "than. Cost is that of fitting, predicting and scoring on the machine named below."
        ),
    )


def arms(ranks: pd.DataFrame, metric: str) -> Drawn | None:
    """Return the means of each model in all arms of one scenario and data set."""
    rows = ranks[(ranks["category"] == EVERY_CATEGORY) & (ranks["metric"] == metric)]
    rows = rows[~rows["model"].isin(PSEUDO_MODELS) & np.isfinite(rows["mean"])]
    if rows["arm"].nunique() < 2:
        return None
    columns = ["arm", "model", "mean", "low", "high", "interval", "n_conditions"]
    y = alt.Y("arm:N", axis=name_axis(), sort=None)
    base = alt.Chart(rows[columns])
    title = f"{metric}, 95 % interval"
    x = alt.X("mean:Q", title=title, scale=alt.Scale(zero=False))
    bars = base.mark_rule(strokeWidth=2, color=KINDS["model"], aria=False).encode(
        x=alt.X("low:Q", title=title, scale=alt.Scale(zero=False)), x2="high:Q", y=y
    )
    points = base.mark_point(filled=True, size=55, opacity=1, color=KINDS["model"], aria=False)
    points = points.encode(x=x, y=y, tooltip=tips(columns))
    header = alt.Header(title=None, labelAngle=0, labelAlign="left", labelColor=INK, labelLimit=180)
    chart = (
        alt.layer(bars, points)
        .properties(width=WIDTH - 60, height=alt.Step(15))
        .facet(row=alt.Row("model:N", header=header), spacing=6)
    )
    return drawn(
        looked(chart),
        rows[columns],
        name="arms",
        title=f"Arms beside each other: {metric}",
        note=(
            "How a model fares when the same question is asked more leniently or more strictly. "
            "Arms may ask about different conditions: wildcell arms pairs them."
        ),
    )


def _is_of_conditions(scores: pd.DataFrame, metric: str) -> bool:
    """Whether a metric gives each condition a score of its own, rather than a part of a ratio."""
    return not METRICS.get(metric).is_log and bool(
        np.isfinite(scores.loc[scores["metric"] == metric, "value"]).any()
    )


def _kinds(rows: pd.DataFrame) -> np.ndarray:
    kinds = np.where(rows["model"].isin(NAIVE_MODELS), "naive", "model").astype(object)
    named = rows["is_reference"] if "is_reference" in rows else rows["model"] == rows["reference"]
    return np.where(named.astype(bool), "reference", kinds)
