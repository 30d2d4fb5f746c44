"""Sets, rankings and directions of genes, against scikit-learn, scipy and by hand."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from wildcell.metrics.recovery import (
    average_precision,
    divided,
    positions,
    roc_auc,
    share,
    spearman_among,
)


@st.composite
def rankings(draw):
    """Labels of both classes, and scores with ties."""
    n = draw(st.integers(3, 30))
    labels = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    labels[:2] = [True, False]
    scores = draw(st.lists(st.integers(-3, 3), min_size=n, max_size=n))
    return labels[None, :], np.array(scores, dtype=float)[None, :]


@given(rankings())
def test_areas_are_those_of_scikit_learn(ranking):
    labels, scores = ranking
    assert average_precision(labels, scores)[0] == pytest.approx(
        metrics.average_precision_score(labels[0], scores[0])
    )
    assert roc_auc(labels, scores)[0] == pytest.approx(metrics.roc_auc_score(labels[0], scores[0]))


def test_areas_of_many_rows_are_those_of_each():
    rng = np.random.default_rng(0)
    labels, scores = rng.random((5, 40)) < 0.3, rng.integers(0, 9, (5, 40)).astype(float)
    for area in (average_precision, roc_auc):
        alone = [area(labels[[i]], scores[[i]])[0] for i in range(5)]
        np.testing.assert_array_equal(area(labels, scores), alone)


@pytest.mark.parametrize("value", [True, False])
def test_one_class_has_no_area(value):
    labels, scores = np.full((1, 4), value), np.arange(4.0)[None, :]
    assert np.isnan(average_precision(labels, scores)).all()
    assert np.isnan(roc_auc(labels, scores)).all()


@given(rankings())
def test_rank_correlation_is_that_of_scipy_over_the_marked_genes(ranking):
    among, scores = ranking
    other = np.random.default_rng(len(scores[0])).normal(size=scores.shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scipy warns of constant input and returns NaN
        x, y = scores[among], other[among]
        expected = stats.spearmanr(x, y).statistic if len(x) > 1 else np.nan
    assert spearman_among(scores, other, among)[0] == pytest.approx(expected, nan_ok=True)


def test_infinite_fold_changes_rank_as_the_largest():
    lfc = np.array([[np.inf, 1.0, -np.inf]])
    assert spearman_among(lfc, np.array([[5.0, 0.0, -9.0]]), np.ones((1, 3), bool)) == 1


def test_places_are_of_the_marked_genes_alone_and_keep_ties_in_order():
    size = np.array([[2.0, np.inf, 2.0, 9.0], [0.0, 0.0, 0.0, 1.0]])
    among = np.array([[True, True, True, False], [False, False, False, False]])
    expected = [[1.0, 0.0, 2.0, np.inf], [np.inf] * 4]
    np.testing.assert_array_equal(positions(size, among), expected)


def test_a_share_of_nothing_is_unknown():
    hits = np.array([[True, False], [True, True]])
    among = np.array([[True, True], [False, False]])
    np.testing.assert_array_equal(share(hits, among), [0.5, np.nan])
    np.testing.assert_array_equal(divided(np.array([1.0, 1.0]), np.array([2, 0])), [0.5, np.nan])
