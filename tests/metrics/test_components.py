"""Principal components, against scikit-learn's exact ones."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.decomposition import PCA

from wildcell.errors import OptionError
from wildcell.metrics import components
from wildcell.metrics.components import fit_components
from wildcell.metrics.randomised_components import fit_randomised_components


@pytest.fixture
def cells():
    rng = np.random.default_rng(0)
    programmes = rng.normal(size=(60, 6)) * [6, 5, 4, 3, 2, 1]
    return 1 + programmes @ rng.normal(size=(6, 40)) + 0.1 * rng.normal(size=(60, 40))


@pytest.mark.parametrize("largest", [5000, 50, 10], ids=["genes", "genes too", "lanczos"])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("as_given", [np.asarray, sparse.csr_matrix])
def test_components_are_the_exact_ones(cells, largest, transposed, as_given, monkeypatch):
    """By way of the genes, the cells or iterations, whichever the shape asks for."""
    monkeypatch.setattr(components, "LARGEST_MATRIX", largest)
    monkeypatch.setattr(components, "AT_ONCE", 17)
    cells = cells.T.copy() if transposed else cells
    expected = PCA(5, svd_solver="full").fit(cells)
    found = fit_components(as_given(cells), 5)
    np.testing.assert_allclose(found.variances, expected.explained_variance_, rtol=1e-8)
    np.testing.assert_allclose(
        np.abs(found.transform(as_given(cells))), np.abs(expected.transform(cells)), atol=1e-6
    )
    np.testing.assert_allclose(found.loadings.T @ found.loadings, np.eye(5), atol=1e-8)


@pytest.mark.parametrize("share", [0.01, 0.5, 1.0])
def test_genes_that_are_not_kept_say_nothing(cells, share):
    """Whether cells are made dense, a few at a time, or stay as they are."""
    fitted, rng = fit_components(cells, 4), np.random.default_rng(1)
    few = np.where(rng.random((300, 40)) < share, rng.random((300, 40)), 0.0)
    kept = rng.random(40) < 0.7
    expected = (few - fitted.centre)[:, kept] @ fitted.loadings[kept]
    for given in (few, sparse.csr_matrix(few)):
        np.testing.assert_allclose(fitted.transform(given, kept=kept), expected, atol=1e-12)


def test_largest_loading_of_each_component_is_positive(cells):
    loadings = fit_components(cells, 5).loadings
    assert (loadings.max(axis=0) == np.abs(loadings).max(axis=0)).all()


def test_order_of_the_cells_does_not_matter(cells):
    found, reversed_order = (fit_components(one, 4).loadings for one in (cells, cells[::-1]))
    np.testing.assert_allclose(found, reversed_order, atol=1e-9)


def test_no_more_components_than_there_can_be(cells):
    assert fit_components(cells[:4], 50).loadings.shape == (40, 3)
    assert fit_components(cells[:, :2], 50).loadings.shape == (2, 2)


def test_single_precision_cells_are_decomposed_in_double(cells):
    shifted = (cells + 1000).astype(np.float32)
    expected = PCA(5, svd_solver="full").fit(shifted.astype(np.float64))
    found = fit_components(sparse.csr_matrix(shifted), 5)
    np.testing.assert_allclose(found.variances, expected.explained_variance_, rtol=1e-6)


def test_too_little_to_decompose_is_an_error(cells):
    with pytest.raises(OptionError, match="at least 2 cells"):
        fit_components(cells[:1])
    with pytest.raises(OptionError, match="1 component"):
        fit_components(cells, 0)


def test_randomised_components_are_those_of_scikit_learn_at_that_seed():
    cells = np.random.default_rng(0).normal(size=(700, 60))
    found = fit_randomised_components(sparse.csr_matrix(cells), 5, seed=42)
    expected = PCA(5, random_state=42).fit_transform(cells)
    np.testing.assert_allclose(found.transform(cells), expected, atol=1e-8)
