"""Some rows at a time: the same numbers to the bit, of few rows at once."""

import numpy as np
import pytest

from wildcell.metrics.by_rows import ROWS, by_rows
from wildcell.metrics.correlation import row_pearson


@pytest.mark.parametrize("n_genes", [50, 20_000])
@pytest.mark.parametrize("n", [0, 1, ROWS, ROWS + 1, 2 * ROWS + 1])
def test_no_bit_depends_on_the_parts(n, n_genes):
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, n, n_genes))
    kept = rng.random((n, n_genes)) < 0.9
    whole = row_pearson.__wrapped__(first, second, kept)
    np.testing.assert_array_equal(row_pearson(first, second, kept), whole)


def test_few_rows_are_taken_at_once_and_none_is_left_alone():
    sizes = []

    def rows_of(values, *, factor):
        sizes.append(len(values))
        return factor * values

    values = np.arange(3.0 * (4 * ROWS + 1)).reshape(-1, 3)
    np.testing.assert_array_equal(by_rows(rows_of)(values, factor=2), 2 * values)
    assert sum(sizes) == len(values)
    assert min(sizes) > 1
    assert max(sizes) <= 2 * ROWS
