"""Which dose of which compound is held out, on tables small enough to read."""

import numpy as np
import pandas as pd
import pytest

from wildcell.errors import OptionError, SplitError
from wildcell.names import Role
from wildcell.scenarios.split import SPLITTERS


def tables(*perturbations, contexts=("c1", "c2"), unit="uM"):
    """Return conditions and components of keys such as A@10 or A@1+B@1, in all contexts."""
    keys = [(context, key) for context in contexts for key in perturbations]
    conditions = pd.DataFrame(keys, columns=["context", "perturbation"])
    conditions["n_components"] = conditions["perturbation"].str.count(r"\+") + 1
    parts = [
        (key, *f"{part}@nan".split("@")[:2]) for key in perturbations for part in key.split("+")
    ]
    components = pd.DataFrame(parts, columns=["perturbation", "component", "dose"])
    components["dose"] = components["dose"].astype(float)
    return conditions, components.assign(unit=unit)


def folds_of(conditions, components, *, seed=0, **options):
    rng = np.random.default_rng(seed)
    return SPLITTERS.get("unseen-dose").divide(conditions, components, rng, **options)


def asked_in(conditions, fold):
    return conditions.loc[fold["role"] == Role.TEST, ["context", "perturbation"]]


def reasons(conditions, fold):
    return dict(zip(conditions["perturbation"], fold["reason"], strict=True))


DOSES = ("A@1", "A@10", "A@100", "A@1000", "B@3", "B@5", "B@7", "C@1", "C@2")


@pytest.mark.parametrize(
    ("side", "keys"),
    [("above", {"A@1000", "B@7"}), ("below", {"A@1", "B@3"}), ("inside", {"A@10", "B@5"})],
)
def test_one_dose_of_each_compound_with_three_is_tested_in_all_contexts(side, keys):
    conditions, components = tables(*DOSES)
    found = set()
    for seed in range(8):
        (fold,) = folds_of(conditions, components, side=side, seed=seed)
        asked = asked_in(conditions, fold)
        assert len(asked) == 4
        found |= set(asked["perturbation"])
        assert set(fold["category"]) == {f"dose {side}"}
        assert (fold.loc[conditions["perturbation"].isin(["C@1", "C@2"]), "role"] == "train").all()
    assert found == (keys | {"A@100"} if side == "inside" else keys)


def test_folds_test_every_dose_between_others_once():
    conditions, components = tables(*DOSES)
    folds = folds_of(conditions, components, n_folds=-1)
    asked = [sorted(set(asked_in(conditions, fold)["perturbation"])) for fold in folds]
    assert sorted(key for keys in asked for key in keys) == ["A@10", "A@100", "B@5"]


def test_a_context_without_doses_on_both_sides_is_not_asked():
    conditions, components = tables("A@1", "A@10", "A@100")
    conditions = conditions.drop(index=5).reset_index(drop=True)  # A@100 in c2
    (fold,) = folds_of(conditions, components)
    assert set(asked_in(conditions, fold)["context"]) == {"c1"}
    lost = (conditions["context"] == "c2") & (conditions["perturbation"] == "A@10")
    assert fold.loc[lost, "reason"].tolist() == ["too few other doses in its context"]


def test_what_has_no_dose_is_left_out_with_a_reason_and_a_mixture_with_a_held_out_dose_too():
    conditions, components = tables("A@1", "A@10", "A@100", "B", "B+A@1", "A@10+C@1", "A@1+C@1")
    (fold,) = folds_of(conditions, components)
    assert reasons(conditions, fold) == {
        "A@1": "",
        "A@10": "",
        "A@100": "",
        "B": "without a dose",
        "B+A@1": "without a dose",
        "A@10+C@1": "combination with a held-out dose",
        "A@1+C@1": "",
    }


def test_a_share_of_the_compounds_is_for_validation():
    names = [f"{name}@{dose}" for name in "ABCDEF" for dose in (1, 10, 100)]
    conditions, components = tables(*names)
    (fold,) = folds_of(conditions, components, val_share=0.5)
    by_role = conditions.groupby(fold["role"].to_numpy())["perturbation"].agg(set)
    assert {len(by_role["val"]), len(by_role["test"])} == {3}
    assert all(key.endswith("@10") for key in by_role["val"] | by_role["test"])


def test_doses_in_several_units_are_refused_by_name():
    conditions, components = tables("A@1", "A@10", "A@100")
    components.loc[0, "unit"] = "nM"
    with pytest.raises(SplitError, match=r"'A' in 'nM' and 'uM'; curate them to one unit"):
        folds_of(conditions, components)


def test_screens_without_three_doses_are_refused_with_what_was_found():
    with pytest.raises(SplitError, match="of 2 compounds with a dose none has more than 2"):
        folds_of(*tables("A@1", "A@2", "B@1"))
    with pytest.raises(SplitError, match="No perturbation has a dose"):
        folds_of(*tables("A", "B"))


def test_other_sides_are_refused():
    with pytest.raises(OptionError, match="side must be one of inside, above, below; got 'up'"):
        folds_of(*tables(*DOSES), side="up")
