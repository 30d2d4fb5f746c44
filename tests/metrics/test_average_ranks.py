"""Ranks against scipy's."""

import numpy as np
from scipy.stats import rankdata

from wildcell.metrics.average_ranks import average_ranks


def test_ranks_are_those_of_scipy_with_ties_infinities_and_gaps():
    rows = np.random.default_rng(0).integers(0, 9, (6, 30)).astype(float)
    rows[0, 0], rows[1, 1:3], rows[2, 4] = np.inf, -np.inf, np.nan
    np.testing.assert_array_equal(average_ranks(rows), rankdata(rows, axis=1))
    np.testing.assert_array_equal(average_ranks(rows[3]), rankdata(rows[3]))
    assert average_ranks(np.empty((2, 0))).shape == (2, 0)
