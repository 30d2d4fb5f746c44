"""Signal and noise of measured effects, over simulated repeats with a known effect."""

from dataclasses import replace

import numpy as np
import pytest

from wildcell.laws.evidence import draw_clouds, response_of
from wildcell.metrics.correlation import effect_r2, pearson_delta
from wildcell.metrics.signal import correlation_ceiling, measured_signal

N_REPEATS, N_GENES, N_CELLS, N_CONTROLS = 300, 120, 15, 25
STRENGTHS = np.array([0.0, 0.15, 0.4])
"""Root mean square of the effects; that of the noise of a delta is about 0.3."""


class Repeats:
    """The same effects measured again and again, each time by other cells and controls."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.effect = STRENGTHS[:, None] * rng.normal(size=(len(STRENGTHS), N_GENES))
        base, spread = rng.uniform(1, 3, N_GENES), rng.uniform(0.3, 1.5, N_GENES)
        # Gamma noise: the noise of counts is not normal, either.
        shape = 2.0
        noise = (rng.gamma(shape, 1.0, (N_REPEATS, 3, N_CELLS, N_GENES)) - shape) / shape**0.5
        control = (rng.gamma(shape, 1.0, (N_REPEATS, N_CONTROLS, N_GENES)) - shape) / shape**0.5
        self.cells = base + self.effect[:, None, :] + spread * noise
        self.controls = base + spread * control
        self.like = response_of(draw_clouds(rng, n=len(STRENGTHS)))
        self.base = base

    def measured(self, repeat, *, targets=None):
        cells, controls = self.cells[repeat], self.controls[repeat]
        alike = np.ones((len(STRENGTHS), N_GENES))
        return replace(
            self.like,
            mean=cells.mean(axis=1),
            control=alike * controls.mean(axis=0),
            error=cells.var(axis=1, ddof=1) / N_CELLS,
            control_error=alike * controls.var(axis=0, ddof=1) / N_CONTROLS,
            targets=targets,
        )

    def exact(self, given):
        """Return the noise-free effects above the given controls, as an answer."""
        mean = given.control + self.effect
        return replace(given, mean=mean)


@pytest.fixture(scope="module")
def repeats():
    return Repeats()


@pytest.fixture(scope="module")
def truths(repeats):
    return [repeats.measured(repeat) for repeat in range(N_REPEATS)]


def test_signal_is_the_squared_length_of_the_effect_without_bias(repeats, truths):
    signal = np.array([measured_signal(truth).signal for truth in truths])
    standard_error = signal.std(axis=0, ddof=1) / np.sqrt(N_REPEATS)
    bias = signal.mean(axis=0) - (repeats.effect**2).sum(axis=1)
    assert (np.abs(bias) < 3 * standard_error).all()
    # The noise that is taken away is many standard errors, so that the test could tell.
    noise = np.array([measured_signal(truth).cell_noise for truth in truths]).mean(axis=0)
    assert (noise > 20 * standard_error).all()


def test_centred_signal_is_that_of_the_effect_minus_its_mean(repeats, truths):
    signal = np.array([measured_signal(truth, is_centred=True).signal for truth in truths])
    standard_error = signal.std(axis=0, ddof=1) / np.sqrt(N_REPEATS)
    centred = repeats.effect - repeats.effect.mean(axis=1, keepdims=True)
    assert (np.abs(signal.mean(axis=0) - (centred**2).sum(axis=1)) < 3 * standard_error).all()


def test_signal_leaves_out_the_targets(repeats):
    targets = np.zeros((len(STRENGTHS), N_GENES), dtype=bool)
    targets[:, :5] = True
    signal = np.array(
        [measured_signal(repeats.measured(i, targets=targets)).signal for i in range(N_REPEATS)]
    )
    standard_error = signal.std(axis=0, ddof=1) / np.sqrt(N_REPEATS)
    expected = (repeats.effect[:, 5:] ** 2).sum(axis=1)
    assert (np.abs(signal.mean(axis=0) - expected) < 3 * standard_error).all()


def test_centring_few_genes_takes_its_share_of_the_noise(repeats):
    """Of four genes, the mean takes a quarter of the noise with it."""
    targets = np.ones((len(STRENGTHS), N_GENES), dtype=bool)
    targets[:, :4] = False
    measured = [
        measured_signal(repeats.measured(i, targets=targets), is_centred=True).signal
        for i in range(N_REPEATS)
    ]
    standard_error = np.std(measured, axis=0, ddof=1) / np.sqrt(N_REPEATS)
    few = repeats.effect[:, :4] - repeats.effect[:, :4].mean(axis=1, keepdims=True)
    assert (np.abs(np.mean(measured, axis=0) - (few**2).sum(axis=1)) < 3 * standard_error).all()


def test_signal_is_signed_where_there_is_nothing_but_noise(truths):
    signal = np.array([measured_signal(truth).signal[0] for truth in truths])
    assert 0.2 < (signal < 0).mean() < 0.8


def test_correlation_ceiling_is_that_of_the_exact_effect(repeats, truths):
    ceiling = np.array([correlation_ceiling(truth) for truth in truths]).mean(axis=0)
    found = np.array([pearson_delta(truth, repeats.exact(truth)) for truth in truths[1:]])
    assert np.abs(ceiling - found.mean(axis=0))[1:].max() < 0.05
    assert ceiling[1] < ceiling[2] < 1
    assert found[:, 1].mean() < 0.7


def test_effect_r2_of_the_exact_effect_is_one(repeats, truths):
    parts = [effect_r2(truth, repeats.exact(truth)) for truth in truths]
    numerator = np.array([part.numerator for part in parts])[:, 1:].sum()
    denominator = np.array([part.denominator for part in parts])[:, 1:].sum()
    assert numerator / denominator == pytest.approx(1.0, abs=0.03)


def test_reliability_is_the_share_of_signal_and_never_below_zero(truths):
    parts = measured_signal(truths[0])
    assert parts.total == pytest.approx((truths[0].delta ** 2).sum(axis=1))
    expected = np.maximum(parts.total - parts.cell_noise - parts.control_noise, 0) / parts.total
    assert parts.reliability == pytest.approx(expected)


def test_unknown_errors_leave_the_signal_unknown(truths):
    for lost in ("error", "control_error"):
        means_only = replace(truths[0], **{lost: None})
        assert np.isnan(measured_signal(means_only).signal).all()
        assert np.isnan(correlation_ceiling(means_only)).all()
