"""The headline metrics as tables of models."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from wildcell.metrics.headline import HEADLINE
from wildcell.metrics.metric import METRICS
from wildcell.names import Status
from wildcell.results.rank import EVERY_CATEGORY, PSEUDO_MODELS
from wildcell.results.stats import NO_INTERVAL
from wildcell.results.verdict import headline_metric
from wildcell.results.words import named_once, number, signed, span

COMPARED = ("difference", "difference_interval", "scaled", "scaled_interval")

View = dict[str, Any]


def tables(ranks: pd.DataFrame) -> Iterator[View]:
    """Yield the table of each headline metric, the one that answers first."""
    rows = named_once(ranks[ranks["category"] == EVERY_CATEGORY])
    rows["is_pseudo"] = rows["model"].isin(PSEUDO_MODELS)
    rows = rows.assign(detected=_on_detected(rows))
    for name in dict.fromkeys([headline_metric(ranks), *HEADLINE]):
        of_metric = rows[rows["metric"] == name].sort_values(["is_pseudo", "rank", "label"])
        if len(of_metric):
            yield {"metric": name, "rows": [_row(row) for _, row in of_metric.iterrows()]}


def rows_of(
    table: pd.DataFrame | None, names: Sequence[str], key: Sequence[object]
) -> pd.DataFrame:
    """Return the rows whose columns of these names have these values; none of no table."""
    if table is None or table.empty:
        return pd.DataFrame()
    return table[(table[list(names)] == list(key)).all(axis=1)]


def without_twins(ranks: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of metrics that are not those of another on the second panel."""
    is_twin = ranks["metric"].map(lambda name: METRICS.get(name).twin_of is not None)
    return ranks[~is_twin.astype(bool)]


def _on_detected(rows: pd.DataFrame) -> list[float]:
    """Return what each row's model scores by its metric on the second panel, NaN if nothing."""
    mean_of = rows.set_index(["metric", "model"])["mean"].to_dict()
    names = zip(rows["metric"], rows["model"], strict=True)
    return [mean_of.get((METRICS.get(metric).twin, model), np.nan) for metric, model in names]


def _row(row: pd.Series) -> View:
    level = row["interval"] if row["interval"] != NO_INTERVAL else "too few conditions"
    shown = {
        "label": row["label"],
        "is_reference": row["is_reference"],
        "is_pseudo": row["is_pseudo"],
        "mean": number(row["mean"]) or row["silence"],
        "interval": span(row["low"], row["high"]),
        "detected": number(row["detected"]),
        "level": "" if row["silence"] else level,
        "scored": f"{row['scored']:,} / {row['expected']:,}",
        "abstained": f"{row['abstained']:,}",
        "n": f"{row['n_conditions']:,} ({row['n_contexts']:,})",
    }
    return shown | dict.fromkeys(COMPARED, "") | _comparison(row)


def _comparison(row: pd.Series) -> View:
    """Return what is compared with the reference; nothing for the reference itself."""
    if row["is_reference"] or not np.isfinite(row["difference"]):
        return {}
    has_room = row["scaled_status"] != Status.NO_HEADROOM
    return {
        "difference": signed(row["difference"]),
        "difference_interval": span(row["difference_low"], row["difference_high"]),
        "scaled": number(row["scaled"]) if has_room else "no headroom",
        "scaled_interval": span(row["scaled_low"], row["scaled_high"]),
    }
