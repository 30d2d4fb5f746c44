"""Charts of one condition, without its data: a page fills in those of the condition picked."""

import json
from typing import NamedTuple

from wildcell.results.report.drawn import GRID, INK, KINDS, PALE_INK, looked, name_axis
from wildcell.results.report.vega import alt

GENES, CELLS = "genes", "cells"
CHOSEN = {"changed most in truth": KINDS["model"], "changed most by the model": KINDS["naive"]}
SIDES = {"truth": KINDS["model"], "prediction": KINDS["naive"]}
WHO = {"control": "#a8b0b8", **SIDES}
TOP = 15


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
        _unfilled(_scatter(), "deltas", GENES, "Predicted against true delta"),
        _unfilled(_top(), "top", GENES, f"The {TOP} genes that change most surely"),
        _unfilled(_cells(), "cells", CELLS, "Cells in two principal components of the truth"),
    ]


def _scatter() -> alt.TopLevelMixin:
    base = alt.Chart(alt.NamedData(GENES))
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
