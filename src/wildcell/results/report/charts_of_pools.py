"""Charts of screens that are trained on together: how deep they are, and which genes they share."""

import numpy as np
import pandas as pd

from wildcell.results.report.drawn import WIDTH, Drawn, drawn, looked, name_axis
from wildcell.results.report.vega import alt

STAGES = {"before": "as measured", "after": "as trained on"}
COLOURS = ["#0b4a7a", "#b0641c", "#4f8a5b", "#7d5ba6", "#5f6b76"]
MOST_SETS = 24


def depths(table: pd.DataFrame) -> Drawn | None:
    """Return how deep the cells of each screen are, before and after scaling.

    Parameters
    ----------
    table
        The table `depths` of `wildcell.store.split_tables.read_pool_tables`, of one question; the
        first fold is drawn.
    """
    own = _first_fold(table)
    if own.empty:
        return None
    own = own.astype({"low": float, "high": float, "n_cells": int})
    whole = own.groupby(["screen", "stage"])["n_cells"].transform("sum")
    own = own.assign(
        stage=own["stage"].map(STAGES),
        depth=np.sqrt(own["low"] * own["high"]),
        share=own["n_cells"] / whole.where(whole > 0),
    )
    columns = ["screen", "stage", "low", "high", "n_cells", "share"]
    area = alt.Chart(own[[*columns, "depth"]]).mark_area(
        interpolate="step", opacity=0.45, line=True, aria=False
    )
    chart = area.encode(
        x=alt.X("depth:Q", title="counts a cell", scale=alt.Scale(type="log", nice=False)),
        y=alt.Y("share:Q", title="share of cells", stack=None, axis=alt.Axis(format="%")),
        color=_by_screen(),
        tooltip=[
            alt.Tooltip("screen:N"),
            alt.Tooltip("stage:N"),
            *(alt.Tooltip(f"{name}:Q", format=".3~g") for name in columns[2:]),
        ],
    ).properties(width=WIDTH, height=110)
    row = alt.Row("stage:N", sort=list(STAGES.values()), header=alt.Header(title=None))
    return drawn(
        looked(chart.facet(row=row, spacing=12)),
        own[columns],
        name="depths",
        title="How deep the screens are",
        note=(
            f"Cells that are trained on, by their counts{_which(own)}. Scaling thins the counts of "
            "screens deeper than the target until the medians are equal; shallower ones stay."
        ),
    )


def gene_sets(table: pd.DataFrame) -> Drawn | None:
    """Return how many genes each set of screens alone measures, and chooses.

    Parameters
    ----------
    table
        The table `gene_sets`, as for `depths`.
    """
    own = _first_fold(table)
    if own.empty:
        return None
    own = own.assign(n_genes=own["n_genes"].astype(int))
    totals = own.groupby("datasets")["n_genes"].max().sort_values(ascending=False)
    shown = own[own["datasets"].isin(totals.index[:MOST_SETS])]
    columns = ["kind", "datasets", "n_genes"]
    bars = alt.Chart(shown[columns]).mark_bar(aria=False)
    chart = bars.encode(
        x=alt.X("n_genes:Q", title="genes in just these screens"),
        y=alt.Y("datasets:N", sort=list(totals.index), axis=name_axis()),
        yOffset=alt.YOffset("kind:N", sort=["measured", "chosen"]),
        color=alt.Color(
            "kind:N",
            scale=alt.Scale(domain=["measured", "chosen"], range=["#8fb8c6", COLOURS[0]]),
            legend=alt.Legend(title=None, orient="top"),
        ),
        tooltip=[alt.Tooltip(f"{name}:N") for name in columns],
    )
    left = len(totals) - MOST_SETS
    more = f" {left} smaller sets are in the table." if left > 0 else ""
    return drawn(
        looked(chart.properties(width=WIDTH, height=alt.Step(14))),
        own[columns],
        name="genes",
        title="Which genes the screens share",
        note=(
            "Genes that are measured by just these screens and no other, and those that the rule "
            f"for genes chooses in each by itself{_which(own)}.{more}"
        ),
    )


def _first_fold(table: pd.DataFrame) -> pd.DataFrame:
    if table.empty:
        return table
    order = table[["seed", "fold"]].astype(int).apply(tuple, axis=1)
    return table[order == order.min()]


def _which(own: pd.DataFrame) -> str:
    return f", seed {own['seed'].iloc[0]}, fold {own['fold'].iloc[0]}"


def _by_screen() -> alt.Color:
    legend = alt.Legend(title=None, orient="top", labelLimit=220)
    return alt.Color("screen:N", scale=alt.Scale(range=COLOURS), legend=legend)
