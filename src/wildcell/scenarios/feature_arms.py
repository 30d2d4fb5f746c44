"""The features of components that models are given in one arm of a scenario."""

import numpy as np
import pandas as pd

from wildcell.errors import OptionError


def features_in_arm(
    rule: str,
    features: pd.DataFrame | None,
    components: pd.DataFrame,
    rng: np.random.Generator,
) -> pd.DataFrame | None:
    """Return what a rule makes of the features of components, indexed by component.

    Parameters
    ----------
    rule
        `given`, `none`, `one-hot`, or `shuffled`, which deals the given rows out anew so that no
        component keeps its own.
    features
        The given ones, shape (n_components, n_features).
    components
        The parts of all perturbations; column component.
    rng
        For the order of shuffled rows.

    Raises
    ------
    OptionError
        The features cannot be used, or there are none to shuffle.
    """
    if rule == "none":
        return None
    if rule == "one-hot":
        return one_hot(components)
    checked = None if features is None else checked_features(features)
    return checked if rule == "given" else _shuffled(checked, rng)


def one_hot(components: pd.DataFrame) -> pd.DataFrame:
    """Return a feature of its own for each component, indexed by component."""
    names = pd.Index(sorted(set(components["component"])), name="component")
    return pd.DataFrame(np.eye(len(names)), index=names, columns=list(names))


def checked_features(features: pd.DataFrame) -> pd.DataFrame:
    """Return a copy of the features as numbers, or say which cannot be used.

    Raises
    ------
    OptionError
        A component is named twice, or a feature is no finite number.
    """
    if features.index.has_duplicates:
        twice = features.index[features.index.duplicated()][:3].tolist()
        raise OptionError(f"Features name components twice: {twice}; keep one row each.")
    try:
        numbers = features.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise OptionError(f"Features must be numbers: {error}.") from error
    if not np.isfinite(numbers.to_numpy()).all():
        lacking = numbers.index[~np.isfinite(numbers.to_numpy()).all(axis=1)][:3].tolist()
        raise OptionError(f"Features of {lacking} are not finite; drop these rows or fill them.")
    return numbers.set_axis(numbers.index.astype(str)).copy()


def _shuffled(features: pd.DataFrame | None, rng: np.random.Generator) -> pd.DataFrame:
    if features is None or len(features) < 2:
        raise OptionError("There are no features to shuffle; name some with --features.")
    cycle = rng.permutation(len(features))
    shuffled = features.to_numpy(copy=True)
    shuffled[cycle] = features.to_numpy()[np.roll(cycle, 1)]
    return pd.DataFrame(shuffled, index=features.index, columns=features.columns)
