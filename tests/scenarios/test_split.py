"""Splits: one a fold, checked, frozen, and applied to cells."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from wildcell.datasets.dataset import Dataset
from wildcell.errors import OptionError, SplitError, UnknownNameError
from wildcell.names import CONDITION, Role
from wildcell.scenarios.pose import pose
from wildcell.scenarios.roles import blank_roles
from wildcell.scenarios.scenario import load_scenario
from wildcell.scenarios.split import SPLITTERS, Splitter, check_roles, make_splits
from wildcell.testing import toy_screen

CONTEXT = load_scenario("unseen-context")


@pytest.fixture(scope="module")
def screen():
    return toy_screen()


def test_each_fold_is_a_split_of_its_own(screen):
    splits = make_splits(CONTEXT, screen, seed=5, arm="leave-one-out")
    assert [split.fold for split in splits] == [0, 1, 2]
    assert {(one.scenario, one.arm, one.seed, one.n_folds) for one in splits} == {
        ("unseen-context", "leave-one-out", 5, 3)
    }
    tested = [set(one.conditions_in(Role.TEST)["context"]) for one in splits]
    assert sorted(tested, key=min) == [{"context-1"}, {"context-2"}, {"context-3"}]
    assert len({one.fingerprint for one in splits}) == 3


def test_seed_and_arm_change_the_split_and_the_same_ones_do_not():
    big = toy_screen(n_contexts=12)
    roles = {
        (seed, repeat): tuple(
            make_splits(CONTEXT, big, seed=seed, arm="random")[0].conditions["role"]
        )
        for seed in range(6)
        for repeat in range(2)
    }
    assert all(roles[seed, 0] == roles[seed, 1] for seed in range(6))
    assert len(set(roles.values())) > 1


def test_options_of_the_arm_reach_the_splitter(screen):
    none = replace(CONTEXT, arms={"a": {"n_folds": 2}}, default_arm="a")
    assert len(make_splits(none, screen, seed=0)) == 2
    with pytest.raises(UnknownNameError, match="no arm 'b'"):
        make_splits(none, screen, seed=0, arm="b")


def test_arms_of_different_splitters_draw_the_same_numbers(screen, monkeypatch):
    drawn = []
    arms = {"first": {"splitter": "draws-a"}, "second": {"splitter": "draws-b"}, "own": {}}
    words = replace(CONTEXT, arms=arms, default_arm="own")

    def draw(table, components, rng):
        drawn.append(rng.random())
        return [roles_with(table)]

    for name in ("draws-a", "draws-b"):
        monkeypatch.setitem(SPLITTERS._things, name, Splitter(name, draw, "condition"))
    for arm in ("first", "second"):
        make_splits(words, screen, seed=4, arm=arm)
    assert drawn[0] == drawn[1]


def test_splitter_of_an_arm_that_there_is_not_is_named(screen):
    wrong = replace(CONTEXT, arms={"a": {"splitter": "unseen-contxt"}}, default_arm="a")
    with pytest.raises(UnknownNameError, match="Did you mean 'unseen-context'"):
        make_splits(wrong, screen, seed=0)


def test_option_that_the_splitter_does_not_have_is_named(screen):
    wrong = replace(CONTEXT, arms={"a": {"n_flods": 2}}, default_arm="a")
    with pytest.raises(OptionError, match=r"'unseen-context'.*n_flods"):
        make_splits(wrong, screen, seed=0)


def test_screen_without_perturbed_cells_cannot_be_split(screen):
    controls = Dataset("silent", screen.cells[screen.is_control].copy())
    with pytest.raises(SplitError, match="'silent' has no perturbed cells"):
        make_splits(CONTEXT, controls, seed=0)


def test_roles_of_cells_are_those_of_their_condition(screen):
    split = make_splits(CONTEXT, screen, seed=0)[0]
    roles = split.roles_of_cells(screen)
    assert (roles[screen.is_control] == "").all()
    of_condition = {
        (row.context, row.perturbation): row.role for row in split.conditions.itertuples()
    }
    obs = screen.cells.obs[~screen.is_control]
    expected = [of_condition[key] for key in zip(obs["context"], obs["perturbation"], strict=True)]
    assert roles[~screen.is_control].tolist() == expected


def test_roles_of_cells_follow_the_cells_into_another_order(screen):
    split = make_splits(CONTEXT, screen, seed=0)[0]
    order = np.random.default_rng(0).permutation(screen.cells.n_obs)
    shuffled = Dataset("shuffled", screen.cells[order].copy())
    assert (split.roles_of_cells(shuffled) == split.roles_of_cells(screen)[order]).all()


def test_split_of_cells_gives_each_cell_a_role_of_its_own(screen):
    split = make_splits(load_scenario("iid"), screen, seed=0)[0]
    roles = split.roles_of_cells(screen)
    assert (roles[screen.is_control] == "").all()
    table = screen.cells.obs[~screen.is_control].assign(role=roles[~screen.is_control])
    for _, cells in table.groupby(CONDITION, observed=True):
        assert cells["role"].value_counts().to_dict() == {"train": 12, "test": 6, "val": 2}
    assert (split.conditions["role"] == Role.TEST).all()


def test_condition_has_the_first_of_the_roles_that_its_cells_have(screen, monkeypatch):
    """An unused condition of a split of cells is not trained on, and says why."""
    kinds = [["test", "train"], ["val", "train", "unused"], ["unused", "val"], ["unused"]]
    expected = ["test", "train", "val", "unused"]

    def divide(cells, components, rng):
        number = cells.groupby(CONDITION).ngroup() % len(kinds)
        place = cells.groupby(CONDITION).cumcount()
        roles = blank_roles(cells, "any")
        roles["role"] = [
            kinds[kind][at % len(kinds[kind])] for kind, at in zip(number, place, strict=True)
        ]
        return [roles.assign(reason="because " + roles["role"], category="of " + roles["role"])]

    monkeypatch.setitem(SPLITTERS._things, "mixed", Splitter("mixed", divide, "cell"))
    words = replace(CONTEXT, splitter="mixed", arms={"a": {}}, default_arm="a")
    found = make_splits(words, screen, seed=0)[0]
    roles = found.conditions["role"].tolist()
    assert roles == [expected[number % 4] for number in range(len(roles))]
    assert (found.conditions["reason"] == "because " + found.conditions["role"]).all()
    assert (found.conditions["category"] == "of " + found.conditions["role"]).all()
    assert set(pose(screen, found, words).task.train.obs["perturbation"]) - {"control"} <= set(
        found.conditions.loc[found.conditions["role"].isin(["test", "train"]), "perturbation"]
    )


def test_condition_too_small_to_be_held_out_is_trained_on():
    cells = toy_screen(n_cells=2).cells
    keys = pd.MultiIndex.from_frame(cells.obs[CONDITION])
    small = Dataset("small", cells[~(keys.duplicated() & (keys == keys[-1]))].copy())
    split = make_splits(load_scenario("iid"), small, seed=0)[0]
    sizes = split.conditions.set_index(CONDITION)["n_cells"]
    roles = split.conditions.set_index(CONDITION)["role"]
    assert roles[sizes == 1].tolist() == [Role.TRAIN]
    assert (roles[sizes == 2] == Role.TEST).all()


def test_fingerprint_is_that_of_the_roles(screen):
    split = make_splits(CONTEXT, screen, seed=0)[0]
    again = make_splits(CONTEXT, toy_screen(), seed=0)[0]
    assert split.fingerprint == again.fingerprint
    changed = split.conditions.copy()
    changed.loc[0, "role"] = str(Role.UNUSED)
    assert replace(split, conditions=changed).fingerprint != split.fingerprint


def roles_with(table, **changes):
    roles = blank_roles(table, "any")
    roles.loc[0, "role"] = str(Role.TEST)
    return roles.assign(**changes)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda roles: roles[1:], "gave 38 roles to 39 conditions"),
        (lambda roles: roles.replace({"test": "holdout"}), "unknown roles: .*holdout"),
        (lambda roles: roles.assign(role=str(Role.TRAIN)), "no condition for test among 39"),
        (lambda roles: roles.assign(role=str(Role.TEST)), "no condition for train among 39"),
    ],
)
def test_splitter_that_breaks_its_promises_is_caught(screen, spoil, message):
    rule = Splitter("mine", lambda *_: [], "condition")
    check_roles(roles_with(screen.conditions), screen.conditions, rule)
    with pytest.raises(SplitError, match=message):
        check_roles(spoil(roles_with(screen.conditions)), screen.conditions, rule)


def test_a_screen_without_controls_is_refused(screen):
    alone = Dataset("alone", screen.cells[~screen.is_control].copy())
    with pytest.raises(SplitError, match="'alone' has no controls"):
        make_splits(CONTEXT, alone, seed=0)
