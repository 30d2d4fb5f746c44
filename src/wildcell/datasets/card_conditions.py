"""The conditions of a screen, measured one context at a time, and their targets."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from wildcell.arrays import Codes, Floats
from wildcell.datasets.card_effects import (
    Measured,
    blocks,
    effect_sizes,
    status_of,
    systematic_variation,
)
from wildcell.datasets.card_moments import Halves, Reading
from wildcell.datasets.card_targets import target_numbers, target_rows, with_verdicts
from wildcell.datasets.dataset import Dataset
from wildcell.names import CONDITION, Status


class Layout(NamedTuple):
    """Where each cell belongs.

    Attributes
    ----------
    condition
        Row in `Dataset.conditions` of each cell, shape (n_cells,); -1 for controls.
    control_group
        Of each cell, numbered, shape (n_cells,).
    n_groups
        Number of control groups.
    group_of_condition
        Control group of each condition, shape (n_conditions,).
    order, starts
        Cells in the order of their conditions, controls first, shape (n_cells,); where the cells
        of each condition begin in it, and where the last end, shape (n_conditions + 1,).
    """

    condition: Codes
    control_group: Codes
    n_groups: int
    group_of_condition: Codes
    order: Codes
    starts: Codes

    @property
    def halved(self) -> Codes:
        """What is halved, numbered: conditions, and the controls of each group."""
        is_control = self.condition < 0
        n_conditions = len(self.group_of_condition)
        return np.where(is_control, n_conditions + self.control_group, self.condition)

    def cells_of(self, condition: int) -> Codes:
        """Return the cells of a condition."""
        return self.order[self.starts[condition] : self.starts[condition + 1]]


def lay_out(dataset: Dataset) -> Layout:
    """Number the conditions and control groups of a screen, and say which cells are theirs."""
    obs, conditions = dataset.cells.obs, dataset.conditions
    known = pd.MultiIndex.from_frame(conditions[CONDITION])
    condition = known.get_indexer(pd.MultiIndex.from_frame(obs[CONDITION].astype(str)))
    control_group, names = pd.factorize(obs["control_group"].astype(str))
    order = np.argsort(condition, kind="stable")
    return Layout(
        condition=condition,
        control_group=control_group,
        n_groups=len(names),
        group_of_condition=pd.Index(names).get_indexer(conditions["control_group"]),
        order=order,
        starts=np.searchsorted(condition[order], np.arange(len(known) + 1)),
    )


def measure_conditions(
    dataset: Dataset, layout: Layout, reading: Reading, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure every condition against its controls.

    Parameters
    ----------
    dataset
        The curated screen.
    layout
        Which cells are whose.
    reading
        How its numbers are read, with the conditions and controls of `layout` halved.
    rng
        Halves the controls several times more, for the systematic variation.

    Returns
    -------
    The tables `conditions` and `targets` of a card.

    Examples
    --------
    >>> import numpy as np
    >>> from wildcell.datasets.card_moments import read_dataset
    >>> from wildcell.datasets.load import load_dataset
    >>> screen = load_dataset("simulated", n_contexts=1, n_perturbations=4, n_controls=10)
    >>> layout = lay_out(screen)
    >>> rng = np.random.default_rng(0)
    >>> reading = read_dataset(screen, layout.halved, rng)
    >>> conditions, targets = measure_conditions(screen, layout, reading, rng)
    >>> conditions["status"].unique().tolist()
    ['too_few_controls']
    """
    conditions = _sizes(dataset, layout, reading)
    targets = target_rows(dataset)
    is_control = dataset.is_control
    controls = reading.halves(
        np.flatnonzero(is_control), layout.control_group[is_control], layout.n_groups
    )
    by_context = [
        _measure_context(table, targets, layout=layout, reading=reading, controls=controls, rng=rng)
        for _, table in conditions.groupby("context", sort=False)
    ]
    effects, numbers = (pd.concat(tables) for tables in zip(*by_context, strict=True))
    conditions = _with_effects(conditions, effects)
    targets = with_verdicts(targets.join(numbers), conditions["status"])
    return _with_targets(conditions, targets), targets.drop(columns=["condition", "column"])


def _sizes(dataset: Dataset, layout: Layout, reading: Reading) -> pd.DataFrame:
    """Count the cells of each condition and its controls, and take the medians of their depths."""
    columns = [*CONDITION, "control_group", "modality", "n_components", "n_cells"]
    table = dataset.conditions[columns].copy()
    is_control, cells = dataset.is_control, reading.sizes
    of_condition = cells[~is_control].groupby(layout.condition[~is_control]).median()
    of_group = cells[is_control].groupby(layout.control_group[is_control])
    sizes = of_group.size().reindex(layout.group_of_condition, fill_value=0)
    table["n_controls"] = sizes.to_numpy()
    table = table.join(of_condition)
    if "depth" in cells:
        depth = of_group["depth"].median().reindex(layout.group_of_condition)
        table["depth_ratio"] = table["depth"] / depth.to_numpy()
    table["status"] = status_of(table["n_cells"].to_numpy(), table["n_controls"].to_numpy())
    return table


def _measure_context(
    conditions: pd.DataFrame,
    targets: pd.DataFrame,
    *,
    layout: Layout,
    reading: Reading,
    controls: Halves,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what the conditions of one context do, and what becomes of their targets."""
    rows = conditions.index.to_numpy()
    group = layout.group_of_condition[rows]
    means = np.empty((len(rows), controls.first.total.shape[1]))
    effects, numbers = [], []
    for block in blocks(len(rows)):
        cells = [layout.cells_of(row) for row in rows[block]]
        of_cell = np.repeat(np.arange(len(cells)), [len(of_one) for of_one in cells])
        measured = Measured.of(
            reading.halves(np.concatenate(cells), of_cell, len(cells)), controls.take(group[block])
        )
        means[block] = measured.cells.whole.mean
        effects.append(effect_sizes(measured))
        numbers.append(_numbers_of_targets(measured, rows[block], targets, reading))
    table = pd.concat(effects).set_index(rows)
    told = (conditions["status"] == Status.OK).to_numpy()
    table["systematic_variation"] = np.nan
    if told.sum() > 1:
        groups, control_group = np.unique(group[told], return_inverse=True)
        halves = _control_halves(groups, layout=layout, reading=reading, rng=rng)
        cosines = systematic_variation(means[told], control_group, halves)
        table.loc[told, "systematic_variation"] = cosines
    return table, pd.concat(numbers)


def _control_halves(
    groups: Codes, *, layout: Layout, reading: Reading, rng: np.random.Generator
) -> Floats:
    """Return mean log values of halves of some control groups, from several halvings."""
    row_of_group = np.full(layout.n_groups, -1)
    row_of_group[groups] = np.arange(len(groups))
    row = row_of_group[layout.control_group]
    cells = np.flatnonzero((layout.condition < 0) & (row >= 0))
    return reading.half_means(cells, row[cells], len(groups), rng)


def _numbers_of_targets(
    measured: Measured, conditions: Codes, targets: pd.DataFrame, reading: Reading
) -> pd.DataFrame:
    here = targets[targets["condition"].isin(conditions) & (targets["column"] >= 0)]
    row = pd.Index(conditions).get_indexer(here["condition"])
    at = (row, here["column"].to_numpy())
    return target_numbers(measured, at, reading.dataset.expression).set_index(here.index)


def _with_effects(conditions: pd.DataFrame, effects: pd.DataFrame) -> pd.DataFrame:
    """Add effects where they are told, and say why the systematic variation is not."""
    told = conditions["status"] == Status.OK
    table = conditions.join(effects.where(told, np.nan))
    is_alone = told & (told.groupby(table["context"]).transform("sum") < 2)
    table["systematic_status"] = table["status"].mask(is_alone, Status.TOO_FEW_CANDIDATES.value)
    return table


def _with_targets(conditions: pd.DataFrame, targets: pd.DataFrame) -> pd.DataFrame:
    """Add how many targets are measured, and how that of a single perturbation moves."""
    told = targets[targets["status"] == Status.OK]
    of_condition = told.groupby("condition")
    is_single = conditions["n_components"] == 1
    single = told[is_single[told["condition"]].to_numpy()].set_index("condition")
    n_expected = of_condition["as_expected"].sum().astype(int)
    return conditions.assign(
        n_targets=of_condition.size().reindex(conditions.index, fill_value=0),
        n_targets_as_expected=n_expected.reindex(conditions.index, fill_value=0),
        target_signal=of_condition["signal"].sum().reindex(conditions.index),
        target_delta=single["delta"].reindex(conditions.index),
        target_log2_fold_change=single["log2_fold_change"].reindex(conditions.index),
        target_z=single["z"].reindex(conditions.index),
    )
