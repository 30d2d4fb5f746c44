"""How far conditions lie from training: blind, planted, and by brute force."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cosine

from wildcell.datasets.dataset import Dataset
from wildcell.novelty import novelty
from wildcell.scenarios.ask import ask
from wildcell.scenarios.pose import pose
from wildcell.scenarios.scenario import load_scenario
from wildcell.scenarios.split import make_splits
from wildcell.testing import toy_questions, toy_screen


def question_of(screen, name="unseen-context", fold=0, **words):
    scenario = replace(load_scenario(name), **words)
    return ask(screen, make_splits(scenario, screen, seed=0)[fold], scenario)[0]


def renamed_contexts(screen, names):
    """Return the screen with other names of contexts, cell by cell."""
    cells = screen.cells.copy()
    for column in ("context", "control_group"):
        cells.obs[column] = pd.Categorical(names)
    return Dataset("renamed", cells)


def test_contexts_alike_are_at_no_distance():
    screen = toy_screen(n_contexts=1, n_controls=600)
    rng = np.random.default_rng(0)
    names = rng.choice(["a", "b", "c"], screen.cells.n_obs)
    found = novelty(question_of(renamed_contexts(screen, names)).task, seed=0)
    apart = novelty(question_of(toy_screen(n_controls=200)).task, seed=0)
    assert abs(found["context_distance_mean"].iloc[0]) < 0.02
    assert apart["context_distance"].iloc[0] > 20 * 0.02


def test_a_context_with_a_relative_in_training_is_nearer_than_one_without():
    screen = toy_screen(n_contexts=3, n_controls=200)
    twins = screen.cells.obs["context"].astype(str).to_numpy(dtype=object)
    of_first = twins == "context-1"
    coin = np.random.default_rng(0).random(len(twins)) < 0.5
    related = renamed_contexts(screen, np.where(of_first & coin, "context-0", twins))
    found = {}
    for fold in range(4):
        table = question_of(related, fold=fold).task
        distances = novelty(table, seed=0)
        found[table.query.conditions["context"].iloc[0]] = distances.iloc[0]
    assert found["context-0"]["context_distance"] < 0.1 < found["context-2"]["context_distance"]
    assert found["context-0"]["context_distance_mean"] > 0.1
    assert all(row["context_distance"] <= row["context_distance_mean"] for row in found.values())


def test_a_context_that_was_trained_on_is_at_zero():
    found = novelty(question_of(toy_screen(), "unseen-perturbation").task, seed=0)
    assert (found["context_distance"] == 0).all()
    assert (found["context_distance_mean"] > 0).all()


def test_neither_test_cells_nor_kept_controls_are_looked_at():
    screen, scenario = toy_screen(), replace(load_scenario("unseen-context"), genes="all")
    split = make_splits(scenario, screen, seed=0)[0]
    task, truth = pose(screen, split, scenario)
    hidden = set(truth.test.obs["context"])
    given = truth.given.obs["total_counts"]
    cells = screen.cells.copy()
    in_hidden = cells.obs["context"].isin(hidden).to_numpy()
    is_given = cells.obs["total_counts"].isin(given).to_numpy() & screen.is_control
    cells.X[in_hidden & ~is_given] *= 7
    changed, _ = pose(Dataset("changed", cells), split, scenario)
    pd.testing.assert_frame_equal(novelty(task, seed=0), novelty(changed, seed=0))


def test_the_order_of_cells_does_not_matter_where_all_are_looked_at():
    task = question_of(toy_screen()).task
    order = np.random.default_rng(0).permutation(task.train.n)
    train = replace(
        task.train, X=task.train.X[order], obs=task.train.obs.iloc[order].reset_index(drop=True)
    )
    pd.testing.assert_frame_equal(
        novelty(task, seed=0), novelty(replace(task, train=train), seed=0), rtol=1e-6
    )


@pytest.mark.parametrize("name", ["unseen-perturbation", "unseen-combination"])
def test_perturbations_are_as_far_as_the_nearest_features(name):
    task = question_of(toy_screen(), name).task
    found = novelty(task, seed=0)["perturbation_distance"]
    features, parts = task.query.features, task.query.components.groupby("perturbation")

    def row(key):
        return features.loc[parts.get_group(key)["component"]].mean(axis=0)

    trained = sorted(set(task.train.obs["perturbation"]) - {"control"})
    expected = [
        min(cosine(row(key), row(other)) for other in trained)
        for key in task.query.conditions["perturbation"]
    ]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert (found > 0).any()


def test_the_same_component_is_at_zero_whatever_its_dose():
    task = question_of(toy_screen(), "unseen-perturbation").task
    asked = task.query.conditions["perturbation"].iloc[0]
    component = task.query.components.set_index("perturbation").loc[asked, "component"]
    dosed = pd.DataFrame(
        {"perturbation": [f"{component}@10"], "component": [component], "dose": [10.0]}
    )
    obs = task.train.obs.copy()
    obs.loc[~task.train.is_control, "perturbation"] = f"{component}@10"
    query = replace(task.query, components=pd.concat([task.query.components, dosed]), features=None)
    found = novelty(replace(task, train=replace(task.train, obs=obs), query=query), seed=0)
    is_same = task.query.conditions["perturbation"] == asked
    assert (found.loc[is_same, "perturbation_distance"] == 0).all()
    assert found.loc[~is_same, "perturbation_distance"].isna().all()


def test_without_features_what_was_not_seen_is_at_no_known_distance():
    task = question_of(toy_screen(), "unseen-perturbation", features="none").task
    assert novelty(task, seed=0)["perturbation_distance"].isna().all()
    features = task.query.components[["component"]].drop_duplicates().set_index("component")
    blank = replace(task, query=replace(task.query, features=features.assign(x=0.0)))
    assert novelty(blank, seed=0)["perturbation_distance"].isna().all()


def test_every_toy_question_has_a_row_a_condition():
    for name, (task, _) in toy_questions().items():
        found = novelty(task, seed=0)
        assert len(found) == len(task.query.conditions), name
