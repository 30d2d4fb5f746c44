"""Correlations and errors of means, against scipy and loops."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from wildcell.laws.evidence import draw_clouds, random_answer, response_of
from wildcell.metrics.convention import Convention
from wildcell.metrics.correlation import (
    cosine_lfc,
    effect_r2,
    mae,
    pearson,
    pearson_delta,
    rmse,
    row_cosine,
    row_pearson,
    row_spearman,
    spearman_lfc,
)


@pytest.fixture(scope="module")
def pair():
    """A truth and an answer; perturbation i targets gene i."""
    rng = np.random.default_rng(1)
    truth = draw_clouds(rng)
    return response_of(truth), response_of(random_answer(truth, rng))


def rows_of(pair, of):
    """Return the values of both, a pair of rows a perturbation, over the genes that are kept."""
    truth, prediction = pair
    return [
        (of(prediction)[row][keep], of(truth)[row][keep])
        for row, keep in enumerate(truth.kept_genes)
    ]


def test_pearson_delta_is_that_of_scipy_without_the_targets(pair):
    expected = [pearsonr(*rows).statistic for rows in rows_of(pair, lambda one: one.delta)]
    np.testing.assert_allclose(pearson_delta(*pair), expected, rtol=1e-10)


def test_spearman_lfc_is_that_of_scipy_without_the_targets(pair):
    expected = [spearmanr(*rows).statistic for rows in rows_of(pair, lambda one: one.lfc)]
    np.testing.assert_allclose(spearman_lfc(*pair), expected, rtol=1e-10)


def test_cosine_lfc_is_the_cosine_without_the_targets(pair):
    expected = [
        a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in rows_of(pair, lambda one: one.lfc)
    ]
    np.testing.assert_allclose(cosine_lfc(*pair), expected, rtol=1e-10)


def test_profile_metrics_look_at_all_genes(pair):
    truth, prediction = pair
    both = list(zip(prediction.mean, truth.mean, strict=True))
    np.testing.assert_allclose(pearson(*pair), [pearsonr(*rows).statistic for rows in both])
    np.testing.assert_allclose(
        rmse(*pair), [np.linalg.norm(a - b) / np.sqrt(len(a)) for a, b in both]
    )
    np.testing.assert_allclose(mae(*pair), [sum(abs(a - b)) / len(a) for a, b in both])


def test_effect_r2_parts_are_explained_and_noise_free_squares(pair):
    truth, prediction = pair
    explained, signal = effect_r2(*pair)
    for row, keep in enumerate(truth.kept_genes):
        d, true = prediction.delta[row][keep], truth.delta[row][keep]
        assert explained[row] == pytest.approx(2 * d @ true - d @ d)
        noise = truth.error[row][keep].sum() + truth.control_error[row][keep].sum()
        assert signal[row] == pytest.approx(true @ true - noise)


def test_effect_r2_of_no_change_is_zero_and_of_the_truth_at_least_one(pair):
    truth, _ = pair
    nothing = replace(truth, mean=truth.control)
    assert (effect_r2(truth, nothing).numerator == 0).all()
    explained, signal = effect_r2(truth, truth)
    assert (explained > signal).all()
    assert (signal > 0).all()


def test_targets_count_where_the_convention_keeps_them(pair):
    truth, prediction = (replace(one, convention=Convention(removes_targets=False)) for one in pair)
    expected = [
        pearsonr(a, b).statistic for a, b in zip(prediction.delta, truth.delta, strict=True)
    ]
    np.testing.assert_allclose(pearson_delta(truth, prediction), expected, rtol=1e-10)
    assert not np.allclose(expected, pearson_delta(*pair))


def test_rows_may_keep_different_genes():
    rng = np.random.default_rng(2)
    first, second = rng.normal(size=(2, 3, 20))
    kept = rng.random((3, 20)) < 0.6
    for of_rows, of_one in [(row_pearson, pearsonr), (row_spearman, spearmanr)]:
        expected = [
            of_one(a[keep], b[keep]).statistic
            for a, b, keep in zip(first, second, kept, strict=True)
        ]
        np.testing.assert_allclose(of_rows(first, second, kept), expected, rtol=1e-10)


def test_spearman_takes_mid_ranks_on_ties():
    first = np.array([[1.0, 1.0, 2.0, 3.0, 3.0]])
    second = np.array([[0.0, 1.0, 1.0, 1.0, 5.0]])
    expected = spearmanr(first[0], second[0]).statistic
    assert row_spearman(first, second, first > 0)[0] == pytest.approx(expected)


@pytest.mark.parametrize("correlate", [row_pearson, row_spearman])
def test_constant_rows_have_no_correlation(correlate):
    constant, varied = np.full((1, 4), 0.1), np.arange(4.0)[None]
    everything = np.ones((1, 4), dtype=bool)
    assert np.isnan(correlate(constant, varied, everything)).all()
    assert np.isnan(correlate(varied, constant, everything)).all()


def test_zero_rows_have_no_cosine():
    zero, other = np.zeros((1, 4)), np.arange(4.0)[None]
    everything = np.ones((1, 4), dtype=bool)
    assert np.isnan(row_cosine(zero, other, everything)).all()
    assert np.isnan(row_cosine(other, zero, everything)).all()


@pytest.mark.parametrize("correlate", [row_pearson, row_cosine, row_spearman])
def test_unknown_values_make_a_row_unknown_and_no_other(correlate):
    rng = np.random.default_rng(3)
    first, second = rng.normal(size=(2, 3, 9))
    first[1, 4] = np.nan
    everything = np.ones(first.shape, dtype=bool)
    result = correlate(first, second, everything)
    assert np.isnan(result).tolist() == [False, True, False]


@pytest.mark.parametrize("correlate", [row_pearson, row_cosine])
def test_correlation_does_not_leave_its_range_by_rounding(correlate):
    rng = np.random.default_rng(4)
    rows = rng.normal(size=(200, 7)) * 10 ** rng.uniform(-8, 8, (200, 1))
    everything = np.ones(rows.shape, dtype=bool)
    assert (np.abs(correlate(rows, 3 * rows, everything)) <= 1).all()
    np.testing.assert_allclose(correlate(rows, 3 * rows, everything), 1.0)
    np.testing.assert_allclose(correlate(rows, -3 * rows, everything), -1.0)
