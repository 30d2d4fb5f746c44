"""Near and far differ in who is trained on, and in nothing else."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from wildcell.datasets.dataset import Dataset
from wildcell.errors import OptionError, SplitError
from wildcell.names import CONDITION, Role
from wildcell.scenarios.matched_training import MATCHED, NEVER_TRAINED, align
from wildcell.scenarios.pose import pose
from wildcell.scenarios.scenario import load_scenario
from wildcell.scenarios.split import make_splits
from wildcell.testing import toy_screen, toy_screen_for

RELATIVES, DISTANCE = load_scenario("context-relatives"), load_scenario("context-distance")


def uneven(screen, *, seed=0):
    """Return a screen that lacks a fifth of its conditions, and a random part of other cells."""
    rng = np.random.default_rng(seed)
    keys = screen.cells.obs[CONDITION].astype(str).agg("|".join, axis=1)
    share = keys.map({key: rng.choice([0.0, 0.5, 0.7, 1.0, 1.0]) for key in sorted(set(keys))})
    kept = screen.is_control | (rng.random(len(keys)) < share).to_numpy()
    return Dataset(screen.name, screen.cells[kept].copy())


def cells_in(screen, split, role):
    return screen.cells.obs[split.roles_of_cells(screen) == role][CONDITION].astype(str)


def counts_of(cells):
    return cells["perturbation"].value_counts().to_dict()


def splits_of(words, screen, **options):
    arms = {arm: {**words.arms[arm], **options} for arm in words.arms}
    return {
        arm: make_splits(replace(words, arms=arms), screen, seed=3, arm=arm) for arm in words.arms
    }


@pytest.fixture(scope="module")
def screen():
    return uneven(toy_screen_for(RELATIVES, n_contexts=9, n_perturbations=8))


def test_each_context_with_relatives_is_tested_once_and_on_the_same_cells(screen):
    splits = splits_of(RELATIVES, screen)
    tested = [split.conditions_in(Role.TEST)["context"].unique() for split in splits["near"]]
    assert [list(names) for names in tested] == [[f"context-{number}"] for number in range(1, 10)]
    for near, far in zip(splits["near"], splits["far"], strict=True):
        is_test = [split.roles_of_cells(screen) == Role.TEST for split in (near, far)]
        assert (is_test[0] == is_test[1]).all()


@pytest.mark.parametrize("prefix", ["", "placebo-"])
def test_near_and_far_train_on_as_many_cells_of_each_perturbation(screen, prefix):
    splits = splits_of(RELATIVES, screen)
    differing = 0
    for near, far in zip(splits[f"{prefix}near"], splits[f"{prefix}far"], strict=True):
        for role in (Role.TRAIN, Role.VAL):
            one, two = (cells_in(screen, split, role) for split in (near, far))
            assert counts_of(one) == counts_of(two)
            contexts = [cells.groupby("perturbation")["context"].nunique() for cells in (one, two)]
            assert contexts[0].equals(contexts[1])
            assert one["context"].nunique() == two["context"].nunique()
            assert one.drop_duplicates().shape == two.drop_duplicates().shape
            differing += set(one["context"]) != set(two["context"])
    assert differing == len(splits["near"])


def test_what_is_left_out_says_why(screen):
    splits = splits_of(RELATIVES, screen)
    near, far = (splits[arm][0].conditions.set_index("context") for arm in ("near", "far"))
    assert set(far.loc[["context-4", "context-7"], "reason"]) == {"relative of the tested context"}
    reasons = set(near.loc[near["role"] == Role.UNUSED, "reason"])
    assert "a relative of the tested context is in its place" in reasons
    assert reasons <= {"a relative of the tested context is in its place", MATCHED, NEVER_TRAINED}


def test_pairs_are_told(screen):
    table = splits_of(RELATIVES, screen)["near"][0].tables["relatives"]
    of_first = table[table["tested"] == "context-1"]
    assert set(of_first["relative"]) == {"context-4", "context-7"}
    assert not set(of_first["other"]) & {"context-1", "context-4", "context-7"}
    assert (table["n_cells"] >= table["n_conditions"]).all()


def test_placebos_draw_as_many_contexts_and_not_the_relatives_alone(screen):
    splits = splits_of(RELATIVES, screen)
    true, placebo = (splits[arm][0].tables["relatives"] for arm in ("near", "placebo-near"))
    assert (true.groupby("tested").size() == placebo.groupby("tested").size()).all()
    drawn = placebo.groupby("tested")["relative"].agg(set)
    assert (drawn != true.groupby("tested")["relative"].agg(set)).any()
    assert not any(tested in names for tested, names in drawn.items())


def test_some_contexts_may_be_tested_from_each_cluster_in_turn(screen):
    every = {arm: splits_of(RELATIVES, screen, max_contexts=3)[arm] for arm in RELATIVES.arms}
    tested = {
        arm: [split.conditions_in(Role.TEST)["context"].iloc[0] for split in splits]
        for arm, splits in every.items()
    }
    assert len({tuple(names) for names in tested.values()}) == 1
    cluster = every["near"][0].tables["clusters"].set_index("context")["cluster"]
    assert sorted(cluster[tested["near"]]) == ["cluster-1", "cluster-2", "cluster-3"]


def test_more_relatives_than_others_are_cut_to_as_many():
    screen = toy_screen(n_contexts=5, n_combinations=0)
    splits = splits_of(RELATIVES, screen, n_clusters=2, linkage="single")
    sizes = splits["near"][0].tables["clusters"]["cluster"].value_counts().tolist()
    assert sizes == [4, 1]
    for split in (splits["near"][0], splits["far"][0]):
        assert len(set(cells_in(screen, split, Role.TRAIN)["context"])) == 1


def test_question_is_posed_and_audited_with_the_cells_of_the_split(screen):
    split = splits_of(RELATIVES, screen)["near"][0]
    task, truth = pose(screen, split, RELATIVES)
    assert int((~task.train.is_control).sum()) == len(cells_in(screen, split, Role.TRAIN))
    assert truth.test.n == len(cells_in(screen, split, Role.TEST))
    assert set(truth.conditions["perturbation"]) <= set(task.train.obs["perturbation"])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"relation": "nigh"}, OptionError, "no relation 'nigh'"),
        ({"max_contexts": -1}, OptionError, "max_contexts must be a number"),
        ({"n_clusters": 9}, SplitError, "Near and far need .* 9 contexts lie in cluster-1 of 1"),
    ],
)
def test_what_cannot_be_compared_is_refused(screen, options, error, message):
    words = replace(RELATIVES, arms={"a": {"relation": "near", **options}}, default_arm="a")
    with pytest.raises(error, match=message):
        make_splits(words, screen, seed=0)


def test_relatives_that_share_no_perturbation_with_others_are_refused():
    screen = toy_screen_for(RELATIVES)
    obs = screen.cells.obs
    number = obs["context"].astype(str).str.removeprefix("context-").astype(int) % 3
    drug = obs["perturbation"].astype(str)
    rank = drug.map({name: place for place, name in enumerate(sorted(set(drug)))}) % 3
    apart = Dataset("apart", screen.cells[screen.is_control | (number == rank).to_numpy()].copy())
    with pytest.raises(SplitError, match="No tested context shares perturbations"):
        make_splits(RELATIVES, apart, seed=0)


def test_contexts_that_share_perturbations_stand_for_each_other():
    counts = np.array([[5, 5, 0, 0], [0, 0, 5, 5], [0, 0, 3, 3], [2, 2, 0, 0], [0, 0, 0, 0]])
    for seed in range(5):
        found = align([np.array([0, 1]), np.array([2, 3, 4])], counts, np.random.default_rng(seed))
        assert {tuple(row) for row in found} == {(0, 3), (1, 2)}


def test_near_middle_and_far_are_in_order_and_as_large(screen):
    splits = splits_of(DISTANCE, screen)
    table = splits["near"][0].tables["training"]
    mean = table.pivot_table(index="tested", columns="set", values="distance")
    assert (mean["near"] < mean["middle"]).all()
    assert (mean["middle"] < mean["far"]).all()
    assert (table.groupby(["tested", "set"]).size() == 2).all()
    for folds in zip(*splits.values(), strict=True):
        coverage = [counts_of(cells_in(screen, split, Role.TRAIN)) for split in folds]
        assert all(coverage[0] == other for other in coverage[1:])
        tested = [cells_in(screen, split, Role.TEST) for split in folds]
        assert all(tested[0].equals(other) for other in tested[1:])
        trained = [set(cells_in(screen, split, Role.TRAIN)["context"]) for split in folds]
        assert not trained[0] & trained[2]


def test_distance_needs_four_contexts():
    with pytest.raises(SplitError, match="4 in all; found context-1, context-2, context-3"):
        make_splits(DISTANCE, toy_screen(), seed=0)


def test_unknown_distance_is_named(screen):
    words = replace(DISTANCE, arms={"a": {"distance": "fra"}}, default_arm="a")
    with pytest.raises(OptionError, match="Did you mean 'far'"):
        make_splits(words, screen, seed=0)


def test_roles_of_the_same_seed_are_the_same(screen):
    first, second = (splits_of(RELATIVES, screen)["far"] for _ in range(2))
    assert [one.fingerprint for one in first] == [two.fingerprint for two in second]
    pd.testing.assert_frame_equal(first[0].tables["relatives"], second[0].tables["relatives"])


def test_contexts_that_are_left_out_shape_neither_genes_nor_embedding(screen):
    words = replace(RELATIVES, genes="hvg:30", fit_on="train", embedding="pca:4", shams=0)
    far = make_splits(words, screen, seed=3, arm="far")[0]
    used = set(far.conditions.loc[far.conditions["role"] != Role.UNUSED, "context"])
    is_left_out = ~screen.cells.obs["context"].isin(used).to_numpy()
    assert (is_left_out & screen.is_control).any()
    changed = screen.cells.copy()
    numbers = changed.X.toarray()
    numbers[is_left_out] = numbers[is_left_out][:, ::-1]
    changed.X = sparse.csr_matrix(numbers)
    task, other = (pose(some, far, words).task for some in (screen, Dataset(screen.name, changed)))
    assert list(task.train.genes) == list(other.train.genes)
    np.testing.assert_array_equal(task.query.controls.embedding, other.query.controls.embedding)
