"""Sinkhorn divergences, against independent implementations and by law."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.spatial.distance import cdist
from scipy.special import logsumexp

from wildcell.metrics import sinkhorn
from wildcell.metrics.clouds import compare, describe
from wildcell.metrics.conditions import over_conditions
from wildcell.metrics.pairwise import energy_distance, pair
from wildcell.metrics.sinkhorn import reusable_self_cost, schedule, sinkhorn_divergence

DATA = Path(os.environ.get("WILDCELL_TEST_DATA", Path(__file__).parents[3] / "shared"))

SIZES = [(1, 0.3, 1.0), (2, 0.01, 0.02), (2, 0.5, 0.1), (10, 0.0, 1.0), (300, 0.1, 1.0)]


def two_clouds(n_genes, shift, scale, *, n=40, m=55, seed=0):
    rng = np.random.default_rng(seed)
    return scale * rng.normal(size=(n, n_genes)), shift + scale * rng.normal(size=(m, n_genes))


def written_out(first, second, temperatures):
    """The same steps in double precision, every soft minimum on its own."""

    def answer(cost, potential, eps):
        return -eps * (logsumexp((potential - cost) / eps, axis=1) - np.log(len(potential)))

    def potentials(x, y):
        cost = cdist(x, y, "sqeuclidean") / 2
        f, g = np.zeros(len(x)), np.zeros(len(y))
        for step, eps in enumerate(temperatures):
            new_f, new_g = answer(cost, g, eps), answer(cost.T, f, eps)
            weight = 1 if step in (0, len(temperatures) - 1) else 0.5
            f, g = f + weight * (new_f - f), g + weight * (new_g - g)
        return f.mean() + g.mean()

    own = potentials(first, first) / 2 + potentials(second, second) / 2
    return potentials(first, second) - own


@pytest.mark.parametrize(("n_genes", "shift", "scale"), SIZES)
def test_divergence_is_that_of_its_steps_written_out(n_genes, shift, scale):
    first, second = two_clouds(n_genes, shift, scale)
    temperatures = schedule(pair(first, second).diameter)
    expected = written_out(first, second, temperatures)
    assert sinkhorn_divergence(first, second) == pytest.approx(expected, rel=2e-6)


@pytest.mark.parametrize(("n_genes", "shift", "scale"), SIZES)
def test_divergence_is_that_of_geomloss(n_genes, shift, scale):
    torch = pytest.importorskip("torch")
    geomloss = pytest.importorskip("geomloss")
    first, second = two_clouds(n_genes, shift, scale)
    loss = geomloss.SamplesLoss("sinkhorn", p=2, blur=0.05, scaling=0.9)
    expected = loss(torch.as_tensor(first), torch.as_tensor(second)).item()
    assert sinkhorn_divergence(first, second) == pytest.approx(expected, rel=1e-4)


def test_converged_divergence_is_that_of_pot():
    ot = pytest.importorskip("ot")
    first, second = two_clouds(3, 0.5, 0.5)
    found = sinkhorn_divergence(first, second, blur=0.5, scaling=0.99)
    eps = 0.5**2

    def entropic_cost(x, y):
        """Its dual value: the cost of the plan, and the plan's divergence from independence."""
        cost = cdist(x, y, "sqeuclidean") / 2
        a, b = ot.unif(len(x)), ot.unif(len(y))
        plan = ot.sinkhorn(a, b, cost, eps, method="sinkhorn_log", numItermax=5000, stopThr=1e-12)
        return (plan * cost).sum() + eps * (plan * np.log(plan / np.outer(a, b))).sum()

    expected = entropic_cost(first, second)
    expected -= (entropic_cost(first, first) + entropic_cost(second, second)) / 2
    assert found == pytest.approx(expected, rel=1e-4)


def test_little_blur_leaves_half_the_squared_transport_distance():
    ot = pytest.importorskip("ot")
    first, second = two_clouds(2, 1.0, 0.5, n=30, m=30)
    exact = ot.emd2([], [], cdist(first, second, "sqeuclidean")) / 2
    found = sinkhorn_divergence(first, second, blur=0.001, scaling=0.99)
    assert found == pytest.approx(exact, rel=0.01)


def test_exponents_beyond_single_precision_are_summed_all_the_same(monkeypatch):
    """With every sum declared out of range, the slow and safe path must give the same."""
    first, second = two_clouds(5, 0.3, 1.0, n=12, m=15)
    cost = pair(first, second).between / 2
    f, g = np.full(12, 1e4), np.zeros(15)
    by_row, by_column = np.empty(12, np.float32), np.empty(15, np.float32)
    sinkhorn._masses(cost, (f, g), 0.01, by_row, by_column)
    assert (by_row > sinkhorn.LARGEST_SUM).all()
    found = np.empty(12)
    sinkhorn._answers(by_row, (f, g), cost, 0.01, found)
    expected = -0.01 * (logsumexp((g - cost) / 0.01, axis=1) - np.log(15))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_exponential_is_right_to_single_precision():
    exponents = np.linspace(-80, 80, 4001).astype(np.float32)
    found = np.array([sinkhorn._exp(one) for one in exponents])
    np.testing.assert_allclose(found, np.exp(exponents.astype(float)), rtol=3e-7)


@given(st.integers(0, 10**6), st.integers(1, 8), st.integers(1, 12), st.integers(1, 12))
@settings(max_examples=40, deadline=None)
def test_divergence_is_symmetric_and_blind_to_order_and_shift(seed, n_genes, n, m):
    first, second = two_clouds(n_genes, 0.5, 1.0, n=n, m=m, seed=seed)
    value = sinkhorn_divergence(first, second)
    close = pytest.approx(value, rel=1e-5, abs=1e-7)
    assert sinkhorn_divergence(second, first) == close
    assert sinkhorn_divergence(first[::-1, ::-1], second[:, ::-1]) == close
    assert sinkhorn_divergence(first + 3, second + 3) == close


def test_divergence_of_equal_samples_is_zero_and_of_none_unknown():
    first, _ = two_clouds(20, 0.0, 1.0)
    assert sinkhorn_divergence(first, first) == pytest.approx(0, abs=1e-6)
    same = np.ones((4, 3))
    assert sinkhorn_divergence(same, same) == pytest.approx(0, abs=1e-9)
    assert np.isnan(sinkhorn_divergence(first, first[:0]))


def test_cost_of_a_truth_is_reused_where_it_is_the_same_for_all():
    first, second = two_clouds(20, 0.2, 1.0)
    known = reusable_self_cost(pair(first))
    assert known is not None
    reused = sinkhorn_divergence(first, second, self_cost_first=known)
    assert reused == pytest.approx(sinkhorn_divergence(first, second), rel=1e-7)
    line, _ = two_clouds(1, 0.2, 0.05)
    assert reusable_self_cost(pair(line)) is None


@pytest.mark.parametrize("n_genes", [1, 60])
@pytest.mark.parametrize("as_given", [np.asarray, sparse.csr_matrix])
def test_comparison_is_both_distances_at_once(n_genes, as_given):
    first, second = (as_given(cells) for cells in two_clouds(n_genes, 0.2, 0.3))
    expected = energy_distance(first, second), sinkhorn_divergence(first, second)
    np.testing.assert_allclose(compare(first, second), expected, rtol=1e-9)
    known = compare(first, second, of_first=describe(first))
    np.testing.assert_allclose(known, expected, rtol=1e-6)


def test_comparison_of_too_few_cells_is_unknown():
    first, _ = two_clouds(5, 0.2, 0.3)
    assert np.isnan(compare(first, first[:0], of_first=describe(first))).all()
    assert np.isnan(compare(first[:0], first, of_first=describe(first[:0]))).all()
    energy, divergence = compare(first[:1], first)
    assert np.isnan(energy)
    assert np.isfinite(divergence)


def test_comparisons_are_the_same_on_any_number_of_threads():
    clouds = [two_clouds(30, 0.1 * i, 1.0, seed=i) for i in range(6)]
    firsts, seconds = zip(*clouds, strict=True)
    alone = over_conditions(compare, firsts, seconds, n_threads=1)
    assert over_conditions(compare, firsts, seconds, n_threads=3) == alone


def test_both_distances_are_those_of_the_published_evaluation():
    pd = pytest.importorskip("pandas")
    ad = pytest.importorskip("anndata")
    folder = DATA / "golden"
    if not folder.exists():
        pytest.skip("no golden files; set WILDCELL_TEST_DATA to the folder that holds golden/")
    table = pd.read_csv(folder / "vcbench_d66d849_per_perturbation.csv")
    table = table.pivot(index="perturbation", columns="metric", values="value")
    truth = ad.read_h5ad(folder / "real_log1p_cp10k.h5ad")
    prediction = ad.read_h5ad(folder / "pred_log1p_cp10k.h5ad")
    controls = truth.X[truth.obs["target"].to_numpy() == "non-targeting"]
    for name, expected in table.iterrows():
        first = second = controls
        if name != "control":
            first, second = (s.X[s.obs["target"].to_numpy() == name] for s in (truth, prediction))
        energy, divergence = compare(first, second)
        assert energy == pytest.approx(expected["energy_distance"], rel=1e-3)
        assert divergence == pytest.approx(expected["sinkhorn_divergence"], rel=1e-3, abs=1e-4)
