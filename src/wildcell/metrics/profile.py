"""Mean profiles of groups of cells, with their errors: one pass, whatever is asked of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildcell.arrays import Codes, Floats
from wildcell.streams.sums import Sums


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


def profiles(sums: Sums, *, has_linear: bool = True) -> Profiles:
    """Turn sums over cells into the means that they come to, in the same memory.

    Parameters
    ----------
    sums
        Of each group; their totals are means afterwards.
    has_linear
        Whether linear values can be had.
    """
    mean, error, linear = sums.total, sums.total_squares, sums.linear
    n = np.where(sums.n, sums.n, np.nan)[:, None]
    error[:] = sums.moments.squared_error
    mean /= n
    if has_linear:
        linear /= n
    return Profiles(sums.n, mean, error, linear if has_linear else None)


def columns_of(values: Floats, columns: Codes) -> Floats:
    """Return some columns; rows that are one in memory stay so.

    Examples
    --------
    >>> columns_of(np.broadcast_to([1.0, 2.0], (9, 2)), np.array([1])).strides
    (0, 8)
    """
    if len(values) and values.strides[0] == 0:
        return np.broadcast_to(values[0, columns], (len(values), len(columns)))
    return values[:, columns]


def _take(values: Floats, rows: Codes) -> Floats:
    """Return rows, none of which is held twice: the controls of thousands of conditions are one."""
    shape = (len(rows), values.shape[1])
    if values.shape[0] == 0:
        return np.full(shape, np.nan)
    if len(rows) == 0 or (rows < 0).any():
        return np.where((rows >= 0)[:, None], values[rows], np.nan)
    if values.strides[0] == 0 or (rows == rows[0]).all():
        return np.broadcast_to(values[rows[0]], shape)
    return values if np.array_equal(rows, np.arange(len(values))) else values[rows]
