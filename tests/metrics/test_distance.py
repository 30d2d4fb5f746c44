"""Distances of cells and clouds, against scipy."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse
from scipy.spatial.distance import cdist, pdist

from wildcell.laws.evidence import draw_clouds, random_answer, response_of
from wildcell.metrics.components import Components
from wildcell.metrics.distance import energy_distance, energy_distance_pca, mmd, mmd_pca
from wildcell.metrics.grouped import dealt
from wildcell.metrics.pairwise import distances, mean_distance_between, mean_distance_within
from wildcell.metrics.transport_distance import sinkhorn_pca, wasserstein_pca


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_distances_are_those_of_scipy(rng):
    first, second = rng.normal(size=(7, 30)), rng.normal(size=(5, 30))
    np.testing.assert_allclose(distances(first, second), cdist(first, second), rtol=1e-9)


def test_distance_of_a_cell_to_itself_is_nothing_and_never_undefined(rng):
    cells = np.log1p(rng.poisson(3, (20, 500))).astype(float)
    own = np.diag(distances(cells, cells))
    assert np.isfinite(own).all()
    assert (own < 1e-5).all()


def test_mean_distance_within_leaves_out_each_cell_with_itself(rng):
    cells = rng.normal(size=(9, 30))
    assert mean_distance_within(cells) == pytest.approx(pdist(cells).mean())


def test_mean_distance_between_is_over_all_pairs(rng):
    first, second = rng.normal(size=(7, 30)), rng.normal(size=(5, 30))
    assert mean_distance_between(first, second) == pytest.approx(cdist(first, second).mean())


def test_distances_of_too_few_cells_are_unknown(rng):
    cells = rng.normal(size=(3, 4))
    assert np.isnan(mean_distance_within(cells[:1]))
    assert np.isnan(mean_distance_within(cells[:0]))
    assert np.isnan(mean_distance_between(cells, cells[:0]))
    assert np.isnan(mean_distance_between(cells[:0], cells))


def test_single_precision_cells_are_measured_in_double(rng):
    cells = 1000 + rng.normal(size=(6, 50))
    single = cells.astype(np.float32)
    expected = pdist(single.astype(np.float64)).mean()
    assert mean_distance_within(single) == pytest.approx(expected, rel=1e-6)


def test_energy_distance_is_that_of_its_formula_without_the_targets(rng):
    truth = draw_clouds(rng, n=3)
    answer = random_answer(truth, rng)
    kept = response_of(truth).kept_genes
    expected = [
        2 * cdist(x[:, use], y[:, use]).mean() - pdist(x[:, use]).mean() - pdist(y[:, use]).mean()
        for x, y, use in zip(truth.cells, answer.cells, kept, strict=True)
    ]
    found = energy_distance(response_of(truth), response_of(answer))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def with_cells(response, cells):
    return replace(response, cells=tuple(sparse.csr_matrix(one) for one in cells))


def test_energy_distance_of_two_samples_of_one_distribution_is_zero_on_average():
    """Without the correction for a cell's distance to itself it would be far above."""
    response, rng = response_of(draw_clouds(np.random.default_rng(1))), np.random.default_rng(2)
    n, n_genes = response.mean.shape
    draws = []
    for _ in range(40):
        first, second = (with_cells(response, rng.gamma(2, 1, (n, 8, n_genes))) for _ in range(2))
        draws.append(energy_distance(first, second))
    draws = np.array(draws)
    assert abs(draws.mean()) < 3 * draws.std() / np.sqrt(draws.size)
    biased = pdist(rng.gamma(2, 1, (8, n_genes))).mean() / 8
    assert draws.std() / np.sqrt(draws.size) < biased / 20


def test_energy_distance_of_one_cell_is_unknown_and_of_others_is_not(rng):
    truth = draw_clouds(rng, n=3)
    response = response_of(truth)
    few = with_cells(response, [truth.cells[0][:1], truth.cells[1][:0], truth.cells[2]])
    assert np.isnan(energy_distance(response, few)).tolist() == [True, True, False]


def discrepancy(x, y):
    """The unbiased discrepancy, written out, at the median distance of the first cloud's cells."""
    width = np.median(pdist(x))

    def kernel(distance):
        return np.exp(-(distance**2) / (2 * width**2))

    return kernel(pdist(x)).mean() + kernel(pdist(y)).mean() - 2 * kernel(cdist(x, y)).mean()


def test_mmd_is_its_formula_at_the_width_of_the_truth(rng):
    truth = draw_clouds(rng, n=3)
    answer = random_answer(truth, rng)
    kept = response_of(truth).kept_genes
    expected = [
        discrepancy(x[:, use], y[:, use])
        for x, y, use in zip(truth.cells, answer.cells, kept, strict=True)
    ]
    np.testing.assert_allclose(mmd(response_of(truth), response_of(answer)), expected, rtol=1e-6)


def test_distances_in_components_are_of_the_centred_cells_without_their_targets(rng):
    clouds = draw_clouds(rng, n=3)
    answer = random_answer(clouds, rng)
    truth, prediction = response_of(clouds), response_of(answer)

    def halves(row):
        """Each half of the true cells in its components, and all predicted cells there."""
        kept = truth.kept_genes[row]
        folds = dealt(len(clouds.cells[row]), truth.perturbations[row])
        for places, found in zip(folds, truth.components, strict=True):
            yield tuple(
                np.where(kept, cells - found.centre, 0.0) @ found.loadings
                for cells in (clouds.cells[row][places], answer.cells[row])
            )

    def energy(x, y):
        return 2 * cdist(x, y).mean() - pdist(x).mean() - pdist(y).mean()

    for metric, formula in ((energy_distance_pca, energy), (mmd_pca, discrepancy)):
        expected = [np.mean([formula(x, y) for x, y in halves(row)]) for row in range(3)]
        np.testing.assert_allclose(metric(truth, prediction), expected, rtol=1e-6)


def test_a_truth_without_spread_has_no_scale_to_be_seen_at(rng):
    truth = draw_clouds(rng, n=3)
    response = response_of(truth)
    equal = with_cells(response, np.repeat(truth.cells[:, :1], 20, axis=1))
    assert np.isnan(mmd(equal, response)).all()
    assert np.isfinite(mmd(response, equal)).all()


def test_components_and_pairs_within_the_truth_are_computed_once(rng, monkeypatch):
    seen = []
    transform = Components.transform
    monkeypatch.setattr(
        Components, "transform", lambda *one, **kept: seen.append(1) or transform(*one, **kept)
    )
    truth = draw_clouds(rng, n=3)
    response = response_of(truth)
    for answer in (random_answer(truth, rng), random_answer(truth, rng)):
        prediction = response_of(answer)
        for distance in (energy_distance_pca, mmd_pca, sinkhorn_pca, wasserstein_pca):
            distance(response, prediction)
    # either fold of the truth's cells, and those of two answers beside either
    assert len(seen) == 3 * (2 + 2 * 2)


def test_mmd_of_two_samples_of_one_distribution_is_zero_on_average():
    base, rng, draws = draw_clouds(np.random.default_rng(3), n=4), np.random.default_rng(1), []
    for _ in range(30):
        first, second = (
            replace(base, cells=np.maximum(1 + rng.normal(size=(4, 15, 150)), 0)) for _ in range(2)
        )
        draws.append(mmd(response_of(first), response_of(second)))
    draws = np.array(draws)
    assert abs(draws.mean()) < 3 * draws.std() / np.sqrt(draws.size)
