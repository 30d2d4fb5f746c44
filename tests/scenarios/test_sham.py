from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from wildcell.datasets.dataset import Dataset
from wildcell.judge import Judge, find_metrics, score_prediction
from wildcell.models.answer import answer, unanswerable
from wildcell.models.find import find_model
from wildcell.models.means import ContextTransfer, PerturbedMean
from wildcell.models.model import base_models
from wildcell.names import CONDITION, CONTROL, SHAM, Expression, Kind, Role
from wildcell.scenarios.answer import mean_rows, to_truth, with_shams_answered
from wildcell.scenarios.controls import kept_controls
from wildcell.scenarios.folder import write_question
from wildcell.scenarios.pose import pose
from wildcell.scenarios.prediction import Prediction
from wildcell.scenarios.scenario import DEFAULT_METRICS, load_scenario, scenario_names
from wildcell.scenarios.sham import LARGEST_SHARE, MIN_CONTROLS, with_shams
from wildcell.scenarios.split import make_splits
from wildcell.testing import toy_screen

CONTEXT = load_scenario("unseen-context")


def split_of(screen, name="unseen-context", seed=0):
    return make_splits(load_scenario(name), screen, seed=seed)[0]


@pytest.fixture(scope="module")
def screen():
    return toy_screen(n_controls=200)


@pytest.mark.parametrize("name", ["unseen-context", "unseen-perturbation", "iid"])
def test_shams_are_asked_in_every_tested_group(screen, name):
    split = split_of(screen, name)
    posed = with_shams(screen, split, n=2)
    asked = posed.split.conditions_in(Role.TEST)
    shams = asked[asked["category"] == SHAM]
    tested = split.conditions_in(Role.TEST)
    assert shams.groupby("control_group").size().to_dict() == dict.fromkeys(
        set(tested["control_group"]), 2
    )
    assert len(asked) == len(tested) + len(shams)


def test_shams_are_controls_and_no_other_cell_changes(screen):
    posed = with_shams(screen, split_of(screen), n=2)
    before = screen.cells.obs["perturbation"].astype(str)
    after = posed.dataset.cells.obs["perturbation"].astype(str)
    changed = before != after
    assert set(before[changed]) == {CONTROL}
    assert set(after[changed]) == {"sham-1", "sham-2"}
    assert changed.sum() == 3 * 2 * 20
    assert (screen.cells.obs["perturbation"] == before).all()


def test_roles_of_cells_stay_what_they_were(screen):
    split = split_of(screen, "iid")
    posed = with_shams(screen, split, n=1)
    before = split.roles_of_cells(screen)
    after = posed.split.roles_of_cells(posed.dataset)
    is_sham = (posed.dataset.cells.obs["perturbation"] == "sham-1").to_numpy()
    assert (after[is_sham] == Role.TEST).all()
    assert (before[~is_sham] == after[~is_sham]).all()


def test_the_same_seed_takes_the_same_cells_and_another_pair_takes_others(screen):
    def cells(seed):
        split = replace(split_of(screen), seed=seed)
        return with_shams(screen, split, n=2).dataset.cells.obs["perturbation"].astype(str)

    assert cells(0).equals(cells(0))
    assert not cells(0).equals(cells(2))


def test_a_pair_of_seeds_goes_on_swapping_the_halves_of_the_controls(screen):
    split = split_of(screen)
    halves = []
    for seed in (0, 1):
        posed = with_shams(screen, replace(split, seed=seed), n=2)
        groups = set(posed.split.conditions_in(Role.TEST)["control_group"])
        halves.append(kept_controls(posed.dataset, groups, seed=seed))
    is_left = posed.dataset.is_control & posed.dataset.cells.obs["control_group"].isin(groups)
    assert (halves[0] ^ halves[1])[is_left].all()


def test_all_arms_and_folds_set_the_same_controls_aside(screen):
    """Arms that test other conditions, in folds of their own, cells of other numbers."""
    found = []
    for name, arm in [
        ("unseen-context", "random"),
        ("unseen-context", "leave-one-out"),
        ("unseen-perturbation", "random"),
        ("iid", "random"),
        ("few-shot", "shots-0"),
    ]:
        for split in make_splits(load_scenario(name), screen, seed=0, arm=arm):
            cells = with_shams(screen, split, n=2).dataset.cells
            found.append(cells.obs["perturbation"].astype(str))
    assert len(found) > 10
    assert all(cells.equals(found[0]) for cells in found)


def test_shams_of_groups_that_are_not_tested_are_unused(screen):
    split = split_of(screen)
    posed = with_shams(screen, split, n=2).split
    shams = posed.conditions[posed.conditions["category"] == SHAM]
    tested = set(split.conditions_in(Role.TEST)["control_group"])
    is_tested = shams["control_group"].isin(tested)
    assert (shams["role"] == np.where(is_tested, "test", "unused")).all()
    assert set(shams.loc[~is_tested, "reason"]) == {"its control group is not tested"}
    assert (~is_tested).sum() == 4


def test_unused_shams_are_in_neither_task_nor_truth(screen):
    question = pose(*with_shams(screen, split_of(screen), n=2), CONTEXT)
    cells = [question.task.train, question.task.val, question.task.query.controls]
    truth = question.truth
    sides = [*cells, truth.kept, truth.given]
    assert not any(side.obs["perturbation"].str.contains(SHAM).any() for side in sides)
    is_sham = truth.test.obs["perturbation"].str.contains(SHAM)
    assert set(truth.test.obs.loc[is_sham, "context"]) == set(truth.conditions["context"])


def test_task_folder_does_not_say_that_there_are_shams(screen, tmp_path):
    posed = with_shams(screen, split_of(screen), n=2)
    place = tmp_path / "truth.h5ad"
    write_question(pose(*posed, CONTEXT), posed.split, task_folder=tmp_path / "task", truth=place)
    told = pd.read_csv(tmp_path / "task" / "split.csv")
    assert len(told) == len(screen.conditions)
    texts = [path.read_text() for path in (tmp_path / "task").glob("*.[cj]s*")]
    assert len(texts) >= 4
    assert not any(SHAM in text for text in texts)


def test_more_shams_than_controls_allow_are_not_made(screen):
    posed = with_shams(screen, split_of(screen), n=99)
    shams = posed.split.conditions_in(Role.TEST).query("category == @SHAM")
    assert 0 < shams["n_cells"].sum() <= 100


@pytest.mark.parametrize("name", ["unseen-context", "unseen-perturbation", "iid"])
def test_shams_change_no_other_score_but_by_taking_controls_away(name):
    screen = toy_screen(n_controls=200)
    split, scenario = split_of(screen, name), load_scenario(name)
    posed = with_shams(screen, split, n=2)
    is_left = ~posed.dataset.cells.obs["perturbation"].str.startswith("sham-").to_numpy()
    bare = Dataset(screen.name, screen.cells[is_left].copy())
    questions = (
        pose(bare, split, scenario),
        pose(*posed, scenario),
    )
    for model in base_models():
        without, beside = (scores_of(question, model) for question in questions)
        real = beside[beside["category"] != SHAM].reset_index(drop=True)
        assert len(real) < len(beside)
        pd.testing.assert_frame_equal(without, real, rtol=1e-9, obj=model)
    ceilings = [Judge(truth, find_metrics(DEFAULT_METRICS)).ceilings() for _, truth in questions]
    real = ceilings[1][ceilings[1]["category"] != SHAM].reset_index(drop=True)
    pd.testing.assert_frame_equal(ceilings[0], real)


def scores_of(question, model):
    task, truth = question
    card = find_model(model)
    is_applicable = (unanswerable(card, task) == "").to_numpy()
    prediction = answer(card, task, is_applicable, 0, {})
    scores = score_prediction(truth, prediction)
    keys = [*CONDITION, "metric"]
    return scores.sort_values(keys, ignore_index=True)


def test_the_sizes_of_a_question_count_shams_apart(screen):
    split = split_of(screen)
    posed = with_shams(screen, split, n=2)
    sizes = pose(*posed, CONTEXT).truth.origin.sizes
    assert sizes["test"] == pose(screen, split, CONTEXT).truth.origin.sizes["test"]
    assert sizes[SHAM] == {"conditions": 2, "cells": 40}


def test_few_controls_are_left_alone():
    small = toy_screen(n_controls=MIN_CONTROLS - 1)
    split = split_of(small)
    posed = with_shams(small, split, n=2)
    assert posed.dataset is small
    assert posed.split is split


def test_a_sham_takes_a_tenth_of_the_controls_at_most():
    screen = toy_screen(n_controls=120, n_cells=60)
    posed = with_shams(screen, split_of(screen), n=3)
    sizes = posed.split.conditions.query("category == @SHAM")["n_cells"]
    assert (sizes == int(LARGEST_SHARE * 120)).all()


@pytest.mark.parametrize("name", ["unseen-context", "unseen-perturbation", "iid"])
def test_models_never_hear_of_shams(screen, name):
    split, scenario = split_of(screen, name), load_scenario(name)
    posed = with_shams(screen, split, n=2)
    tasks = [
        pose(dataset, roles, replace(scenario, genes="all")).task
        for dataset, roles in ((screen, split), posed)
    ]
    queries = [task.query for task in tasks]
    pd.testing.assert_frame_equal(queries[0].conditions, queries[1].conditions)
    pd.testing.assert_frame_equal(queries[0].components, queries[1].components)
    pd.testing.assert_frame_equal(queries[0].features, queries[1].features)
    for cells in (tasks[1].train, tasks[1].val, queries[1].controls):
        assert not cells.obs["perturbation"].str.contains(SHAM).any()


def test_a_sham_is_answered_by_what_is_predicted_of_a_tested_perturbation(screen):
    split = split_of(screen)
    task, truth = pose(*with_shams(screen, split, n=2), CONTEXT)
    conditions = truth.conditions
    is_sham = (conditions["category"] == SHAM).to_numpy()
    rows = truth.answered_by
    assert (rows[~is_sham] == np.flatnonzero(~is_sham)).all()
    assert not is_sham[rows].any()
    assert len(set(rows[is_sham])) == 2
    assert (conditions["control_group"].to_numpy()[rows] == conditions["control_group"]).all()
    model = ContextTransfer(seed=0)
    model.fit(task)
    prediction = model.predict(task.query)
    answered = with_shams_answered(to_truth(prediction, truth), truth)
    means = mean_rows(answered, conditions)
    np.testing.assert_array_equal(means, means[rows])


def test_predicted_cells_answer_shams_and_what_was_left_out_does_not(screen):
    _, truth = pose(*with_shams(screen, split_of(screen), n=1), CONTEXT)
    worn = truth.conditions["perturbation"].iloc[truth.answered_by[-1]]
    cells = Prediction(
        X=truth.test.X,
        obs=truth.test.obs[[*CONDITION, "total_counts"]],
        genes=truth.test.genes,
        kind=Kind.CELLS,
        expression=Expression.COUNTS,
    )
    is_asked = (cells.obs["perturbation"] != "sham-1").to_numpy()
    asked = replace(cells, X=cells.X[is_asked], obs=cells.obs[is_asked].reset_index(drop=True))
    answered = with_shams_answered(to_truth(asked, truth), truth)
    n_of = answered.obs["perturbation"].value_counts()
    assert n_of["sham-1"] == n_of[worn] == 20
    is_left = (asked.obs["perturbation"] != worn).to_numpy()
    silent = replace(asked, X=asked.X[is_left], obs=asked.obs[is_left].reset_index(drop=True))
    scores = score_prediction(truth, silent, metrics=["pearson_delta"]).set_index("perturbation")
    assert scores.loc[["sham-1", worn], "status"].tolist() == ["missing", "missing"]


def test_a_sham_is_not_applicable_where_its_perturbation_is_not(screen):
    task, truth = pose(*with_shams(screen, split_of(screen), n=1), CONTEXT)
    is_applicable = np.arange(len(task.query.conditions)) != truth.answered_by[-1]
    model = ContextTransfer(seed=0)
    model.fit(task)
    prediction = model.predict(task.query.select(is_applicable))
    judge = Judge(truth, find_metrics(["pearson_delta"]))
    scores = judge.score(prediction, is_applicable=is_applicable)
    assert (scores["status"] == "not_applicable").sum() == 2


def test_targets_of_a_sham_are_those_of_the_perturbation_that_answers_it(screen):
    _, truth = pose(*with_shams(screen, split_of(screen), n=2), CONTEXT)
    np.testing.assert_array_equal(truth.is_target, truth.is_target[truth.answered_by])
    assert truth.is_target.any(axis=1).all()


def test_whole_guides_are_held_out_where_controls_have_several(screen):
    cells = screen.cells.copy()
    guides = np.array([f"NT-{number % 12}" for number in range(cells.n_obs)])
    cells.obs["replicate"] = pd.Categorical(guides)
    posed = with_shams(Dataset("guided", cells), split_of(screen), n=2)
    obs = posed.dataset.cells.obs
    for (_, name), of_sham in obs[obs["perturbation"].str.startswith("sham-")].groupby(
        ["context", "perturbation"], observed=True
    ):
        assert len(set(of_sham["replicate"])) == 1, name
    controls = screen.cells.obs["perturbation"] == CONTROL
    for _, of_context in obs[controls.to_numpy()].groupby("context", observed=True):
        is_held = of_context["perturbation"] != CONTROL
        held, left = (set(of_context.loc[rows, "replicate"]) for rows in (is_held, ~is_held))
        assert len(held) == 2
        assert not held & left


def test_shams_say_what_a_metric_says_of_nothing_and_leave_other_scores_alone():
    screen = toy_screen(n_controls=400, n_contexts=4, shared_strength=1.0)
    split = split_of(screen)
    posed = with_shams(screen, split, n=2)
    task, truth = pose(*posed, CONTEXT)
    model = PerturbedMean(seed=0)
    model.fit(task)
    scores = score_prediction(truth, model.predict(task.query), metrics=["pearson_delta"])
    on_shams = scores[scores["category"] == SHAM]["value"]
    on_others = scores[scores["category"] != SHAM]["value"]
    assert len(on_shams) == 2
    assert on_others.mean() > 0.5 > abs(on_shams.mean())
    assert set(scores[CONDITION[0]]) == set(split.conditions_in(Role.TEST)["context"])


def test_every_shipped_scenario_makes_shams_where_it_can():
    assert all(load_scenario(name).shams for name in scenario_names())
