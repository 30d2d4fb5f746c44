"""Perturbations and contexts that are unseen together."""

import numpy as np
import pandas as pd

from wildcell.errors import SplitError
from wildcell.names import Role
from wildcell.scenarios.folds import held_out_folds
from wildcell.scenarios.roles import blank_roles, folds_with_tests, has_part, set_role
from wildcell.scenarios.split import splitter


@splitter("unseen-both")
def unseen_both(
    conditions: pd.DataFrame,
    components: pd.DataFrame,
    rng: np.random.Generator,
    *,
    n_folds: int = 1,
    context_share: float = 0.2,
    test_share: float = 0.2,
    val_share: float = 0.1,
) -> list[pd.DataFrame]:
    """Test held-out single perturbations in held-out contexts; train where neither is.

    Held-out perturbations in other contexts, and others in held-out contexts, are left out. With
    fewer than four contexts none is set aside for validation.

    Parameters
    ----------
    n_folds, context_share
        Of contexts. Perturbations are drawn anew for each fold.
    test_share
        Of single perturbations, all doses of a compound together.
    val_share
        Of contexts and of perturbations.

    Raises
    ------
    SplitError
        There are fewer than two contexts or single perturbations.
    """
    contexts = sorted(set(conditions["context"]))
    single = conditions.loc[conditions["n_components"] == 1, "perturbation"]
    parts = sorted(set(components.loc[components["perturbation"].isin(single), "component"]))
    if len(contexts) < 2 or len(parts) < 2:
        raise SplitError(
            "Contexts and perturbations unseen together need at least 2 contexts and 2 single "
            f"perturbations; found {len(contexts)} and {len(parts)}."
        )
    val_share = val_share if len(contexts) >= 4 else 0.0
    folds = []
    for held_contexts in held_out_folds(
        contexts, rng, n_folds=n_folds, test_share=context_share, val_share=val_share
    ):
        ((test, val),) = held_out_folds(
            parts,
            rng,
            n_folds=1,
            test_share=test_share,
            val_share=val_share if held_contexts[1] else 0.0,
        )
        folds.append(_hold_out(conditions, components, held_contexts, (test, val)))
    return folds_with_tests(folds)


def _hold_out(
    conditions: pd.DataFrame,
    components: pd.DataFrame,
    contexts: tuple[set[str], set[str]],
    parts: tuple[set[str], set[str]],
) -> pd.DataFrame:
    """Return the roles of one fold, whose contexts and parts are for test and for validation."""
    of_contexts = [conditions["context"].isin(names) for names in contexts]
    of_parts = [has_part(conditions, components, names) for names in parts]
    roles = blank_roles(conditions, "unseen context and perturbation")
    set_role(roles, of_parts[0] | of_parts[1], Role.UNUSED, "perturbation held out elsewhere")
    set_role(roles, of_contexts[0] | of_contexts[1], Role.UNUSED, "context held out")
    is_single = conditions["n_components"] == 1
    for role, in_context, has_held_out in zip(
        (Role.TEST, Role.VAL), of_contexts, of_parts, strict=True
    ):
        set_role(roles, is_single & in_context & has_held_out, role)
    return roles
