"""How far foreign conditions are from what is tested, by what may be known of both."""

from collections.abc import Collection

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist

from wildcell.arrays import Floats
from wildcell.datasets.dataset import Dataset
from wildcell.errors import OptionError
from wildcell.scenarios.task import Cells, cells_on


def context_distances(conditions: pd.DataFrame, controls: Cells, tested: Cells) -> Floats:
    """Return how far the controls of each condition are from those of the nearest tested group.

    The root mean square over the genes that both have, between mean log values at one library
    size.

    Parameters
    ----------
    conditions
        Column control_group.
    controls
        Controls of these groups.
    tested
        Given controls of the tested groups.

    Returns
    -------
    Shape (n_conditions,).
    """
    shared = controls.genes[np.isin(controls.genes, tested.genes)]
    names, own = cells_on(controls, shared).control_moments()
    _, others = cells_on(tested, shared).control_moments()
    nearest = cdist(own.mean, others.mean).min(axis=1) / np.sqrt(len(shared))
    return nearest[names.get_indexer(conditions["control_group"])]


def perturbation_distances(
    screen: Dataset, tested: Collection[str], features: pd.DataFrame | None
) -> Floats:
    """Return how far each condition's features are from those of the nearest tested component.

    Features are standardised. A combination is as near as its nearest part; one without features
    is farther than any.

    Parameters
    ----------
    screen
        Whose conditions.
    tested
        Names of components.
    features
        Shape (n_components, n_features), indexed by component.

    Returns
    -------
    Shape (n_conditions,).

    Raises
    ------
    OptionError
        No tested component has features.
    """
    asked = [] if features is None else sorted(set(tested) & set(features.index))
    if features is None or not asked:
        raise OptionError(
            "Foreign perturbations are ordered by features of components, and what is tested has "
            "none; name some with --features, or take another pool.order."
        )
    values = features.to_numpy(float)
    spread = values.std(axis=0)
    standard = values / np.where(spread > 0, spread, 1.0)
    others = standard[features.index.get_indexer(asked)]
    nearest = pd.Series(cdist(standard, others).min(axis=1), index=features.index)
    parts = screen.components
    of_part = parts["component"].map(nearest)
    of_perturbation = of_part.groupby(parts["perturbation"]).min()
    found = screen.conditions["perturbation"].map(of_perturbation).to_numpy(float)
    return np.where(np.isfinite(found), found, np.nanmax(nearest.to_numpy()) + 1.0)
