"""Few shots, unseen pairs, and both unseen, on tables small enough to read."""

import numpy as np
import pandas as pd
import pytest

from wildcell.errors import OptionError, SplitError
from wildcell.names import Role
from wildcell.scenarios.split import SPLITTERS
from wildcell.scenarios.treatments import treatments_of


def tables(*perturbations, contexts=("c1", "c2", "c3")):
    """Return conditions and components of keys such as A@10 or A+B, in all contexts."""
    keys = [(context, key) for context in contexts for key in perturbations]
    conditions = pd.DataFrame(keys, columns=["context", "perturbation"])
    conditions["n_components"] = conditions["perturbation"].str.count(r"\+") + 1
    components = pd.DataFrame(
        [(key, part.split("@")[0]) for key in perturbations for part in key.split("+")],
        columns=["perturbation", "component"],
    )
    return conditions, components


def folds_of(name, conditions, components, *, seed=0, **options):
    rng = np.random.default_rng(seed)
    return SPLITTERS.get(name).divide(conditions, components, rng, **options)


def asked_in(conditions, fold, role=Role.TEST):
    rows = conditions.loc[fold["role"] == role, ["context", "perturbation"]]
    return set(map(tuple, rows.to_numpy()))


def reason_of(conditions, fold, context, perturbation):
    here = (conditions["context"] == context) & (conditions["perturbation"] == perturbation)
    return fold.loc[here, "reason"].item()


SINGLES = ("A", "B", "C", "D", "E")


@pytest.mark.parametrize("shots", [0, 1, 3])
def test_shots_are_trained_on_and_the_largest_number_leaves_the_same_to_ask(shots):
    conditions, components = tables(*SINGLES)
    folds = folds_of("few-shot", conditions, components, n_folds=-1, shots=shots, most_shots=3)
    assert len(folds) == 3
    for fold in folds:
        ((context, n_asked),) = (
            conditions[fold["role"] == Role.TEST].value_counts("context").items()
        )
        here = fold[conditions["context"] == context]
        assert n_asked == 2
        assert (here["role"] == Role.TRAIN).sum() == shots
        assert (here["reason"] == "kept for more shots").sum() == 3 - shots
        assert (fold.loc[conditions["context"] != context, "role"] == Role.TRAIN).all()


def test_all_doses_of_a_compound_are_one_shot():
    conditions, components = tables("A@1", "A@10", "B@1", "B@10")
    for fold in folds_of("few-shot", conditions, components, n_folds=-1, shots=1, most_shots=1):
        (asked,) = {key[0] for _, key in asked_in(conditions, fold)}
        ((context, _), *_) = asked_in(conditions, fold)
        seen = {key[0] for name, key in asked_in(conditions, fold, Role.TRAIN) if name == context}
        assert seen | {asked} == {"A", "B"}


def test_shots_are_drawn_from_what_other_contexts_have():
    conditions, components = tables(*SINGLES)
    conditions = conditions[(conditions["context"] == "c1") | (conditions["perturbation"] < "D")]
    conditions = conditions.reset_index(drop=True)
    folds = folds_of("few-shot", conditions, components, n_folds=-1, shots=2, most_shots=2)
    fold = next(fold for fold in folds if {c for c, _ in asked_in(conditions, fold)} == {"c1"})
    for key in "DE":
        assert reason_of(conditions, fold, "c1", key) == "perturbation never trained on"


def test_contexts_with_too_few_perturbations_are_never_asked():
    conditions, components = tables(*SINGLES)
    conditions = conditions.drop(index=range(11, 15))  # c3 has A alone
    asked = set()
    for fold in folds_of("few-shot", conditions, components, n_folds=-1, most_shots=2):
        asked |= {context for context, _ in asked_in(conditions, fold)}
    assert asked == {"c1", "c2"}
    with pytest.raises(SplitError, match=r"more than 5 .* the most is 5, in 3 contexts\. Lower"):
        folds_of("few-shot", *tables(*SINGLES))
    with pytest.raises(SplitError, match="the most is 0, in 1 contexts"):
        folds_of("few-shot", *tables(*SINGLES, contexts=("c1",)), most_shots=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shots": -1}, "shots must be a whole number of at least 0; got -1"),
        ({"shots": 1.5}, "got 1.5"),
        ({"shots": 6}, "6 shots are more than most_shots, 5"),
    ],
)
def test_numbers_of_shots_that_cannot_be_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        folds_of("few-shot", *tables(*SINGLES), **options)


def test_folds_of_pairs_test_nearly_all_of_them_once():
    conditions, components = tables(*SINGLES)
    folds = folds_of("unseen-pair", conditions, components, n_folds=5, val_share=0.0)
    asked = [pair for fold in folds for pair in asked_in(conditions, fold)]
    assert len(asked) == len(set(asked)) >= 13


def test_pair_whose_perturbation_would_be_lost_is_trained_on_after_all():
    conditions, components = tables("A", "B", contexts=("c1", "c2"))
    for seed in range(10):
        (fold,) = folds_of("unseen-pair", conditions, components, test_share=0.9, seed=seed)
        trained = asked_in(conditions, fold, Role.TRAIN)
        assert {context for context, _ in trained} == {"c1", "c2"}
        assert {key for _, key in trained} == {"A", "B"}
        assert asked_in(conditions, fold)


def test_doses_are_held_out_together_in_one_context_and_combinations_with_them_left_out():
    conditions, components = tables("A@1", "A@10", "B@1", "B@10", "A@1+B@1")
    options = {"test_share": 0.1, "val_share": 0.0}
    for seed in range(10):
        (fold,) = folds_of("unseen-pair", conditions, components, seed=seed, **options)
        asked = asked_in(conditions, fold)
        ((context, first), *_) = asked
        if "+" not in first:
            assert asked == {(context, f"{first[0]}@{dose}") for dose in (1, 10)}
            reason = reason_of(conditions, fold, context, "A@1+B@1")
            assert reason == "combination with a held-out component"


def test_a_dose_that_no_other_context_has_is_no_pair_of_known_parts():
    conditions, components = tables("A@1", "B@1", contexts=("c1", "c2"))
    conditions.loc[0, "perturbation"] = "A@9"
    components = pd.concat(
        [components, pd.DataFrame({"perturbation": ["A@9"], "component": ["A"]})]
    )
    for seed in range(10):
        (fold,) = folds_of("unseen-pair", conditions, components, test_share=0.5, seed=seed)
        if fold["role"].iloc[0] != Role.TRAIN:
            assert fold["reason"].iloc[0] == "perturbation never trained on"


def test_pairs_need_two_contexts_with_something_in_common():
    with pytest.raises(SplitError, match="found 0 such pairs among 5"):
        folds_of("unseen-pair", *tables(*SINGLES, contexts=("c1",)))


def test_both_unseen_tests_the_block_and_leaves_its_rows_and_columns_out():
    conditions, components = tables("A", "B", "C", "A+B")
    (fold,) = folds_of("unseen-both", conditions, components, test_share=0.1)
    ((context, key),) = asked_in(conditions, fold)
    other = next(name for name in ("c1", "c2", "c3") if name != context)
    rest = sorted(set("ABC") - {key})
    assert reason_of(conditions, fold, other, key) == "perturbation held out elsewhere"
    assert reason_of(conditions, fold, context, rest[0]) == "context held out"
    expected = {(c, k) for c in ("c1", "c2", "c3") for k in rest if c != context}
    expected |= {(c, "A+B") for c in ("c1", "c2", "c3") if c != context and key == "C"}
    assert asked_in(conditions, fold, Role.TRAIN) == expected


def test_both_unseen_needs_two_of_each():
    with pytest.raises(SplitError, match="found 1 and 5"):
        folds_of("unseen-both", *tables(*SINGLES, contexts=("c1",)))
    with pytest.raises(SplitError, match="found 3 and 1"):
        folds_of("unseen-both", *tables("A@1", "A@2"))


def test_a_treatment_is_its_components_whatever_their_order_and_dose():
    components = pd.DataFrame(
        [("x", "B"), ("x", "A"), ("y", "A"), ("y", "B"), ("z", "A"), ("z", "A"), ("w", "C")],
        columns=["perturbation", "component"],
    )
    found = treatments_of(components)
    assert found["x"] == found["y"] != found["z"]
    assert found["z"] == "A"
    assert found["w"] == "C"
