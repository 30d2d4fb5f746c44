"""Contexts of which a few perturbations are seen, and the rest is asked."""

import numpy as np
import pandas as pd

from wildcell.errors import OptionError, SplitError
from wildcell.names import Role
from wildcell.scenarios.folds import held_out_folds
from wildcell.scenarios.roles import blank_roles, folds_with_tests, set_role
from wildcell.scenarios.split import splitter
from wildcell.scenarios.treatments import treatments_of


@splitter("few-shot")
def few_shot(
    conditions: pd.DataFrame,
    components: pd.DataFrame,
    rng: np.random.Generator,
    *,
    shots: int = 1,
    most_shots: int = 5,
    n_folds: int = 1,
    test_share: float = 0.1,
    val_share: float = 0.1,
) -> list[pd.DataFrame]:
    """Hold out whole contexts but for a few perturbations each, which are trained on.

    The perturbations of a held-out context are put in an order drawn from the seed. The first
    `shots` are trained on; those up to `most_shots` are left out, so that all numbers of shots are
    judged on the same conditions and each sees what the smaller ones see. All doses of a compound
    count as one. As in `unseen-context`, what was never trained on elsewhere is left out, and with
    fewer than four contexts none is set aside for validation.

    Parameters
    ----------
    shots
        Perturbations of a held-out context that are trained on, 0 to `most_shots`.
    most_shots
        The largest number of shots that is compared with.
    n_folds, test_share, val_share
        Of contexts.

    Raises
    ------
    OptionError
        An option cannot be used.
    SplitError
        There are fewer than two contexts, or none has more than `most_shots` perturbations that
        others have, too.
    """
    _check_shots(shots, most_shots)
    treatment = conditions["perturbation"].map(treatments_of(components))
    pairs = pd.DataFrame({"context": conditions["context"], "treatment": treatment})
    contexts = _contexts_with_enough(pairs, most_shots)
    luck = _luck(pairs, rng)
    n_contexts = conditions["context"].nunique()
    folds = [(set(contexts), set[str]())]
    if len(contexts) > 1:
        folds = held_out_folds(
            contexts,
            rng,
            n_folds=n_folds,
            test_share=test_share,
            val_share=val_share if n_contexts >= 4 else 0.0,
        )
    given = []
    for test, val in folds:
        places = _places(conditions, pairs, luck, test | val)
        roles = _give_shots(conditions, (test, val), places, shots=shots, most_shots=most_shots)
        given.append(roles)
    return folds_with_tests(given)


def _check_shots(shots: int, most_shots: int) -> None:
    for name, number in (("shots", shots), ("most_shots", most_shots)):
        if not isinstance(number, int) or number < 0:
            raise OptionError(f"{name} must be a whole number of at least 0; got {number!r}.")
    if shots > most_shots:
        raise OptionError(f"{shots} shots are more than most_shots, {most_shots}; raise it.")


def _contexts_with_enough(pairs: pd.DataFrame, most_shots: int) -> list[str]:
    """Return the contexts with more than `most_shots` treatments that others have, too."""
    n_contexts = pairs.groupby("treatment")["context"].transform("nunique")
    shared = pairs[n_contexts > 1].groupby("context")["treatment"].nunique()
    enough = sorted(shared.index[shared > most_shots])
    if not enough:
        raise SplitError(
            f"No context has more than {most_shots} perturbations that another has, too: the most "
            f"is {shared.max() if len(shared) else 0}, in {pairs['context'].nunique()} contexts. "
            "Lower most_shots."
        )
    return enough


def _luck(pairs: pd.DataFrame, rng: np.random.Generator) -> "pd.Series[int]":
    """Return a random number for each row, the same for all doses of a compound in a context."""
    codes = pairs.groupby(["context", "treatment"], sort=True).ngroup()
    return pd.Series(rng.permutation(int(codes.max()) + 1)[codes], index=pairs.index)


def _places(
    conditions: pd.DataFrame, pairs: pd.DataFrame, luck: "pd.Series[int]", held_out: set[str]
) -> pd.DataFrame:
    """Return the place of each row of a held-out context among its treatments, and their number.

    Columns place, of; NaN where the perturbation was never trained on.
    """
    is_held_out = conditions["context"].isin(held_out)
    trained = conditions.loc[~is_held_out, "perturbation"]
    rows = is_held_out & conditions["perturbation"].isin(trained)
    by_context = luck[rows].groupby(pairs.loc[rows, "context"])
    place = by_context.rank(method="dense") - 1
    n_treatments = by_context.transform("nunique")
    return pd.DataFrame({"place": place, "of": n_treatments}).reindex(conditions.index)


def _give_shots(
    conditions: pd.DataFrame,
    held_out: tuple[set[str], set[str]],
    places: pd.DataFrame,
    *,
    shots: int,
    most_shots: int,
) -> pd.DataFrame:
    test, val = (conditions["context"].isin(names) for names in held_out)
    place = places["place"]
    roles = blank_roles(conditions, "few-shot")
    set_role(roles, test, Role.TEST)
    set_role(roles, val, Role.VAL)
    set_role(roles, place < most_shots, Role.UNUSED, "kept for more shots")
    set_role(roles, place < shots, Role.TRAIN)
    set_role(roles, places["of"] <= most_shots, Role.UNUSED, "too few perturbations in its context")
    set_role(roles, (test | val) & place.isna(), Role.UNUSED, "perturbation never trained on")
    return roles
