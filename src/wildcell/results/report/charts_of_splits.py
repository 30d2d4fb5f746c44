"""Charts of a split: what each context is used for, where contexts lie, and the tree of them."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from wildcell.names import SHAM, Role
from wildcell.results.report.dot_table import short
from wildcell.results.report.drawn import (
    INK,
    PALE_INK,
    WIDTH,
    Drawn,
    drawn,
    looked,
    name_axis,
)
from wildcell.results.report.vega import alt

COLOURS = {
    str(Role.TRAIN): "#8fb8c6",
    str(Role.VAL): "#5f6b76",
    str(Role.TEST): "#b0641c",
    str(Role.UNUSED): "#d9dcdf",
}
SHAPES = {
    str(Role.TRAIN): "circle",
    str(Role.VAL): "square",
    str(Role.TEST): "diamond",
    str(Role.UNUSED): "cross",
}
MOST_CONTEXTS = 60
MOST_NAMED = 40
ROOM_FOR_NAMES = 0.45
"""Beside a tree, as a share of its height."""


def roles(conditions: pd.DataFrame) -> Drawn | None:
    """Return how many conditions of each context are trained on, tested and left out.

    Parameters
    ----------
    conditions
        From `wildcell.store.runs.read_conditions`, of one question; the first fold is drawn.
    """
    own = _first_fold(conditions)
    if own.empty:
        return None
    table = own.groupby(["context", "role"]).size().rename("conditions").reset_index()
    order = _contexts_by_role(table)
    shown = table[table["context"].isin(order[:MOST_CONTEXTS])]
    base = alt.Chart(shown.assign(context=shown["context"].map(short)))
    bars = base.mark_bar(aria=False).encode(
        x=alt.X("conditions:Q", title="conditions"),
        y=alt.Y("context:N", sort=list(map(short, order)), axis=name_axis()),
        color=_colour(),
        order=alt.Order("place:Q"),
        tooltip=[alt.Tooltip("context:N"), alt.Tooltip("role:N"), alt.Tooltip("conditions:Q")],
    )
    bars = bars.transform_calculate(place=f"indexof({list(COLOURS)}, datum.role)")
    left = len(order) - MOST_CONTEXTS
    more = f" {left} more contexts are in the table." if left > 0 else ""
    return drawn(
        looked(bars.properties(width=WIDTH, height=alt.Step(16))),
        table,
        name="split",
        title="What each context is used for",
        note=f"Conditions of each context{_which(own)}.{more}",
    )


def context_map(conditions: pd.DataFrame) -> Drawn | None:
    """Return where the contexts lie that are trained on, validated on and tested.

    Parameters
    ----------
    conditions
        As for `roles`.
    """
    own = _first_fold(conditions)
    if own.empty or "context_x" not in own:
        return None
    placed = own[np.isfinite(own["context_x"].astype(float))]
    if placed["context"].nunique() < 3:
        return None
    table = placed.groupby("context").agg(
        x=("context_x", "first"), y=("context_y", "first"), role=("role", _strictest)
    )
    table = table.reset_index()
    bare, scale = alt.Axis(labels=False, ticks=False), alt.Scale(zero=False, padding=20)
    base = alt.Chart(table).encode(
        x=alt.X("x:Q", title="component 1", axis=bare, scale=scale),
        y=alt.Y("y:Q", title="component 2", axis=bare, scale=scale),
    )
    points = base.mark_point(filled=True, size=70, opacity=0.9, aria=False).encode(
        color=_colour(),
        shape=alt.Shape(
            "role:N",
            scale=alt.Scale(domain=list(SHAPES), range=list(SHAPES.values())),
            legend=_legend(),
        ),
        tooltip=[alt.Tooltip("context:N"), alt.Tooltip("role:N")],
    )
    layers = [points]
    if len(table) <= MOST_NAMED:
        named = base.mark_text(align="left", dx=7, fontSize=10, color=INK, limit=140, aria=False)
        layers.append(named.encode(text="context:N"))
    return drawn(
        looked(alt.layer(*layers).properties(width=WIDTH, height=300)),
        table,
        name="map",
        title="Where the contexts lie",
        note=(
            "Means of the given controls of each context in their first two principal "
            f"components{_which(own)}. A tested context far from all others is a harder question."
        ),
    )


def distances(conditions: pd.DataFrame) -> Drawn | None:
    """Return how far the tested contexts are from those that are trained on.

    Parameters
    ----------
    conditions
        As for `roles`, of all folds.
    """
    if conditions.empty or "context_distance" not in conditions:
        return None
    own = conditions[(conditions["role"] == Role.TEST) & (conditions["category"] != SHAM)]
    columns = {"context_distance": "nearest", "context_distance_mean": "mean of all"}
    known = own.astype(dict.fromkeys(columns, float)).groupby("context")[list(columns)].mean()
    known = known[np.isfinite(known["context_distance"])].rename(columns=columns)
    if known.empty or not (known > 0).any(axis=None):
        return None
    known = known.sort_values("nearest", ascending=False)
    table = known.reset_index().melt("context", list(columns.values()), "to", "distance")
    shown = table[table["context"].isin(known.index[:MOST_CONTEXTS])]
    y = alt.Y("context:N", sort=list(map(short, known.index)), axis=name_axis(padding=9))
    base = alt.Chart(shown.assign(context=shown["context"].map(short)))
    lines = base.mark_line(color=PALE_INK, strokeWidth=1, aria=False)
    points = base.mark_point(filled=True, size=65, opacity=1, aria=False)
    x = alt.X("distance:Q", title="energy distance of controls")
    chart = alt.layer(
        lines.encode(x=x, y=y, detail="context:N"),
        points.encode(
            x=x,
            y=y,
            color=alt.Color(
                "to:N",
                scale=alt.Scale(
                    domain=list(columns.values()),
                    range=[COLOURS[str(Role.TEST)], COLOURS[str(Role.TRAIN)]],
                ),
                legend=_legend(),
            ),
            tooltip=[
                alt.Tooltip("context:N"),
                alt.Tooltip("to:N"),
                alt.Tooltip("distance:Q", format=".3~g"),
            ],
        ),
    )
    left = len(known) - MOST_CONTEXTS
    more = f" {left} nearer contexts are in the table." if left > 0 else ""
    return drawn(
        looked(chart.properties(width=WIDTH, height=alt.Step(18))),
        table,
        name="distance",
        title="How far tested contexts are from training",
        note=(
            "Energy distance between the given controls of a tested context and those of contexts "
            "that are trained on, the nearest one and all of them on average; 0 where it was "
            f"trained on itself. Mean over seeds and folds.{more}"
        ),
    )


def tree(merges: pd.DataFrame, clusters: pd.DataFrame, conditions: pd.DataFrame) -> Drawn | None:
    """Return the tree of contexts that a split was cut from.

    Parameters
    ----------
    merges, clusters
        The tables `tree` and `clusters` of `wildcell.store.split_tables.read_split_tables`, of one
        question; the first seed is drawn.
    conditions
        As for `roles`.
    """
    if merges.empty or clusters.empty:
        return None
    seed = min(clusters["seed"])
    merges, leaves = merges[merges["seed"] == seed], clusters[clusters["seed"] == seed]
    if len(leaves) > 4 * MOST_CONTEXTS:
        return None
    of_context = _roles_of(conditions)
    position = dict(zip(leaves["context"], leaves["position"].astype(float), strict=True))
    segments = pd.DataFrame(_segments(merges, position))
    highest = float(segments["height"].max() or 1.0)
    names = pd.DataFrame(
        {
            "context": leaves["context"],
            "cluster": leaves["cluster"],
            "role": [of_context.get(name, str(Role.UNUSED)) for name in leaves["context"]],
            "position": leaves["position"].astype(float),
        }
    ).sort_values("position")
    x = alt.X(
        "height:Q",
        title="distance",
        scale=alt.Scale(domain=[1.02 * highest, -ROOM_FOR_NAMES * highest], nice=False),
        axis=alt.Axis(grid=False, values=np.linspace(0, highest, 5).tolist(), format=".2~g"),
    )
    rows = alt.Scale(reverse=True, domain=[0.5, len(names) + 0.5], nice=False)
    y = alt.Y("position:Q", axis=None, scale=rows)
    lines = (
        alt.Chart(segments)
        .mark_line(color=PALE_INK, strokeWidth=1.2, aria=False)
        .encode(x=x, y=y, detail="branch:N", order="order:Q")
    )
    leaf = alt.Chart(names.assign(height=0.0)).encode(x=x, y=y)
    points = leaf.mark_point(filled=True, size=55, opacity=1, aria=False).encode(
        color=_colour(),
        tooltip=[alt.Tooltip(f"{name}:N") for name in ("context", "cluster", "role")],
    )
    labels = leaf.mark_text(align="left", dx=9, fontSize=10, color=INK, limit=170, aria=False)
    chart = alt.layer(lines, points, labels.encode(text="context:N"))
    return drawn(
        looked(chart.properties(width=WIDTH, height=max(80, 14 * len(names)))),
        names,
        name="tree",
        title="The tree that the split was cut from",
        note=(
            "Contexts by what their controls express; those of a cluster are held out together, or "
            "told apart as relatives. Colours are of the first fold."
        ),
    )


def _segments(merges: pd.DataFrame, position: dict[str, float]) -> Iterator[dict[str, float | str]]:
    """Yield the corners of each merger of the tree: up one branch, across, and down the other."""
    place, height = dict(position), dict.fromkeys(position, 0.0)
    for _, row in merges.assign(height=merges["height"].astype(float)).iterrows():
        left, right = row["left"], row["right"]
        corners = [
            (height[left], place[left]),
            (row["height"], place[left]),
            (row["height"], place[right]),
            (height[right], place[right]),
        ]
        for order, (at, where) in enumerate(corners):
            yield {"branch": row["node"], "order": order, "height": at, "position": where}
        place[row["node"]] = (place[left] + place[right]) / 2
        height[row["node"]] = row["height"]


def _first_fold(conditions: pd.DataFrame) -> pd.DataFrame:
    if conditions.empty:
        return conditions
    own = conditions[conditions["category"] != SHAM]
    first = own[["seed", "fold"]].drop_duplicates().sort_values(["seed", "fold"]).iloc[0]
    return own[(own["seed"] == first["seed"]) & (own["fold"] == first["fold"])]


def _which(own: pd.DataFrame) -> str:
    return f", seed {own['seed'].iloc[0]}, fold {own['fold'].iloc[0]}"


def _contexts_by_role(table: pd.DataFrame) -> list[str]:
    """Return the contexts, those with most tested conditions first."""
    tested = table[table["role"] == Role.TEST].set_index("context")["conditions"]
    return sorted(set(table["context"]), key=lambda name: (-int(tested.get(name, 0)), name))


def _roles_of(conditions: pd.DataFrame) -> dict[str, str]:
    """Return the role of each context in the first fold."""
    if conditions.empty:
        return {}
    found = _first_fold(conditions).groupby("context")["role"].agg(_strictest)
    return {str(name): str(role) for name, role in found.items()}


def _strictest(found: pd.Series) -> str:
    """Return the role that says most of a context: test, then validation, then training."""
    there = set(found)
    order = (Role.TEST, Role.VAL, Role.TRAIN, Role.UNUSED)
    return next(str(role) for role in order if str(role) in there)


def _colour() -> alt.Color:
    scale = alt.Scale(domain=list(COLOURS), range=list(COLOURS.values()))
    return alt.Color("role:N", scale=scale, legend=_legend())


def _legend() -> alt.Legend:
    return alt.Legend(title=None, orient="top")
