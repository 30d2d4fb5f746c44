"""Profiles of summed counts and their jackknife, against leaving cells out one by one."""

import numpy as np
import pytest
from scipy import sparse

from wildcell.metrics.bulk import bulk_profiles, jackknife_noise

TARGET = 50_000.0


@pytest.fixture
def cells():
    rng = np.random.default_rng(5)
    counts = rng.poisson(rng.gamma(0.5, 2.0, 12)[None] * rng.lognormal(0, 0.5, 30)[:, None])
    counts[:, 4] = 0
    return counts.astype(float), np.repeat([0, 1, 2], [20, 9, 1])


def profile(counts):
    return np.log1p(TARGET * counts.sum(axis=0) / counts.sum())


def test_profiles_are_of_the_sums(cells):
    counts, codes = cells
    found = bulk_profiles(sparse.csr_matrix(counts), codes, 4, TARGET)
    np.testing.assert_allclose(found[0], profile(counts[codes == 0]))
    assert np.expm1(found[1]).sum() == pytest.approx(TARGET)
    assert (found[3] == 0).all()


def test_noise_is_that_of_leaving_out_each_cell(cells):
    counts, codes = cells
    found = jackknife_noise(sparse.csr_matrix(counts), codes, 4, TARGET)
    for group in (0, 1):
        own = counts[codes == group]
        n = len(own)
        left = np.array([profile(np.delete(own, i, axis=0)) for i in range(n)])
        expected = (n - 1) / n * ((left - left.mean(axis=0)) ** 2).sum()
        assert found[group] == pytest.approx(expected)
    assert found[2:].tolist() == [0.0, 0.0]


def test_noise_falls_with_the_number_of_cells():
    rng = np.random.default_rng(0)
    counts = sparse.csr_matrix(rng.poisson(3.0, (400, 20)).astype(float))
    few = jackknife_noise(counts[:50], np.zeros(50, int), 1, TARGET)[0]
    many = jackknife_noise(counts, np.zeros(400, int), 1, TARGET)[0]
    assert many == pytest.approx(few / 8, rel=0.2)
