"""The kept controls without a block of them in turn."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from wildcell.laws.evidence import draw_clouds, response_of
from wildcell.metrics.control_blocks import is_of_means, shaken_scores, without_blocks
from wildcell.metrics.metric import METRICS
from wildcell.names import N_BLOCKS, SHAKEN, SHAKEN_UNDER

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from control_coverage import drawn, unshaken

from wildcell.results.stats import difference, estimate


def test_each_cell_is_left_out_once_and_squares_add_up_to_the_error_of_the_mean():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 5))
    group = np.repeat([0, 1], [40, 20])
    found = without_blocks(sparse.csr_matrix(X), group, ["liver", "lung"], seed=0)

    assert found.mean.shape == (2, N_BLOCKS, 5)
    for one, n in ((0, 40), (1, 20)):
        rows = X[group == one]
        assert found.mean[one].mean(axis=0) == pytest.approx(rows.mean(axis=0))
        away = found.mean[one] - found.mean[one].mean(axis=0)
        variance = (N_BLOCKS - 1) / N_BLOCKS * (away**2).sum(axis=0)
        assert variance.mean() == pytest.approx((rows.var(axis=0, ddof=1) / n).mean(), rel=0.5)


def test_fewer_cells_than_blocks_leave_some_empty():
    X = sparse.csr_matrix(np.arange(6.0)[:, None])
    found = without_blocks(X, np.zeros(6, dtype=int), ["liver"], seed=0)

    assert found.n_blocks.tolist() == [6]
    assert np.isfinite(found.mean).all()


def test_a_group_is_dealt_alike_whatever_else_is_asked():
    X = sparse.csr_matrix(np.random.default_rng(0).normal(size=(60, 5)))
    group = np.repeat([0, 1], [40, 20])
    both = without_blocks(X, group, ["liver", "lung"], seed=0)
    alone = without_blocks(X[40:], np.zeros(20, dtype=int), ["lung"], seed=0)

    np.testing.assert_allclose(alone.mean[0], both.mean[1])


def test_metrics_of_cells_and_tests_are_passed_over():
    assert is_of_means(METRICS.get("effect_r2"))
    assert is_of_means(METRICS.get("pearson_specific"))
    assert not is_of_means(METRICS.get("de_auprc"))
    assert not is_of_means(METRICS.get("energy_distance_pca"))
    assert not is_of_means(METRICS.get("rmse"))


def test_moves_are_those_of_scoring_without_each_block():
    truth = response_of(draw_clouds(np.random.default_rng(3)))
    n = len(truth.perturbations)
    X = np.random.default_rng(0).normal(size=(50, len(truth.genes)))
    controls = without_blocks(sparse.csr_matrix(X), np.zeros(50, dtype=int), ["liver"], seed=1)
    metrics = [METRICS.get(name) for name in ("effect_r2", "pearson_delta", "de_auprc")]
    found = shaken_scores(truth, truth, metrics, controls, np.zeros(n, dtype=np.intp))

    assert set(found["metric"]) == {"effect_r2", "pearson_delta"}
    assert len(found) == 2 * n
    assert np.isfinite(found[[*SHAKEN, *SHAKEN_UNDER]]).all(axis=None)
    plain = found[found["metric"] == "pearson_delta"]
    assert (plain[SHAKEN_UNDER] == 0).all(axis=None)
    assert plain[SHAKEN].sum(axis=1).abs().max() < 1e-4


@pytest.mark.parametrize("metric", ["effect_r2", "pearson_delta"])
def test_intervals_hold_what_controls_do_to_all_conditions(metric):
    rng = np.random.default_rng(1)
    samples = [drawn(rng, 25)[metric] for _ in range(60)]
    for draws in (
        [draw["knows more"] for draw in samples],
        [difference(draw["knows more"], draw["knows less"]) for draw in samples],
    ):
        truth = np.mean([sample.mean() for sample in draws])
        inside = [one.low <= truth <= one.high for one in map(estimate, draws)]
        assert np.mean(inside) > 0.85
        narrow = [estimate(unshaken(sample)) for sample in draws]
        assert all(
            one.high - one.low < other.high - other.low
            for one, other in zip(narrow, map(estimate, draws), strict=True)
        )
