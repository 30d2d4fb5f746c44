"""Pairs of cells and energy distances, against scipy and by law."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.spatial.distance import cdist, pdist

from wildcell.metrics import pairwise
from wildcell.metrics.pairwise import distances, energy_distance, mean_distance_within, pair

DATA = Path(os.environ.get("WILDCELL_TEST_DATA", Path(__file__).parents[3] / "shared"))


def cloud(rng, n, n_genes=40, shift=0.0):
    return np.log1p(rng.poisson(np.exp(shift), (n, n_genes))).astype(np.float32)


@st.composite
def clouds(draw):
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    n_genes = draw(st.integers(1, 30))
    sizes = draw(st.integers(2, 15)), draw(st.integers(2, 15))
    return tuple(cloud(rng, n, n_genes, shift=i / 2) for i, n in enumerate(sizes))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("as_given", [np.asarray, sparse.csr_matrix])
def test_pairs_are_those_of_scipy_whatever_the_format(rng, as_given, monkeypatch):
    monkeypatch.setattr(pairwise, "GENES_AT_ONCE", 7)
    first, second = cloud(rng, 9), cloud(rng, 6)
    pairs = pair(as_given(first), as_given(second))
    np.testing.assert_allclose(pairs.between, cdist(first, second, "sqeuclidean"), rtol=1e-9)
    np.testing.assert_allclose(pairs.within_first, cdist(first, first, "sqeuclidean"), rtol=1e-9)
    np.testing.assert_allclose(pairs.within_second, cdist(second, second, "sqeuclidean"), rtol=1e-9)
    pooled = np.vstack([first, second]).astype(float)
    assert pairs.diameter == pytest.approx(np.linalg.norm(np.ptp(pooled, axis=0)))


def test_small_energies_of_large_values_keep_four_digits(rng):
    """Where distances of hundreds of genes nearly cancel, and all values lie far from zero."""
    first, second = 1e4 + rng.normal(size=(2, 80, 500))
    expected = 2 * cdist(first, second).mean() - pdist(first).mean() - pdist(second).mean()
    assert abs(expected) < 0.1
    assert energy_distance(first, second) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("unbiased", [False, True])
def test_every_variant_of_the_energy_is_its_formula(rng, squared, unbiased):
    first, second = cloud(rng, 9), cloud(rng, 6, shift=1)
    kind = "sqeuclidean" if squared else "euclidean"

    def within(cells):
        return pdist(cells, kind).mean() if unbiased else cdist(cells, cells, kind).mean()

    expected = 2 * cdist(first, second, kind).mean() - within(first) - within(second)
    options = {"squared": squared, "unbiased": unbiased}
    assert energy_distance(first, second, **options) == pytest.approx(expected, rel=1e-9)
    known = mean_distance_within(first, **options)
    reused = energy_distance(first, second, within_first=known, **options)
    assert reused == pytest.approx(expected, rel=1e-9)


def test_squared_biased_energy_is_twice_the_distance_of_the_means(rng):
    first, second = cloud(rng, 9).astype(float), cloud(rng, 6, shift=1).astype(float)
    means = np.sum((first.mean(axis=0) - second.mean(axis=0)) ** 2)
    assert energy_distance(first, second, squared=True, unbiased=False) == pytest.approx(2 * means)


@given(clouds())
@settings(max_examples=40, deadline=None)
def test_energy_is_symmetric_and_blind_to_order_and_shift(both):
    first, second = (cells.astype(float) for cells in both)
    value = energy_distance(first, second)
    assert energy_distance(second, first) == pytest.approx(value, abs=1e-9)
    assert energy_distance(first[::-1, ::-1], second[:, ::-1]) == pytest.approx(value, abs=1e-9)
    assert energy_distance(first + 3, second + 3) == pytest.approx(value, abs=1e-9)


@given(clouds())
@settings(max_examples=40, deadline=None)
def test_biased_energy_is_never_negative_and_zero_for_equal_samples(both):
    first, second = both
    assert energy_distance(first, second, unbiased=False) >= -1e-9
    assert energy_distance(first, first, unbiased=False) == pytest.approx(0, abs=1e-6)


def test_energy_of_too_few_cells_is_unknown(rng):
    cells = cloud(rng, 5)
    assert np.isnan(energy_distance(cells[:1], cells))
    assert np.isnan(energy_distance(cells, cells[:0]))
    assert np.isnan(energy_distance(cells[:0], cells[:0]))
    assert np.isfinite(energy_distance(cells[:1], cells, unbiased=False))


def test_measuring_leaves_the_cells_as_they_were(rng):
    cells = cloud(rng, 5).astype(float)
    before = cells.copy()
    distances(cells, cells)
    np.testing.assert_array_equal(cells, before)


def test_biased_energies_are_those_of_pertpy():
    pd = pytest.importorskip("pandas")
    ad = pytest.importorskip("anndata")
    folder = DATA / "golden"
    if not folder.exists():
        pytest.skip("no golden files; set WILDCELL_TEST_DATA to the folder that holds golden/")
    table = pd.read_csv(folder / "pertpy_1.0.3_distances.csv")
    expected = table[table["metric"] == "edistance"].set_index("perturbation")["value"]
    truth = ad.read_h5ad(folder / "real_log1p_cp10k.h5ad")
    prediction = ad.read_h5ad(folder / "pred_log1p_cp10k.h5ad")
    found = [
        energy_distance(
            *(side.X[side.obs["target"].to_numpy() == name] for side in (truth, prediction)),
            unbiased=False,
        )
        for name in expected.index
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-3)
