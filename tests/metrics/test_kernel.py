"""Maximum mean discrepancies, against their formulas."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist, pdist

from wildcell.metrics.kernel import gaussian_mmd, linear_mmd


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def written_out(x, y, sigmas):
    def kernel(a, b):
        return np.mean([np.exp(-(cdist(a, b) ** 2) / (2 * s**2)) for s in sigmas], axis=0)

    def within(a):
        k = kernel(a, a)
        return (k.sum() - np.trace(k)) / (len(a) * (len(a) - 1))

    return within(x) + within(y) - 2 * kernel(x, y).mean()


@pytest.mark.parametrize("bandwidths", [(1.0,), (0.5, 1.0, 2.0)])
def test_gaussian_discrepancy_is_its_formula_at_multiples_of_the_median(rng, bandwidths):
    x, y = rng.normal(size=(12, 6)), 0.5 + rng.normal(size=(17, 6))
    median = np.median(pdist(np.vstack([x, y])))
    expected = written_out(x, y, [b * median for b in bandwidths])
    assert gaussian_mmd(x, y, bandwidths=bandwidths) == pytest.approx(expected, rel=1e-9)


def test_linear_discrepancy_is_the_squared_distance_of_the_means(rng):
    x, y = rng.normal(size=(12, 6)), 0.5 + rng.normal(size=(17, 6))
    expected = np.sum((x.mean(axis=0) - y.mean(axis=0)) ** 2)
    assert linear_mmd(x, y, unbiased=False) == pytest.approx(expected)
    noise = x.var(axis=0, ddof=1).sum() / 12 + y.var(axis=0, ddof=1).sum() / 17
    assert linear_mmd(x, y) == pytest.approx(expected - noise)


def test_samples_of_one_distribution_are_at_zero_on_average(rng):
    draws = np.array([gaussian_mmd(*rng.normal(size=(2, 8, 5))) for _ in range(400)])
    assert abs(draws.mean()) < 3 * draws.std() / np.sqrt(len(draws))


@given(st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_discrepancy_is_symmetric_and_blind_to_order_and_shift(seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(5, 4)), rng.normal(size=(7, 4))
    value = gaussian_mmd(x, y)
    assert gaussian_mmd(y, x) == pytest.approx(value, abs=1e-9)
    assert gaussian_mmd(x[::-1, ::-1] + 2, y[:, ::-1] + 2) == pytest.approx(value, abs=1e-9)
    assert gaussian_mmd(x, x, unbiased=False) == pytest.approx(0, abs=1e-9)


def test_discrepancy_of_too_few_or_identical_cells(rng):
    cells = rng.normal(size=(5, 4))
    assert np.isnan(gaussian_mmd(cells[:1], cells))
    assert np.isnan(gaussian_mmd(cells, cells[:0], unbiased=False))
    assert gaussian_mmd(np.ones((4, 3)), np.ones((4, 3))) == 0
