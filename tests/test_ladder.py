"""Answers that know one half of the test cells: none of them gains by noise."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from wildcell.judge import Judge
from wildcell.ladder import Reference, judged_by_halves, replicate_of_halves
from wildcell.metrics.headline import find_metrics
from wildcell.models.model import MODELS
from wildcell.names import CONDITION, HALVES, ORACLES, SHAM
from wildcell.oracles import Known, nearest, spanned, true_amplitude
from wildcell.scenarios.pose import pose
from wildcell.scenarios.scenario import load_scenario
from wildcell.scenarios.split import make_splits
from wildcell.scenarios.task import Task
from wildcell.scenarios.trained_deltas import trained_deltas
from wildcell.testing import toy_questions, toy_screen

METRICS = ("effect_r2", "pearson_delta", "pearson_specific", "energy_distance_pca")
NULL = {
    "n_controls": 40,
    "n_perturbations": 40,
    "shared_strength": 0.0,
    "specific_strength": 0.0,
    "interaction_strength": 0.0,
    "target_strength": 0.0,
}


@cache
def question(**options):
    sizes = {"n_controls": 120, "n_perturbations": 16, "n_cells": 24, "n_contexts": 2}
    screen = toy_screen(**{**sizes, "n_combinations": 0, **options})
    scenario = load_scenario("unseen-perturbation")
    return pose(screen, make_splits(scenario, screen, seed=0)[0], scenario)


def reference(task, name="perturbed-mean"):
    model = MODELS.get(name).make(seed=0)
    model.fit(task)
    return Reference(model.predict(task.query), np.ones(len(task.query.conditions), dtype=bool))


def judge(metrics=METRICS, **options):
    task, truth = question(**options)
    return Judge(truth, find_metrics(metrics), reference=reference(task).prediction)


@cache
def table(metrics=METRICS, seed=0, **options):
    task, _ = question(**options)
    return judged_by_halves(
        judge(metrics, **options), task, reference(task), np.random.default_rng(seed),
        has_oracles=True,
    )  # fmt: skip


def mean_of(found, metric, *, part="value"):
    own = found[(found["metric"] == metric) & (found["category"] != SHAM)]
    return own.groupby("model")[part].mean()


def known(delta):
    return Known(delta, np.zeros_like(delta), np.ones(delta.shape, dtype=bool))


def test_everything_is_judged_by_either_half():
    found = table()

    assert set(found["model"]) == {"replicate", "reference", "ceiling", *ORACLES}
    assert set(found["half"]) == set(HALVES)
    assert not found.duplicated(["model", "half", "metric", *CONDITION]).any()


def test_replicate_is_that_of_the_judge():
    expected = judge().replicate(np.random.default_rng(0))

    pd.testing.assert_frame_equal(replicate_of_halves(table()), expected)


def test_reference_explains_on_average_by_halves_what_it_does_by_all():
    """What is explained is linear in the truth, and the halves are equal."""
    task, _ = question()
    by_all = judge().score(reference(task).prediction)
    expected = by_all[by_all["metric"] == "effect_r2"].set_index(CONDITION)["numerator"]
    own = table()
    own = own[(own["model"] == "reference") & (own["metric"] == "effect_r2")]
    found = own.groupby(CONDITION)["numerator"].mean()

    pd.testing.assert_series_equal(found, expected.sort_index())


def test_all_are_judged_by_the_same_cells():
    own = table()
    own = own[(own["metric"] == "effect_r2") & (own["model"] != "ceiling")]
    same = own.groupby(["half", *CONDITION])["denominator"].nunique()

    assert (same == 1).all()


def test_forms_are_ordered_as_planted():
    explained = mean_of(table(specific_strength=0.8), "effect_r2", part="numerator")
    specific = mean_of(table(specific_strength=0.8), "pearson_specific")

    assert explained["oracle-amplitude"] > explained["reference"]
    assert explained["oracle-span"] > explained["oracle-amplitude"]
    assert explained["replicate"] > explained["oracle-nearest"]
    assert specific["oracle-span"] > 0.2
    assert np.isnan(specific["oracle-amplitude"])  # nothing is left beside the shared response


def test_where_nothing_was_done_no_oracle_gains_by_what_it_knows():
    draws = [table(("effect_r2", "pearson_delta"), seed, **NULL) for seed in range(5)]
    correlation = pd.concat([mean_of(draw, "pearson_delta") for draw in draws], axis=1)
    explained = pd.concat([mean_of(draw, "effect_r2", part="numerator") for draw in draws], axis=1)

    assert correlation.loc[list(ORACLES)].mean(axis=1).abs().max() < 0.06
    assert explained.loc[list(ORACLES)].mean(axis=1).max() < 0


def test_what_the_reference_is_not_asked_is_not_applicable():
    task, _ = question()
    whole = reference(task)
    is_applicable = np.arange(len(whole.is_applicable)) > 0
    answered = replace(
        whole.prediction,
        X=whole.prediction.X[is_applicable],
        obs=whole.prediction.obs[is_applicable].reset_index(drop=True),
    )
    found = judged_by_halves(
        judge(), task, Reference(answered, is_applicable), np.random.default_rng(0),
        has_oracles=True,
    )  # fmt: skip
    first = tuple(task.query.conditions[CONDITION].iloc[0])
    status = found.set_index(CONDITION).loc[[first]].groupby("model")["status"].agg(set)

    assert status["reference"] == status["oracle-amplitude"] == {"not_applicable"}
    assert "ok" in status["oracle-span"]


def test_without_a_reference_there_are_the_oracles_that_need_none():
    task, truth = question()
    found = judged_by_halves(
        Judge(truth, find_metrics(["pearson_delta"])), task, None, np.random.default_rng(0),
        has_oracles=True,
    )  # fmt: skip
    n_scored = (found["status"] == "ok").groupby(found["model"]).sum()

    assert "reference" not in n_scored
    assert n_scored["oracle-amplitude"] == 0
    assert n_scored["oracle-nearest"] > 0


def test_nearest_is_a_training_condition_by_the_genes_that_are_judged():
    trained = np.array([[1.0, 0.0, 9.0], [0.0, 1.0, 0.0]])
    own = known(np.array([[1.0, 0.0, -9.0]]))
    is_kept = np.array([[True, True, False]])

    assert nearest(own, trained).tolist() == [[0.0, 1.0, 0.0]]
    assert nearest(own._replace(kept=is_kept), trained).tolist() == [[1.0, 0.0, 9.0]]


def test_span_keeps_nothing_that_noise_explains():
    trained, delta = np.eye(3)[:2], np.array([[3.0, 0.5, 0.0]])
    own = known(delta)._replace(noise=np.ones_like(delta))

    assert spanned(own, trained)[0] == pytest.approx([3.0 * (1 - 1 / 9), 0.0, 0.0])


def test_span_of_many_conditions_is_whole():
    rng = np.random.default_rng(0)
    delta = rng.normal(size=(2, 4))

    np.testing.assert_allclose(spanned(known(delta), rng.normal(size=(9, 4))), delta)


def test_a_reference_of_no_change_stays_so():
    delta = np.ones((2, 3))

    assert (true_amplitude(known(delta), np.zeros_like(delta)) == 0).all()


def test_no_training_conditions_make_no_answer():
    delta = np.ones((2, 3))

    assert np.isnan(nearest(known(delta), np.zeros((0, 3)))).all()
    assert np.isnan(spanned(known(delta), np.zeros((0, 3)))).all()


def test_trained_deltas_are_those_of_models_that_learn_them():
    task, truth = toy_questions()["unseen-context"]
    model = MODELS.get("context-transfer").make(seed=0)
    model.fit(task)
    found = trained_deltas(replace(task, val=task.val.select(np.zeros(0, dtype=int))),
                           truth.test.genes)  # fmt: skip

    np.testing.assert_allclose(np.sort(found, axis=0), np.sort(model.effects.delta, axis=0))


def test_genes_that_models_were_not_given_do_not_change():
    task, truth = question()
    few = replace(task.train, X=task.train.X[:, 1:], genes=task.train.genes[1:])
    found = trained_deltas(Task(few, task.val.select(np.zeros(0, dtype=int)), task.query),
                           truth.test.genes)  # fmt: skip

    assert (found[:, 0] == 0).all()
    assert (found[:, 1] != 0).any()
