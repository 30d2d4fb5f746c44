"""Which conditions of foreign screens are trained on, in which order, and under which names."""

import zlib
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from wildcell.arrays import Booleans, Floats
from wildcell.datasets.dataset import Dataset
from wildcell.errors import DataError, OptionError
from wildcell.names import CONDITION, CONTROL
from wildcell.scenarios.pooling import Pooling
from wildcell.scenarios.task import Cells

FOREIGN_COLUMNS = ["dataset", *CONDITION, "control_group", "n_cells"]


def choose_conditions(
    foreign: Sequence[Dataset],
    words: Pooling,
    *,
    held_out: Collection[str],
    distances: Floats,
    seed: int,
) -> pd.DataFrame:
    """Order the conditions of foreign screens, and mark those that are used.

    A smaller share is always part of a larger one of the same order and seed.

    Parameters
    ----------
    foreign
        The screens.
    words
        How they are pooled.
    held_out
        Names of the components that are tested, or set aside for validation, in the target.
    distances
        From what is tested to each condition of the screens; NaN where the order is random.
    seed
        For what is random, ties included.

    Returns
    -------
    Columns screen, context, perturbation, control_group, n_cells, reason (why it may not be used,
    or ""), distance (NaN where the order is random), rank (from 0; -1 where it may not be used),
    is_used; one row a condition.

    Raises
    ------
    DataError
        Nothing is left to be used.
    """
    table = pd.concat([screen.conditions[FOREIGN_COLUMNS] for screen in foreign], ignore_index=True)
    table = table.rename(columns={"dataset": "screen"})
    table["reason"] = ""
    if words.held_out == "drop":
        is_held_out = pd.concat([_has_part(screen, held_out) for screen in foreign])
        table.loc[is_held_out.to_numpy(), "reason"] = "held out in the target"
    table["distance"] = distances
    may_be = np.flatnonzero(table["reason"] == "")
    if not len(may_be):
        raise DataError("No foreign condition may be trained on; name other foreign data.")
    rng = np.random.default_rng([seed, zlib.crc32(b"foreign conditions")])
    drawn = rng.permutation(may_be)
    sign = -1 if words.order.startswith("farthest") else 1
    nearest = np.argsort(sign * table["distance"].fillna(0).to_numpy()[drawn], kind="stable")
    table["rank"] = -1
    table.loc[drawn[nearest], "rank"] = np.arange(len(drawn))
    share = words.share if words.unit == "conditions" else 1.0
    n_used = max(1, round(share * len(drawn)))
    table["is_used"] = (table["rank"] >= 0) & (table["rank"] < n_used)
    return table


def rows_of(screen: Dataset, chosen: pd.DataFrame, words: Pooling, *, seed: int) -> Booleans:
    """Mark the cells of a foreign screen that are trained on, its controls included, (n_cells,).

    Parameters
    ----------
    screen
        The screen.
    chosen
        What `choose_conditions` returned.
    words
        `unit = "cells"` takes a share of the cells of each condition, one at least.
    seed
        For which cells; a smaller share is part of a larger one.
    """
    used = chosen[chosen["is_used"] & (chosen["screen"] == screen.name)]
    keys = pd.MultiIndex.from_frame(used[CONDITION])
    obs = screen.cells.obs
    of_cell = pd.MultiIndex.from_frame(obs[CONDITION].astype(str))
    is_used = np.asarray(of_cell.isin(keys)) & ~screen.is_control
    if words.unit == "cells" and words.share < 1:
        is_used &= _in_share(of_cell, words.share, seed)
    groups = set(used["control_group"])
    return is_used | (screen.is_control & obs["control_group"].astype(str).isin(groups).to_numpy())


def called_foreign(cells: Cells, name: str) -> Cells:
    """Return cells whose contexts and control groups say that they are of another screen.

    So contexts of one name in two screens stay two, each measured against its own controls.
    """
    columns = ["context", "control_group"]
    renamed = {column: foreign_context(cells.obs[column], name) for column in columns}
    return replace(cells, obs=cells.obs.assign(**renamed))


def foreign_context(contexts: "pd.Series[str]", name: str) -> "pd.Series[str]":
    """Return what contexts of a foreign screen are called in a task."""
    return contexts.astype(str) + f" of {name}"


def with_shuffled_labels(cells: Cells, *, seed: int) -> Cells:
    """Return cells in which each perturbation bears the name of another, controls their own.

    What the perturbations have in common stays; which did what is lost. The names go round in one
    cycle over all contexts, so that none keeps its own.

    Raises
    ------
    OptionError
        There is one perturbation alone.
    """
    names = sorted(set(cells.obs["perturbation"]) - {CONTROL})
    if len(names) < 2:
        raise OptionError(
            f"The foreign data have the perturbation {names[0]!r} alone, whose label cannot be "
            "shuffled; choose other data, or leave out target+shuffled."
        )
    rng = np.random.default_rng([seed, zlib.crc32(b"shuffled labels")])
    cycle = rng.permutation(np.array(names, dtype=object))
    new_name = dict(zip(cycle, np.roll(cycle, 1), strict=True))
    labels = cells.obs["perturbation"].map(lambda name: new_name.get(name, name))
    return replace(cells, obs=cells.obs.assign(perturbation=labels))


def _has_part(screen: Dataset, names: Collection[str]) -> "pd.Series[bool]":
    parts = screen.components
    keys = parts.loc[parts["component"].isin(names), "perturbation"]
    return screen.conditions["perturbation"].isin(set(keys))


def _in_share(of_cell: pd.MultiIndex, share: float, seed: int) -> Booleans:
    """Mark a share of the cells of each condition, one at least, shape (n_cells,)."""
    rng = np.random.default_rng([seed, zlib.crc32(b"foreign cells")])
    codes = pd.factorize(of_cell)[0]
    order = rng.permutation(len(codes))
    rank = np.empty(len(codes), dtype=np.intp)
    rank[order] = pd.Series(codes[order]).groupby(codes[order]).cumcount()
    size = np.bincount(codes)[codes]
    return np.asarray(rank < np.maximum(1, np.round(share * size)))
