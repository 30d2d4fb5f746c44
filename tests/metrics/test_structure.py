"""How predicted cells vary, on cells whose answer is known."""

import numpy as np
import pytest
from scipy import sparse

from wildcell.metrics.structure import (
    correlation_agreement,
    library_size_distance,
    log_eigenvalue_ratio,
    log_variance_ratio,
    mean_variance_error,
    top_eigenvalue_ratio,
    variance_ratio,
    zero_fraction_agreement,
)

ALL = [variance_ratio, zero_fraction_agreement, correlation_agreement, top_eigenvalue_ratio]


@pytest.fixture
def cells():
    rng = np.random.default_rng(0)
    programme = rng.gamma(2, 1, (80, 1)) * rng.gamma(1, 1, 12)
    return np.log1p(rng.poisson(programme)).astype(np.float64)


@pytest.mark.parametrize("measure", ALL)
def test_truth_agrees_with_itself(measure, cells):
    assert measure(cells, cells) == pytest.approx(1)


@pytest.mark.parametrize("measure", ALL)
def test_sparse_cells_are_measured_as_dense_ones(measure, cells):
    other = cells[::2] * 0.7
    sparse_value = measure(sparse.csr_matrix(cells), sparse.csr_matrix(other))
    assert sparse_value == pytest.approx(measure(cells, other), rel=1e-9)


def test_shrunken_cells_vary_less(cells):
    assert variance_ratio(cells, cells / 2) == pytest.approx(1 / 4)
    assert top_eigenvalue_ratio(cells, cells / 2) == pytest.approx(1 / 4)
    assert correlation_agreement(cells, cells / 2) == pytest.approx(1)


def test_variance_ratio_is_of_sums_over_genes(cells):
    other = cells[:20] ** 2
    expected = other.var(axis=0, ddof=1).sum() / cells.var(axis=0, ddof=1).sum()
    assert variance_ratio(cells, other) == pytest.approx(expected)


def test_zeros_agree_by_gene_not_in_total():
    truth, prediction = np.array([[0.0, 1.0]] * 4), np.array([[1.0, 0.0]] * 4)
    assert zero_fraction_agreement(truth, prediction) == 0
    assert zero_fraction_agreement(truth, np.array([[0.0, 1.0], [1.0, 1.0]])) == 0.75


def test_library_sizes_are_apart_by_their_fold():
    sizes = np.array([100.0, 200.0, 800.0])
    assert library_size_distance(sizes, sizes) == 0
    assert library_size_distance(sizes, 4 * sizes) == pytest.approx(2)
    assert np.isfinite(library_size_distance(sizes, np.zeros(3)))


def test_shuffling_each_gene_destroys_the_correlations_and_nothing_else(cells):
    rng = np.random.default_rng(1)
    shuffled = np.column_stack([rng.permutation(gene) for gene in cells.T])
    assert correlation_agreement(cells, shuffled) < 0.5
    assert top_eigenvalue_ratio(cells, shuffled) < 0.7
    assert variance_ratio(cells, shuffled) == pytest.approx(1)
    assert zero_fraction_agreement(cells, shuffled) == pytest.approx(1)


def test_only_the_most_variable_genes_are_correlated(cells):
    top = np.sort(np.argsort(-cells.var(axis=0))[:5])
    other = np.random.default_rng(1).permuted(cells, axis=0)
    expected = correlation_agreement(cells[:, top], other[:, top])
    assert correlation_agreement(cells, other, n_genes=5) == pytest.approx(expected)


def test_collapsed_cells_have_no_correlations(cells):
    collapsed = np.repeat(cells[:1], 10, axis=0)
    assert variance_ratio(cells, collapsed) == pytest.approx(0, abs=1e-12)
    assert top_eigenvalue_ratio(cells, collapsed) == pytest.approx(0, abs=1e-12)
    assert correlation_agreement(cells, collapsed) == 0
    assert log_eigenvalue_ratio(cells, collapsed) == pytest.approx(np.log(1e-3))


@pytest.mark.parametrize("measure", ALL)
def test_a_truth_without_cells_is_unknown(measure, cells):
    assert np.isnan(measure(cells[:0], cells))


def test_spread_of_a_single_cell_is_unknown(cells):
    for measure in (variance_ratio, correlation_agreement, top_eigenvalue_ratio):
        assert np.isnan(measure(cells, cells[:1]))
        assert np.isnan(measure(cells[:1], cells))


def test_log_variance_ratio_is_a_mean_over_genes_not_of_their_sum(cells):
    other = cells[:40] * np.linspace(0.5, 2, 12)
    least = cells.var(axis=0, ddof=1).mean() / 100
    ratio = (other.var(axis=0, ddof=1) + least) / (cells.var(axis=0, ddof=1) + least)
    assert log_variance_ratio(cells, other) == pytest.approx(np.log(ratio).mean())
    assert log_variance_ratio(cells, cells) == 0


def test_variances_that_follow_the_means_are_no_error_of_theirs():
    """Where log variances are a parabola in the means, moving along it is right."""
    rng = np.random.default_rng(0)
    mean, noise = np.linspace(1, 3, 60), rng.normal(size=(4000, 60))
    noise = (noise - noise.mean(axis=0)) / noise.std(axis=0, ddof=1)
    spread = np.exp(-0.5 * (mean - 2) ** 2 / 2)
    truth = mean + spread * noise
    moved = mean[::-1] + spread[::-1] * noise
    assert mean_variance_error(truth, moved) < 0.02
    assert mean_variance_error(truth, mean[::-1] + spread * noise) < 0.02  # the trend is symmetric
    assert mean_variance_error(truth, mean + 2 * spread * noise) == pytest.approx(
        np.log(4), rel=0.05
    )
    assert mean_variance_error(truth, np.full(60, 2.0) + spread * noise) > 0.1


@pytest.mark.parametrize("measure", [log_variance_ratio, mean_variance_error, log_eigenvalue_ratio])
def test_errors_of_spread_are_of_either_kind_of_matrix_and_of_two_cells_at_least(measure, cells):
    other = cells[::2] * 0.7
    value = measure(cells, other)
    as_sparse = measure(sparse.csr_matrix(cells), sparse.csr_matrix(other))
    assert as_sparse == pytest.approx(value, rel=1e-9)
    assert np.isnan(measure(cells, cells[:1]))
    assert np.isnan(measure(cells[:1], cells))
    assert measure(cells, cells) == pytest.approx(0, abs=1e-9)
