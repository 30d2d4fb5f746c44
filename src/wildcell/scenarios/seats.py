"""Who is where in a question: the role of each cell, and the side that each control is on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildcell.arrays import Booleans
from wildcell.datasets.dataset import Dataset
from wildcell.names import Role
from wildcell.scenarios.controls import common_controls, kept_controls
from wildcell.scenarios.elsewhere import UNSHARED
from wildcell.scenarios.split import Split


@dataclass(frozen=True)
class Seats:
    """The place of every cell of a screen.

    Attributes
    ----------
    dataset
        The screen.
    roles
        Role of each cell, "" for controls, shape (n_cells,).
    is_kept
        Controls that only the judge may see, shape (n_cells,).
    is_common
        Controls that models may see in every arm and fold of a seed, shape (n_cells,).
    is_halved
        Cells of the groups whose controls are halved, shape (n_cells,).
    """

    dataset: Dataset
    roles: NDArray[np.object_]
    is_kept: Booleans
    is_common: Booleans
    is_halved: Booleans

    @property
    def is_given(self) -> Booleans:
        """Controls that models may see, shape (n_cells,)."""
        return self.dataset.is_control & ~self.is_kept

    @property
    def is_seen(self) -> Booleans:
        """Training cells and the given controls of the question's groups, shape (n_cells,).

        Groups that are neither trained on, validated on nor tested tell models nothing.
        """
        is_used = self.is_halved | self.beside(Role.TRAIN) | self.beside(Role.VAL)
        return self.of(Role.TRAIN) | (self.is_given & is_used)

    def of(self, role: Role) -> Booleans:
        """Mark the perturbed cells of a role, shape (n_cells,)."""
        return np.asarray(self.roles == role)

    def beside(self, role: Role) -> Booleans:
        """Mark every cell whose control group a cell of the role belongs to, shape (n_cells,)."""
        groups = self.dataset.cells.obs["control_group"].astype(str)
        return np.asarray(groups.isin(set(groups[self.of(role)])))

    def with_given(self, role: Role) -> Booleans:
        """Mark the cells of a role, and the given controls of their groups, shape (n_cells,)."""
        return self.of(role) | (self.is_given & self.beside(role))


def take_seats(dataset: Dataset, split: Split) -> Seats:
    """Give every cell its place; the controls of every group that is tested are halved.

    So are those of groups that would be tested, were not only what foreign screens share asked
    about: what is asked changes neither what models see nor what judges do.
    """
    table = split.conditions
    is_tested = (table["role"] == Role.TEST) | (table["reason"] == UNSHARED)
    groups = set(table.loc[is_tested, "control_group"])
    return Seats(
        dataset,
        split.roles_of_cells(dataset),
        kept_controls(dataset, groups, seed=split.seed),
        common_controls(dataset, seed=split.seed),
        dataset.cells.obs["control_group"].astype(str).isin(groups).to_numpy(dtype=bool),
    )
