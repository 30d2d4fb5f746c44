"""The headline of a ranking, and scores of which 0 is the best."""

import numpy as np
import pandas as pd
import pytest

from wildcell.metrics.headline import HEADLINE, RANKED, find_metrics
from wildcell.metrics.metric import LEAST_RATIO
from wildcell.results.overall import headline_rows, mean_ranks
from wildcell.results.rank import merit
from wildcell.results.stats import Sample, estimate, gain

QUESTION = {"scenario": "s", "dataset": "d", "arm": "a", "category": "all"}


def ranks_of(**models):
    rows = [
        {**QUESTION, "model": model, "metric": name, "rank": place}
        for model, places in models.items()
        for name, place in zip(RANKED, places, strict=True)
    ]
    return pd.DataFrame(rows)


def test_mean_rank_is_over_the_ranked_metrics_alone():
    ranks = ranks_of(mine=[1, 2, 1, 2], other=[2, 1, 2, 1])
    more = ranks.assign(metric="pearson_delta", rank=9.0)
    found = mean_ranks(pd.concat([ranks, more])).droplevel(["scenario", "dataset", "arm"])
    assert found.to_dict() == {"mine": 1.5, "other": 1.5}


def test_model_without_a_rank_that_others_have_has_no_mean_rank():
    found = mean_ranks(ranks_of(mine=[1, np.nan, 1, np.nan], other=[2, 1, 2, np.nan]))
    found = found.droplevel(["scenario", "dataset", "arm"])
    assert np.isnan(found["mine"])
    assert found["other"] == pytest.approx(5 / 3)


def test_headline_comes_in_its_order_and_else_what_there_is():
    table = pd.DataFrame([{**QUESTION, "metric": name} for name in ("mae", *HEADLINE[::-1])])
    assert headline_rows(table)["metric"].tolist() == list(HEADLINE)
    assert headline_rows(table[:1])["metric"].tolist() == ["mae"]


def test_sets_of_metrics_hold_each_once_and_no_alias():
    names = [item.name for item in find_metrics(["mae", "all", "headline"])]
    assert names[0] == "mae"
    assert len(names) == len(set(names))
    assert "effect_r2_detected" in names
    assert "top_de_precision" not in names


LOG_LEAST = np.log(LEAST_RATIO)


def amplitude_sample(numerator, denominator):
    n = len(numerator)
    names = [np.array([f"{kind}{i}" for i in range(n)], dtype=object) for kind in "cp"]
    parts = [np.asarray(part, dtype=float) for part in (numerator, numerator, denominator)]
    return Sample(*names, *parts, is_log=True)


def test_log_ratio_has_the_interval_of_the_delta_method():
    rng = np.random.default_rng(0)
    denominator = rng.uniform(1, 2, 400)
    sample = amplitude_sample(2 * denominator + rng.normal(0, 0.1, 400), denominator)
    found = estimate(sample)
    assert found.mean == pytest.approx(np.log(2), abs=0.01)
    ratio = sample.numerator.sum() / sample.denominator.sum()
    expected = np.std(sample.numerator - ratio * denominator) / denominator.mean() / ratio / 20
    assert found.error == pytest.approx(expected, rel=0.01)


def test_nearer_to_zero_is_better_where_zero_is_best():
    size = np.linspace(1, 2, 8)
    small, large = amplitude_sample(2 * size, size), amplitude_sample(size / 4, size)
    found = gain(small, large, best="zero")
    assert found.mean == pytest.approx(np.log(2) - np.log(4))
    assert merit(pd.Series([0.7, -1.4]), pd.Series(["amplitude"] * 2)).tolist() == [-0.7, -1.4]


def test_silence_alone_has_the_worst_amplitude():
    assert estimate(amplitude_sample(np.zeros(6), np.zeros(6))).mean == pytest.approx(-LOG_LEAST)


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_silence_on_a_part_never_brings_amplitude_nearer_to_zero(factor):
    size = np.linspace(1, 2, 8)
    is_silent = np.arange(8) < 2
    whole = estimate(amplitude_sample(factor * size, size)).mean
    part = np.where(is_silent, 0.0, size)
    silent = estimate(amplitude_sample(factor * part, part))
    assert abs(silent.mean) == pytest.approx(0.75 * abs(whole) - 0.25 * LOG_LEAST)
    assert silent.low < silent.mean < silent.high
