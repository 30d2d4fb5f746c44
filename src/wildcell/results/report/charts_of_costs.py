"""Charts of what models cost: against what they score, and as cells grow."""

import numpy as np
import pandas as pd

from wildcell.results.findings.models import pareto
from wildcell.results.growth import COSTS, SERIES
from wildcell.results.rank import EVERY_CATEGORY, PSEUDO_MODELS, merit
from wildcell.results.report.charts_of_models import kinds
from wildcell.results.report.drawn import (
    INK,
    PALE_INK,
    WIDTH,
    Drawn,
    by_kind,
    chosen_filter,
    chosen_metric,
    drawn,
    looked,
    tips,
)
from wildcell.results.report.vega import alt


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
    rows = rows.assign(kind=kinds(rows), label=rows["model"])
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


def growth(scaling: pd.DataFrame) -> Drawn | None:
    """Return what models cost as the cells they are trained on grow, and with the batch.

    Parameters
    ----------
    scaling
        What `wildcell.scaling.measure_growth` measured.
    """
    if scaling.empty:
        return None
    measured = scaling[scaling["status"] == "ok"]
    table = measured.melt([*SERIES, "n_cells"], list(COSTS), "metric", "cost")
    table = table[table["cost"].astype(float) > 0]
    if table.empty or table["n_cells"].nunique() < 2:
        return None
    table = table.assign(
        series=[_series(*row) for row in table[SERIES].itertuples(index=False)],
        cost=table["cost"].astype(float),
    )
    there = [name for name in COSTS if name in set(table["metric"])]
    chosen = chosen_metric(there, "Cost")
    columns = ["metric", "series", "n_cells", "cost"]
    base = alt.Chart(table[columns]).transform_filter(chosen_filter())
    base = base.encode(
        x=alt.X("n_cells:Q", title="training cells", scale=alt.Scale(type="log", nice=False)),
        y=alt.Y("cost:Q", title="cost", scale=alt.Scale(type="log")),
        color=alt.Color("series:N", legend=alt.Legend(title=None, orient="top", columns=2)),
    )
    points = base.mark_point(filled=True, size=60, opacity=1, aria=False)
    points = points.encode(
        shape=alt.Shape("series:N", legend=None),
        tooltip=[
            alt.Tooltip("series:N"),
            alt.Tooltip("n_cells:Q"),
            alt.Tooltip("cost:Q", format=".3~g"),
        ],
    )
    chart = alt.layer(base.mark_line(aria=False), points).add_params(chosen)
    return drawn(
        looked(chart.properties(width=WIDTH, height=280)),
        table[columns],
        name="growth",
        title="Costs as cells grow",
        note=(
            "Each point is one fit and answer in a process of its own, on both axes in logarithms: "
            "a line of slope 1 takes twice as much for twice the cells."
        ),
    )


def _series(model: str, options: str, batch_size: float) -> str:
    named = f"{model}[{options}]" if isinstance(options, str) and options else str(model)
    return f"{named}, batch {batch_size:.0f}" if batch_size > 0 else named
