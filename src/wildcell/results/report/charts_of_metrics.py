"""Charts of what metrics tell, and of how alike they are."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from wildcell.results.report.drawn import (
    KINDS,
    PALE_INK,
    WIDTH,
    Drawn,
    drawn,
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
