"""Transport of one gene's values, against scipy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.stats import wasserstein_distance

from wildcell.metrics.transport import wasserstein_by_gene

values = st.lists(
    st.sampled_from([-2.0, -0.5, 0.0, 0.0, 0.0, 1.0, 1.5, 3.0]), min_size=1, max_size=9
)


@given(values, values)
@settings(max_examples=200, deadline=None)
def test_transport_of_any_values_is_that_of_scipy(first, second):
    found = wasserstein_by_gene(np.array(first)[:, None], np.array(second)[:, None])
    assert found[0] == pytest.approx(wasserstein_distance(first, second), abs=1e-12)


@pytest.mark.parametrize("as_given", [np.asarray, sparse.csr_matrix, sparse.csc_matrix])
def test_every_gene_is_transported_on_its_own(as_given):
    rng = np.random.default_rng(0)
    first, second = (np.log1p(rng.poisson(0.7, (n, 30))).astype(np.float32) for n in (20, 13))
    expected = [wasserstein_distance(first[:, g], second[:, g]) for g in range(30)]
    found = wasserstein_by_gene(as_given(first), as_given(second))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_stored_zeros_are_zeros():
    first = sparse.csr_matrix(np.array([[1.0], [2.0], [5.0]]))
    first.data[:] = [0.0, 2.0, 0.0]
    second = np.array([[0.0], [1.0], [0.0]])
    expected = wasserstein_distance([0, 2, 0], [0, 1, 0])
    assert wasserstein_by_gene(first, second)[0] == pytest.approx(expected)


def test_transport_to_nowhere_is_unknown():
    assert np.isnan(wasserstein_by_gene(np.ones((3, 2)), np.ones((0, 2)))).all()


def test_transport_leaves_its_inputs_as_they_were():
    cells = sparse.csc_matrix(np.array([[3.0], [1.0], [2.0]]))
    wasserstein_by_gene(cells, cells)
    assert cells.data.tolist() == [3, 1, 2]
