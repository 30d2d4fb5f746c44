"""Retrieval by distances, from either side and of the nearest, against counting."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from wildcell.laws.evidence import beside_others, draw_clouds, random_answer, response_of, without
from wildcell.metrics.metric import METRICS
from wildcell.metrics.similarity import column_retrieval, is_among_nearest

MEASURES = {"cosine": "cosine", "pearson": "correlation", "l1": "cityblock", "l2": "euclidean"}


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(1)
    truth = draw_clouds(rng)
    return response_of(truth), response_of(beside_others(random_answer(truth, rng), rng))


def distances(pair, measure):
    """Return the distances of predictions (rows) to truths on genes that are no target."""
    truth, prediction = pair
    genes = ~truth.targets.any(axis=0)
    return cdist(prediction.delta[:, genes], truth.delta[:, genes], MEASURES[measure])


def share_beaten(own, others):
    return ((others > own).sum() + 0.5 * (others == own).sum()) / len(others)


@pytest.mark.parametrize("measure", ["l1", "l2"])
def test_rows_rank_the_own_truth_among_truths(pair, measure):
    expected = [
        share_beaten(row[i], np.delete(row, i)) for i, row in enumerate(distances(pair, measure))
    ]
    found = METRICS.get(f"retrieval_{measure}").compute(*pair)
    assert found.tolist() == pytest.approx(expected)
    assert len(set(expected)) > 2


@pytest.mark.parametrize("measure", MEASURES)
def test_columns_rank_the_own_answer_among_answers(pair, measure):
    columns = distances(pair, measure).T
    expected = [share_beaten(row[i], np.delete(row, i)) for i, row in enumerate(columns)]
    found = METRICS.get(f"column_retrieval_{measure}").compute(*pair)
    assert found.tolist() == pytest.approx(expected)
    assert len(set(expected)) > 2


@pytest.mark.parametrize("n", [1, 5])
def test_nearest_hold_the_own_truth_or_do_not(pair, n):
    rows = distances(pair, "cosine")
    expected = [float(i in np.argsort(row)[:n]) for i, row in enumerate(rows)]
    found = METRICS.get(f"retrieval_top{n}").compute(*pair)
    assert found.tolist() == expected
    assert set(expected) == {0.0, 1.0}


def test_one_answer_for_all_is_at_chance_from_either_side():
    """From the side of the truths it is the same for each."""
    alike = np.tile(np.random.default_rng(0).normal(size=8), (8, 1))
    assert column_retrieval(alike).tolist() == [0.5] * 8
    assert is_among_nearest(alike, 3).mean() == pytest.approx(3 / 8)
    assert is_among_nearest(np.ones((8, 8)), 3).tolist() == [3 / 8] * 8


def test_silence_on_others_counts_as_a_tie(pair):
    truth, prediction = pair
    whole = METRICS.get("column_retrieval_cosine").compute(truth, prediction)
    found = METRICS.get("column_retrieval_cosine").compute(truth, without(prediction, 3))
    others = np.arange(len(whole)) != 3
    assert np.isnan(found[3])
    assert set(np.abs(found - whole)[others].round(6)) == {round(0.5 / 7, 6)}


def test_answers_that_were_not_measured_are_no_candidates(pair):
    truth, prediction = pair
    rest = np.arange(8) != 3
    similarity = -distances(pair, "l2")
    found = METRICS.get("column_retrieval_l2").compute(without(truth, 3), prediction)
    assert np.isnan(found[3])
    assert found[rest].tolist() == column_retrieval(similarity[np.ix_(rest, rest)]).tolist()


def test_too_few_truths_leave_nothing_to_choose():
    similarity = np.random.default_rng(0).normal(size=(5, 5))
    assert np.isnan(is_among_nearest(similarity, 5)).all()
    assert np.isfinite(is_among_nearest(similarity, 4)).all()
    assert np.isnan(column_retrieval(similarity[:1, :1])).all()
