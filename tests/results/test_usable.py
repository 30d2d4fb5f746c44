"""Metrics that tell a replicate from the reference, and those that do not."""

import numpy as np
import pandas as pd
import pytest

from wildcell.names import SCORE_COLUMNS
from wildcell.results.table import calibrate_runs
from wildcell.results.usable import (
    COLUMNS,
    Usable,
    calibrate_metrics,
    unusable_sentence,
    usable_metrics,
)
from wildcell.run import run_scenario

REFERENCE = "perturbed-mean"


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


def state(values, **columns):
    found = calibrate_metrics(table(values, **columns), {"s": REFERENCE})
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
    found = calibrate_metrics(pd.concat(tables), {"s": REFERENCE})

    assert usable_metrics(found) == {("s", "d", "a"): {"pearson_delta"}}
    assert "cosine_lfc" in unusable_sentence(found, {"pearson_delta", "cosine_lfc"})
    assert unusable_sentence(found, {"pearson_delta"}) == ""


@pytest.mark.parametrize("strength", [0.5, 0.0])
def test_on_a_simulated_screen_what_is_specific_decides(tmp_path, strength):
    run_scenario(
        "unseen-perturbation",
        data="simulated",
        data_options={
            "n_genes": 80,
            "n_cells": 40,
            "n_controls": 200,
            "n_contexts": 1,
            "n_perturbations": 30,
            "n_combinations": 0,
            "null_share": 0.0,
            "specific_strength": strength,
            "interaction_strength": strength,
            "target_strength": 0.0,
        },
        models=["perturbed-mean"],
        metrics=["pearson_delta", "pearson_specific"],
        runs=tmp_path,
        seeds=[0],
    )
    found = calibrate_runs(tmp_path).set_index("metric")["usable"]

    is_usable = found == Usable.YES
    assert is_usable.all() if strength else not is_usable.any()
