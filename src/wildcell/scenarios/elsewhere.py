"""What of a target was measured in foreign screens, too."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wildcell.arrays import Booleans
from wildcell.datasets.dataset import Dataset
from wildcell.names import CONDITION, Role
from wildcell.scenarios.pooling import Pooling

SEEN = "seen"
ELSEWHERE = "elsewhere"
UNSHARED = "measured in no foreign data set"


def is_measured_elsewhere(perturbations: "pd.Series[str]", foreign: Sequence[Dataset]) -> Booleans:
    """Mark the perturbations that some foreign screen has, shape (n_rows,)."""
    known = {name for screen in foreign for name in screen.conditions["perturbation"]}
    return perturbations.isin(known).to_numpy(dtype=bool)


def beside_foreign(
    conditions: pd.DataFrame, foreign: Sequence[Dataset], words: Pooling
) -> pd.DataFrame:
    """Return the conditions of a split as they are asked about beside foreign screens.

    The category of a tested condition that a foreign screen has measured ends in `elsewhere`, in
    every arm, whether that screen is trained on or not; so arms are compared category by category.

    Parameters
    ----------
    conditions
        Columns perturbation, role, reason and category.
    foreign
        The foreign screens.
    words
        With `asked = "shared"` other conditions are not tested.
    """
    if not foreign:
        return conditions
    is_shared = is_measured_elsewhere(conditions["perturbation"], foreign)
    is_test = (conditions["role"] == Role.TEST).to_numpy()
    changed = conditions.copy()
    is_told = is_test & is_shared & (conditions["category"] != SEEN).to_numpy()
    changed.loc[is_told, "category"] += f", {ELSEWHERE}"
    if words.asked == "shared":
        changed.loc[is_test & ~is_shared, ["role", "reason"]] = [str(Role.UNUSED), UNSHARED]
    return changed


def cells_beside_foreign(
    cell_roles: NDArray[np.object_], of_cell: pd.DataFrame, conditions: pd.DataFrame
) -> NDArray[np.object_]:
    """Return the roles of cells once some conditions are no longer tested.

    Parameters
    ----------
    cell_roles
        Role of each perturbed cell, shape (n_cells,).
    of_cell
        Columns context and perturbation; one row a perturbed cell.
    conditions
        From `beside_foreign`.
    """
    unused = conditions.loc[conditions["reason"] == UNSHARED, CONDITION]
    is_unused = pd.MultiIndex.from_frame(of_cell[CONDITION]).isin(pd.MultiIndex.from_frame(unused))
    return np.where(is_unused & (cell_roles == Role.TEST), str(Role.UNUSED), cell_roles)
