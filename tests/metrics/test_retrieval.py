"""Retrieval by rank, against counting."""

import numpy as np
import pytest
from scipy.stats import pearsonr

from wildcell.laws.evidence import draw_clouds, random_answer, response_of, without
from wildcell.metrics.retrieval import (
    cosine_lfc_rank,
    cosine_matrix,
    pearson_delta_rank,
    row_retrieval,
)


def counted(similarity):
    """Return the share of other candidates that are less similar, ties counted by half."""
    scores = []
    for row, values in enumerate(similarity):
        others = np.delete(values, row)
        beaten = (others < values[row]).sum() + 0.5 * (others == values[row]).sum()
        scores.append(beaten / len(others))
    return scores


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(1)
    truth = draw_clouds(rng)
    return response_of(truth), response_of(random_answer(truth, rng))


def no_targets(response):
    """Return which genes are no perturbation's target."""
    return ~response.targets.any(axis=0)


def test_row_retrieval_is_the_share_of_candidates_beaten():
    similarity = np.random.default_rng(0).normal(size=(9, 9))
    assert row_retrieval(similarity).tolist() == pytest.approx(counted(similarity))


def test_ties_count_by_half():
    similarity = np.random.default_rng(0).integers(0, 3, (9, 9)).astype(float)
    assert row_retrieval(similarity).tolist() == pytest.approx(counted(similarity))


def test_answer_that_is_the_same_for_all_is_at_chance_on_average():
    similarity = np.tile(np.random.default_rng(0).normal(size=8), (8, 1))
    assert row_retrieval(similarity).mean() == pytest.approx(0.5)
    assert row_retrieval(np.ones((8, 8))).tolist() == [0.5] * 8


def test_retrieval_by_pearson_ranks_correlations_of_deltas_without_any_target(pair):
    truth, prediction = pair
    genes = no_targets(truth)
    similarity = [
        [pearsonr(one[genes], other[genes]).statistic for other in truth.delta]
        for one in prediction.delta
    ]
    assert pearson_delta_rank(*pair).tolist() == pytest.approx(counted(np.array(similarity)))
    assert len(set(pearson_delta_rank(*pair))) > 2


def test_retrieval_by_cosine_ranks_cosines_of_fold_changes_without_any_target(pair):
    truth, prediction = pair
    genes = no_targets(truth)
    similarity = [
        [
            one[genes] @ other[genes] / np.linalg.norm(one[genes]) / np.linalg.norm(other[genes])
            for other in truth.lfc
        ]
        for one in prediction.lfc
    ]
    assert cosine_lfc_rank(*pair).tolist() == pytest.approx(counted(np.array(similarity)))


@pytest.mark.parametrize("metric", [pearson_delta_rank, cosine_lfc_rank])
def test_truth_that_is_missing_is_no_candidate(pair, metric):
    truth, prediction = pair
    n = len(truth.perturbations)
    rest = np.delete(np.arange(n), 3)
    result = metric(without(truth, 3), prediction)
    assert np.isnan(result[3])
    assert set(np.round(result[rest] * (n - 2), 6) % 1) <= {0.0, 0.5}
    shared = no_targets(truth)
    if metric is pearson_delta_rank:
        similarity = np.corrcoef(prediction.delta[:, shared], truth.delta[:, shared])[:n, n:]
        expected = counted(similarity[np.ix_(rest, rest)])
        assert result[rest].tolist() == pytest.approx(expected)


def test_row_without_an_answer_leaves_the_others_their_candidates():
    similarity = np.random.default_rng(0).normal(size=(6, 6))
    silent = similarity.copy()
    silent[2] = np.nan
    result = row_retrieval(silent)
    assert np.isnan(result[2])
    others = np.arange(6) != 2
    assert result[others].tolist() == row_retrieval(similarity)[others].tolist()


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_candidates_are_no_retrieval(n):
    assert np.isnan(row_retrieval(np.ones((n, n)))).all()
    one_left = np.array([[1.0, np.nan], [0.5, np.nan]])
    assert np.isnan(row_retrieval(one_left)).all()


def test_cosines_of_zero_rows_are_unknown():
    rows = np.array([[3.0, 4.0], [0.0, 0.0]])
    matrix = cosine_matrix(rows, np.array([[6.0, 8.0], [-4.0, 3.0]]))
    np.testing.assert_allclose(matrix, [[1.0, 0.0], [np.nan, np.nan]], atol=1e-12)
