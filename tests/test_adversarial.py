"""No ranked metric puts an answer that knows less above one that knows what can be known.

For more seeds and metrics, presets included, it is printed by `benchmarks/adversarial.py`.
"""

import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from wildcell.metrics.headline import RANKED
from wildcell.metrics.metric import METRICS

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from adversarial import CHEATS, HALF, RESOLVED, goodness, house_scores, material_of, winners

SEEDS = range(3)
SIZELESS = ("pearson_specific", "retrieval_cosine", "de_auprc")
"""Ranked metrics that do not look at the size of effects."""


@cache
def scores_of(setting):
    """Return mean scores over the seeds, a row a metric and a column a probe."""
    tables = [house_scores(material_of(setting, seed), (*RANKED, "amplitude")) for seed in SEEDS]
    return sum(tables) / len(tables)


def good(table):
    return goodness(table, {name: METRICS.get(name).best for name in table.index})


@pytest.mark.parametrize("setting", ["clear", "noisy"])
def test_no_ranked_metric_puts_a_cheat_above_the_independent_half(setting):
    table = good(scores_of(setting)).loc[list(RANKED)]
    assert np.isfinite(table.to_numpy()).all()
    assert winners(table) == {name: [] for name in RANKED}


@pytest.mark.parametrize("setting", ["clear", "noisy"])
def test_every_cheat_is_told_from_the_half_by_a_ranked_metric(setting):
    table = good(scores_of(setting)).loc[list(RANKED)]
    below = table[list(CHEATS)].lt(table[HALF] - RESOLVED, axis=0)
    # a variance of cells about their mean is no matter of means
    unseen = set(below.columns[~below.any()])
    assert unseen <= {"variance inflated"}


@pytest.mark.parametrize("setting", ["clear", "noisy"])
def test_the_truth_rebased_is_the_best_answer(setting):
    table = good(scores_of(setting))
    assert (table["truth re-based"] + RESOLVED >= table.max(axis=1)).all()


@pytest.mark.parametrize("setting", ["clear", "noisy"])
def test_copies_of_cells_and_twice_the_depth_change_nothing(setting):
    table = scores_of(setting)
    for probe in ("cells duplicated", "depth doubled"):
        np.testing.assert_allclose(table[probe], table[HALF], atol=1e-4)


@pytest.mark.parametrize("setting", ["clear", "noisy"])
def test_controls_that_come_with_a_prediction_are_no_matter(setting):
    table = scores_of(setting)
    np.testing.assert_allclose(table["controls tampered"], table["control pasted"], atol=1e-9)


@pytest.mark.parametrize("setting", ["clear", "noisy"])
def test_silence_is_the_worst_amplitude_and_selective_silence_is_dear(setting):
    amplitude = scores_of(setting).loc["amplitude"].abs()
    assert amplitude.idxmax() in {"control pasted", "controls tampered"}
    assert amplitude["selective abstention"] > 3 > amplitude[HALF]


def test_metrics_of_direction_do_not_see_the_size_of_effects():
    table = scores_of("clear")
    for name in SIZELESS:
        assert table.loc[name, "effect x0.5"] == pytest.approx(table.loc[name, HALF], abs=RESOLVED)
    assert table.loc["effect_r2", "effect x0.5"] < table.loc["effect_r2", HALF] - 0.1


def test_squared_error_punishes_noise_where_effects_are_buried():
    table = scores_of("buried")
    assert table.loc["effect_r2", HALF] < table.loc["effect_r2", "control pasted"] == 0
    assert table.loc["retrieval_cosine", HALF] > table.loc["retrieval_cosine", "mean pasted"] + 0.2
