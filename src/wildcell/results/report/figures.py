"""The charts of a folder of runs as vector files, one a figure of the field's papers."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from wildcell.results.rank import QUESTION, without_shams
from wildcell.results.report import charts_of_costs, charts_of_guidance
from wildcell.results.report.charts_of_arms import charts_of_arms
from wildcell.results.report.charts_of_looks import typical_condition
from wildcell.results.report.drawn import Drawn
from wildcell.results.report.question import Asked, charts_of
from wildcell.results.report.tables import rows_of
from wildcell.results.report.vega import vl_convert
from wildcell.results.verdict import headline_metric
from wildcell.store.atomic import write_bytes, write_text
from wildcell.store.runs import slug

ONE_CHART = ("findings", "guidance", "scaling", "compared")
"""Tables that are not of one question."""

WHAT = {
    "scores": "models with intervals, beside floors and ceilings",
    "dots": "models by metrics and categories of conditions",
    "ranks": "ranks, and those a model may have",
    "critical-difference": "mean ranks over contexts, models that do not differ joined",
    "spread": "distribution of the scores of single conditions, direction errors among them",
    "cost": "quality against cost, with what nothing is better than",
    "calibration": "which metrics tell a replicate from the reference",
    "agreement": "metrics against metrics",
    "split": "sizes of a split, context by context",
    "metrics": "models by two metrics",
    "condition": "predicted against true deltas of a typical condition",
    "distance": "how far tested contexts are from training",
    "map": "contexts that are trained on and tested, where they lie",
    "tree": "the tree of contexts of a strict split",
    "depths": "depth of the screens that are trained on, before and after scaling",
    "genes": "genes that screens share",
    "arms": "lenient against strict, merged against single, with and without an embedding",
    "changes": "what each arm changes, in numbers and percent",
    "cells": "scores against training cells",
    "growth": "memory and time against cells and batch size",
    "guidance": "what to use where",
}
NEEDS = {
    "tree": "a strict arm, such as cluster",
    "depths": "wildcell run cross-data-set --foreign",
    "genes": "wildcell run cross-data-set --foreign",
    "arms": "runs of several arms",
    "changes": "runs of several arms",
    "cells": "runs of arms with more and fewer cells",
    "growth": "scaling.csv of wildcell scaling in the folder of the runs",
    "guidance": "a scenario about an unseen context, perturbation, combination or dose",
}


class Figure(NamedTuple):
    """A figure that was written: its path below the folder, without ending, and what it shows."""

    path: str
    title: str


def write_figures(
    out: Path, *, ranks: pd.DataFrame, runs: pd.DataFrame, tables: Mapping[str, pd.DataFrame]
) -> list[Figure]:
    """Write every chart of the report as SVG and PDF, a file a metric where one is chosen.

    Parameters
    ----------
    out
        Folder to write to: `SCENARIO--DATASET--ARM/NAME.svg` and `.pdf`, and README.md, which says
        what each shows, and what those need that the runs do not show.
    ranks, runs
        As for `wildcell.results.report.write.write_report`.
    tables
        The others of its tables, by name.
    """
    written = []
    for folder, chart in _charts(ranks, runs, tables):
        for name, spec in _one_a_metric(chart):
            path = f"{folder}/{name}" if folder else name
            write_text(out / f"{path}.svg", vl_convert.vegalite_to_svg(spec))
            write_bytes(out / f"{path}.pdf", vl_convert.vegalite_to_pdf(spec))
            written.append(Figure(path, chart.title))
    write_text(out / "README.md", _index(written))
    return written


def _charts(
    ranks: pd.DataFrame, runs: pd.DataFrame, tables: Mapping[str, pd.DataFrame]
) -> Iterator[tuple[str, Drawn]]:
    apart = {
        name: {} if table.empty else dict(list(table.groupby(QUESTION)))
        for name, table in {**tables, "runs": runs}.items()
        if name not in ONE_CHART
    }
    for key, own in ranks.groupby(QUESTION, sort=True):
        asked = Asked(
            ranks=own, **{name: parts.get(key, pd.DataFrame()) for name, parts in apart.items()}
        )
        folder = "--".join(slug(str(name)) for name in key)
        yield from ((folder, chart) for chart in charts_of(asked))
        first = headline_metric(asked.ranks)
        one = typical_condition(asked.looks, without_shams(asked.scores), asked.ranks, first)
        yield from ((folder, chart) for chart in filter(None, [one]))
    for key, table in ranks.groupby(QUESTION[:2], sort=True):
        parts = (rows_of(tables[name], QUESTION[:2], key) for name in ("compared", "costs"))
        folder = "--".join(slug(str(name)) for name in key)
        yield from ((folder, chart) for chart in charts_of_arms(table, *parts))
    whole = [charts_of_guidance.guidance(tables["guidance"])]
    whole.append(charts_of_costs.growth(tables["scaling"]))
    yield from (("", chart) for chart in filter(None, whole))


def _one_a_metric(chart: Drawn) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the file's name and the specification of each metric that may be chosen."""
    spec = json.loads(chart.spec)
    nothing: dict[str, Any] = {"bind": {}}
    chosen = next((one for one in spec.get("params", []) if one["name"] == "chosen"), nothing)
    for metric in chosen["bind"].get("options", [None]):
        if metric is None:
            yield slug(chart.name), spec
        else:
            chosen["value"] = metric
            title = {"text": metric, "anchor": "start", "fontWeight": "normal"}
            yield f"{chart.name}-{slug(metric)}", {**spec, "title": title}


def _index(written: list[Figure]) -> str:
    lines = [f"- `{one.path}.svg`, `.pdf`: {one.title}" for one in written]
    names = [one.path.rpartition("/")[2] for one in written]
    lacking = [
        f"- {what}: {f'needs {NEEDS[name]}' if name in NEEDS else 'these runs do not show it'}"
        for name, what in WHAT.items()
        if not any(own == name or own.startswith(f"{name}-") for own in names)
    ]
    if lacking:
        lines += ["", "Not here:", "", *lacking]
    return "\n".join(["# Figures", "", *lines, ""])
