"""Counts thinned, or increased, so that the mean of their log values becomes another one."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy import sparse

from wildcell.arrays import Booleans, Codes, Floats, Matrix

UNCHANGED = 1e-6
"""A mean nearer than this to that of the controls, relative to it, leaves a gene untouched."""

KEPT_SHARES = np.concatenate([np.geomspace(1e-3, 0.7, 14), np.linspace(0.75, 1.0, 6)])
"""Shares of its counts that a gene may keep: where the mean of thinned cells is computed.

They are denser near 1, where a small delta is the difference of two close values.
"""

RATES_PER_E = 3.0
"""Rates of increase at which the mean is computed, for each factor of e."""

LOWEST_RATE = 1e-3
"""The lowest of these rates, in counts a cell of the target size; below it the mean is linear."""


class Change(NamedTuple):
    """The share of its counts that each gene keeps, and the rate of those that are added.

    The rate is in counts a cell of the target size; both are of shape (n_genes,).
    """

    share: Floats
    rate: Floats


@dataclass(frozen=True)
class Source:
    """Cells, and how their mean log values answer to thinning and to increase.

    Attributes
    ----------
    counts
        Shape (n_cells, n_genes).
    total_counts
        Shape (n_cells,).
    mean
        Mean log values, shape (n_genes,).
    target_sum
        The library size that log values refer to.
    """

    counts: Matrix
    total_counts: Floats
    mean: Floats
    target_sum: float

    @property
    def n(self) -> int:
        """Number of cells."""
        return int(self.counts.shape[0])

    @cached_property
    def rates(self) -> Floats:
        """Rates of increase, in counts a cell of the target size, shape (n_rates,)."""
        # Noise lowers the mean of a log, so that it takes a higher rate than expm1 of the mean;
        # most of all in shallow cells, where one count is a large value.
        top = 10 * max(self.target_sum, self._scale.max())
        n = int(np.ceil(np.log(top / LOWEST_RATE) * RATES_PER_E)) + 1
        return np.geomspace(LOWEST_RATE, top, n)

    @cached_property
    def thinned(self) -> Floats:
        """Expected mean log values at `KEPT_SHARES`, shape (n_shares, n_genes)."""
        counts, scale = self.counts.data.astype(float), self._scale[self._cell]
        return np.array([self._sum(_log_thinned(counts, p, scale)) for p in KEPT_SHARES]) / self.n

    @cached_property
    def increased(self) -> Floats:
        """Expected rise of the mean log values at `rates`, shape (n_rates, n_genes)."""
        counts, scale = self.counts.data.astype(float), self._scale
        before = np.log1p(counts * scale[self._cell])
        curve = []
        for rate in self.rates:
            added = rate * self.total_counts / self.target_sum
            from_zero = _log_increased(np.zeros(self.n), added, scale)
            from_counts = _log_increased(counts, added[self._cell], scale[self._cell])
            rise = from_counts - before - from_zero[self._cell]
            curve.append(self._sum(rise) + from_zero.sum())
        return np.array(curve) / self.n

    def change(self, mean: Floats) -> "Change":
        """Return what is to be done to the cells so that their mean log values become `mean`.

        Parameters
        ----------
        mean
            The mean log values wanted, shape (n_genes,).
        """
        shift = mean - self.mean
        is_changed = np.abs(shift) > UNCHANGED * np.maximum(self.mean, UNCHANGED)
        falls, rises = is_changed & (shift < 0), is_changed & (shift > 0)
        share, rate = np.ones(len(mean)), np.zeros(len(mean))
        if falls.any():
            kept = _invert(KEPT_SHARES, self.thinned[:, falls], mean[falls])
            share[falls] = np.minimum(kept, 1.0)
        if rises.any():
            rate[rises] = _invert(self.rates, self.increased[:, rises], shift[rises])
        return Change(share, rate)

    def draw(self, change: Change, cells: Codes, rng: np.random.Generator) -> Matrix:
        """Return the counts of some of the cells, changed.

        Parameters
        ----------
        change
            What is done to them, from `Source.change`.
        cells
            The cells to start from.
        rng
            Draws the counts.
        """
        counts = self.counts[cells]
        _thin(counts, change.share, rng)
        rises = change.rate > 0
        if rises.any():
            sizes = self.total_counts[cells] / self.target_sum
            counts = counts + _increase(sizes, change.rate[rises], rises, rng)
        return counts

    def linear_mean(self, change: Change, library_size: float) -> Floats:
        """Return the expected arithmetic mean of all cells once changed, at a library size.

        Shape (n_genes,); nothing is drawn, so that there is no noise but that of the cells.
        """
        before = self._sum(self.counts.data * self._scale[self._cell]) / self.n
        return (before * change.share + change.rate) * library_size / self.target_sum

    @cached_property
    def _scale(self) -> Floats:
        sizes = self.total_counts
        return np.divide(self.target_sum, sizes, out=np.zeros(self.n), where=sizes > 0)

    @cached_property
    def _cell(self) -> Codes:
        """The cell of each stored count."""
        return np.repeat(np.arange(self.n), np.diff(self.counts.indptr))

    def _sum(self, values: Floats) -> Floats:
        """Sum values of the stored counts by gene, shape (n_genes,)."""
        return np.bincount(
            self.counts.indices, weights=values, minlength=self.counts.shape[1]
        ).astype(float)


def _log_thinned(counts: Floats, share: float, scale: Floats) -> Floats:
    """Return the expected log1p(scale * Binomial(counts, share))."""
    mean = counts * share
    return _expected_log((1 - share) ** counts, mean, mean * (1 - share) + mean**2, scale)


def _log_increased(counts: Floats, added: Floats, scale: Floats) -> Floats:
    """Return the expected log1p(scale * (counts + Poisson(added)))."""
    mean = counts + added
    p_zero = np.where(counts > 0, 0.0, np.exp(-added))
    return _expected_log(p_zero, mean, added + mean**2, scale)


def _expected_log(p_zero: Floats, mean: Floats, square: Floats, scale: Floats) -> Floats:
    """Return the expected log1p(scale * n) of a random count n, to second order.

    The expansion is around the mean of the counts above 0, whose probability is exact: exact for
    one count, and within 1 % for others, where one around the mean itself is off by 10 %.
    """
    some = np.maximum(1 - p_zero, 1e-300)
    mean_above, square_above = mean / some, square / some
    base = 1 + scale * mean_above
    variance = np.maximum(square_above - mean_above**2, 0.0)
    return some * (np.log(base) - scale**2 * variance / (2 * base**2))


def _invert(grid: Floats, curve: Floats, value: Floats) -> Floats:
    """Return where rising curves, shape (n_grid, n_genes), reach `value`, shape (n_genes,).

    Straight lines between logarithms: the first is drawn on below the grid, where curves are
    proportional to it, and the last ends with it.
    """
    reached = np.maximum(curve, 1e-300)
    upper = np.clip((reached < value).sum(axis=0), 1, len(grid) - 1)
    gene = np.arange(curve.shape[1])
    low, high = np.log(reached[upper - 1, gene]), np.log(reached[upper, gene])
    wanted = np.log(np.maximum(value, 1e-300))
    slope = np.log(grid[upper] / grid[upper - 1]) / np.maximum(high - low, 1e-12)
    return np.minimum(grid[upper - 1] * np.exp((wanted - low) * slope), grid[-1])


def _thin(counts: Matrix, share: Floats, rng: np.random.Generator) -> None:
    """Keep each count of a gene with probability `share`, in place."""
    of_count = share[counts.indices]
    thinned = of_count < 1
    counts.data[thinned] = rng.binomial(counts.data[thinned].astype(np.int64), of_count[thinned])
    counts.eliminate_zeros()


def _increase(sizes: Floats, rate: Floats, genes: Booleans, rng: np.random.Generator) -> Matrix:
    """Return Poisson counts, of mean size times rate, for the genes that rise."""
    added = sparse.coo_matrix(rng.poisson(np.outer(sizes, rate)).astype(np.float32))
    columns = np.flatnonzero(genes)[added.col]
    return sparse.csr_matrix((added.data, (added.row, columns)), shape=(len(sizes), len(genes)))
