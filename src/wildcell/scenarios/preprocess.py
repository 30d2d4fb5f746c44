"""Genes chosen and depth set without looking at test cells."""

import numpy as np

from wildcell.arrays import Booleans, Floats, Matrix, Moments, moments
from wildcell.scenarios.scenario import gene_count


def moments_of_all(lognorm: Matrix) -> Moments:
    """Return the moments of all cells together, one group."""
    return moments(lognorm, np.zeros(lognorm.shape[0], dtype=np.intp), 1)


def choose_by_moments(every: Moments, rule: str) -> Booleans:
    """Mark the genes that a rule chooses, by the cells given.

    Variability is the variance of log values over its expectation at the gene's mean, a quadratic
    in log scale, as in `seurat_v3` with the quadratic in the place of a local regression.

    Parameters
    ----------
    every
        Moments of the log values of the cells to choose on, one group; those of several screens
        may be added up.
    rule
        `all` or `hvg:N`; N at or above the number of genes chooses all.

    Returns
    -------
    Shape (n_genes,).
    """
    n_chosen, n_genes = gene_count(rule), every.total.shape[1]
    if n_chosen is None or n_chosen >= n_genes:
        return np.ones(n_genes, dtype=bool)
    chosen = np.zeros(n_genes, dtype=bool)
    chosen[np.argsort(-_excess(every), kind="stable")[:n_chosen]] = True
    return chosen


def excess_variability(lognorm: Matrix) -> Floats:
    """Return each gene's log10 variance above that expected at its mean, shape (n_genes,).

    Genes that do not vary are at minus infinity.
    """
    return _excess(moments_of_all(lognorm))


def _excess(every: Moments) -> Floats:
    mean = every.mean[0]
    variance = every.squared_error[0] * every.n[0]
    varies = (variance > 0) & (mean > 0)
    excess = np.full(len(mean), -np.inf)
    if varies.sum() < 10:
        excess[varies] = variance[varies]
        return excess
    log_mean, log_variance = np.log10(mean[varies]), np.log10(variance[varies])
    trend = np.polynomial.Polynomial.fit(log_mean, log_variance, deg=2)
    excess[varies] = log_variance - trend(log_mean)
    return excess


def median_depth(total_counts: Floats) -> float:
    """Return the median library size of the cells that have one; 10,000 where none has."""
    known = total_counts[np.isfinite(total_counts) & (total_counts > 0)]
    return float(np.median(known)) if len(known) else 10_000.0
