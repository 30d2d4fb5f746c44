"""The judge: both sides measured alike, each against its own half of the controls."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.spatial.distance import cdist, pdist

from wildcell.datasets.simulated import true_effects
from wildcell.errors import PredictionError, UnknownNameError
from wildcell.judge import Judge, score_prediction
from wildcell.metrics.convention import Convention
from wildcell.metrics.headline import HEADLINE, find_metrics
from wildcell.metrics.metric import METRICS
from wildcell.models.model import MODELS
from wildcell.names import CONDITION, CONTROL, Expression, Kind, Need, Status
from wildcell.scenarios.pose import pose
from wildcell.scenarios.prediction import Prediction, predicted_means
from wildcell.scenarios.scenario import load_scenario
from wildcell.scenarios.split import make_splits
from wildcell.store.fingerprint import fingerprint
from wildcell.testing import toy_screen

KEYS = ["metric", *CONDITION]
DEFAULT_METRICS = tuple(item.name for item in find_metrics(["headline"]))
SEVERAL = (
    *(name for name in HEADLINE if name not in {"pearson_specific", "de_auprc", "de_direction"}),
    "pearson_delta_rank",
    "cosine_lfc",
    "cosine_lfc_rank",
    "spearman_lfc",
    "top_de_overlap",
    "opposite_direction",
    "up_accuracy",
    "down_accuracy",
    "energy_distance",
    "pearson",
    "rmse",
    "mae",
)


def screen_of(**options):
    """Return a toy screen of strong effects."""
    return toy_screen(**{"n_controls": 80, "specific_strength": 0.8, **options})


@cache
def question(*, seed=0, **options):
    """Pose a new context on such a screen."""
    screen, scenario = screen_of(**options), load_scenario("unseen-context")
    return pose(screen, make_splits(scenario, screen, seed=seed)[0], scenario)


def planted(conditions, **options):
    """Return the planted log fold changes of some conditions."""
    truth = true_effects(screen_of(**options))
    keys = pd.MultiIndex.from_frame(truth.conditions[CONDITION])
    return truth.effects[keys.get_indexer(pd.MultiIndex.from_frame(conditions[CONDITION]))]


def judge(truth=None, *, metrics=SEVERAL, convention=None):
    truth = question().truth if truth is None else truth
    return Judge(truth, find_metrics(metrics), convention or Convention())


def own_cells(truth):
    """Return the test cells themselves as the answer."""
    return Prediction(truth.test.X, truth.test.obs, truth.test.genes, Kind.CELLS, Expression.COUNTS)


def means_above_given(delta):
    """Return means that are a delta above the given controls."""
    query = question().task.query
    return predicted_means(query, query.control_mean + delta)


def answer_of(name):
    model = MODELS.get(name).make(seed=0)
    model.fit(question().task)
    return model.predict(question().task.query)


def row_of(table, metric, row=0):
    condition = question().truth.conditions.loc[row]
    found = table[
        (table["metric"] == metric)
        & (table["context"] == condition["context"])
        & (table["perturbation"] == condition["perturbation"])
    ]
    assert len(found) == 1
    return found.iloc[0]


def profile(cells, rows):
    """Return mean log values from counts and library sizes, by hand."""
    counts = cells.X.toarray()[rows] / cells.obs["total_counts"].to_numpy()[rows, None]
    return np.log1p(counts * cells.target_sum).mean(axis=0)


def test_table_has_a_row_a_condition_and_metric_with_its_category():
    table = score_prediction(question().truth, answer_of("perturbed-mean"))
    assert len(table) == len(question().truth.conditions) * len(DEFAULT_METRICS)
    assert not table.duplicated(KEYS).any()
    assert set(table["metric"]) == set(DEFAULT_METRICS)
    assert set(table["category"]) == {"unseen context"}


def test_truth_is_measured_against_kept_and_prediction_against_given_controls():
    truth, row = question().truth, 0
    condition = truth.conditions.loc[row]
    in_group = [
        (half.obs["control_group"] == condition["control_group"]).to_numpy()
        for half in (truth.kept, truth.given)
    ]
    kept, given = (
        profile(half, rows) for half, rows in zip((truth.kept, truth.given), in_group, strict=True)
    )
    is_own = (truth.test.obs[CONDITION] == condition[CONDITION]).all(axis=1).to_numpy()
    measured = profile(truth.test, is_own) - kept
    targets = truth.targets.loc[truth.targets["perturbation"] == condition["perturbation"], "gene"]
    counted = ~np.isin(truth.test.genes, targets)
    assert 0 < (~counted).sum() < 3
    prediction = answer_of("perturbed-mean")
    predicted = prediction.X[row] - given
    expected = np.corrcoef(measured[counted], predicted[counted])[0, 1]
    table = score_prediction(truth, prediction, metrics=["pearson_delta", "rmse"])
    assert row_of(table, "pearson_delta")["value"] == pytest.approx(expected, abs=1e-5)
    error = np.sqrt(((prediction.X[row] - profile(truth.test, is_own)) ** 2).mean())
    assert row_of(table, "rmse")["value"] == pytest.approx(error, abs=1e-5)


def test_no_change_is_flat_in_deltas_and_a_number_in_profiles():
    table = score_prediction(question().truth, answer_of("no-change"), metrics=SEVERAL)
    needs_delta = {name for name in SEVERAL if Need.DELTA in METRICS.get(name).needs}
    is_delta = table["metric"].isin(needs_delta)
    assert set(table.loc[is_delta, "status"]) == {"flat"}
    assert set(table.loc[~is_delta, "status"]) == {"ok"}


def test_better_answers_have_better_scores():
    """Twice the planted effect is worse than it, and nothing at all is worse still."""
    effects = planted(question().truth.conditions)
    tables = {
        factor: score_prediction(
            question().truth, means_above_given(factor * effects), metrics=SEVERAL
        )
        for factor in (0.2, 1.0)
    }
    noise = np.random.default_rng(0).normal(0, effects.std(), effects.shape)
    tables["noise"] = score_prediction(question().truth, means_above_given(noise), metrics=SEVERAL)
    means = {
        factor: table.groupby("metric")[["numerator", "value"]].mean()
        for factor, table in tables.items()
    }
    for name in ("pearson_delta", "spearman_lfc", "pearson_delta_rank"):
        assert means[1.0].loc[name, "value"] > means["noise"].loc[name, "value"] + 0.1
    assert means[1.0].loc["rmse", "value"] < means[0.2].loc["rmse", "value"]
    r2 = [means[factor].loc["effect_r2", "numerator"] for factor in (1.0, 0.2, "noise")]
    assert r2 == sorted(r2, reverse=True)
    assert (
        means[1.0].loc["energy_distance", "value"] < means["noise"].loc["energy_distance", "value"]
    )


def test_cells_are_scored_as_cells():
    truth = question().truth
    table = score_prediction(
        truth, own_cells(truth), metrics=["energy_distance", "mae", "cosine_lfc"]
    )
    assert (table["status"] == Status.OK).all()
    errors = table.loc[table["metric"] == "mae", "value"]
    np.testing.assert_allclose(errors, 0.0, atol=1e-6)
    assert (table["n_prediction"] == table["n_truth"]).all()
    distances = table.loc[table["metric"] == "energy_distance", "value"]
    assert (distances <= 0).all()


def test_energy_distance_is_that_of_the_cells():
    truth = question().truth
    rng = np.random.default_rng(0)
    noisy = replace(
        own_cells(truth),
        X=truth.test.X + sparse.csr_matrix(rng.poisson(0.5, truth.test.X.shape).astype(np.float32)),
    )
    table = score_prediction(truth, noisy, metrics=["energy_distance"])
    condition = truth.conditions.loc[0]
    rows = (truth.test.obs[CONDITION] == condition[CONDITION]).all(axis=1).to_numpy()
    size = truth.test.obs["total_counts"].to_numpy()[rows, None]
    x, y = (
        np.log1p(X.toarray()[rows] / size * truth.test.target_sum)[:, ~truth.is_target[0]]
        for X in (truth.test.X, noisy.X)
    )
    expected = 2 * cdist(x, y).mean() - pdist(x).mean() - pdist(y).mean()
    assert row_of(table, "energy_distance")["value"] == pytest.approx(expected, rel=1e-4)


def test_order_of_rows_cells_and_genes_does_not_matter():
    truth = question().truth
    means, cells = answer_of("perturbed-mean"), own_cells(truth)
    rng = np.random.default_rng(0)
    for prediction in (means, cells):
        rows, genes = (rng.permutation(n) for n in prediction.X.shape)
        shuffled = replace(
            prediction,
            X=prediction.X[rows][:, genes],
            obs=prediction.obs.iloc[rows].reset_index(drop=True),
            genes=prediction.genes[genes],
        )
        first, second = (
            score_prediction(truth, one).sort_values(KEYS, ignore_index=True)
            for one in (prediction, shuffled)
        )
        pd.testing.assert_frame_equal(first, second, rtol=1e-5)


def test_control_rows_of_a_prediction_change_nothing():
    truth, prediction = question().truth, own_cells(question().truth)
    controls = replace(
        prediction,
        X=sparse.vstack([prediction.X, truth.kept.X], format="csr"),
        obs=pd.concat([prediction.obs, truth.kept.obs], ignore_index=True),
    )
    assert set(truth.kept.obs["perturbation"]) == {CONTROL}
    pd.testing.assert_frame_equal(
        score_prediction(truth, controls), score_prediction(truth, prediction)
    )


def test_scoring_changes_neither_truth_nor_prediction():
    truth, prediction = question().truth, answer_of("additive")
    before = fingerprint(truth), fingerprint(prediction)
    first = score_prediction(truth, prediction)
    assert (fingerprint(truth), fingerprint(prediction)) == before
    pd.testing.assert_frame_equal(first, score_prediction(truth, prediction))


def test_judge_scores_one_model_as_if_no_other_had_been_judged():
    both = judge()
    both.score(answer_of("random"))
    table = both.score(answer_of("additive"))
    pd.testing.assert_frame_equal(table, judge().score(answer_of("additive")))


def test_conditions_without_an_answer_are_missing_and_count_as_the_null():
    prediction = answer_of("perturbed-mean")
    few = replace(prediction, X=prediction.X[2:], obs=prediction.obs[2:].reset_index(drop=True))
    whole, rest = (
        score_prediction(question().truth, one, metrics=SEVERAL) for one in (prediction, few)
    )
    lost = pd.MultiIndex.from_frame(prediction.obs[:2][CONDITION])
    is_lost = pd.MultiIndex.from_frame(rest[CONDITION]).isin(lost)
    assert set(rest.loc[is_lost, "status"]) == {"missing"}
    assert np.isfinite(rest.loc[is_lost, "null"]).all()
    pd.testing.assert_frame_equal(
        rest.loc[~is_lost, [*KEYS, "value", "status"]],
        whole.loc[~is_lost, [*KEYS, "value", "status"]],
        rtol=1e-5,
    )


def test_conditions_that_a_model_cannot_answer_are_not_applicable():
    prediction = answer_of("perturbed-mean")
    few = replace(prediction, X=prediction.X[2:], obs=prediction.obs[2:].reset_index(drop=True))
    can = np.arange(len(prediction.obs)) >= 1
    table = judge(metrics=["pearson_delta", "mae"]).score(few, is_applicable=can)
    for metric in ("pearson_delta", "mae"):
        assert row_of(table, metric, 0)["status"] == "not_applicable"
        assert row_of(table, metric, 1)["status"] == "missing"
        assert row_of(table, metric, 2)["status"] == "ok"


def test_what_the_truth_does_not_define_excuses_nobody():
    prediction, truth = answer_of("perturbed-mean"), question().truth
    nothing = replace(prediction, X=prediction.X[:0], obs=prediction.obs[:0])
    few = replace(truth, kept=truth.kept.select(np.arange(truth.kept.n) < 0))
    cannot = np.zeros(len(prediction.obs), dtype=bool)
    table = judge(few, metrics=["pearson_delta", "mae"]).score(nothing, is_applicable=cannot)
    status = table.groupby("metric")["status"].agg(set).to_dict()
    assert status == {"pearson_delta": {"too_few_controls"}, "mae": {"not_applicable"}}


@pytest.mark.parametrize(
    ("silence", "status"),
    [(Judge.not_applicable, "not_applicable"), (Judge.failed, "error")],
)
def test_model_without_an_answer_has_a_status_and_no_number(silence, status):
    table = silence(judge())
    assert set(table["status"]) == {status}
    assert table["value"].isna().all()
    assert len(table) == len(question().truth.conditions) * len(SEVERAL)


def test_what_the_truth_does_not_define_is_so_for_all_models_alike():
    """Even for one that crashed: or it would be counted against it."""
    truth = question().truth
    few = replace(truth, kept=truth.kept.select(np.arange(truth.kept.n) < 0))
    for table in (judge(few).failed(), judge(few).score(answer_of("additive"))):
        needs_delta = table["metric"].isin(["pearson_delta", "effect_r2", "top_de_overlap"])
        assert set(table.loc[needs_delta, "status"]) == {"too_few_controls"}


def test_few_controls_leave_the_metrics_that_need_none():
    truth = question().truth
    few = replace(
        truth,
        kept=truth.kept.select(np.arange(truth.kept.n) < 5),
        given=truth.given.select(np.arange(truth.given.n) < 5),
    )
    table = score_prediction(
        few, answer_of("additive"), metrics=["pearson_delta", "pearson", "mae"]
    )
    status = table.groupby("metric")["status"].agg(set).to_dict()
    assert status == {"pearson_delta": {"too_few_controls"}, "pearson": {"ok"}, "mae": {"ok"}}


def test_noisy_groups_are_not_judged_by_deltas_but_shown_by_the_replicate():
    truth = question().truth
    assert truth.noisy_groups == ()
    noisy = replace(truth, noisy_groups=tuple(truth.conditions["control_group"].unique()))
    table = score_prediction(noisy, answer_of("additive"), metrics=["pearson_delta", "mae"])
    assert table.groupby("metric")["status"].agg(set).to_dict() == {
        "pearson_delta": {"too_few_controls"},
        "mae": {"ok"},
    }
    shown = judge(noisy, metrics=["pearson_delta"]).replicate(np.random.default_rng(0))
    assert set(shown["status"]) == {"ok"}


def test_null_of_a_profile_metric_is_the_score_of_the_given_controls():
    truth, prediction = question().truth, answer_of("no-change")
    silent = replace(prediction, X=prediction.X[:0], obs=prediction.obs[:0])
    for name in ("rmse", "mae", "pearson"):
        nothing = score_prediction(truth, prediction, metrics=[name])
        missing = score_prediction(truth, silent, metrics=[name])
        assert set(missing["status"]) == {"missing"}
        np.testing.assert_allclose(missing["null"], nothing["value"], rtol=1e-5)


def test_replicate_is_one_half_of_the_cells_against_the_other():
    truth = question().truth
    table = judge(metrics=["mae", "pearson_delta"]).replicate(np.random.default_rng(0))
    assert (table["status"] == Status.OK).all()
    sizes = truth.conditions.set_index(CONDITION)["n_cells"]
    halves = table.set_index(CONDITION)
    both = halves["n_truth"] + halves["n_prediction"]
    assert (both == sizes.reindex(both.index)).all()
    assert (np.abs(halves["n_truth"] - halves["n_prediction"]) <= 8).all()
    own = score_prediction(truth, own_cells(truth), metrics=["mae"])["value"].mean()
    assert own < table.loc[table["metric"] == "mae", "value"].mean()


def test_replicate_is_scored_both_ways():
    truth, own = question().truth, judge(metrics=["pearson_delta"])
    halves = own._halves(np.random.default_rng(0))
    ways = []
    for measured, answering in (halves, halves[::-1]):
        answer = own_cells(replace(truth, test=answering))
        table = score_prediction(replace(truth, test=measured), answer, metrics=["pearson_delta"])
        ways.append(table["value"].to_numpy())
    assert np.abs(ways[0] - ways[1]).max() > 1e-3
    found = own.replicate(np.random.default_rng(0))["value"]
    np.testing.assert_allclose(found, (ways[0] + ways[1]) / 2)


def test_replicate_is_the_same_with_the_same_generator():
    first, second, other = (judge().replicate(np.random.default_rng(seed)) for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first, second)
    assert not first["value"].equals(other["value"])


def test_ceiling_of_a_strong_effect_lies_above_every_model_and_below_one():
    ceilings = judge().ceilings()
    correlation = ceilings[ceilings["metric"] == "pearson_delta"]
    assert correlation["value"].between(0, 1).all()
    for name in ("perturbed-mean", "context-transfer", "random"):
        found = score_prediction(question().truth, answer_of(name), metrics=["pearson_delta"])
        assert found["value"].mean() < correlation["value"].mean()
    assert set(ceilings.loc[ceilings["metric"] == "effect_r2", "value"]) == {1.0}
    assert set(ceilings["metric"]) == {
        name for name in SEVERAL if METRICS.get(name).ceiling is not None
    }


def test_ceiling_is_the_score_of_the_planted_effect():
    """sqrt(S / |D|^2) against what the effect itself correlates, over seeds of the halving."""
    options = {
        "n_genes": 200,
        "n_cells": 30,
        "n_controls": 120,
        "specific_strength": 0.2,
        "null_share": 0.0,
        "depth": 800.0,
    }
    ceilings, found = [], []
    for seed in range(4):
        task, truth = question(seed=seed, **options)
        own = Judge(truth, find_metrics(["pearson_delta"]))
        ceilings.append(own.ceilings()["value"].mean())
        found.append(own.score(planted_means(task.query, **options))["value"].mean())
    assert np.mean(found) == pytest.approx(np.mean(ceilings), abs=0.03)
    assert np.mean(ceilings) < 0.9


def planted_means(query, **options):
    """Return the given controls' means, moved as far as the log of each gene's expected share."""
    effects = planted(query.conditions, **options)
    means = []
    for row, group in enumerate(query.conditions["control_group"]):
        own = query.controls.select((query.controls.obs["control_group"] == group).to_numpy())
        size = own.obs["total_counts"].to_numpy()[:, None]
        share = (own.X.toarray() / size).mean(axis=0) * own.target_sum
        shift = np.log1p(share * np.exp(effects[row])) - np.log1p(share)
        means.append(profile(own, slice(None)) + shift)
    return predicted_means(query, np.array(means))


def test_metrics_are_found_by_name():
    assert [metric.name for metric in find_metrics(["rmse", "mae"])] == ["rmse", "mae"]
    with pytest.raises(UnknownNameError, match="Did you mean 'pearson_delta'"):
        score_prediction(question().truth, answer_of("no-change"), metrics=["pearson_detla"])


def test_prediction_that_does_not_fit_is_refused():
    prediction = answer_of("no-change")
    with pytest.raises(PredictionError, match="lacks 1 of 60 genes"):
        score_prediction(
            question().truth, replace(prediction, X=prediction.X[:, 1:], genes=prediction.genes[1:])
        )


def test_log_values_without_counts_are_judged_by_all_but_fold_changes():
    """Arrays have no counts: no fold changes, and no cells can be made for means."""
    _, truth = question()
    array = {
        name: replace(
            getattr(truth, name),
            X=getattr(truth, name).lognorm,
            expression=Expression.LOG2,
            target_sum=None,
        )
        for name in ("test", "kept", "given")
    }
    mean = replace(answer_of("additive"), expression=Expression.LOG2, target_sum=None)
    own = Judge(replace(truth, **array), find_metrics(SEVERAL))
    assert not own.makes_cells
    status = own.score(mean).groupby("metric")["status"].agg(set).to_dict()
    for name in SEVERAL:
        expected = {"ok"}
        if "lfc" in name:
            expected = {"needs_counts"}
        if name.startswith("energy_distance"):
            expected = {"needs_cells"}
        assert status[name] == expected, name


def test_no_more_cells_are_compared_than_the_convention_says():
    few = Convention(max_cells=6)
    truth = question().truth
    table = judge(metrics=["energy_distance", "mae"], convention=few).score(own_cells(truth))
    again = judge(metrics=["energy_distance", "mae"], convention=few).score(own_cells(truth))
    pd.testing.assert_frame_equal(table, again)
    errors = table.loc[table["metric"] == "mae", "value"]
    np.testing.assert_allclose(errors, 0.0, atol=1e-6)
    full = score_prediction(truth, own_cells(truth), metrics=["energy_distance"])[
        "value"
    ].to_numpy()
    limited = table.loc[table["metric"] == "energy_distance", "value"].to_numpy()
    # Cells compared with themselves: -2 w / n, with w the mean distance between two of them.
    assert (limited < full).all()
    np.testing.assert_allclose(limited * 6, full * 20, rtol=0.15)


def test_second_panel_is_found_in_the_given_controls_of_the_context():
    own, truth = judge(), question().truth
    for block, response in own._measured.items():
        groups = truth.conditions.loc[truth.conditions["context"] == block.context, "control_group"]
        given = truth.given.select(truth.given.obs["control_group"].isin(set(groups)).to_numpy())
        share = (given.X.toarray() > 0).mean(axis=0)
        np.testing.assert_array_equal(response.detected, share >= 0.05)


def test_each_side_has_the_cells_of_its_own_half_of_the_controls():
    own, truth = judge(), question().truth
    for side, half in ((own._measured, truth.kept), (own._unchanged, truth.given)):
        for response in side.values():
            means = [cells.mean(axis=0).A1 for cells in response.control_cells]
            shown = np.array([means[group] for group in response.control_group])
            np.testing.assert_allclose(shown, response.control, rtol=1e-5)
            assert sum(cells.shape[0] for cells in response.control_cells) <= half.n
