"""Rank tests of counts that are scaled and logged as they are ranked."""

import numpy as np
import pytest
from scipy import sparse

from wildcell.metrics.mann_whitney import mann_whitney
from wildcell.metrics.scaled_ranks import Counts, mean_scaled, rank_scaled


def drawn(rng, n, n_groups, dtype):
    X = sparse.csr_matrix(rng.poisson(rng.gamma(0.5, 2, 30), (n, 30)).astype(dtype))
    return Counts(X, rng.choice([0.5, 1.0, 2.0, 3.0], n), rng.integers(0, n_groups, n))


def logs(counts):
    return np.log1p(counts.X.toarray().astype(np.float64) / counts.unit[:, None])


@pytest.mark.parametrize("types", [("f4", "f4"), ("f8", "f4"), ("f8", "f8")])
def test_ranks_are_those_of_the_scaled_logs(types):
    """Of few units, so that there are many ties between cells of different ones."""
    rng = np.random.default_rng(0)
    cells, controls = drawn(rng, 60, 4, types[0]), drawn(rng, 25, 1, types[1])
    expected = mann_whitney(logs(cells), cells.codes, 5, logs(controls))
    found = rank_scaled(cells, 5, controls)
    np.testing.assert_array_equal(found.statistic, expected.statistic)
    np.testing.assert_array_equal(found.p_value, expected.p_value)
    assert np.isnan(found.p_value[4]).all()


def test_means_are_those_of_the_scaled_counts():
    cells = drawn(np.random.default_rng(1), 40, 3, "f4")
    scaled = cells.X.toarray() / cells.unit[:, None]
    expected = [scaled[cells.codes == group].mean(axis=0) for group in range(3)]
    found = mean_scaled(cells, 4)
    np.testing.assert_allclose(found[:3], expected)
    assert np.isnan(found[3]).all()
