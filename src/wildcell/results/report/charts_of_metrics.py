"""Charts of what metrics tell, and of how alike they see conditions and models."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from wildcell.results.rank import EVERY_CATEGORY, PSEUDO_MODELS
from wildcell.results.report.charts_of_models import kinds
from wildcell.results.report.drawn import (
    KINDS,
    PALE_INK,
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


def calibration(calibrated: pd.DataFrame, shown: Sequence[str]) -> Drawn | None:
    """Return how often a replicate is told from the reference by each metric."""
    rows = calibrated[calibrated["metric"].isin(shown) & np.isfinite(calibrated["wins"])]
    if rows.empty:
        return None
    columns = ["metric", "wins", "wins_low", "wins_high", "usable", "dynamic_range", "n_conditions"]
    rows = rows[columns]
    y = alt.Y("metric:N", sort=list(shown), axis=name_axis())
    scale = alt.Scale(domain=[0, 1])
    base = alt.Chart(rows)
    title = "share of conditions in which a replicate beats the reference"
    rule = alt.Chart(pd.DataFrame({"at": [0.8]})).mark_rule(color=PALE_INK, strokeDash=[4, 3])
    bars = base.mark_rule(strokeWidth=2, aria=False, color=KINDS["model"]).encode(
        x=alt.X("wins_low:Q", scale=scale, title=title), x2="wins_high:Q", y=y
    )
    points = base.mark_point(filled=True, size=70, opacity=1, aria=False).encode(
        x=alt.X("wins:Q", scale=scale, title=title),
        y=y,
        color=alt.Color(
            "usable:N",
            scale=alt.Scale(
                domain=["usable", "not usable", "cannot be told"],
                range=[KINDS["model"], KINDS["naive"], PALE_INK],
            ),
            legend=alt.Legend(title=None, orient="top"),
        ),
        tooltip=tips(columns),
    )
    chart = alt.layer(rule.encode(x="at:Q"), bars, points)
    return drawn(
        looked(chart.properties(width=WIDTH, height=alt.Step(22))),
        rows,
        name="calibration",
        title="Which metrics say anything here",
        note=(
            "One half of the test cells answers for the other, beside the reference baseline. A "
            "metric by which that is better in surely less than 0.8 of the conditions is not "
            "usable here."
        ),
    )


def agreement(correlations: pd.DataFrame) -> Drawn | None:
    """Return how alike metrics order the conditions, a square a pair."""
    if correlations.empty:
        return None
    order = list(dict.fromkeys([*correlations["first"], *correlations["second"]]))
    both = pd.concat(
        [correlations, correlations.rename(columns={"first": "second", "second": "first"})]
    )
    base = alt.Chart(both[["first", "second", "correlation"]]).encode(
        x=alt.X("first:N", sort=order, title=None, axis=alt.Axis(labelAngle=-40, labelLimit=200)),
        y=alt.Y("second:N", sort=order, axis=name_axis()),
    )
    squares = base.mark_rect(aria=False).encode(
        color=alt.Color(
            "correlation:Q",
            scale=alt.Scale(domain=[-1, 0, 1], range=["#b0641c", "#f7f7f5", "#0b4a7a"]),
            legend=alt.Legend(title=None, orient="right", gradientLength=120),
        ),
        tooltip=tips(["first", "second", "correlation"]),
    )
    chart = squares.properties(width=alt.Step(30), height=alt.Step(24))
    return drawn(
        looked(chart),
        correlations[["first", "second", "correlation"]],
        name="agreement",
        title="How alike metrics see the conditions",
        note=(
            "Rank correlation of two metrics over conditions, within models and averaged over "
            "them. Metrics that are nearly 1 are one opinion; see wildcell disagreement."
        ),
    )


def beside_each_other(ranks: pd.DataFrame, first: str) -> Drawn | None:
    """Return the means of models by one metric against those by the one that answers first."""
    rows = ranks[(ranks["category"] == EVERY_CATEGORY) & np.isfinite(ranks["mean"])]
    rows = rows[~rows["model"].isin(PSEUDO_MODELS)]
    own = rows[rows["metric"] == first].set_index("model")["mean"].rename("first")
    table = rows[rows["metric"] != first].join(own, on="model", how="inner")
    counts = table.groupby("metric", sort=False)["model"].size()
    names = [name for name in headline_of(table, first) if counts.get(name, 0) > 2]
    if not names:
        return None
    table = table[table["metric"].isin(names)]
    table = table.assign(kind=kinds(table))
    columns = ["metric", "model", "kind", "first", "mean", "low", "high"]
    base = alt.Chart(table[columns]).transform_filter(chosen_filter())
    x = alt.X("first:Q", title=first, scale=alt.Scale(zero=False))
    title = "mean, 95 % interval, by the chosen metric"
    bars = base.mark_rule(strokeWidth=1.5, opacity=0.6, aria=False).encode(
        x=x,
        y=alt.Y("low:Q", title=title, scale=alt.Scale(zero=False)),
        y2="high:Q",
        color=by_kind("color"),
    )
    points = base.mark_point(filled=True, size=70, opacity=1, aria=False).encode(
        x=x,
        y=alt.Y("mean:Q", title=title),
        color=by_kind("color"),
        shape=by_kind("shape"),
        tooltip=[
            *tips(["model", "metric"]),
            alt.Tooltip("first:Q", title=first, format=".3~g"),
            *tips(["mean", "low", "high"]),
        ],
    )
    chart = alt.layer(bars, points).add_params(chosen_metric(names, f"Against {first}:"))
    return drawn(
        looked(chart.properties(width=WIDTH, height=300)),
        table[columns].rename(columns={"first": first}),
        name="metrics",
        title="Models by two metrics",
        note=(
            "A point a model. Where the points do not rise or fall together, the metrics do not "
            "agree which model is good; wildcell disagreement says whether that is more than noise."
        ),
    )
