"""Ranks whose ties share their mean rank, without loading all of scipy's statistics."""

import numpy as np

from wildcell.arrays import Floats


def average_ranks(values: Floats) -> Floats:
    """Rank each row from 1 on, ties at the mean of their ranks.

    Equal to `scipy.stats.rankdata(values, axis=-1)`: a row with a NaN is NaN.

    Parameters
    ----------
    values
        Shape (n,) or (n_rows, n).

    Examples
    --------
    >>> import numpy as np
    >>> average_ranks(np.array([0.5, 2.0, 2.0, -1.0])).tolist()
    [2.0, 3.5, 3.5, 1.0]
    """
    rows = np.atleast_2d(values)
    order = np.argsort(rows, axis=1)
    ascending = np.take_along_axis(rows, order, axis=1)
    is_first = np.ones(rows.shape, dtype=bool)
    is_first[:, 1:] = ascending[:, 1:] != ascending[:, :-1]
    starts = np.append(np.flatnonzero(is_first), rows.size)
    middles = (starts[:-1] + starts[1:] + 1) / 2
    of_sorted = np.repeat(middles, np.diff(starts)).reshape(rows.shape)
    of_sorted -= np.arange(len(rows))[:, None] * rows.shape[1]
    ranks = np.empty(rows.shape)
    np.put_along_axis(ranks, order, of_sorted, axis=1)
    ranks[np.isnan(rows).any(axis=1)] = np.nan
    return ranks.reshape(np.shape(values))
