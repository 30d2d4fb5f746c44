"""Charts of arms: the same question, asked more leniently, more strictly, or with other data."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from wildcell.metrics.metric import METRICS
from wildcell.results.rank import EVERY_CATEGORY, PSEUDO_MODELS
from wildcell.results.report.drawn import (
    INK,
    KINDS,
    PALE_INK,
    WIDTH,
    Drawn,
    drawn,
    looked,
    name_axis,
    tips,
)
from wildcell.results.report.tables import without_twins
from wildcell.results.report.vega import alt
from wildcell.results.verdict import headline_metric

BETTER = {"high": "more", "low": "less"}


def charts_of_arms(
    ranks: pd.DataFrame, compared: pd.DataFrame, costs: pd.DataFrame
) -> Iterator[Drawn]:
    """Yield the charts of one scenario and data set that was asked in several arms.

    Parameters
    ----------
    ranks
        Rows of `wildcell.results.rank.rank`.
    compared
        As for `changes`.
    costs
        From `wildcell.store.runs.read_costs`.
    """
    if ranks["arm"].nunique() < 2:
        return
    own, metric = without_twins(ranks), headline_metric(ranks)
    found = [arms(own, metric), changes(compared), by_cells(own, costs, metric)]
    yield from filter(None, found)


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
    return drawn(
        looked(_by_model(alt.layer(bars, points))),
        rows[columns],
        name="arms",
        title=f"Arms beside each other: {metric}",
        note=(
            "How a model fares when the same question is asked more leniently or more strictly. "
            "Arms may ask about different conditions: wildcell arms pairs them."
        ),
    )


def changes(compared: pd.DataFrame) -> Drawn | None:
    """Return by how much each arm changes the score of each model, paired by condition.

    Parameters
    ----------
    compared
        Rows of `wildcell.results.arms.compare_arms` with a base, of one scenario, data set and
        metric.
    """
    if compared.empty:
        return None
    rows = compared[np.isfinite(compared["difference"].astype(float))]
    if rows.empty:
        return None
    metric, base = str(rows["metric"].iloc[0]), str(rows["base"].iloc[0])
    before = rows["mean"] - rows["difference"]
    rows = rows.assign(
        low=rows["difference_low"],
        high=rows["difference_high"],
        percent=(100 * rows["difference"] / before.abs()).where(before.abs() > 0),
    )
    columns = ["arm", "model", "difference", "low", "high", "percent", "n_paired"]
    y, title = alt.Y("arm:N", axis=name_axis(), sort=None), f"{metric} less that of {base}"
    chart = alt.Chart(rows[columns])
    told = [
        alt.Tooltip("arm:N"),
        alt.Tooltip("model:N"),
        *(alt.Tooltip(f"{name}:Q", format=".3~g") for name in columns[2:6]),
        alt.Tooltip("n_paired:Q"),
    ]
    zero = chart.mark_rule(color=PALE_INK, strokeDash=[4, 3], aria=False)
    bars = chart.mark_rule(strokeWidth=2, color=KINDS["model"], aria=False)
    points = chart.mark_point(filled=True, size=55, opacity=1, color=KINDS["model"], aria=False)
    layers = [
        zero.encode(x=alt.datum(0)),
        bars.encode(x=alt.X("low:Q", title=title), x2="high:Q", y=y),
        points.encode(x=alt.X("difference:Q", title=title), y=y, tooltip=told),
    ]
    best = BETTER.get(METRICS.get(metric).best, "nearer to 0")
    return drawn(
        looked(_by_model(alt.layer(*layers))),
        rows[columns],
        name="changes",
        title=f"What each arm changes: {metric}",
        note=(
            f"The difference to {base}, on the conditions that both arms scored, with its 95 % "
            f"interval; {best} is better. Percent are of the size of the score in {base}."
        ),
    )


def by_cells(ranks: pd.DataFrame, costs: pd.DataFrame, metric: str) -> Drawn | None:
    """Return what models score against how many cells they were trained on, arm by arm."""
    if costs.empty:
        return None
    rows = ranks[(ranks["category"] == EVERY_CATEGORY) & (ranks["metric"] == metric)]
    rows = rows[~rows["model"].isin(PSEUDO_MODELS) & np.isfinite(rows["mean"])]
    cells = costs.groupby(["arm", "model"])["n_cells"].mean().rename("n_cells")
    rows = rows.join(cells, on=["arm", "model"])
    rows = rows[rows["n_cells"] > 0]
    if rows["n_cells"].round(-1).nunique() < 2:
        return None
    columns = ["model", "arm", "n_cells", "mean", "low", "high", "n_conditions"]
    base = alt.Chart(rows[columns]).encode(
        x=alt.X("n_cells:Q", title="training cells of a fold", scale=alt.Scale(type="log")),
        color=alt.Color("model:N", legend=alt.Legend(title=None, orient="right", labelLimit=160)),
    )
    y = alt.Y("mean:Q", title=metric, scale=alt.Scale(zero=False))
    points = base.mark_point(filled=True, size=60, opacity=1, aria=False)
    chart = alt.layer(
        base.mark_line(aria=False, opacity=0.6).encode(y=y),
        points.encode(y=y, shape=alt.Shape("arm:N", legend=None), tooltip=tips(columns)),
    )
    return drawn(
        looked(chart.properties(width=WIDTH, height=300)),
        rows[columns],
        name="cells",
        title=f"Training cells and {metric}",
        note="A point an arm; what arms differ in besides the number of cells is in their names.",
    )


def _by_model(chart: alt.LayerChart | alt.FacetChart) -> alt.FacetChart:
    header = alt.Header(title=None, labelAngle=0, labelAlign="left", labelColor=INK, labelLimit=180)
    return chart.properties(width=WIDTH - 60, height=alt.Step(15)).facet(
        row=alt.Row("model:N", header=header), spacing=6
    )
