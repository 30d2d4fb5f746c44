"""Sums of singles, against means taken by hand, and as the judge is given them."""

from dataclasses import replace

import numpy as np
import pytest

from wildcell import run_scenario
from wildcell.judge import Judge
from wildcell.metrics.headline import find_metrics
from wildcell.models.model import MODELS
from wildcell.names import CONTROL, SHAM, Status
from wildcell.results.table import read_scores
from wildcell.scenarios.additive import sum_of_singles
from wildcell.scenarios.scenario import load_scenario
from wildcell.testing import toy_questions, toy_screen

METRICS = ("interaction_pearson", "interaction_r2", "interaction_auprc")


@pytest.fixture(scope="module")
def question():
    return toy_questions()["unseen-combination"]


def cells_of(cells, context, perturbation):
    rows = (cells.obs["context"] == context) & (cells.obs["perturbation"] == perturbation)
    return cells.lognorm.toarray()[rows.to_numpy()].astype(float)


def answer_of(name, task):
    model = MODELS.get(name).make(seed=0)
    model.fit(task)
    return model.predict(task.query)


def test_sum_is_that_of_the_deltas_of_the_parts(question):
    task, _ = question
    found = sum_of_singles(task)
    is_known = ~np.isnan(found.delta).any(axis=1)
    assert is_known.any()
    for row in np.flatnonzero(is_known):
        context, perturbation = task.query.conditions.loc[row, ["context", "perturbation"]]
        parts = [cells_of(task.train, context, name) for name in perturbation.split("+")]
        control = cells_of(task.query.controls, context, CONTROL)
        expected = sum(cells.mean(axis=0) - control.mean(axis=0) for cells in parts)
        np.testing.assert_allclose(found.delta[row], expected)
        errors = [cells.var(axis=0, ddof=1) / len(cells) for cells in (*parts, control)]
        np.testing.assert_allclose(found.error[row], errors[0] + errors[1] + 4 * errors[2])


def test_only_combinations_of_trained_singles_have_a_sum(question):
    task, _ = question
    conditions = task.query.conditions
    is_known = ~np.isnan(sum_of_singles(task).delta).any(axis=1)
    assert (conditions["category"][is_known] == "combo-0").all()
    assert is_known[(conditions["category"] == "combo-0").to_numpy()].all()


def test_additive_model_predicts_no_interaction_and_others_are_scored(question):
    task, truth = question
    judge = Judge(truth, find_metrics(METRICS), singles=sum_of_singles(task))
    tables = {
        name: judge.score(answer_of(name, task)) for name in ("additive", "no-change", "ridge")
    }
    for name, table in tables.items():
        is_pair = table["category"] == "combo-0"
        others = table[~is_pair & ~table["category"].isin([SHAM])]
        assert set(others["status"]) <= {Status.NEEDS_REFERENCE, Status.TOO_FEW_CELLS}, name
        share = table[is_pair & (table["metric"] == "interaction_r2")]
        expected = Status.FLAT if name == "no-change" else Status.OK
        assert set(share["status"]) == {expected}, name
        assert np.isfinite(share["null"]).all() or name != "no-change"
    pearson = tables["additive"].query("metric == 'interaction_pearson' and category == 'combo-0'")
    assert set(pearson["status"]) <= {Status.FLAT, Status.UNDEFINED}


def test_shams_have_no_interaction(question):
    task, truth = question
    judge = Judge(truth, find_metrics(METRICS), singles=sum_of_singles(task))
    table = judge.score(answer_of("no-change", task))
    assert not table.loc[table["category"] == SHAM, "value"].notna().any()


def test_without_training_cells_there_is_nothing_to_add_up(question):
    task, truth = question
    table = Judge(truth, find_metrics(METRICS)).score(answer_of("perturbed-mean", task))
    assert set(table["status"]) <= {Status.NEEDS_REFERENCE, Status.TOO_FEW_CONTROLS}


def test_run_scores_planted_interactions(tmp_path):
    screen = toy_screen(
        n_combinations=8, n_cells=150, n_controls=300, epistasis_share=1.0, epistasis_strength=1.0
    )
    scenario = replace(load_scenario("unseen-combination"), metrics=METRICS, genes="all")
    run_scenario(scenario, models=["perturbed-mean"], data=screen, seeds=[0], runs=tmp_path)
    scores = read_scores(tmp_path)
    pairs = scores[(scores["category"] == "combo-0") & (scores["status"] == Status.OK)]
    replicate = pairs[pairs["model"] == "replicate"].groupby("metric")["value"].mean()
    assert replicate["interaction_pearson"] > 0.7
    assert replicate["interaction_auprc"] > 0.5
    naive = pairs[pairs["model"] == "perturbed-mean"].groupby("metric")["value"].mean()
    assert naive["interaction_pearson"] < replicate["interaction_pearson"] - 0.3
