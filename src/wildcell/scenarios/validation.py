"""The question that options are chosen by: a split's validation conditions, without its test."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from wildcell.datasets.dataset import Dataset
from wildcell.errors import SplitError
from wildcell.names import CONDITION, Role
from wildcell.scenarios.scenario import Scenario
from wildcell.scenarios.seats import take_seats
from wildcell.scenarios.sham import with_shams
from wildcell.scenarios.split import Split


class Validation(NamedTuple):
    """A screen without the test of a question, split so that its validation is what is tested."""

    dataset: Dataset
    split: Split


def validation_of(dataset: Dataset, split: Split, scenario: Scenario) -> Validation:
    """Leave out all that a question is judged by, and test its validation conditions instead.

    What is left is what models may see: cells of training and validation conditions, and the
    given controls, which are halved anew. No tested cell, sham or kept control is in it, so that
    nothing that is made of it can depend on them.

    Parameters
    ----------
    dataset, split, scenario
        The question, as it would be asked.

    Raises
    ------
    SplitError
        The split sets no conditions aside for validation.

    Examples
    --------
    >>> from wildcell.datasets.load import load_dataset
    >>> from wildcell.scenarios.scenario import load_scenario
    >>> from wildcell.scenarios.split import make_splits
    >>> dataset, scenario = load_dataset("simulated"), load_scenario("unseen-perturbation")
    >>> split = make_splits(scenario, dataset, seed=0)[0]
    >>> found = validation_of(dataset, split, scenario)
    >>> asked, val = (part.conditions_in(role) for part, role in zip((found.split, split),
    ...               (Role.TEST, Role.VAL), strict=True))
    >>> asked["perturbation"].tolist() == val["perturbation"].tolist()
    True
    """
    if split.conditions_in(Role.VAL).empty:
        raise SplitError(
            f"{scenario.name}, arm {split.arm}, sets no conditions of {dataset.name} aside for "
            f"validation (seed {split.seed}, fold {split.fold}), and options cannot be chosen by "
            "the test. Take an arm or a scenario that does (unseen-perturbation), a larger "
            "val_share, or a data set with more contexts or perturbations."
        )
    posed = with_shams(dataset, split, n=scenario.in_arm(split.arm).shams)
    seats = take_seats(posed.dataset, posed.split)
    is_left = seats.of(Role.TRAIN) | seats.of(Role.VAL) | seats.is_given
    left = Dataset(dataset.name, posed.dataset.cells[is_left].copy())
    roles = np.where(seats.roles == Role.VAL, str(Role.TEST), seats.roles)[is_left]
    return Validation(left, _split_of(left, posed.split, roles[~left.is_control]))


def _split_of(left: Dataset, split: Split, roles: np.ndarray) -> Split:
    """Return the split of the cells that are left, of which `roles` are those of perturbed ones."""
    told = split.conditions.set_index(CONDITION)[["reason", "category"]]
    conditions = left.conditions.join(told, on=CONDITION)
    obs = left.cells.obs.loc[~left.is_control, CONDITION].astype(str).assign(role=roles)
    is_tested = obs.assign(is_tested=obs["role"] == Role.TEST).groupby(CONDITION)["is_tested"].any()
    tested = is_tested.reindex(list(conditions[CONDITION].itertuples(index=False, name=None)))
    conditions["role"] = np.where(tested, str(Role.TEST), str(Role.TRAIN))
    return replace(
        split,
        conditions=conditions[list(split.conditions)],
        cell_roles=None if split.cell_roles is None else roles,
        tables={},
    )
