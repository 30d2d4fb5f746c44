"""Recovery of the truly differential genes, and the size of effects."""

from dataclasses import replace

import numpy as np
import pytest

from wildcell.laws.evidence import draw_clouds, response_of
from wildcell.metrics.convention import Convention
from wildcell.metrics.de_recovery import de_auprc, de_direction, standing
from wildcell.metrics.metric import METRICS
from wildcell.results.score import compute


@pytest.fixture(scope="module")
def clouds():
    return draw_clouds(np.random.default_rng(0), n=4)


@pytest.fixture(scope="module")
def truth(clouds):
    return response_of(clouds)


def test_random_rankings_of_genes_are_at_chance(clouds, truth):
    rng = np.random.default_rng(1)
    found = [
        de_auprc(truth, response_of(clouds.with_delta(rng.normal(size=truth.delta.shape))))
        for _ in range(30)
    ]
    assert np.abs(np.mean(found)) < 0.08


def test_small_shifts_of_all_genes_do_not_change_the_ranking(truth):
    """An offset far below the effects makes many genes significant, and none of them matter."""
    offset = replace(truth, mean=truth.mean + 0.003 * np.sign(truth.delta))
    np.testing.assert_allclose(de_auprc(truth, offset), de_auprc(truth, truth), atol=0.02)


def test_quiet_genes_do_not_come_first_for_being_quiet(truth):
    spread = np.sqrt(truth.control_error * truth.n_controls[:, None])
    quiet = int(np.argmin(spread[0]))
    tiny = replace(truth, mean=truth.control + np.where(np.arange(150) == quiet, 1e-3, 1e-2))
    assert np.argmax(standing(tiny, truth)[0]) != quiet


def test_direction_is_of_the_differential_genes_alone(truth):
    is_found = truth.de.significant(0.05)
    turned = replace(truth, mean=np.where(is_found, truth.mean, truth.control - truth.delta))
    np.testing.assert_array_equal(de_direction(truth, turned), 1.0)
    none = replace(truth, mean=np.where(is_found, truth.control, truth.mean))
    np.testing.assert_array_equal(de_direction(truth, none), 0.5)


def test_too_few_differential_genes_are_undefined(truth):
    strict = replace(truth, convention=Convention(min_de_genes=149))
    assert np.isnan(de_auprc(strict, strict)).all()
    assert np.isnan(de_direction(strict, strict)).all()


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_amplitude_is_the_logarithm_of_the_factor_that_is_missing(truth, factor):
    answer = replace(truth, mean=truth.control + factor * truth.delta)
    value, parts = compute(METRICS.get("amplitude"), truth, answer)
    np.testing.assert_allclose(value, -np.log(factor))
    assert np.log(parts.numerator.sum() / parts.denominator.sum()) == pytest.approx(-np.log(factor))
    opposite = replace(truth, mean=truth.control - truth.delta)
    assert (compute(METRICS.get("amplitude"), truth, opposite)[0] < -6).all()
