"""Differential expression of many perturbations, each tested against its own controls."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildcell.arrays import Booleans, Codes, Floats, Matrix, Moments
from wildcell.metrics.convention import Convention
from wildcell.metrics.differential import Adjusted, MeanTest, benjamini_hochberg, t_test
from wildcell.metrics.grouped import stacked
from wildcell.metrics.mann_whitney import RankTest, mann_whitney


@dataclass(frozen=True, eq=False)
class Means:
    """What a test of means needs to know of some groups of cells.

    Attributes
    ----------
    n
        Cells of each, shape (n_groups,).
    mean, squared_error
        Their mean and its squared standard error, shape (n_groups, n_genes).
    """

    n: NDArray[np.int64]
    mean: Floats
    squared_error: Floats

    @property
    def moments(self) -> Moments:
        """The same as sums."""
        n = self.n[:, None]
        total = self.mean * n
        return Moments(self.n, total, self.squared_error * n * (n - 1) + total * self.mean)


def rank_tests(
    cells: Sequence[Matrix],
    controls: Sequence[Matrix],
    control_group: Codes,
    convention: Convention,
) -> RankTest:
    """Test the cells of each perturbation against those of its control group, by ranks.

    In single precision, in which the log values of counts keep their ranks, at half the work.

    Parameters
    ----------
    cells
        Log values of each perturbation's cells.
    controls
        Log values of each control group's.
    control_group
        Which group each perturbation is tested against, shape (n_perturbations,).
    convention
        Says whether to correct for continuity.

    Returns
    -------
    NaN for perturbations or groups without cells.
    """
    parts = []
    order = np.argsort(control_group, kind="stable")
    for group in np.unique(control_group):
        rows = order[control_group[order] == group]
        matrix, codes = stacked(cells, rows)
        parts.append(
            mann_whitney(
                matrix.astype(np.float32, copy=False),
                codes,
                len(rows),
                controls[int(group)].astype(np.float32, copy=False),
                continuity=convention.has_continuity,
            )
        )
    place = np.argsort(order)
    return RankTest(*(np.concatenate(column)[place] for column in zip(*parts, strict=True)))


def mean_tests(cells: Means, controls: Means, *, equal_variance: bool = False) -> MeanTest:
    """Test the means of each perturbation against those of its controls, a row each."""
    return t_test(cells.moments, controls.moments, equal_variance=equal_variance)


def table_of(test: RankTest | MeanTest, counted: Booleans) -> Adjusted:
    """Adjust p-values within each perturbation over the genes that count.

    Parameters
    ----------
    test
        Statistics and p-values, shape (n_perturbations, n_genes).
    counted
        Which tests are one family, the same shape; the others have no p-value.
    """
    p_value = np.where(counted, test.p_value, np.nan)
    return Adjusted(test.statistic, p_value, benjamini_hochberg(p_value))
