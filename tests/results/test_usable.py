"""Metrics that tell a replicate from the reference, and those that do not."""

import numpy as np
import pandas as pd
import pytest

from wildcell.metrics.correlation import row_pearson
from wildcell.metrics.headline import RANKED
from wildcell.metrics.metric import METRICS, Metric
from wildcell.names import HALVES, SCORE_COLUMNS, Need
from wildcell.results.table import calibrate_runs
from wildcell.results.usable import (
    ALL_CELLS,
    COLUMNS,
    SAME_HALVES,
    Usable,
    calibrate_metrics,
    unusable_sentence,
    usable_metrics,
)
from wildcell.run import run_scenario

REFERENCE = "perturbed-mean"
RUNGS_OF_TEST = {
    "no-change": 0.0, REFERENCE: 0.3, "replicate": 0.8, "ceiling": 0.9, "oracle-span": 0.6
}  # fmt: skip


def table(values, *, metric="pearson_delta", **columns):
    base = dict.fromkeys(SCORE_COLUMNS, "") | {
        "scenario": "s", "dataset": "d", "arm": "a", "metric": metric, "seed": 0, "fold": 0,
        "category": "single", "numerator": np.nan, "denominator": np.nan, "null": 0.0,
        "perturbation": "p", "status": "ok",
    } | columns  # fmt: skip
    return pd.DataFrame(
        [
            base | {"model": model, "context": f"c{i}", "value": value}
            for model, some in values.items()
            for i, value in enumerate(some)
        ]
    )


def by_halves(values, *, second=None, **columns):
    """Return scores by halves: those of `second`, or the same, by the second half."""
    ways = (values, second or values)
    return pd.concat(
        [
            table(way, **columns).replace({"model": {REFERENCE: "reference"}}).assign(half=half)
            for way, half in zip(ways, HALVES, strict=True)
        ]
    )


def state(values, halves=None, **columns):
    found = calibrate_metrics(
        table(values, **columns), {"s": REFERENCE}, by_halves(halves or values, **columns)
    )
    assert list(found) == COLUMNS
    return found.iloc[0]


def test_a_metric_that_always_prefers_the_replicate_is_usable():
    row = state(
        {"replicate": np.full(8, 0.9), REFERENCE: np.full(8, 0.5), "no-change": np.zeros(8)}
    )

    assert row["usable"] == Usable.YES
    assert row["wins"] == 1
    assert row["wins_low"] == pytest.approx(0.025 ** (1 / 8))
    assert (row["best_naive"], row["worst_naive"]) == (REFERENCE, "no-change")
    assert row["dynamic_range"] == pytest.approx(0.8)


def test_a_metric_that_prefers_the_mean_is_not_usable():
    rng = np.random.default_rng(0)
    row = state({"replicate": rng.normal(0.5, 0.1, 20), REFERENCE: rng.normal(0.6, 0.1, 20)})

    assert row["usable"] == Usable.NO
    assert row["judged_by"] == SAME_HALVES


def test_what_is_better_by_all_cells_but_not_by_halves_is_not_usable():
    better = {"replicate": np.full(8, 0.5), REFERENCE: np.full(8, 0.1)}
    worse = {"replicate": np.full(8, 0.5), REFERENCE: np.full(8, 0.6)}

    assert state(better, worse)["usable"] == Usable.NO
    assert state(worse, better)["usable"] == Usable.YES


def test_without_halves_a_metric_is_never_said_not_to_be_usable():
    values = {"replicate": np.full(20, 0.5), REFERENCE: np.full(20, 0.6)}
    row = calibrate_metrics(table(values), {"s": REFERENCE}).iloc[0]

    assert (row["usable"], row["judged_by"]) == (Usable.UNTOLD, ALL_CELLS)
    assert row["reason"] == "judged by other cells"


def test_a_metric_that_scores_all_answers_alike_is_not_usable():
    row = state({"replicate": np.full(20, 0.5), REFERENCE: np.full(20, 0.5)})

    assert (row["wins"], row["usable"]) == (0.5, Usable.NO)


def test_ratios_of_sums_are_compared_where_denominators_are_negative():
    """Without signal ratios change their sign, what is explained does not."""
    values = {"replicate": np.full(20, -0.5), REFERENCE: np.full(20, -0.1)}
    sums = by_halves(values, metric="effect_r2")
    sums["denominator"] = np.tile(np.where(np.arange(20) < 19, -1.0, 100.0), 4)
    sums["numerator"] = sums["value"] * sums["denominator"]
    row = calibrate_metrics(table(values, metric="effect_r2"), {"s": REFERENCE}, sums).iloc[0]

    assert row["wins"] == pytest.approx(19 / 20)


def test_a_replicate_without_cells_has_not_abstained():
    values = {"replicate": np.full(20, 0.9), REFERENCE: np.full(20, 0.5)}
    halves = by_halves(values)
    is_empty = (halves["model"] == "replicate") & halves["context"].isin({"c0", "c1", "c2"})
    halves.loc[is_empty & (halves["half"] == "first"), ["value", "status"]] = np.nan, "missing"
    row = calibrate_metrics(table(values), {"s": REFERENCE}, halves).iloc[0]

    assert row["wins"] == 1
    assert row["replicate_mean"] == pytest.approx(0.9)


def test_scores_that_repeat_are_reliable():
    rng = np.random.default_rng(0)
    of_conditions = rng.normal(size=30)
    row, noise = (
        calibrate_metrics(
            table({"replicate": own, REFERENCE: own}),
            {"s": REFERENCE},
            by_halves(
                {"replicate": own + 1, REFERENCE: own},
                second={"replicate": own + 1, REFERENCE: other},
            ),
        ).iloc[0]
        for own, other in (
            (of_conditions, of_conditions + rng.normal(size=30) / 10),
            (of_conditions, rng.normal(size=30)),
        )
    )

    assert row["reliability"] > 0.9
    assert row["reliability_low"] > 0.5
    assert noise["reliability_low"] < 0 < noise["reliability_high"]


def test_every_rung_has_its_interval():
    values = {name: np.arange(6.0) / 10 + gain for name, gain in RUNGS_OF_TEST.items()}
    halves = by_halves({**values, REFERENCE: values[REFERENCE] - 0.05})
    row = calibrate_metrics(table(values), {"s": REFERENCE}, halves).iloc[0]
    means = {
        "worst_naive": 0.0, "best_naive": 0.3, "reference": 0.3, "ceiling": 0.9,
        "half_reference": 0.25, "oracle_span": 0.6, "replicate": 0.8, "half_ceiling": 0.9,
    }  # fmt: skip

    assert {name: row[f"{name}_mean"] - 0.25 for name in means} == pytest.approx(means)
    assert all(row[f"{name}_low"] < row[f"{name}_mean"] < row[f"{name}_high"] for name in means)
    assert (row["worst_naive"], row["best_naive"]) == ("no-change", REFERENCE)
    assert row["dynamic_range"] == pytest.approx((0.8 - 0.25) / (0.9 - 0.25))


def test_what_shams_come_to_is_shown_and_counts_for_nothing():
    values = {"replicate": np.full(8, 0.9), REFERENCE: np.full(8, 0.5)}
    nothing = {"replicate": np.full(4, 0.1), REFERENCE: np.full(4, 0.2)}
    shams = {"category": "sham", "perturbation": "sham-1"}
    row = calibrate_metrics(
        pd.concat([table(values), table(nothing, **shams)]),
        {"s": REFERENCE},
        pd.concat([by_halves(values), by_halves(nothing, **shams)]),
    ).iloc[0]

    assert (row["wins"], row["n_conditions"]) == (1, 8)
    assert row["sham_reference_mean"] == pytest.approx(0.2)
    assert row["sham_replicate_mean"] == pytest.approx(0.1)


def test_low_is_good_where_it_is():
    row = state({"replicate": np.full(8, 0.1), REFERENCE: np.full(8, 0.5)}, metric="rmse")

    assert row["usable"] == Usable.YES


def test_few_contexts_cannot_tell_though_all_agree():
    row = state({"replicate": np.full(5, 0.9), REFERENCE: np.full(5, 0.5)})

    assert row["usable"] == Usable.UNTOLD


def test_without_a_replicate_there_is_nothing_to_say():
    assert calibrate_metrics(table({REFERENCE: np.zeros(5)}), {"s": REFERENCE}).empty


def test_usable_metrics_are_listed_by_question():
    tables = [
        table({"replicate": np.full(8, 0.9), REFERENCE: np.full(8, 0.5)}),
        table({"replicate": np.full(8, 0.1), REFERENCE: np.full(8, 0.5)}, metric="cosine_lfc"),
    ]
    halves = [
        by_halves({"replicate": np.full(8, 0.9), REFERENCE: np.full(8, 0.5)}),
        by_halves({"replicate": np.full(8, 0.1), REFERENCE: np.full(8, 0.5)}, metric="cosine_lfc"),
    ]
    found = calibrate_metrics(pd.concat(tables), {"s": REFERENCE}, pd.concat(halves))

    assert usable_metrics(found) == {("s", "d", "a"): {"pearson_delta"}}
    assert "cosine_lfc" in unusable_sentence(found, {"pearson_delta", "cosine_lfc"})
    assert "pearson_delta" not in unusable_sentence(found, {"pearson_delta", "cosine_lfc"})
    assert unusable_sentence(found, {"pearson_delta"}) == ""
    untold = found.assign(usable=str(Usable.UNTOLD))
    assert "cannot be told of pearson_delta." in unusable_sentence(untold, {"pearson_delta"})


def permuted(truth, prediction):
    """Correlation of deltas of which one has its genes in another order: blind on purpose."""
    order = np.random.default_rng(0).permutation(len(truth.genes))
    return row_pearson(prediction.delta[:, order], truth.delta, truth.kept_genes)


BLIND = Metric("permuted_example", permuted, "high", "correlation", frozenset({Need.DELTA}), 0.0)
PLANTED = {
    "n_genes": 80,
    "n_cells": 40,
    "n_controls": 200,
    "n_contexts": 1,
    "n_perturbations": 30,
    "n_combinations": 0,
    "null_share": 0.0,
    "target_strength": 0.0,
}
NOTHING_SPECIFIC = {"specific_strength": 0.0, "interaction_strength": 0.0}


@pytest.mark.parametrize(
    ("strengths", "usable"),
    [
        ({"specific_strength": 0.5, "interaction_strength": 0.5}, {*RANKED, "pearson_delta"}),
        (NOTHING_SPECIFIC, set()),
        ({**NOTHING_SPECIFIC, "shared_strength": 0.0}, set()),
    ],
    ids=["specific", "shared alone", "nothing"],
)
def test_on_a_simulated_screen_what_is_specific_decides(tmp_path, monkeypatch, strengths, usable):
    monkeypatch.setitem(METRICS._things, BLIND.name, BLIND)
    run_scenario(
        "unseen-perturbation",
        data="simulated",
        data_options={**PLANTED, **strengths},
        models=["perturbed-mean"],
        metrics=[*RANKED, "pearson_delta", BLIND.name],
        runs=tmp_path,
        seeds=[0],
    )
    found = calibrate_runs(tmp_path).set_index("metric")["usable"]

    assert set(found.index[found == Usable.YES]) == usable
    if usable:
        assert found[BLIND.name] == Usable.NO
