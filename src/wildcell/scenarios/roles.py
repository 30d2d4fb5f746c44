"""Tables of roles, as splitters fill them."""

import pandas as pd

from wildcell.names import Role


def blank_roles(table: pd.DataFrame, category: str) -> pd.DataFrame:
    """Return a table of roles in which everything is for training."""
    return pd.DataFrame(
        {"role": str(Role.TRAIN), "reason": "", "category": category}, index=table.index
    )


def set_role(roles: pd.DataFrame, rows: pd.Series, role: Role, reason: str = "") -> None:
    """Give rows of a table of roles another role."""
    roles.loc[rows, "role"] = str(role)
    roles.loc[rows, "reason"] = reason


def has_part(conditions: pd.DataFrame, components: pd.DataFrame, names: set[str]) -> pd.Series:
    """Mark the conditions whose perturbation has one of the named components."""
    keys = components.loc[components["component"].isin(names), "perturbation"]
    return conditions["perturbation"].isin(keys)


def hold_out_components(
    conditions: pd.DataFrame, components: pd.DataFrame, test: set[str], val: set[str]
) -> pd.DataFrame:
    """Return roles in which single perturbations are held out, and combinations with them unused.

    Parameters
    ----------
    conditions, components
        As a splitter is given them.
    test, val
        Names of the components that are held out, in all contexts.
    """
    is_single = conditions["n_components"] == 1
    roles = blank_roles(conditions, "single")
    roles.loc[~is_single, "category"] = "combination"
    has_val, has_test = (has_part(conditions, components, names) for names in (val, test))
    set_role(roles, has_val & is_single, Role.VAL)
    set_role(roles, has_test & is_single, Role.TEST)
    reason = "combination with a held-out component"
    set_role(roles, (has_val | has_test) & ~is_single, Role.UNUSED, reason)
    return roles


def folds_with_tests(folds: list[pd.DataFrame]) -> list[pd.DataFrame]:
    """Return the folds in which something is tested; all of them where none is."""
    return [fold for fold in folds if (fold["role"] == Role.TEST).any()] or folds


def hold_out_contexts(conditions: pd.DataFrame, test: set[str], val: set[str]) -> pd.DataFrame:
    """Return roles in which whole contexts are held out.

    Of these, conditions whose perturbation is never trained on are unused.
    """
    roles = blank_roles(conditions, "unseen context")
    set_role(roles, conditions["context"].isin(val), Role.VAL)
    set_role(roles, conditions["context"].isin(test), Role.TEST)
    trained = conditions.loc[roles["role"] == Role.TRAIN, "perturbation"]
    is_untrained = ~conditions["perturbation"].isin(trained) & (roles["role"] != Role.TRAIN)
    set_role(roles, is_untrained, Role.UNUSED, "perturbation never trained on")
    return roles
