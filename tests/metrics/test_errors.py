"""Errors of means, deltas and fold changes, against scikit-learn and loops."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, mean_squared_error

from wildcell.laws.evidence import beside_others, draw_clouds, random_answer, response_of
from wildcell.metrics.correlation import rmse
from wildcell.metrics.de_recovery import is_found
from wildcell.metrics.errors import l2, lfc_nmae, mae_delta, mse, mse_delta, mse_over_effect


@pytest.fixture(scope="module")
def pair():
    """A truth and an answer beside other controls; perturbation i targets gene i."""
    rng = np.random.default_rng(1)
    truth = draw_clouds(rng)
    return response_of(truth), response_of(beside_others(random_answer(truth, rng), rng))


def test_mse_and_l2_are_of_all_genes_of_the_profile(pair):
    truth, prediction = pair
    both = list(zip(truth.mean, prediction.mean, strict=True))
    np.testing.assert_allclose(mse(*pair), [mean_squared_error(*rows) for rows in both])
    np.testing.assert_allclose(l2(*pair), [np.linalg.norm(a - b) for a, b in both])
    np.testing.assert_allclose(mse(*pair), rmse(*pair) ** 2)


@pytest.mark.parametrize(
    ("metric", "expected"), [(mse_delta, mean_squared_error), (mae_delta, mean_absolute_error)]
)
def test_errors_of_deltas_leave_out_the_targets(pair, metric, expected):
    truth, prediction = pair
    rows = zip(truth.delta, prediction.delta, truth.kept_genes, strict=True)
    np.testing.assert_allclose(metric(*pair), [expected(a[k], b[k]) for a, b, k in rows])


def test_errors_of_deltas_are_each_against_its_own_controls(pair):
    truth, _ = pair
    exact = replace(truth, mean=truth.mean + 1.0, control=truth.control + 1.0)
    np.testing.assert_allclose(mse_delta(truth, exact), 0.0, atol=1e-20)
    np.testing.assert_allclose(mse(truth, exact), 1.0)


def test_error_over_effect_is_zero_for_the_effect_and_one_for_no_change():
    """Over repeats of the measurement, as a ratio of sums."""
    rng = np.random.default_rng(0)
    n_genes, n_cells, n_repeats = 100, 12, 400
    effect = 0.3 * rng.normal(size=n_genes)
    cells = effect + rng.normal(size=(n_repeats, n_cells, n_genes))
    controls = rng.normal(size=(n_repeats, n_cells, n_genes))
    truth = replace(
        response_of(draw_clouds(rng, n=n_repeats)),
        mean=cells.mean(axis=1),
        control=controls.mean(axis=1),
        error=cells.var(axis=1, ddof=1) / n_cells,
        control_error=controls.var(axis=1, ddof=1) / n_cells,
        targets=None,
    )
    for factor, expected in [(0.0, 1.0), (1.0, 0.0), (2.0, 1.0), (-1.0, 4.0)]:
        answer = replace(truth, mean=np.tile(factor * effect, (n_repeats, 1)))
        numerator, denominator = mse_over_effect(truth, answer)
        assert numerator.sum() / denominator.sum() == pytest.approx(expected, rel=0.05, abs=0.06)


def test_fold_change_error_is_over_the_genes_found_in_the_truth(pair):
    truth, prediction = pair
    found = is_found(truth)
    assert found.any(axis=1).all()
    expected = [
        np.abs(b[hits] - a[hits]).sum() / np.abs(a[hits]).sum()
        for a, b, hits in zip(truth.lfc, prediction.lfc, found, strict=True)
    ]
    np.testing.assert_allclose(lfc_nmae(*pair), expected)
    silent = replace(prediction, linear_mean=prediction.linear_control)
    np.testing.assert_allclose(lfc_nmae(truth, silent), 1.0)
