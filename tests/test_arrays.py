"""Sums over groups of sparse rows, against dense arrays."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from wildcell.arrays import as_csr, log_normalise, moments


def random_counts(rng, n_cells, n_genes):
    return sparse.csr_matrix(rng.poisson(0.7, (n_cells, n_genes)).astype(np.float32))


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    n_cells=st.integers(0, 30),
    n_genes=st.integers(1, 6),
    n_groups=st.integers(1, 5),
    seed=st.integers(0, 1000),
)
def test_moments_are_those_of_dense_groups(n_cells, n_genes, n_groups, seed):
    rng = np.random.default_rng(seed)
    X, groups = random_counts(rng, n_cells, n_genes), rng.integers(-1, n_groups, n_cells)
    found = moments(X, groups, n_groups)
    for group in range(n_groups):
        cells = X.toarray()[groups == group].astype(float)
        assert found.n[group] == len(cells)
        np.testing.assert_allclose(found.total[group], cells.sum(axis=0))
        expected = cells.mean(axis=0) if len(cells) else np.full(n_genes, np.nan)
        np.testing.assert_allclose(found.mean[group], expected)
        known = len(cells) > 1
        error = cells.var(axis=0, ddof=1) / len(cells) if known else np.full(n_genes, np.nan)
        np.testing.assert_allclose(found.squared_error[group], error, atol=1e-12)


def test_moments_of_parts_add_up_to_those_of_the_whole():
    rng = np.random.default_rng(0)
    X, groups = random_counts(rng, 50, 4), rng.integers(0, 3, 50)
    whole = moments(X, groups, 3)
    parts = moments(X[:20], groups[:20], 3) + moments(X[20:], groups[20:], 3)
    for name in ("n", "total", "total_squares", "mean", "squared_error"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name))


def test_squared_error_is_never_negative_by_rounding():
    X = sparse.csr_matrix(np.full((7, 3), 0.1, dtype=np.float32) * np.float32(1e4))
    assert (moments(X, np.zeros(7, dtype=int), 1).squared_error >= 0).all()


def test_moments_leave_the_matrix_as_it_is():
    X = random_counts(np.random.default_rng(0), 9, 4)
    before = X.toarray()
    moments(X, np.zeros(9, dtype=int), 1)
    assert (X.toarray() == before).all()


def test_log_normalised_cells_sum_to_the_target_before_the_logarithm():
    counts = random_counts(np.random.default_rng(0), 12, 30)
    depth = np.asarray(counts.sum(axis=1), dtype=float).ravel()
    lognorm = log_normalise(counts, depth, 500.0)
    np.testing.assert_allclose(np.expm1(lognorm.toarray()).sum(axis=1), 500.0, rtol=1e-5)
    dense = np.log1p(counts.toarray() / depth[:, None] * 500.0)
    np.testing.assert_allclose(lognorm.toarray(), dense, rtol=1e-5)


def test_library_size_may_count_genes_that_are_not_there():
    counts = sparse.csr_matrix([[1.0, 3.0]])
    found = log_normalise(counts, np.array([8.0]), 100.0)
    np.testing.assert_allclose(np.expm1(found.toarray()), [[12.5, 37.5]], rtol=1e-5)


def test_cells_without_counts_stay_zero():
    counts = sparse.csr_matrix([[0.0, 0.0], [0.0, 2.0]])
    found = log_normalise(counts, np.array([0.0, 2.0]), 10.0).toarray()
    assert np.isfinite(found).all()
    assert not found[0].any()


def test_normalising_leaves_the_counts_as_they_are():
    counts = random_counts(np.random.default_rng(0), 9, 4)
    before = counts.toarray()
    log_normalise(counts, np.full(9, 10.0), 1e4)
    assert (counts.toarray() == before).all()


@pytest.mark.parametrize(
    "stored", [np.asarray, sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array]
)
def test_csr_is_a_copy_of_its_own_in_single_precision(stored):
    matrix = stored(np.arange(12.0, dtype=np.float32).reshape(3, 4))
    found = as_csr(matrix)
    assert type(found) is sparse.csr_matrix
    assert found.dtype == np.float32
    found.data[:] = -1
    dense = matrix if isinstance(matrix, np.ndarray) else matrix.toarray()
    assert (dense == np.arange(12.0).reshape(3, 4)).all()
