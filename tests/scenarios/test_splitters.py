"""The rules by which things are held out, on tables small enough to read."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from wildcell.errors import OptionError, SplitError
from wildcell.names import Role
from wildcell.scenarios.folds import choose_n_folds, deal, held_out_folds
from wildcell.scenarios.split import SPLITTERS
from wildcell.scenarios.splitters import combination_categories

RNG = np.random.default_rng


def tables(*perturbations, contexts=("c1", "c2", "c3")):
    """Return the conditions and components of perturbations in all contexts."""
    keys = [(context, key) for context in contexts for key in perturbations]
    conditions = pd.DataFrame(keys, columns=["context", "perturbation"])
    conditions["n_components"] = conditions["perturbation"].str.count(r"\+") + 1
    components = pd.DataFrame(
        [(key, part.split("@")[0]) for key in perturbations for part in key.split("+")],
        columns=["perturbation", "component"],
    )
    return conditions, components


def folds_of(name, conditions, components, *, seed=0, **options):
    """Return, for each fold, what each role holds."""
    folds = SPLITTERS.get(name).divide(conditions, components, RNG(seed), **options)
    return [
        {
            str(role): set(
                map(
                    tuple,
                    conditions.loc[fold["role"] == role, ["context", "perturbation"]].to_numpy(),
                )
            )
            for role in Role
        }
        for fold in folds
    ]


@pytest.mark.parametrize(
    ("asked", "n", "n_folds"),
    [(0, 2, 2), (0, 9, 9), (0, 10, 5), (0, 99, 5), (0, 100, 1), (-1, 7, 7), (1, 7, 1), (9, 4, 4)],
)
def test_number_of_folds_is_chosen_by_how_many_things_there_are(asked, n, n_folds):
    assert choose_n_folds(asked, n) == n_folds


def test_other_numbers_of_folds_are_refused():
    with pytest.raises(OptionError, match="n_folds must be at least 1"):
        choose_n_folds(-2, 5)


def test_dealing_is_even_complete_and_blind_to_the_order_of_names():
    names = [f"n{i}" for i in range(11)]
    folds = deal(names, 4, RNG(0))
    assert sorted(name for fold in folds for name in fold) == sorted(names)
    assert sorted(len(fold) for fold in folds) == [2, 3, 3, 3]
    assert folds == deal(names[::-1], 4, RNG(0)) != deal(names, 4, RNG(1))


@pytest.mark.parametrize("n_folds", [-1, 0, 1, 2])
def test_something_is_tested_and_something_stays_for_training(n_folds):
    for n, test_share, val_share in product([2, 3, 5], [0.0, 0.5, 0.9], [0.0, 0.5, 0.9]):
        names = {f"n{i}" for i in range(n)}
        for test, val in held_out_folds(
            names, RNG(0), n_folds=n_folds, test_share=test_share, val_share=val_share
        ):
            assert test
            assert not test & val
            assert names - test - val, (n, test_share, val_share)


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
@pytest.mark.parametrize("which", ["test_share", "val_share"])
def test_shares_outside_their_range_are_refused(share, which):
    shares = {"test_share": 0.5, "val_share": 0.0, which: share}
    with pytest.raises(OptionError, match=f"{which} must be at least 0 and below 1"):
        held_out_folds(["a", "b"], RNG(0), n_folds=1, **shares)


def test_unseen_context_leaves_out_what_was_never_trained_on():
    conditions, components = tables("A", "B", "C")
    conditions = conditions.drop(index=[2, 5])  # C is measured in c3 alone
    for fold in folds_of("unseen-context", conditions, components, n_folds=-1):
        (context,) = {context for context, _ in fold["test"]}
        assert fold["test"] == {(context, "A"), (context, "B")}
        assert fold["unused"] == ({("c3", "C")} if context == "c3" else set())
        assert not fold["val"]


def test_unseen_context_sets_a_context_aside_from_four_on():
    four = tables("A", "B", contexts=("c1", "c2", "c3", "c4"))
    (fold,) = folds_of("unseen-context", *four, n_folds=1, test_share=0.1, val_share=0.1)
    roles = {role: {context for context, _ in held} for role, held in fold.items()}
    assert sorted(len(contexts) for contexts in roles.values()) == [0, 1, 1, 2]
    (fold,) = folds_of("unseen-context", *tables("A", "B"), n_folds=1)
    assert not fold["val"]


def test_unseen_context_needs_two_contexts():
    with pytest.raises(SplitError, match=r"at least 2 contexts; found \['c1'\]"):
        folds_of("unseen-context", *tables("A", "B", contexts=("c1",)))


def test_unseen_perturbation_is_held_out_in_all_contexts_with_its_combinations():
    conditions, components = tables("A", "B", "C", "A+B", "B+C")
    folds = folds_of("unseen-perturbation", conditions, components, n_folds=-1, val_share=0.0)
    assert len(folds) == 3
    for fold in folds:
        (key,) = {key for _, key in fold["test"]}
        assert len(fold["test"]) == 3
        with_it = {one for one in ("A+B", "B+C") if key in one}
        assert {one for _, one in fold["unused"]} == with_it


def test_unseen_perturbation_says_why_a_combination_is_left_out():
    conditions, components = tables("A", "B", "C", "A+B")
    rule = SPLITTERS.get("unseen-perturbation")
    for fold in rule.divide(conditions, components, RNG(0), n_folds=-1):
        reasons = set(fold.loc[fold["role"] == Role.UNUSED, "reason"])
        assert reasons <= {"combination with a held-out component"}
        assert set(fold.loc[conditions["n_components"] == 2, "category"]) == {"combination"}


def test_doses_of_one_compound_are_held_out_together():
    conditions, components = tables("A@1", "A@10", "B@1", "B@10", "C@1")
    for fold in folds_of("unseen-perturbation", conditions, components, n_folds=-1):
        assert {key for _, key in fold["test"]} in ({"A@1", "A@10"}, {"B@1", "B@10"}, {"C@1"})


def test_unseen_perturbation_needs_two_of_them():
    with pytest.raises(SplitError, match="at least 2 single perturbations; found 1"):
        folds_of("unseen-perturbation", *tables("A", "A+B"))
    with pytest.raises(SplitError, match="found 1"):
        folds_of("unseen-perturbation", *tables("A@1", "A@10"))


PAIRS = ("A", "B", "C", "D", "A+B", "B+C", "C+D", "A+D")


def test_every_single_is_trained_on_where_no_component_is_held_out():
    (fold,) = folds_of("unseen-combination", *tables(*PAIRS), val_share=0.0)
    assert {key for _, key in fold["train"]} >= {"A", "B", "C", "D"}
    tested = {key for _, key in fold["test"]}
    assert len(tested) == 2
    assert len(fold["test"]) == 6


def test_held_out_components_are_tested_alone_and_in_every_combination():
    options = {"unseen_component_share": 0.25, "val_share": 0.0}
    (fold,) = folds_of("unseen-combination", *tables(*PAIRS), **options)
    (single,) = {key for _, key in fold["test"] if "+" not in key}
    with_it = {key for key in PAIRS if single in key}
    assert with_it <= {key for _, key in fold["test"]}
    assert not with_it & {key for _, key in fold["train"]}


def test_folds_of_combinations_test_each_of_them_once():
    folds = folds_of("unseen-combination", *tables(*PAIRS), n_folds=-1, val_share=0.0)
    tested = [key for fold in folds for key in {key for _, key in fold["test"]}]
    assert sorted(tested) == ["A+B", "A+D", "B+C", "C+D"]


def test_category_says_how_many_components_are_new():
    conditions, components = tables(*PAIRS, contexts=("c1",))
    roles = pd.Series(["train", "train", "val", "test", *["test"] * 4])
    categories = combination_categories(conditions, components, roles)
    assert dict(zip(PAIRS, categories, strict=True)) == {
        "A": "single",
        "B": "single",
        "C": "single",
        "D": "single",
        "A+B": "combo-0",
        "B+C": "combo-1",
        "C+D": "combo-2",
        "A+D": "combo-1",
    }


def test_combinations_that_cannot_be_held_out_are_refused_with_what_would_do():
    with pytest.raises(SplitError, match=r"found 1\. Curate with --combination-separator"):
        folds_of("unseen-combination", *tables("A", "B", "A+B"))
    with pytest.raises(SplitError, match="lower unseen_component_share"):
        folds_of("unseen-combination", *tables(*PAIRS), unseen_component_share=0.9)


def cells_of(**sizes):
    rows = [("c1", key) for key, size in sizes.items() for _ in range(size)]
    return pd.DataFrame(rows, columns=["context", "perturbation"])


def iid_counts(cells, **options):
    """Return, for each perturbation, the cells for training, validation and test."""
    (fold,) = SPLITTERS.get("iid").divide(cells, None, RNG(0), **options)
    return {
        key: [int((roles == role).sum()) for role in ("train", "val", "test")]
        for key, roles in fold["role"].groupby(cells["perturbation"])
    }


def test_iid_holds_out_a_share_of_the_cells_of_every_condition():
    counts = iid_counts(cells_of(A=20, B=10, C=2, D=1), test_share=0.3, val_share=0.1)
    assert counts == {"A": [12, 2, 6], "B": [6, 1, 3], "C": [1, 0, 1], "D": [1, 0, 0]}


@pytest.mark.parametrize(
    ("test_share", "val_share"), [(0.9, 0.0), (0.9, 0.9), (0.5, 0.5), (0.0, 0.9)]
)
def test_iid_trains_on_some_cells_of_every_condition_it_tests(test_share, val_share):
    cells = cells_of(A=2, B=3, C=4, D=6, E=20)
    counts = iid_counts(cells, test_share=test_share, val_share=val_share)
    for n_train, _, n_test in counts.values():
        assert n_test > 0
        assert n_train > 0


def test_iid_draws_other_cells_with_another_seed():
    cells = cells_of(A=40)
    roles = [SPLITTERS.get("iid").divide(cells, None, RNG(seed))[0]["role"] for seed in (0, 0, 1)]
    assert roles[0].equals(roles[1])
    assert not roles[0].equals(roles[2])
