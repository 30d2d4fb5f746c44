"""Retrieval distances and places, against scikit-learn and by hand."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.metrics import pairwise_distances

from wildcell.metrics.nearest import distances_without_own_gene, own_place, profile_distances

SKLEARN = {"l1": "manhattan", "l2": "sqeuclidean", "cosine": "cosine"}


@pytest.fixture
def profiles():
    rng = np.random.default_rng(3)
    return rng.normal(size=(6, 9)), rng.normal(size=(6, 9))


@pytest.mark.parametrize("measure", SKLEARN)
def test_distances_are_those_of_scikit_learn(profiles, measure):
    prediction, truth = profiles
    prediction[2] = 0.0
    expected = pairwise_distances(prediction, truth, metric=SKLEARN[measure])
    np.testing.assert_allclose(profile_distances(prediction, truth, measure), expected)


@pytest.mark.parametrize("measure", SKLEARN)
def test_one_gene_is_left_out_of_its_own_row_alone(profiles, measure):
    prediction, truth = profiles
    own = np.array([3, -1, 0, 8, 3, -1])
    found = distances_without_own_gene(prediction, truth, own, measure)
    for i, gene in enumerate(own):
        kept = np.arange(9) != gene
        expected = profile_distances(prediction[[i]][:, kept], truth[:, kept], measure)[0]
        np.testing.assert_allclose(found[i], expected, atol=1e-12)


def test_places_count_the_nearer_and_share_ties_as_told():
    distances = np.array([[1.0, 1.0, 0.5], [2.0, 2.0, 2.0], [9.0, 9.0, 0.0]])
    assert own_place(distances, ties="half").tolist() == [1.5, 1.0, 0.0]
    assert own_place(distances, ties="first").tolist() == [1.0, 0.0, 0.0]
    assert own_place(distances, ties="last").tolist() == [2.0, 2.0, 0.0]
    assert own_place(distances, ties="order").tolist() == [1.0, 1.0, 0.0]


def test_exact_answers_are_in_the_first_place(profiles):
    truth = profiles[1]
    for measure in SKLEARN:
        own = np.full(6, -1)
        distances = distances_without_own_gene(truth, truth, own, measure)
        assert own_place(distances, ties="half").tolist() == [0.0] * 6
    assert (np.argmin(cdist(truth, truth), axis=1) == np.arange(6)).all()
