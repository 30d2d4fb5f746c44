import numpy as np
import pytest
from scipy import sparse

from wildcell.datasets.values import detect_expression, summarise_values

COUNTS = np.array([[0.0, 3.0], [1.0, 40.0]])


@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_matrix, sparse.csc_matrix])
@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        (COUNTS, "counts"),
        (np.log1p(COUNTS), "lognorm"),
        (COUNTS + 0.5, None),
        (-COUNTS, None),
        (np.where(COUNTS == 0, np.nan, COUNTS), None),
        (np.where(COUNTS == 0, np.inf, COUNTS), None),
    ],
)
def test_expression_is_told_by_integrality_and_size(convert, matrix, expected):
    assert detect_expression(convert(matrix)) == expected


def test_integers_are_counts_whatever_their_type():
    assert detect_expression(COUNTS.astype(np.int64)) == "counts"


def test_a_summary_knows_extremes_and_row_sums():
    summary = summarise_values(np.array([[2.0, -1.5], [0.0, np.nan], [0.25, 4.0]]))

    assert (summary.smallest, summary.largest) == (-1.5, 4.0)
    assert summary.row_sums[[0, 2]].tolist() == [0.5, 4.25]
    assert summary.kinds["fractional"] == 2
    assert summary.first["negative"] == (0, 1, -1.5)
