"""Scores weighed by specificity, against the same by loops and other libraries."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ttest_ind
from sklearn.metrics import r2_score

from wildcell.laws.evidence import beside_others, draw_clouds, random_answer, response_of
from wildcell.metrics.convention import Convention
from wildcell.metrics.specificity import specificity_weights
from wildcell.metrics.tested import Means
from wildcell.metrics.weighted import (
    weighted_mse,
    weighted_pearson_delta,
    weighted_r2_delta,
    weights_of,
)


@pytest.fixture(scope="module")
def clouds():
    return draw_clouds(np.random.default_rng(1))


@pytest.fixture(scope="module")
def pair(clouds):
    rng = np.random.default_rng(2)
    return response_of(clouds), response_of(beside_others(random_answer(clouds, rng), rng))


def weights_by_hand(cells, kept):
    """Return min-max scaled squares of scipy's t against all other perturbations' cells."""
    rows = []
    for i, own in enumerate(cells):
        others = np.delete(cells, i, axis=0).reshape(-1, cells.shape[2])
        size = np.abs(ttest_ind(own, others, equal_var=False).statistic)
        size = np.where(kept[i], size, np.nan)
        scaled = (size - np.nanmin(size)) / (np.nanmax(size) - np.nanmin(size))
        rows.append(np.nan_to_num(scaled) ** 2 / np.nansum(scaled**2))
    return np.array(rows)


def ways(clouds, kept):
    """Return the cells that are scored and the weights of the others, both ways."""
    first, second = clouds.cells[:, ::2], clouds.cells[:, 1::2]
    return [(second, weights_by_hand(first, kept)), (first, weights_by_hand(second, kept))]


def test_weights_are_squares_of_t_against_all_other_perturbed_cells(clouds, pair):
    truth, _ = pair
    expected = weights_by_hand(clouds.cells[:, ::2], truth.kept_genes)
    np.testing.assert_allclose(weights_of(truth.halves[0], truth), expected, atol=1e-12)
    assert (expected[truth.targets] == 0).all()


def test_weighted_error_is_of_the_other_half_without_its_noise(clouds, pair):
    truth, prediction = pair
    expected = np.zeros(len(truth.perturbations))
    for cells, weights in ways(clouds, truth.kept_genes):
        for i, own in enumerate(cells):
            noise = own.var(axis=0, ddof=1) / len(own)
            error = (prediction.mean[i] - own.mean(axis=0)) ** 2 - noise
            expected[i] += (weights[i] * error).sum() / 2
    np.testing.assert_allclose(weighted_mse(*pair), expected)


def test_weighted_agreement_is_that_of_other_libraries(clouds, pair):
    truth, prediction = pair
    r2, pearson = np.zeros((2, len(truth.perturbations)))
    for cells, weights in ways(clouds, truth.kept_genes):
        delta = cells.mean(axis=1) - truth.control
        for i, (a, b) in enumerate(zip(delta, prediction.delta, strict=True)):
            r2[i] += r2_score(a, b, sample_weight=weights[i]) / 2
            matrix = np.cov(np.vstack([a, b]), aweights=weights[i])
            pearson[i] += matrix[0, 1] / np.sqrt(matrix[0, 0] * matrix[1, 1]) / 2
    np.testing.assert_allclose(weighted_r2_delta(*pair), r2)
    np.testing.assert_allclose(weighted_pearson_delta(*pair), pearson)


def test_error_of_the_exact_profile_is_zero_though_weights_are_of_noisy_cells():
    """On the cells that chose the weights, the same error would be far above 0."""
    rng = np.random.default_rng(0)
    n, n_cells, n_genes = 600, 6, 40
    cells = rng.normal(size=(n, n_cells, n_genes))
    halves = [
        Means(np.full(n, 3), half.mean(axis=1), half.var(axis=1, ddof=1) / 3)
        for half in (cells[:, :3], cells[:, 3:])
    ]
    truth = replace(
        response_of(draw_clouds(rng, n=n)),
        mean=cells.mean(axis=1),
        targets=None,
        halves=tuple(halves),
        convention=Convention(removes_targets=False),
    )
    truth = replace(truth, control=np.zeros((n, n_genes)))
    exact = replace(truth, mean=np.zeros((n, n_genes)))
    found = weighted_mse(truth, exact)
    assert abs(found.mean()) < 4 * found.std() / np.sqrt(n)
    own = specificity_weights(halves[0].mean / np.sqrt(halves[0].squared_error))
    naive = (own * (halves[0].mean ** 2 - halves[0].squared_error)).sum(axis=1)
    assert naive.mean() > 10 * naive.std() / np.sqrt(n)
