"""What a chart is: a specification for the browser, a picture, and the table behind it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from wildcell.metrics.headline import HEADLINE
from wildcell.names import CEILING, REPLICATE
from wildcell.results.report.vega import alt, vl_convert
from wildcell.results.words import number

WIDTH = 460
INK, PALE_INK, GRID = "#1d2226", "#6b7480", "#e7e9ec"
KINDS = {"model": "#0b4a7a", "naive": "#b0641c", "reference": "#1d2226"}
"""Colours told apart by the colour-blind; shapes say the same."""
SHAPES = {"model": "circle", "naive": "square", "reference": "diamond"}
LINES = {"reference": [1, 0], REPLICATE: [6, 3], CEILING: [2, 2]}
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
SPREAD = ["low", "lower", "middle", "upper", "high"]


@dataclass(frozen=True)
class Drawn:
    """A chart, and what is shown of it where there is no script.

    Attributes
    ----------
    name
        Of the files that it is downloaded as.
    title, note
        What it shows; how to read it.
    spec
        Of Vega-Lite.
    table
        What is drawn, for those who would rather read it.
    """

    name: str
    title: str
    note: str
    spec: str
    table: pd.DataFrame

    @property
    def svg(self) -> str:
        """The chart as the text of an SVG element."""
        return str(vl_convert.vegalite_to_svg(json.loads(self.spec)))

    @property
    def rows(self) -> list[list[str]]:
        """The cells of the table, as shown."""
        return [
            [number(cell) if isinstance(cell, float) else str(cell) for cell in row]
            for row in self.table.itertuples(index=False)
        ]

    @property
    def embedded(self) -> str:
        """The specification as it may stand in a script element: no markup can end it."""
        return self.spec.replace("<", "\\u003c")


def drawn(
    chart: alt.TopLevelMixin, table: pd.DataFrame, *, name: str, title: str, note: str
) -> Drawn:
    """Return a chart with the house's look."""
    return Drawn(name, title, note, json.dumps(chart.to_dict(validate=False)), table)


def headline_of(ranks: pd.DataFrame, first: str) -> list[str]:
    """Return the headline metrics that there are, the one that answers first."""
    there = set(ranks["metric"])
    return [name for name in dict.fromkeys([first, *HEADLINE]) if name in there]


def by_kind(channel: str) -> alt.Color | alt.Shape:
    """Return how naive models, the reference and others are told apart."""
    legend = alt.Legend(title=None, orient="top")
    if channel == "color":
        scale = alt.Scale(domain=list(KINDS), range=list(KINDS.values()))
        return alt.Color("kind:N", scale=scale, legend=legend)
    scale = alt.Scale(domain=list(SHAPES), range=list(SHAPES.values()))
    return alt.Shape("kind:N", scale=scale, legend=legend)


def chosen_metric(names: Sequence[str], label: str) -> alt.Parameter:
    """Return the parameter that says which metric is shown, chosen from a list."""
    bind = alt.binding_select(options=list(names), name=f"{label} ")
    return alt.param(name="chosen", value=names[0], bind=bind)


def chosen_filter() -> str:
    """Return the condition that a row is of the metric that was chosen."""
    return "datum.metric === chosen"


def tips(names: Sequence[str]) -> list[alt.Tooltip]:
    """Return what a pointer is told of a mark."""
    numbers = {"mean", "low", "high", "cpu_s", "wall_s", "peak_memory_mb", "correlation", *SPREAD}
    numbers |= {"wins", "wins_low", "wins_high", "dynamic_range"}
    numbers |= {"mean_rank", "critical_difference", "friedman_p"}
    return [
        alt.Tooltip(f"{name}:Q", format=".3~g") if name in numbers else alt.Tooltip(f"{name}:N")
        for name in names
    ]


def name_axis(padding: int = 2) -> alt.Axis:
    """Return an axis of names without lines, so far from what is drawn."""
    return alt.Axis(
        title=None,
        labelLimit=230,
        labelColor=INK,
        labelPadding=padding,
        ticks=False,
        domain=False,
    )


def looked(chart: alt.TopLevelMixin) -> alt.TopLevelMixin:
    """Return a chart with the house's colours."""
    return chart.configure(
        background="white",
        font="sans-serif",
        padding=8,
        view=alt.ViewConfig(stroke=None),
        axis=alt.AxisConfig(
            gridColor=GRID, labelColor=INK, titleColor=INK, titleFontWeight="normal"
        ),
        legend=alt.LegendConfig(labelColor=INK),
    )
