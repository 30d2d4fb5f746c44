"""Genes and depth, chosen by the cells that are given."""

import numpy as np
import pytest
from scipy import sparse

from wildcell.arrays import log_normalise
from wildcell.scenarios.preprocess import (
    choose_by_moments,
    excess_variability,
    median_depth,
    moments_of_all,
)


def choose_genes(values, rule):
    return choose_by_moments(moments_of_all(values), rule)


def log_values(n_cells=300, n_genes=120, *, variable=(), seed=0):
    """Return log values of Poisson counts; some genes vary beyond that, between two states."""
    rng = np.random.default_rng(seed)
    means = rng.lognormal(0.5, 1.0, n_genes)
    rates = np.tile(means, (n_cells, 1))
    state = rng.random(n_cells) < 0.5
    for gene in variable:
        rates[:, gene] *= np.where(state, 0.2, 1.8)
    counts = sparse.csr_matrix(rng.poisson(rates).astype(np.float32))
    return log_normalise(counts, np.full(n_cells, 1e3), 1e4)


def test_genes_that_vary_beyond_their_mean_are_chosen():
    """Whatever their mean: of genes that are expressed at all, and not the highest ones."""
    highest = log_values().toarray().mean(axis=0).argsort()[::-1]
    variable = set(highest[20:32].tolist())
    chosen = choose_genes(log_values(variable=variable), "hvg:12")
    assert chosen.sum() == 12
    assert len(variable & set(np.flatnonzero(chosen))) >= 11


def test_excess_is_the_log_variance_above_a_quadratic_of_the_log_mean():
    values = log_values(variable=[3, 5])
    dense = values.toarray().astype(float)
    log_mean = np.log10(dense.mean(axis=0))
    log_variance = np.log10(dense.var(axis=0, ddof=1))
    trend = np.polyval(np.polyfit(log_mean, log_variance, 2), log_mean)
    np.testing.assert_allclose(excess_variability(values), log_variance - trend, atol=1e-6)


@pytest.mark.parametrize("rule", ["all", "hvg:5", "hvg:600"])
def test_no_more_genes_are_chosen_than_there_are(rule):
    values = log_values(n_genes=5)
    assert choose_genes(values, rule).tolist() == [True] * 5


def test_genes_that_do_not_vary_are_chosen_last():
    dense = log_values(n_genes=40).toarray()
    dense[:, :10] = 0.0
    dense[:, 10:15] = 2.5
    chosen = choose_genes(sparse.csr_matrix(dense), "hvg:25")
    assert not chosen[:15].any()
    assert choose_genes(sparse.csr_matrix(dense), "hvg:27").sum() == 27


def test_few_varying_genes_are_ranked_by_their_variance():
    rng = np.random.default_rng(0)
    dense = np.zeros((50, 20))
    for gene in range(5):
        dense[:, gene] = 3 + (gene + 1) * rng.random(50)
    assert np.flatnonzero(choose_genes(sparse.csr_matrix(dense), "hvg:2")).tolist() == [3, 4]


@pytest.mark.parametrize("n_cells", [1, 2, 3])
def test_choice_on_next_to_no_cells_is_a_choice(n_cells):
    assert choose_genes(log_values(n_cells=n_cells), "hvg:7").sum() == 7


def test_order_of_the_cells_does_not_change_the_choice():
    values = log_values(variable=range(20))
    order = np.random.default_rng(1).permutation(values.shape[0])
    assert (choose_genes(values, "hvg:20") == choose_genes(values[order], "hvg:20")).all()


def test_median_depth_is_over_the_cells_that_have_one():
    assert median_depth(np.array([10.0, 30.0, 20.0])) == 20.0
    assert median_depth(np.array([10.0, np.nan, 0.0, 30.0])) == 20.0
    assert median_depth(np.array([np.nan, 0.0])) == 10_000.0
    assert median_depth(np.array([])) == 10_000.0
