"""Doses that were not given in training, of compounds that were."""

from collections.abc import Sequence
from typing import Literal, TypeAlias, get_args

import numpy as np
import pandas as pd

from wildcell.errors import OptionError, SplitError
from wildcell.names import Role
from wildcell.scenarios.folds import check_share, choose_n_folds
from wildcell.scenarios.roles import blank_roles, folds_with_tests, set_role
from wildcell.scenarios.split import splitter

Side: TypeAlias = Literal["inside", "above", "below"]

FEWEST_DOSES = 3
"""Doses a compound has where one can be asked about: two are left to draw a line through."""


@splitter("unseen-dose")
def unseen_dose(
    conditions: pd.DataFrame,
    components: pd.DataFrame,
    rng: np.random.Generator,
    *,
    side: Side = "inside",
    n_folds: int = 1,
    val_share: float = 0.0,
) -> list[pd.DataFrame]:
    """Hold out one dose of each compound, in all contexts; its other doses are trained on.

    Where a compound was given at fewer than three doses nothing is held out. A condition is tested
    if two other doses of its compound are trained on in its own context, on both sides of it for
    `inside`; a fold in which nothing can be tested is left out.

    Parameters
    ----------
    side
        `inside`: a dose between others, drawn at random; `above`: the highest; `below`: the lowest.
    n_folds
        Of `inside` alone: -1 tests every dose between others once.
    val_share
        Share of the compounds whose dose is set aside for validation, not tested.

    Raises
    ------
    OptionError
        An option cannot be used.
    SplitError
        No compound has three doses, or doses of one compound are in several units.
    """
    if side not in get_args(Side):
        raise OptionError(f"side must be one of {', '.join(get_args(Side))}; got {side!r}.")
    check_share("val_share", val_share)
    doses = single_doses(conditions, components)
    candidates = _candidates(doses, side, rng)
    n = choose_n_folds(n_folds, max(map(len, candidates.values()), default=1))
    compounds = rng.permutation(np.array(sorted(candidates), dtype=object))
    val = set(compounds[: min(round(val_share * len(compounds)), len(compounds) - 1)])
    own = doses.reindex(conditions["perturbation"]).set_axis(conditions.index)
    folds = []
    for fold in range(n):
        asked = {name: listed[fold] for name, listed in candidates.items() if fold < len(listed)}
        roles = _hold_out_doses(conditions, components, own, asked, side)
        is_val = (roles["role"] == Role.TEST) & own["component"].isin(val)
        set_role(roles, is_val, Role.VAL)
        folds.append(roles)
    return folds_with_tests(folds)


def single_doses(conditions: pd.DataFrame, components: pd.DataFrame) -> pd.DataFrame:
    """Return the compound and dose of each single perturbation that has one.

    Parameters
    ----------
    conditions
        Columns perturbation, n_components.
    components
        The parts of each perturbation.

    Returns
    -------
    Columns component, dose, indexed by perturbation; doses above 0.

    Raises
    ------
    SplitError
        Doses of one compound are in several units.
    """
    single = conditions.loc[conditions["n_components"] == 1, "perturbation"].unique()
    table = components[components["perturbation"].isin(single) & (components["dose"] > 0)]
    units = table.groupby("component")["unit"].agg(lambda listed: sorted(set(listed)))
    mixed = units[units.str.len() > 1]
    if len(mixed):
        raise SplitError(
            f"Doses of {len(mixed)} compounds are in several units, such as {mixed.index[0]!r} in "
            f"{' and '.join(map(repr, mixed.iloc[0]))}; curate them to one unit."
        )
    return table.set_index("perturbation")[["component", "dose"]]


def _candidates(
    doses: pd.DataFrame, side: Side, rng: np.random.Generator
) -> dict[str, Sequence[float]]:
    """Return the doses of each compound that may be held out, one for each fold."""
    listed = {
        str(name): sorted(set(of_compound))
        for name, of_compound in doses.groupby("component", sort=True)["dose"]
    }
    if not listed:
        raise SplitError(
            "No perturbation has a dose, and unseen doses need a compound at "
            f"{FEWEST_DOSES} or more. Curate with --dose-column if the source has doses."
        )
    enough = {name: some for name, some in listed.items() if len(some) >= FEWEST_DOSES}
    if not enough:
        most = max(map(len, listed.values()))
        raise SplitError(
            f"Unseen doses need a compound at {FEWEST_DOSES} doses or more; of {len(listed)} "
            f"compounds with a dose none has more than {most}. Curate with --dose-column if the "
            "source has doses."
        )
    if side == "inside":
        return {name: list(rng.permutation(some[1:-1])) for name, some in enough.items()}
    return {name: [some[-1] if side == "above" else some[0]] for name, some in enough.items()}


def _hold_out_doses(
    conditions: pd.DataFrame,
    components: pd.DataFrame,
    own: pd.DataFrame,
    asked: dict[str, float],
    side: Side,
) -> pd.DataFrame:
    roles = blank_roles(conditions, f"dose {side}")
    is_asked = own["dose"] == own["component"].map(asked)
    set_role(roles, is_asked, Role.TEST)
    is_alone = is_asked & ~_is_enclosed(own.assign(context=conditions["context"]), is_asked, side)
    set_role(roles, is_alone, Role.UNUSED, "too few other doses in its context")
    is_held_out = components["dose"] == components["component"].map(asked)
    has_held_out = conditions["perturbation"].isin(components.loc[is_held_out, "perturbation"])
    set_role(roles, has_held_out & ~is_asked, Role.UNUSED, "combination with a held-out dose")
    lacking = components.loc[~(components["dose"] > 0), "perturbation"]
    set_role(roles, conditions["perturbation"].isin(lacking), Role.UNUSED, "without a dose")
    return roles


def _is_enclosed(table: pd.DataFrame, is_asked: "pd.Series[bool]", side: Side) -> "pd.Series[bool]":
    """Mark conditions with enough other doses of their compound in their context."""
    trained = table[~is_asked & table["dose"].notna()]
    found = trained.groupby(["context", "component"])["dose"].agg(["min", "max", "nunique"])
    keys = pd.MultiIndex.from_frame(table[["context", "component"]])
    around = found.reindex(keys).set_axis(table.index)
    is_enough = around["nunique"] >= FEWEST_DOSES - 1
    if side == "inside":
        is_enough &= (around["min"] < table["dose"]) & (table["dose"] < around["max"])
    return is_enough.fillna(value=False).astype(bool)
