"""Charts of ranks: which a model may have, and who stands together over contexts."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from wildcell.names import NAIVE_MODELS
from wildcell.results.friedman import groups_of
from wildcell.results.report.dot_table import short
from wildcell.results.report.drawn import (
    INK,
    PALE_INK,
    WIDTH,
    Drawn,
    by_kind,
    chosen_filter,
    chosen_metric,
    drawn,
    headline_of,
    looked,
    name_axis,
    tips,
)
from wildcell.results.report.vega import alt

LANE = 0.035
"""Width of the room for one line of models that stand together, as a share of the ranks."""
CRITICAL = "critical difference"


def places(found: pd.DataFrame, reference: str, first: str) -> Drawn | None:
    """Return the rank of each model, and the ranks that it may have.

    Parameters
    ----------
    found
        Places of `wildcell.results.compare.compare_models`, of one question.
    reference
        The reference baseline.
    first
        The metric that is shown before another is chosen.
    """
    rows = _rows(found, reference, first)
    if rows.empty:
        return None
    columns = ["metric", "label", "kind", "rank", "rank_low", "rank_high", "interval"]
    chosen = chosen_metric(headline_of(rows, first), "Metric")
    base = alt.Chart(rows[columns]).transform_filter(chosen_filter())
    scale = alt.Scale(domain=[0.5, float(rows["rank_high"].max()) + 0.5], nice=False)
    axis = alt.Axis(title="rank, and ranks it may have", tickMinStep=1, format="d")
    y = _best_on_top("rank")
    bars = base.mark_rule(strokeWidth=2, aria=False).encode(
        x=alt.X("rank_low:Q", scale=scale, axis=axis), x2="rank_high:Q", y=y, color=by_kind("color")
    )
    points = base.mark_point(filled=True, opacity=1, size=70, aria=False).encode(
        x=alt.X("rank:Q", scale=scale, axis=axis),
        y=y,
        color=by_kind("color"),
        shape=by_kind("shape"),
        tooltip=tips(columns),
    )
    chart = alt.layer(bars, points).add_params(chosen)
    return drawn(
        looked(chart.properties(width=WIDTH, height=alt.Step(20))),
        rows[columns],
        name="ranks",
        title="Ranks, and how surely they are known",
        note=(
            "A point is a model's rank over the conditions that all compared models know; the line "
            "spans the ranks that cannot be ruled out, with 95 % confidence for each model. Models "
            "that share a point are tied. Left out: those that answer less than half."
        ),
    )


def critical_difference(found: pd.DataFrame, reference: str, first: str) -> Drawn | None:
    """Return the mean rank of each model over contexts, those that do not differ joined.

    Parameters
    ----------
    found, reference, first
        As for `places`.

    Returns
    -------
    None where no metric has ranks in five contexts or more.

    Notes
    -----
    After Demsar, Statistical comparisons of classifiers over multiple data sets (JMLR 2006), turned
    upright, so that names of any length can be read.
    """
    rows = _rows(found, reference, first)
    if rows.empty or not np.isfinite(rows["mean_rank_in_contexts"]).any():
        return None
    rows = rows[np.isfinite(rows["mean_rank_in_contexts"])]
    rows = rows.rename(columns={"mean_rank_in_contexts": "mean_rank", "n_blocks": "contexts"})
    metrics = headline_of(rows, first)
    joined = pd.concat([_joined(rows[rows["metric"] == name]) for name in metrics])
    columns = ["metric", "label", "kind", "mean_rank", "critical_difference", "friedman_p"]
    columns += ["contexts"]
    own = alt.Chart(rows[columns]).transform_filter(chosen_filter())
    longest = 1 + rows["critical_difference"].max()
    most = float(np.nanmax([rows["mean_rank"].max(), joined["lane"].max(), longest]))
    axis = alt.Axis(tickMinStep=1, format="d")
    scale = alt.Scale(domain=[0.8, most + 0.2], nice=False)
    title = "mean rank over contexts, 1 is best"
    x = alt.X("mean_rank:Q", title=title, scale=scale, axis=axis)
    y = _best_on_top("mean_rank")
    points = own.mark_point(filled=True, opacity=1, size=70, aria=False).encode(
        x=x, y=y, color=by_kind("color"), shape=by_kind("shape"), tooltip=tips(columns)
    )
    lines = alt.Chart(joined).transform_filter(chosen_filter())
    lines = lines.mark_line(strokeWidth=4, color=INK, strokeCap="round", aria=False).encode(
        x=alt.X("lane:Q", title=title, scale=scale, axis=axis),
        y=y,
        detail="group:N",
        order="mean_rank:Q",
    )
    chart = alt.layer(lines, *_ruler(rows, metrics), points)
    chart = chart.add_params(chosen_metric(metrics, "Metric"))
    return drawn(
        looked(chart.properties(width=WIDTH, height=alt.Step(20))),
        rows[columns],
        name="critical-difference",
        title="Who stands together over contexts",
        note=(
            "Models are ranked within each context, and the ranks averaged. Those that an upright "
            "line joins are no further apart than the critical difference (Nemenyi, 5 %), which "
            "depends on who else is ranked: pairs are told apart by wildcell compare. friedman_p "
            "asks whether any differ at all."
        ),
    )


def _rows(found: pd.DataFrame, reference: str, first: str) -> pd.DataFrame:
    """Return the places at headline metrics, with labels and kinds."""
    if found.empty:
        return found
    rows = found[found["metric"].isin(headline_of(found, first))]
    names = [
        [model, *filter(None, same.split(", "))]
        for model, same in zip(rows["model"], rows["same"], strict=True)
    ]
    kinds = [
        "reference" if reference in own else "naive" if own[0] in NAIVE_MODELS else "model"
        for own in names
    ]
    return rows.assign(label=[short(" = ".join(own)) for own in names], kind=kinds)


def _joined(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each line that joins models of one metric, and model it joins.

    `lane` is where the line stands, beyond the last rank.
    """
    rows = rows.sort_values("mean_rank")
    last = float(rows["mean_rank"].max())
    critical = float(rows["critical_difference"].iloc[0])
    groups = groups_of(rows["mean_rank"].to_numpy(float), critical)
    own = rows[["metric", "label", "mean_rank"]]
    lanes = [
        own.iloc[start : stop + 1].assign(group=order, lane=last * (1 + (order + 1.5) * LANE))
        for order, (start, stop) in enumerate(groups)
    ]
    return pd.concat([own.iloc[:0].assign(group=0, lane=0.0), *lanes])


def _ruler(rows: pd.DataFrame, metrics: Sequence[str]) -> tuple[alt.Chart, alt.Chart]:
    """Return a line as long as the critical difference, above the rest, and what it is."""
    critical = rows.drop_duplicates("metric").set_index("metric")["critical_difference"]
    ends = [
        {"metric": name, "start": 1.0, "stop": 1.0 + critical[name], "words": CRITICAL}
        for name in metrics
    ]
    base = alt.Chart(pd.DataFrame(ends)).transform_filter(chosen_filter())
    above = alt.value(-8)
    line = base.mark_rule(strokeWidth=2, color=PALE_INK, aria=False).encode(
        x="start:Q", x2="stop:Q", y=above
    )
    told = base.mark_text(align="left", dx=6, fontSize=10, color=INK, aria=False).encode(
        x="stop:Q", y=above, text="words:N"
    )
    return line, told


def _best_on_top(field: str) -> alt.Y:
    order = alt.EncodingSortField(field, op="min", order="ascending")
    return alt.Y("label:N", sort=order, axis=name_axis())
