"""The rules by which conditions, or cells, are held out."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from wildcell.errors import OptionError, SplitError
from wildcell.names import CONDITION, Role
from wildcell.scenarios.split import splitter

LEAVE_ONE_OUT = -1
CHOOSE_FOLDS = 0


def blank_roles(table: pd.DataFrame, category: str) -> pd.DataFrame:
    """Return a table of roles in which everything is for training."""
    return pd.DataFrame(
        {"role": str(Role.TRAIN), "reason": "", "category": category}, index=table.index
    )


def _check_share(name: str, share: float) -> None:
    if not isinstance(share, int | float) or not 0 <= share < 1:
        raise OptionError(f"{name} must be at least 0 and below 1; got {share!r}.")


def _n_of(share: float, n: int) -> int:
    """Return how many of n names a share is: one at least, and not all of them."""
    return min(max(1, round(share * n)), n - 1)


def deal(names: Sequence[str], n_folds: int, rng: np.random.Generator) -> list[list[str]]:
    """Deal names into folds that differ in size by at most one, each fold not empty."""
    shuffled = list(rng.permutation(np.array(sorted(names), dtype=object)))
    return [shuffled[fold::n_folds] for fold in range(n_folds)]


def choose_n_folds(n_folds: int, n: int) -> int:
    """Return how many folds `n` things are dealt into; 1 stands for a single split.

    Parameters
    ----------
    n_folds
        A number of at least 2, 1 for a single split, -1 for leave-one-out, or 0 to choose:
        leave-one-out below 10 things, 5 folds below 100, else a single split.
    n
        How many things there are.
    """
    if not isinstance(n_folds, int):
        raise OptionError(f"n_folds must be a whole number; got {n_folds!r}.")
    if n_folds == CHOOSE_FOLDS:
        n_folds = LEAVE_ONE_OUT if n < 10 else 5 if n < 100 else 1
    if n_folds == LEAVE_ONE_OUT:
        return n
    if n_folds < 1:
        raise OptionError(f"n_folds must be at least 1, 0 to choose or -1; got {n_folds}.")
    return min(n_folds, n)


def held_out_folds(
    names: Iterable[str],
    rng: np.random.Generator,
    *,
    n_folds: int,
    test_share: float,
    val_share: float,
) -> list[tuple[set[str], set[str]]]:
    """Return the names for test and for validation of each fold.

    At least one name always stays for training; with fewer than three left beside the test,
    validation gets none.
    """
    _check_share("test_share", test_share)
    _check_share("val_share", val_share)
    names = sorted(set(names))
    n_folds = choose_n_folds(n_folds, len(names))
    if n_folds > 1:
        tests = deal(names, n_folds, rng)
    else:
        tests = [list(rng.permutation(names)[: _n_of(test_share, len(names))])]
    return [(set(test), _pick_val(names, test, val_share, rng)) for test in tests]


def _pick_val(
    names: Sequence[str], test: Iterable[str], share: float, rng: np.random.Generator
) -> set[str]:
    rest = sorted(set(names) - set(test))
    if share == 0 or len(rest) < 3:
        return set()
    return set(rng.permutation(rest)[: _n_of(share, len(rest))])


def _set_role(roles: pd.DataFrame, rows: pd.Series, role: Role, reason: str = "") -> None:
    roles.loc[rows, "role"] = str(role)
    roles.loc[rows, "reason"] = reason


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
    _check_share("test_share", test_share)
    _check_share("val_share", val_share)
    order = rng.permutation(len(cells))
    rank = cells.iloc[order].groupby(CONDITION).cumcount().reindex(cells.index)
    size = cells.groupby(CONDITION)["context"].transform("size")
    roles = blank_roles(cells, "seen")
    n_test = np.minimum(np.maximum(np.round(test_share * size), 1), size - 1)
    n_val = np.where(size - n_test >= 3, np.round(val_share * size), 0)
    n_val = np.minimum(n_val, size - n_test - 1)
    _set_role(roles, rank < n_test + n_val, Role.VAL)
    _set_role(roles, rank < n_test, Role.TEST)
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
    return [_hold_out_components(conditions, components, test, val) for test, val in folds]


def _hold_out_components(
    conditions: pd.DataFrame, components: pd.DataFrame, test: set[str], val: set[str]
) -> pd.DataFrame:
    is_single = conditions["n_components"] == 1
    roles = blank_roles(conditions, "single")
    roles.loc[~is_single, "category"] = "combination"
    has_val, has_test = (_has_part(conditions, components, names) for names in (val, test))
    _set_role(roles, has_val & is_single, Role.VAL)
    _set_role(roles, has_test & is_single, Role.TEST)
    reason = "combination with a held-out component"
    _set_role(roles, (has_val | has_test) & ~is_single, Role.UNUSED, reason)
    return roles


def _has_part(conditions: pd.DataFrame, components: pd.DataFrame, names: set[str]) -> pd.Series:
    keys = components.loc[components["component"].isin(names), "perturbation"]
    return conditions["perturbation"].isin(keys)


@splitter("unseen-combination")
def unseen_combination(
    conditions: pd.DataFrame,
    components: pd.DataFrame,
    rng: np.random.Generator,
    *,
    n_folds: int = 1,
    unseen_component_share: float = 0.0,
    test_share: float = 0.5,
    val_share: float = 0.1,
) -> list[pd.DataFrame]:
    """Hold out combinations, and a share of the components on their own.

    A combination of held-out components is always tested. The category says how many of a
    combination's components were not seen singly in training: combo-0, combo-1, combo-2.
    """
    _check_share("unseen_component_share", unseen_component_share)
    is_combination = conditions["n_components"] > 1
    if conditions.loc[is_combination, "perturbation"].nunique() < 2:
        raise SplitError(
            "Unseen combinations need at least 2 combinations; found "
            f"{conditions.loc[is_combination, 'perturbation'].nunique()}. "
            "Curate with --combination-separator if the labels hold some."
        )
    folds = []
    unseen = _unseen_components(conditions, components, unseen_component_share, rng)
    open_combinations = conditions.loc[
        is_combination & ~_has_part(conditions, components, unseen), "perturbation"
    ]
    if open_combinations.nunique() < 2:
        raise SplitError(
            f"Holding out {len(unseen)} components leaves {open_combinations.nunique()} "
            "combinations to choose from; lower unseen_component_share."
        )
    for test, val in held_out_folds(
        open_combinations, rng, n_folds=n_folds, test_share=test_share, val_share=val_share
    ):
        roles = blank_roles(conditions, "single")
        _set_role(roles, conditions["perturbation"].isin(val), Role.VAL)
        is_test = conditions["perturbation"].isin(test) | _has_part(conditions, components, unseen)
        _set_role(roles, is_test, Role.TEST)
        roles["category"] = combination_categories(conditions, components, roles["role"])
        folds.append(roles)
    return folds


def _unseen_components(
    conditions: pd.DataFrame, components: pd.DataFrame, share: float, rng: np.random.Generator
) -> set[str]:
    if share == 0:
        return set()
    sizes = conditions.drop_duplicates("perturbation").set_index("perturbation")["n_components"]
    is_single = components["perturbation"].map(sizes) == 1
    names = sorted(set(components.loc[is_single, "component"]))
    return set(rng.permutation(names)[: _n_of(share, len(names))]) if names else set()


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
    return [_hold_out_contexts(conditions, test, val) for test, val in folds]


def _hold_out_contexts(conditions: pd.DataFrame, test: set[str], val: set[str]) -> pd.DataFrame:
    roles = blank_roles(conditions, "unseen context")
    _set_role(roles, conditions["context"].isin(val), Role.VAL)
    _set_role(roles, conditions["context"].isin(test), Role.TEST)
    trained = conditions.loc[roles["role"] == Role.TRAIN, "perturbation"]
    is_untrained = ~conditions["perturbation"].isin(trained) & (roles["role"] != Role.TRAIN)
    _set_role(roles, is_untrained, Role.UNUSED, "perturbation never trained on")
    return roles
