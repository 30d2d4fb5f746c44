"""Charts of one condition: without data, which a page fills in, or of a typical condition."""

import json
from typing import NamedTuple

import numpy as np
import pandas as pd

from wildcell.names import CONDITION, Look
from wildcell.results.rank import EVERY_CATEGORY, merit
from wildcell.results.report.drawn import (
    GRID,
    INK,
    KINDS,
    PALE_INK,
    Drawn,
    drawn,
    looked,
    name_axis,
)
from wildcell.results.report.vega import alt

GENES, CELLS = "genes", "cells"
CHOSEN = {"changed most in truth": KINDS["model"], "changed most by the model": KINDS["naive"]}
SIDES = {"truth": KINDS["model"], "prediction": KINDS["naive"]}
WHO = {"control": "#a8b0b8", **SIDES}
TOP = 15
REACH = 1.96
"""Standard errors on either side of the interval of a true delta."""


def typical_condition(
    looks: pd.DataFrame, scores: pd.DataFrame, ranks: pd.DataFrame, metric: str
) -> Drawn | None:
    """Return predicted against true deltas of the condition in the middle of the best model's.

    Parameters
    ----------
    looks
        From `wildcell.store.runs.read_looks`, of one question.
    scores, ranks
        The long table, and what `wildcell.results.rank.rank` makes of it.
    metric
        By which models are good.
    """
    if looks.empty:
        return None
    genes = looks[looks["look"].isin([Look.TRUE_GENE, Look.OWN_GENE])]
    rows = ranks[(ranks["category"] == EVERY_CATEGORY) & (ranks["metric"] == metric)]
    rows = rows[rows["model"].isin(genes["model"]) & np.isfinite(rows["mean"])]
    if rows.empty:
        return None
    best = str(rows["model"].iloc[int(merit(rows["mean"], rows["metric"]).argmax())])
    shown = list(dict.fromkeys([best, *rows.loc[rows["model"] == rows["reference"], "model"]]))
    condition = _middle(scores[(scores["model"] == best) & (scores["metric"] == metric)], genes)
    if condition is None:
        return None
    own = genes[(genes[CONDITION] == list(condition)).all(axis=1) & genes["model"].isin(shown)]
    own = own.astype({"x": float, "y": float, "error": float})
    table = pd.DataFrame(
        {
            "model": own["model"],
            "gene": own["gene"],
            "chosen": np.where(own["look"] == Look.TRUE_GENE, *CHOSEN),
            "true": own["x"],
            "low": own["x"] - REACH * own["error"],
            "high": own["x"] + REACH * own["error"],
            "predicted": own["y"],
        }
    )
    header = alt.Header(title=None, labelColor=INK)
    chart = _scatter(alt.Chart(table)).facet(
        column=alt.Column("model:N", sort=shown, header=header)
    )
    return drawn(
        looked(chart),
        table,
        name="condition",
        title=f"A typical condition: {', '.join(condition)}",
        note=(
            f"The condition whose {metric} is in the middle of those of {best}, which is best. "
            "Genes that change most surely in truth, with their 95 % interval, and those that the "
            "model changes most; on the line they are equal."
        ),
    )


def _middle(scores: pd.DataFrame, genes: pd.DataFrame) -> tuple[str, str] | None:
    """Return the condition with genes whose score is in the middle."""
    known = scores.groupby(CONDITION)["value"].mean().dropna().sort_values(kind="stable")
    there = known[known.index.isin(pd.MultiIndex.from_frame(genes[CONDITION]))]
    if there.empty:
        return None
    context, perturbation = there.index[len(there) // 2]
    return str(context), str(perturbation)


class Unfilled(NamedTuple):
    """A chart that waits for its data.

    Attributes
    ----------
    name
        Of the chart.
    data
        Name of the data set it lacks.
    title
        What it shows.
    spec
        Of Vega-Lite.
    """

    name: str
    data: str
    title: str
    spec: str


def charts_of_looks() -> list[Unfilled]:
    """Return the charts of one condition.

    Data sets that they lack: `genes`, with fields gene, chosen, order, true, low, high and
    predicted; and `cells`, with fields who, x and y.
    """
    return [
        _unfilled(
            _scatter(alt.Chart(alt.NamedData(GENES))),
            "deltas",
            GENES,
            "Predicted against true delta",
        ),
        _unfilled(_top(), "top", GENES, f"The {TOP} genes that change most surely"),
        _unfilled(_cells(), "cells", CELLS, "Cells in two principal components of the truth"),
    ]


def _scatter(base: alt.Chart) -> alt.LayerChart | alt.FacetChart:
    x = alt.X("true:Q", title="true delta, 95 % interval")
    y = alt.Y("predicted:Q", title="predicted delta")
    line = (
        base.transform_aggregate(low="min(true)", high="max(true)")
        .mark_rule(color=PALE_INK, strokeDash=[4, 3], aria=False)
        .encode(
            x=alt.X("low:Q", title="true delta, 95 % interval"),
            y=alt.Y("low:Q", title="predicted delta"),
            x2="high:Q",
            y2="high:Q",
        )
    )
    errors = base.mark_rule(color=PALE_INK, opacity=0.5, aria=False).encode(
        x=alt.X("low:Q", title="true delta, 95 % interval"), x2="high:Q", y=y
    )
    points = base.mark_point(filled=True, size=45, opacity=0.9, aria=False).encode(
        x=x,
        y=y,
        color=_scale("chosen:N", CHOSEN),
        tooltip=[
            alt.Tooltip("gene:N"),
            *(alt.Tooltip(f"{name}:Q", format=".3~g") for name in ("true", "low", "high")),
            alt.Tooltip("predicted:Q", format=".3~g"),
        ],
    )
    return alt.layer(line, errors, points).properties(width=300, height=280)


def _top() -> alt.TopLevelMixin:
    base = alt.Chart(alt.NamedData(GENES)).transform_filter(f"datum.order < {TOP}")
    y = alt.Y(
        "gene:N", sort=alt.EncodingSortField("order", op="min", order="ascending"), axis=name_axis()
    )
    title = "delta"
    bars = base.mark_rule(strokeWidth=2, color=KINDS["model"], aria=False).encode(
        x=alt.X("low:Q", title=title), x2="high:Q", y=y
    )
    told = [
        alt.Tooltip("gene:N"),
        alt.Tooltip("true:Q", format=".3~g"),
        alt.Tooltip("predicted:Q", format=".3~g"),
    ]
    true = base.mark_point(filled=True, size=50, opacity=1, aria=False).encode(
        x=alt.X("true:Q", title=title),
        y=y,
        color=alt.datum("truth", type="nominal", scale=_range(SIDES), legend=_legend()),
        tooltip=told,
    )
    predicted = base.mark_point(filled=True, size=50, shape="diamond", opacity=1, aria=False)
    predicted = predicted.encode(
        x=alt.X("predicted:Q", title=title), y=y, color=alt.datum("prediction"), tooltip=told
    )
    zero = alt.Chart(alt.NamedData(GENES)).mark_rule(color=GRID, aria=False)
    zero = zero.encode(x=alt.datum(0))
    return alt.layer(zero, bars, true, predicted).properties(width=240, height=alt.Step(17))


def _cells() -> alt.Chart:
    axis = alt.Axis(labels=False, ticks=False)
    return (
        alt.Chart(alt.NamedData(CELLS))
        .mark_point(filled=True, size=28, opacity=0.75, aria=False)
        .encode(
            x=alt.X("x:Q", title="component 1", axis=axis, scale=alt.Scale(zero=False)),
            y=alt.Y("y:Q", title="component 2", axis=axis, scale=alt.Scale(zero=False)),
            color=_scale("who:N", WHO),
            shape=alt.Shape(
                "who:N",
                scale=alt.Scale(domain=list(WHO), range=["circle", "triangle-up", "diamond"]),
                legend=_legend(),
            ),
        )
        .properties(width=300, height=280)
    )


def _scale(field: str, colours: dict[str, str]) -> alt.Color:
    return alt.Color(field, scale=_range(colours), legend=_legend())


def _range(colours: dict[str, str]) -> alt.Scale:
    return alt.Scale(domain=list(colours), range=list(colours.values()))


def _legend() -> alt.Legend:
    return alt.Legend(title=None, orient="top", labelColor=INK, labelLimit=240)


def _unfilled(chart: alt.TopLevelMixin, name: str, data: str, title: str) -> Unfilled:
    spec = looked(chart).to_dict(validate=False)
    spec["datasets"] = {data: []}
    return Unfilled(name, data, title, json.dumps(spec).replace("<", "\\u003c"))
