"""Pictures of ranks, drawn without a browser."""

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd

from wildcell.metrics.metric import METRICS
from wildcell.results.rank import PSEUDO_MODELS, TIE_TOLERANCE, merit
from wildcell.results.report.vega import alt, vl_convert
from wildcell.results.verdict import headline_metric
from wildcell.results.words import named_once, number

COLOURS = ["#f1ead8", "#8fb8c6", "#08306b"]
"""Worst to best: pale to dark, so that it survives colour blindness and a black-and-white print."""

INK, PALE_INK = "#1d2226", "#6b7480"
CELL_WIDTH, LINE_HEIGHT, DOT_OFFSET = 54, 13, -17
DOT_AREAS = [8, 230]
LABEL_CHARACTERS = 32
MANY = 4
REFERENCE = "reference: "
DRAWN = ["row", "metric", "goodness", "share", "text"]


def dot_table(ranks: pd.DataFrame) -> alt.LayerChart:
    """Draw models by metrics, a dot and a number a cell.

    The darker a dot the better, within its column: the palest is the worst model, or any no
    better than an empty answer; the darkest is the best. Its area is the share of conditions
    that were scored. The replicate and the ceiling stand apart, below.

    Parameters
    ----------
    ranks
        Rows of `wildcell.results.rank.rank`, of one question and category.
    """
    cells = _cells(named_once(ranks))
    order = _order(cells, headline_metric(ranks))
    metrics = list(cells["metric"].drop_duplicates())
    height = LINE_HEIGHT * (2 + max(row.count("\n") for row in order))
    grid = alt.Chart().encode(
        x=alt.X("metric:N", sort=metrics, axis=_metric_axis()),
        y=alt.Y("row:N", scale=alt.Scale(domain=order), axis=_model_axis()),
    )
    dots = grid.transform_filter("isValid(datum.goodness)").mark_circle(
        opacity=1, stroke=PALE_INK, strokeWidth=0.5, xOffset=DOT_OFFSET, aria=False
    )
    dots = dots.encode(
        color=alt.Color("goodness:Q", scale=_scale([0, 1], COLOURS), legend=None),
        size=alt.Size("share:Q", scale=_scale([0, 1], DOT_AREAS), legend=None),
    )
    values = grid.mark_text(align="left", dx=-5, fontSize=10.5, aria=False).encode(
        text="text:N",
        color=alt.condition("isValid(datum.goodness)", alt.value(INK), alt.value(PALE_INK)),
    )
    return (
        alt.layer(dots, values, data=cells[DRAWN])
        .properties(width=alt.Step(CELL_WIDTH), height=alt.Step(height))
        .configure(background="white", font="sans-serif", padding=4)
        .configure_view(stroke=None)
    )


def as_svg(chart: alt.LayerChart) -> str:
    """Return a chart as the text of an SVG element."""
    return str(vl_convert.vegalite_to_svg(chart.to_dict(validate=False)))


def _cells(rows: pd.DataFrame) -> pd.DataFrame:
    """Add what is drawn: the row's name, how good within the column, share scored, words."""
    return rows.assign(
        row=_row_names(rows),
        goodness=_goodness(rows),
        share=rows["scored"] / rows["expected"],
        text=rows["mean"].map(number) + rows["silence"],
    )


def _goodness(rows: pd.DataFrame) -> pd.Series:
    """Place means from the worst model, or an empty answer if that is better, to the best."""
    null = rows["metric"].map(lambda name: METRICS.get(name).null).astype(float)
    good = merit(rows["mean"], rows["metric"])
    of_models = good.where(~rows["model"].isin(PSEUDO_MODELS)).groupby(rows["metric"])
    worst = np.fmax(of_models.transform("min"), merit(null, rows["metric"]))
    width = np.maximum(of_models.transform("max") - worst, TIE_TOLERANCE)
    return ((good - worst) / width).clip(0, 1)


def _row_names(cells: pd.DataFrame) -> list[str]:
    label = cells["label"].map(short)
    names = label.where(~cells["is_reference"], REFERENCE + label)
    return [
        textwrap.fill(name, LABEL_CHARACTERS, break_on_hyphens=False, break_long_words=False)
        for name in names
    ]


def short(label: str) -> str:
    """Return the name of models that scored the same, counted where they are many.

    Examples
    --------
    >>> short("a = b"), short("a = b = c = d")
    ('a = b', 'a and 3 that score the same')
    """
    names = label.split(" = ")
    return label if len(names) < MANY else f"{names[0]} and {len(names) - 1} that score the same"


def _order(cells: pd.DataFrame, metric: str) -> list[str]:
    """Return the rows from best to worst at a metric, an empty one, replicate and ceiling."""
    is_pseudo = cells["model"].isin(PSEUDO_MODELS)
    ranked = cells[~is_pseudo & (cells["metric"] == metric)].sort_values(["rank", "label"])
    return [*ranked["row"], "", *[name for name in PSEUDO_MODELS if name in set(cells["model"])]]


def _scale(domain: Sequence[float], range_: Sequence[float] | Sequence[str]) -> alt.Scale:
    return alt.Scale(domain=list(domain), range=list(range_), clamp=True)


def _metric_axis() -> alt.Axis:
    return alt.Axis(
        title=None,
        orient="top",
        labelAngle=-35,
        labelOffset=DOT_OFFSET,
        labelAlign="left",
        labelColor=INK,
        labelFontSize=11,
        domain=False,
        ticks=False,
        labelLimit=200,
    )


def _model_axis() -> alt.Axis:
    is_reference = f"indexof(datum.label, '{REFERENCE}') == 0"
    return alt.Axis(
        title=None,
        labelColor=INK,
        labelFontSize=11,
        labelFontWeight=alt.condition(is_reference, alt.value("bold"), alt.value("normal")),
        labelExpr="split(datum.label, '\\n')",
        labelLimit=400,
        domain=False,
        ticks=False,
        grid=True,
        tickBand="extent",
        gridColor="#e7e9ec",
    )
