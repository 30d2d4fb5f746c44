"""Metrics of halves of the test cells, asked of the judge."""

from dataclasses import replace

import numpy as np
import pytest

from wildcell.judge import Judge
from wildcell.laws.evidence import draw_clouds, response_of
from wildcell.metrics.headline import find_metrics
from wildcell.metrics.metric import METRICS
from wildcell.models.model import MODELS
from wildcell.names import Status
from wildcell.results.score import Case, score_case
from wildcell.testing import toy_questions

WEIGHTED = ("weighted_mse", "weighted_r2_delta", "weighted_pearson_delta")


@pytest.fixture(scope="module")
def question():
    return toy_questions()["unseen-context"]


def test_judge_halves_the_cells_for_those_who_need_it(question):
    task, truth = question
    model = MODELS.get("context-transfer").make(seed=0)
    model.fit(task)
    table = Judge(truth, find_metrics(WEIGHTED)).score(model.predict(task.query))
    assert set(table["metric"]) == set(WEIGHTED)
    assert (table["status"] == Status.OK).all()
    assert np.isfinite(table["value"]).all()


def test_no_change_weighs_as_much_as_it_errs_and_is_flat_elsewhere(question):
    task, truth = question
    model = MODELS.get("no-change").make(seed=0)
    model.fit(task)
    table = (
        Judge(truth, find_metrics(WEIGHTED)).score(model.predict(task.query)).set_index("metric")
    )
    assert (table.loc["weighted_mse", "status"] == Status.OK).all()
    assert (table.loc["weighted_r2_delta", "status"] == Status.FLAT).all()


def test_halves_of_one_cell_have_no_error():
    truth = response_of(draw_clouds(np.random.default_rng(0), n=3))
    halves = tuple(replace(half, n=np.array([1, 2, 9])) for half in truth.halves)
    truth = replace(truth, halves=halves)
    case = Case(truth, truth, truth, np.zeros(3, dtype=bool))
    table = score_case(case, [METRICS.get("weighted_mse")])
    assert table["status"].tolist() == [Status.TOO_FEW_CELLS, Status.OK, Status.OK]


def test_truth_of_means_has_no_halves():
    truth = replace(response_of(draw_clouds(np.random.default_rng(0))), halves=None)
    case = Case(truth, truth, truth, np.zeros(len(truth.mean), dtype=bool))
    table = score_case(case, [METRICS.get("weighted_mse")])
    assert set(table["status"]) == {Status.NEEDS_CELLS}
