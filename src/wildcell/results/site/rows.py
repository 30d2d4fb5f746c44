"""Rows of tables, as templates show them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from wildcell.metrics.metric import METRICS
from wildcell.names import CEILING, REPLICATE
from wildcell.results.rank import PSEUDO_MODELS
from wildcell.results.site.addresses import link
from wildcell.results.site.picture import Scale, picture
from wildcell.results.words import listed, number, signed, span

View = dict[str, Any]

YARDSTICKS = {
    REPLICATE: "half of the test cells",
    CEILING: "the noise-free effect",
}
STEPS = ((60.0, "s"), (60.0, "min"), (24.0, "h"))


def row_view(row: Mapping[str, Any], scale: Scale | None = None) -> View:
    """Return a row of `wildcell.results.site.standing.standings` as it is shown.

    Parameters
    ----------
    row
        The row.
    scale
        Of its picture; None for none.
    """
    model = str(row["model"])
    is_reference = model == row["reference"]
    return {
        "model": model,
        "link": link("model", model),
        "kind": "pseudo" if model in PSEUDO_MODELS else "reference" if is_reference else "model",
        "about": YARDSTICKS.get(model, "the reference baseline" if is_reference else ""),
        "scenario": row["scenario"],
        "dataset": row["dataset"],
        "arm": row["arm"],
        "metric": row["metric"],
        "family": METRICS.get(row["metric"]).family,
        **_rank(row),
        "mean": number(row["mean"]) or _silence(row),
        "mean_value": _sortable(row["mean"]),
        "interval": span(row["low"], row["high"]),
        "level": row["interval"] if np.isfinite(row["low"]) else "",
        "picture": picture(row, scale),
        **_compared(row, is_reference=is_reference),
        "scored": f"{row['scored']:,} / {row['expected']:,}",
        "unscored": row["unscored"],
        "same_as": row["same_as"],
        **about_view(row),
    }


def about_view(row: Mapping[str, Any]) -> View:
    """Return what is said of a model in a question, whatever the metric."""
    learned = row["learned_from"] if isinstance(row["learned_from"], list) else []
    return {
        "sealed": row["sealed"] or "in process",
        "licence": row["licence"],
        "cost": duration(row["cpu_s"]),
        "cost_value": _sortable(row["cpu_s"]),
        "learned": listed(learned, at_most=3),
    }


def _rank(row: Mapping[str, Any]) -> View:
    """Return the rank of a model, and those that it may have."""
    if not np.isfinite(row["place"]):
        return {"place": "", "places": "", "place_value": "", "is_best": False}
    low, high = int(row["place_low"]), int(row["place_high"])
    return {
        "place": f"{row['place']:.0f}",
        "places": f"{low}" if low == high else f"{low} to {high}",
        "place_value": f"{row['place']:.0f}",
        "is_best": low == 1,
    }


def _silence(row: Mapping[str, Any]) -> str:
    if row["failed"] > 0:
        return "failed"
    return "not applicable" if row["not_applicable"] > 0 else "none"


def _compared(row: Mapping[str, Any], *, is_reference: bool) -> View:
    """Return what is compared with the reference; nothing for the reference itself."""
    is_known = not is_reference and np.isfinite(row["difference"])
    low, high = row["difference_low"], row["difference_high"]
    return {
        "difference": signed(row["difference"]) if is_known else "",
        "difference_value": _sortable(row["difference"]) if is_known else "",
        "difference_interval": span(low, high) if is_known else "",
        "scaled": number(row["scaled"]),
        "scaled_value": _sortable(row["scaled"]),
    }


def _sortable(value: float) -> str:
    return f"{value:.9g}" if np.isfinite(value) else ""


def duration(seconds: float) -> str:
    """Return a time in words.

    Examples
    --------
    >>> duration(0.02), duration(90.0), duration(86400.0 * 3)
    ('0.02 s', '1.5 min', '3 d')
    """
    if not np.isfinite(seconds):
        return ""
    for size, unit in STEPS:
        if seconds < size:
            return f"{seconds:.2g} {unit}"
        seconds /= size
    return f"{seconds:.3g} d"
