"""Transport between predicted and true cells, against scipy and the divergence of two clouds."""

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from wildcell.laws.evidence import draw_clouds, random_answer, response_of, without
from wildcell.metrics.grouped import dealt
from wildcell.metrics.sinkhorn import sinkhorn_divergence
from wildcell.metrics.transport_distance import (
    sinkhorn,
    sinkhorn_pca,
    wasserstein,
    wasserstein_pca,
)


@pytest.fixture(scope="module")
def clouds():
    rng = np.random.default_rng(0)
    truth = draw_clouds(rng, n=3)
    return truth, random_answer(truth, rng)


@pytest.fixture(scope="module")
def responses(clouds):
    return [response_of(one) for one in clouds]


def seen(clouds, truth):
    """Both sides' cells in the genes that count, and either half of both in its components."""
    for row, kept in enumerate(truth.kept_genes):
        x, y = (one.cells[row] for one in clouds)
        halves = [
            [np.where(kept, one[places] - found.centre, 0.0) @ found.loadings for one in (x, y)]
            for places, found in zip(
                dealt(len(x), truth.perturbations[row]), truth.components, strict=True
            )
        ]
        yield (x[:, kept], y[:, kept]), halves


def mean_area(x, y):
    return np.mean([wasserstein_distance(a, b) for a, b in zip(x.T, y.T, strict=True)])


def test_wasserstein_is_the_mean_of_scipys_over_genes_and_over_components(clouds, responses):
    both = list(seen(clouds, responses[0]))
    expected = [mean_area(*genes) for genes, _ in both]
    np.testing.assert_allclose(wasserstein(*responses), expected, rtol=1e-6)
    expected = [np.mean([mean_area(*half) for half in halves]) for _, halves in both]
    np.testing.assert_allclose(wasserstein_pca(*responses), expected, rtol=1e-6)


def test_sinkhorn_is_the_divergence_of_the_clouds(clouds, responses):
    both = list(seen(clouds, responses[0]))
    expected = [sinkhorn_divergence(*genes) for genes, _ in both]
    np.testing.assert_allclose(sinkhorn(*responses), expected, rtol=1e-5)
    expected = [np.mean([sinkhorn_divergence(*half) for half in halves]) for _, halves in both]
    np.testing.assert_allclose(sinkhorn_pca(*responses), expected, rtol=1e-5)


def test_wasserstein_is_never_below_the_error_of_the_means(responses):
    truth, prediction = responses
    error = np.abs(prediction.mean - truth.mean)
    on_kept = np.where(truth.kept_genes, error, 0.0).sum(axis=1) / truth.kept_genes.sum(axis=1)
    assert (wasserstein(truth, prediction) >= on_kept - 1e-9).all()


@pytest.mark.parametrize("distance", [sinkhorn, sinkhorn_pca, wasserstein, wasserstein_pca])
def test_distance_of_no_cells_is_unknown_and_of_others_is_not(distance, responses):
    truth, prediction = responses
    assert np.isnan(distance(truth, without(prediction, 1))).tolist() == [False, True, False]
    assert np.isnan(distance(without(truth, 1), prediction)).tolist() == [False, True, False]
