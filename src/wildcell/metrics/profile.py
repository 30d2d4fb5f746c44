"""Mean profiles of groups of cells, with their errors: one pass, whatever is asked of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildcell.arrays import Codes, Floats, Matrix, moments


@dataclass(frozen=True)
class Profiles:
    """Means over the cells of some groups.

    Attributes
    ----------
    n
        Cells in each group, shape (n_groups,).
    mean
        Mean log values, shape (n_groups, n_genes); NaN for a group without cells.
    error
        Squared standard errors of `mean`, the same shape; NaN below two cells.
    linear
        Arithmetic means at a common library size; None where counts cannot be had.
    """

    n: NDArray[np.int64]
    mean: Floats
    error: Floats
    linear: Floats | None

    def take(self, rows: Codes) -> "Profiles":
        """Return the profiles of some groups, in the order of `rows`; NaN for a row of -1."""
        return Profiles(
            np.where(rows >= 0, self.n[rows], 0),
            _take(self.mean, rows),
            _take(self.error, rows),
            None if self.linear is None else _take(self.linear, rows),
        )


def profiles(lognorm: Matrix, linear: Matrix | None, groups: Codes, n_groups: int) -> Profiles:
    """Average cells by group.

    Parameters
    ----------
    lognorm, linear
        Log and linear values of the cells, shape (n_cells, n_genes).
    groups
        Group of each cell, shape (n_cells,); cells with a negative group are passed over.
    n_groups
        Number of groups.
    """
    log_moments = moments(lognorm, groups, n_groups)
    return Profiles(
        log_moments.n,
        log_moments.mean,
        log_moments.squared_error,
        None if linear is None else moments(linear, groups, n_groups).mean,
    )


def _take(values: Floats, rows: Codes) -> Floats:
    if values.shape[0] == 0:
        return np.full((len(rows), values.shape[1]), np.nan)
    return np.where((rows >= 0)[:, None], values[rows], np.nan)
