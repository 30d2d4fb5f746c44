"""Errors weighed by specificity, against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn.metrics import r2_score

from wildcell.metrics.specificity import (
    r2,
    specificity_weights,
    weighted_r2,
    weighted_squared_error,
)


@pytest.fixture
def rows():
    rng = np.random.default_rng(2)
    return rng.normal(size=(4, 8)), rng.normal(size=(4, 8)), rng.normal(size=(4, 8))


def test_explained_shares_are_those_of_scikit_learn(rows):
    truth, prediction, statistic = rows
    weights = specificity_weights(statistic)
    for i in range(4):
        assert r2(truth, prediction)[i] == pytest.approx(r2_score(truth[i], prediction[i]))
        expected = r2_score(truth[i], prediction[i], sample_weight=weights[i])
        assert weighted_r2(truth, prediction, weights)[i] == pytest.approx(expected)


def test_weights_sum_to_one_and_grow_with_the_size_of_the_statistic(rows):
    statistic = rows[2]
    for exponent in (1, 2, 4):
        weights = specificity_weights(statistic, exponent=exponent)
        np.testing.assert_allclose(weights.sum(axis=1), 1.0)
        np.testing.assert_array_equal(weights.argsort(axis=1), np.abs(statistic).argsort(axis=1))


def test_no_spread_weighs_all_alike_and_the_unknown_weighs_nothing():
    assert specificity_weights(np.array([[2.0, -2.0]])).tolist() == [[0.5, 0.5]]
    assert specificity_weights(np.array([[np.nan, 1.0, 3.0]])).tolist() == [[0.0, 0.0, 1.0]]
    assert specificity_weights(np.full((1, 4), np.nan)).tolist() == [[0.25] * 4]


def test_squared_error_is_of_the_weighed_genes_alone():
    truth, prediction = np.array([[1.0, 5.0]]), np.array([[3.0, -5.0]])
    assert weighted_squared_error(truth, prediction, np.array([[1.0, 0.0]])).tolist() == [4.0]


def test_constant_truths_have_no_explained_share():
    assert np.isnan(r2(np.ones((1, 3)), np.zeros((1, 3)))).all()
