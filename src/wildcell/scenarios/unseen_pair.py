"""Pairs of a context and a perturbation that were never seen together, each seen elsewhere."""

import numpy as np
import pandas as pd

from wildcell.errors import SplitError
from wildcell.names import Role
from wildcell.scenarios.folds import held_out_folds
from wildcell.scenarios.roles import blank_roles, set_role
from wildcell.scenarios.split import splitter
from wildcell.scenarios.treatments import treatments_of


@splitter("unseen-pair")
def unseen_pair(
    conditions: pd.DataFrame,
    components: pd.DataFrame,
    rng: np.random.Generator,
    *,
    n_folds: int = 1,
    test_share: float = 0.2,
    val_share: float = 0.1,
) -> list[pd.DataFrame]:
    """Hold out perturbations in some contexts each, trained on in others.

    All doses of a compound are held out together in a context. Where a perturbation, or a context,
    would have nothing to be trained on, one of its pairs is trained on after all. A combination
    with a held-out perturbation is left out in that context.

    Parameters
    ----------
    n_folds, test_share, val_share
        Of the pairs whose perturbation is in two contexts and whose context has two perturbations.

    Raises
    ------
    SplitError
        There are fewer than two such pairs.
    """
    treatment = conditions["perturbation"].map(treatments_of(components))
    pairs = pd.DataFrame({"context": conditions["context"], "treatment": treatment})
    names = _name(pairs["context"], treatment)
    is_open = (pairs.groupby("treatment")["context"].transform("nunique") > 1) & (
        pairs.groupby("context")["treatment"].transform("nunique") > 1
    )
    if names[is_open].nunique() < 2:
        raise SplitError(
            "Unseen pairs need perturbations that were measured in two contexts, in contexts with "
            f"two perturbations; found {names[is_open].nunique()} such pairs among "
            f"{names.nunique()}."
        )
    every = pairs.assign(name=names).drop_duplicates().sort_values("name", ignore_index=True)
    every = every.iloc[rng.permutation(len(every))]
    folds = []
    for test, val in held_out_folds(
        names[is_open], rng, n_folds=n_folds, test_share=test_share, val_share=val_share
    ):
        role = pd.Series(str(Role.TRAIN), index=every.index)
        role[every["name"].isin(val)] = str(Role.VAL)
        role[every["name"].isin(test)] = str(Role.TEST)
        for side in ("treatment", "context"):
            _put_one_back(role, every[side])
        of_pair = pd.Series(role.to_numpy(), index=every["name"])
        folds.append(_roles(conditions, components, names.map(of_pair)))
    return folds


def _name(context: "pd.Series[str]", treatment: "pd.Series[str]") -> "pd.Series[str]":
    return context.astype(str) + "\x1e" + treatment.astype(str)


def _put_one_back(role: "pd.Series[str]", side: "pd.Series[str]") -> None:
    """Train on one pair of each treatment, or context, without any: on one for validation first."""
    is_bare = ~(role == Role.TRAIN).groupby(side).transform("any")
    last = role[is_bare].sort_values(kind="stable").index[::-1]  # "val" sorts after "test"
    chosen = last[~side[last].duplicated()]
    role[chosen] = str(Role.TRAIN)


def _roles(
    conditions: pd.DataFrame, components: pd.DataFrame, role: "pd.Series[str]"
) -> pd.DataFrame:
    roles = blank_roles(conditions, "unseen pair").assign(role=role)
    is_held_out = role != Role.TRAIN
    has_held_out = _has_held_out_part(conditions, components, is_held_out)
    reason = "combination with a held-out component"
    set_role(roles, has_held_out & ~is_held_out, Role.UNUSED, reason)
    trained = conditions[roles["role"] == Role.TRAIN]
    for column in ("perturbation", "context"):
        is_unknown = ~conditions[column].isin(trained[column])
        set_role(roles, is_unknown & is_held_out, Role.UNUSED, f"{column} never trained on")
    return roles


def _has_held_out_part(
    conditions: pd.DataFrame, components: pd.DataFrame, is_held_out: "pd.Series[bool]"
) -> "pd.Series[bool]":
    """Mark the combinations of which a part is held out, alone, in the same context."""
    rows = conditions[["context", "perturbation"]].reset_index(names="row")
    parts = rows.merge(components[["perturbation", "component"]], on="perturbation")
    part = _name(parts["context"], parts["component"])
    alone = (is_held_out & (conditions["n_components"] == 1)).to_numpy()
    found = part.isin(part[alone[conditions.index.get_indexer(parts["row"])]])
    return pd.Series(conditions.index.isin(parts.loc[found, "row"]), index=conditions.index)
