"""The rules by which conditions, or cells, are held out."""

import numpy as np
import pandas as pd

from wildcell.errors import SplitError
from wildcell.names import CONDITION, Role
from wildcell.scenarios.folds import CHOOSE_FOLDS, check_share, held_out_folds, n_of
from wildcell.scenarios.roles import (
    blank_roles,
    has_part,
    hold_out_components,
    hold_out_contexts,
    set_role,
)
from wildcell.scenarios.split import splitter


@splitter("iid", level="cell")
def iid(
    cells: pd.DataFrame,
    components: pd.DataFrame,  # noqa: ARG001
    rng: np.random.Generator,
    *,
    test_share: float = 0.3,
    val_share: float = 0.1,
) -> list[pd.DataFrame]:
    """Hold out random cells of every condition: the same conditions, other cells."""
    check_share("test_share", test_share)
    check_share("val_share", val_share)
    order = rng.permutation(len(cells))
    rank = cells.iloc[order].groupby(CONDITION).cumcount().reindex(cells.index)
    size = cells.groupby(CONDITION)["context"].transform("size")
    roles = blank_roles(cells, "seen")
    n_test = np.minimum(np.maximum(np.round(test_share * size), 1), size - 1)
    n_val = np.where(size - n_test >= 3, np.round(val_share * size), 0)
    n_val = np.minimum(n_val, size - n_test - 1)
    set_role(roles, rank < n_test + n_val, Role.VAL)
    set_role(roles, rank < n_test, Role.TEST)
    return [roles]


@splitter("unseen-perturbation")
def unseen_perturbation(
    conditions: pd.DataFrame,
    components: pd.DataFrame,
    rng: np.random.Generator,
    *,
    n_folds: int = CHOOSE_FOLDS,
    test_share: float = 0.2,
    val_share: float = 0.1,
) -> list[pd.DataFrame]:
    """Hold out single perturbations in all contexts, and every combination that has a part of one.

    Perturbations that share a component, such as doses of one compound, are held out together.
    """
    is_single = conditions["n_components"] == 1
    part_of = components.drop_duplicates("perturbation").set_index("perturbation")["component"]
    part = conditions["perturbation"].map(part_of)
    if part[is_single].nunique() < 2:
        raise SplitError(
            "Unseen perturbations need at least 2 single perturbations; "
            f"found {part[is_single].nunique()}."
        )
    folds = held_out_folds(
        part[is_single], rng, n_folds=n_folds, test_share=test_share, val_share=val_share
    )
    return [hold_out_components(conditions, components, test, val) for test, val in folds]


@splitter("unseen-combination")
def unseen_combination(
    conditions: pd.DataFrame,
    components: pd.DataFrame,
    rng: np.random.Generator,
    *,
    n_folds: int = 1,
    unseen_component_share: float = 0.0,
    val_component_share: float = 0.0,
    test_share: float = 0.5,
    val_share: float = 0.1,
) -> list[pd.DataFrame]:
    """Hold out combinations, and a share of the components on their own.

    A combination of held-out components is always tested, and one of components that are set aside
    for validation is for validation. The category says how many of a combination's components were
    not seen singly in training: combo-0, combo-1, combo-2.
    """
    check_share("unseen_component_share", unseen_component_share)
    check_share("val_component_share", val_component_share)
    is_combination = conditions["n_components"] > 1
    if conditions.loc[is_combination, "perturbation"].nunique() < 2:
        raise SplitError(
            "Unseen combinations need at least 2 combinations; found "
            f"{conditions.loc[is_combination, 'perturbation'].nunique()}. "
            "Curate with --combination-separator if the labels hold some."
        )
    folds = []
    single = _single_components(conditions, components)
    unseen = _draw(single, unseen_component_share, rng)
    aside = _draw([name for name in single if name not in unseen], val_component_share, rng)
    open_combinations = conditions.loc[
        is_combination & ~has_part(conditions, components, unseen | aside), "perturbation"
    ]
    if open_combinations.nunique() < 2:
        raise SplitError(
            f"Holding out {len(unseen | aside)} components leaves {open_combinations.nunique()} "
            "combinations to choose from; lower unseen_component_share or val_component_share."
        )
    for test, val in held_out_folds(
        open_combinations, rng, n_folds=n_folds, test_share=test_share, val_share=val_share
    ):
        roles = blank_roles(conditions, "single")
        is_val = conditions["perturbation"].isin(val) | has_part(conditions, components, aside)
        set_role(roles, is_val, Role.VAL)
        is_test = conditions["perturbation"].isin(test) | has_part(conditions, components, unseen)
        set_role(roles, is_test, Role.TEST)
        roles["category"] = combination_categories(conditions, components, roles["role"])
        folds.append(roles)
    return folds


def _single_components(conditions: pd.DataFrame, components: pd.DataFrame) -> list[str]:
    single = conditions.loc[conditions["n_components"] == 1, "perturbation"]
    return sorted(set(components.loc[components["perturbation"].isin(single), "component"]))


def _draw(names: list[str], share: float, rng: np.random.Generator) -> set[str]:
    """Draw a share of the names, none where they are fewer than two or the share is 0."""
    return set(rng.permutation(names)[: n_of(share, len(names))]) if share and names else set()


def combination_categories(
    conditions: pd.DataFrame, components: pd.DataFrame, roles: pd.Series
) -> pd.Series:
    """Return `single`, or `combo-N` where N components were not seen singly in training."""
    is_single = conditions["n_components"] == 1
    trained = conditions.loc[is_single & (roles == Role.TRAIN), "perturbation"]
    seen = set(components.loc[components["perturbation"].isin(trained), "component"])
    is_new = ~components["component"].isin(seen)
    n_new = is_new.groupby(components["perturbation"]).sum()
    combo = "combo-" + conditions["perturbation"].map(n_new).astype(int).astype(str)
    return combo.mask(is_single, "single")


@splitter("unseen-context")
def unseen_context(
    conditions: pd.DataFrame,
    components: pd.DataFrame,  # noqa: ARG001
    rng: np.random.Generator,
    *,
    n_folds: int = 1,
    test_share: float = 0.1,
    val_share: float = 0.1,
) -> list[pd.DataFrame]:
    """Hold out whole contexts; only their controls are given.

    A condition of a held-out context whose perturbation was never trained on is left out. With
    fewer than four contexts none is set aside for validation.
    """
    contexts = sorted(set(conditions["context"]))
    if len(contexts) < 2:
        raise SplitError(f"Unseen contexts need at least 2 contexts; found {contexts}.")
    folds = held_out_folds(
        contexts,
        rng,
        n_folds=n_folds,
        test_share=test_share,
        val_share=val_share if len(contexts) >= 4 else 0.0,
    )
    return [hold_out_contexts(conditions, test, val) for test, val in folds]
