"""What the judge knows of cells: profiles, the cells themselves, and tests of their genes.

It is the same whether the cells are in memory or in a file; then each file is read once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wildcell.arrays import Codes, Floats
from wildcell.metrics.convention import Convention
from wildcell.metrics.grouped import GroupedCells, grouped
from wildcell.metrics.mann_whitney import RankTest
from wildcell.metrics.profile import Profiles, profiles
from wildcell.names import CONDITION
from wildcell.scenarios.task import Cells
from wildcell.streams.sums import sum_cells

Side: TypeAlias = Literal["kept", "given"]
Tests: TypeAlias = Callable[[Side], RankTest]


@dataclass(frozen=True, eq=False)
class Answer:
    """Cells of all conditions of a truth, in its order.

    Attributes
    ----------
    profiles
        Of each condition.
    cells
        Of each condition; None where there are but means.
    library_sizes
        Total counts of the cells of each condition, in the order of `cells`; None where they are
        not known.
    tests
        Rank tests of each condition against one half of the controls, where these need not be
        computed from `cells`.
    """

    profiles: Profiles
    cells: GroupedCells | None
    library_sizes: tuple[Floats, ...] | None = None
    tests: Tests | None = None


@dataclass(frozen=True, eq=False)
class Controls:
    """One half of the controls.

    Attributes
    ----------
    side
        Which half.
    profiles
        Of each condition's control group, in the order of the truth.
    cells
        Of each control group.
    library_sizes
        Total counts of the cells of each control group; None where they are not known.
    group
        The control group of each condition, shape (n_conditions,).
    expressed
        Cells of each group in which a gene is not zero, shape (n_groups, n_genes).
    """

    side: Side
    profiles: Profiles
    cells: GroupedCells
    library_sizes: tuple[Floats, ...] | None
    group: Codes
    expressed: NDArray[np.int32]

    def share_expressed(self, conditions: Codes) -> Floats:
        """Return the share of the cells of some conditions' groups that have a gene, (n_genes,)."""
        groups = np.unique(self.group[conditions])
        n = sum(len(self.cells.rows[group]) for group in groups)
        return self.expressed[groups].sum(axis=0) / (n or np.nan)


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that a truth's cells say, from one pass over a file.

    Attributes
    ----------
    test
        The test cells.
    halves
        Makes the answers that either half of them is.
    kept, given
        The halves of the controls.
    noisy_groups
        Control groups whose kept half is too noisy to measure effects against.
    """

    test: Answer
    halves: Callable[[], tuple[Answer, Answer]]
    kept: Controls
    given: Controls
    noisy_groups: tuple[str, ...]


def answer_of(cells: Cells, conditions: pd.DataFrame, convention: Convention) -> Answer:
    """Return what cells in memory say of the conditions of a truth."""
    keys = pd.MultiIndex.from_frame(conditions[CONDITION])
    codes = keys.get_indexer(pd.MultiIndex.from_frame(cells.obs[CONDITION]))
    stream = cells.stream(convention.lfc_target_sum)
    sums = sum_cells(stream, codes, len(keys))
    by_condition = grouped(cells.lognorm, codes, len(keys))
    shown = profiles(sums, has_linear=stream.has_linear)
    return Answer(shown, by_condition, library_sizes(depths_of(cells.obs), by_condition.rows))


def controls_of(
    cells: Cells, conditions: pd.DataFrame, convention: Convention, side: Side
) -> Controls:
    """Return what controls in memory say of the conditions of a truth."""
    groups = control_groups(conditions)
    group = groups.get_indexer(conditions["control_group"])
    codes = groups.get_indexer(cells.obs["control_group"])
    stream = cells.stream(convention.lfc_target_sum)
    sums = sum_cells(stream, codes, len(groups))
    by_group = grouped(cells.lognorm, codes, len(groups))
    return Controls(
        side,
        profiles(sums, has_linear=stream.has_linear).take(group),
        by_group,
        library_sizes(depths_of(cells.obs), by_group.rows),
        group,
        sums.expressed,
    )


def depths_of(obs: pd.DataFrame) -> Floats | None:
    """Return the total counts that are stated of cells, shape (n_cells,), or None."""
    return obs["total_counts"].to_numpy(float) if "total_counts" in obs else None


def library_sizes(depths: Floats | None, of_group: Sequence[Codes]) -> tuple[Floats, ...] | None:
    """Return the total counts of groups of cells; None where some are not known.

    Parameters
    ----------
    depths
        Total counts of all cells, shape (n_cells,); NaN is not known.
    of_group
        Which cells each group is made of.
    """
    if depths is None:
        return None
    sizes = tuple(depths[rows] for rows in of_group)
    return None if any(np.isnan(own).any() for own in sizes) else sizes


def control_groups(conditions: pd.DataFrame) -> pd.Index:
    """Return the control groups of some conditions, sorted."""
    return pd.Index(np.unique(conditions["control_group"]))
