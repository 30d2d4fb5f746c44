"""The life of a run: finished once, resumed, refused, crashed."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from wildcell.datasets.load import load_dataset
from wildcell.errors import OptionError, StoreError, UnknownNameError
from wildcell.metrics import response
from wildcell.metrics.convention import ALTERNATIVES
from wildcell.models.model import base_models
from wildcell.names import CONDITION, ORACLES, SCORE_COLUMNS
from wildcell.plan import make_plan
from wildcell.results.table import calibrate_runs, rank_runs
from wildcell.run import Fold, run_scenario
from wildcell.scenarios.scenario import load_scenario
from wildcell.scenarios.split import make_splits
from wildcell.store.runs import (
    RunKey,
    read_halves,
    read_records,
    read_scores,
    read_scores_otherwise,
    slug,
    unfinished,
)

SMALL = {"n_genes": 60, "n_perturbations": 6, "n_combinations": 4, "n_cells": 12, "n_controls": 40}

CRASHING_MODEL = '''
class Crashing:
    def __init__(self, *, seed=0):
        pass

    def fit(self, task):
        raise ValueError("no luck today")

    def predict(self, query):
        return None


class Silent:
    """Answers the first condition alone."""

    def __init__(self, *, seed=0):
        pass

    def fit(self, task):
        self.mean = task.train.lognorm.mean(axis=0).A1

    def predict(self, query):
        import numpy as np
        from wildcell.scenarios.prediction import predicted_means

        first = np.arange(len(query.conditions)) == 0
        return predicted_means(query.select(first), self.mean[None, :])


class Meddling:
    """Writes to what it is given, where it can."""

    def __init__(self, *, seed=0):
        pass

    def fit(self, task):
        task.train.obs["perturbation"] = "control"
        task.query.conditions["control_group"] = "elsewhere"
        task.train.X.data[:] = 1

    def predict(self, query):
        return None


class Leaving:
    def __init__(self, *, seed=0):
        pass

    def fit(self, task):
        raise SystemExit(0)

    def predict(self, query):
        return None


class Garbage:
    def __init__(self, *, seed=0):
        pass

    def fit(self, task):
        pass

    def predict(self, query):
        import numpy as np
        from wildcell.scenarios.prediction import predicted_means

        return predicted_means(query, np.full(query.control_mean.shape, np.nan))
'''


@pytest.fixture
def screen():
    return load_dataset("simulated", **SMALL)


@pytest.fixture
def own_models(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(CRASHING_MODEL)
    return path


def run(runs, screen, models=("perturbed-mean",), scenario="unseen-context", **options):
    return run_scenario(scenario, models=list(models), runs=runs, data=screen, seeds=[0], **options)


def test_a_second_start_runs_nothing_again(tmp_path, screen):
    first = run(tmp_path / "runs", screen)
    before = read_scores(tmp_path / "runs")
    second = run(tmp_path / "runs", screen)
    assert all(outcome.is_new for outcome in first)
    assert not any(outcome.is_new for outcome in second)
    pd.testing.assert_frame_equal(read_scores(tmp_path / "runs"), before)


def test_a_run_that_lost_its_record_is_done_again_with_equal_scores(tmp_path, screen):
    outcomes = run(tmp_path / "runs", screen)
    before = read_scores(tmp_path / "runs")
    (outcomes[0].folder / "run.json").unlink()
    again = run(tmp_path / "runs", screen)
    assert [outcome.is_new for outcome in again].count(True) == 1
    pd.testing.assert_frame_equal(read_scores(tmp_path / "runs"), before)


def test_other_data_under_the_same_name_is_refused(tmp_path, screen):
    run(tmp_path / "runs", screen)
    screen.cells.X[0, 0] += 1
    other = load_dataset("simulated", **SMALL)
    other.cells.X = screen.cells.X
    other = type(other)(screen.name, other.cells)
    with pytest.raises(StoreError, match="made from other data"):
        run(tmp_path / "runs", other)


def test_a_crash_is_an_error_that_keeps_its_log_and_the_others_go_on(tmp_path, screen, own_models):
    run(tmp_path / "runs", screen, [f"{own_models}:Crashing", "no-change"])
    records = read_records(tmp_path / "runs").set_index("model")
    crashed = records.filter(like="Crashing", axis=0)
    assert set(crashed["status"]) == {"error"}
    assert crashed["reason"].str.contains("no luck today").all()
    assert crashed["log"].str.contains("Traceback").all()
    assert set(records.loc["no-change", "status"]) == {"ok"}
    scores = read_scores(tmp_path / "runs")
    of_crashed = scores[scores["model"].str.contains("Crashing")]
    assert of_crashed["value"].isna().all()
    assert "error" in set(of_crashed["status"])
    assert not {"ok", "flat", "missing"} & set(of_crashed["status"])


def test_a_crashed_model_has_no_mean_and_no_rank(tmp_path, screen, own_models):
    run(tmp_path / "runs", screen, [f"{own_models}:Crashing"])
    ranks = rank_runs(tmp_path / "runs")
    crashed = ranks[ranks["model"].str.contains("Crashing")]
    assert crashed["mean"].isna().all()
    assert crashed["rank"].isna().all()
    assert (crashed["failed"] > 0).any()


def test_a_prediction_of_nan_is_an_error_and_never_a_number(tmp_path, screen, own_models):
    run(tmp_path / "runs", screen, [f"{own_models}:Garbage"])
    records = read_records(tmp_path / "runs").set_index("model").filter(like="Garbage", axis=0)
    assert set(records["status"]) == {"error"}
    assert records["reason"].str.contains("NaN").all()


def test_a_model_cannot_change_what_the_next_one_sees(tmp_path, screen, own_models):
    run(tmp_path / "meddled", screen, [f"{own_models}:Meddling", "no-change"])
    run(tmp_path / "clean", screen, ["no-change"])
    meddled = read_scores(tmp_path / "meddled")
    others = meddled[~meddled["model"].str.contains("Meddling")].reset_index(drop=True)
    pd.testing.assert_frame_equal(others, read_scores(tmp_path / "clean"))
    records = read_records(tmp_path / "meddled").set_index("model")
    assert set(records.filter(like="Meddling", axis=0)["status"]) == {"error"}


def test_a_model_that_exits_does_not_end_the_runs(tmp_path, screen, own_models):
    run(tmp_path / "runs", screen, [f"{own_models}:Leaving", "no-change"])
    records = read_records(tmp_path / "runs").set_index("model")
    assert set(records.filter(like="Leaving", axis=0)["status"]) == {"error"}
    assert set(records.loc["no-change", "status"]) == {"ok"}


def test_a_model_that_lacks_folds_is_told_and_not_ranked(tmp_path, screen):
    outcomes = run(tmp_path / "runs", screen, ["additive"])
    lost = next(one for one in outcomes if one.record["model"] == "additive")
    (lost.folder / "run.json").unlink()
    ranks = rank_runs(tmp_path / "runs")
    own = ranks[ranks["model"] == "additive"]
    assert (own["not_run"] > 0).all()
    assert own["rank"].isna().all()
    assert ranks.loc[ranks["model"] == "context-transfer", "rank"].notna().any()


def test_folds_that_nobody_ran_are_told(tmp_path, screen):
    for outcome in run(tmp_path / "runs", screen):
        if outcome.record["fold"] == 2:
            (outcome.folder / "run.json").unlink()
    (sentence,) = unfinished(read_records(tmp_path / "runs"))
    assert "2 of 3 folds are finished" in sentence


def test_conditions_left_out_count_as_abstentions_at_the_null_value(tmp_path, screen, own_models):
    run(tmp_path / "runs", screen, [f"{own_models}:Silent"])
    scores = read_scores(tmp_path / "runs")
    own = scores[scores["model"].str.contains("Silent") & (scores["metric"] == "pearson_delta")]
    n_missing = (own["status"] == "missing").groupby(own["fold"]).sum()
    assert (n_missing > 0).all()
    assert (own.loc[own["status"] == "missing", "null"] == 0).all()
    ranks = rank_runs(tmp_path / "runs")
    ranked = ranks[ranks["model"].str.contains("Silent") & (ranks["metric"] == "pearson_delta")]
    scored = own.loc[own["status"] == "ok", "value"]
    assert abs(ranked["mean"].iloc[0]) < abs(scored.mean())


def test_what_cannot_run_says_not_applicable(tmp_path, screen):
    del screen.cells.uns["wildcell"]["features"]
    run(tmp_path / "runs", screen, ["ridge"])
    records = read_records(tmp_path / "runs").set_index("model")
    assert set(records.loc["ridge", "status"]) == {"not_applicable"}
    assert records.loc["ridge", "reason"].str.contains("needs features").all()


def asked_with(screen, scenario="unseen-context", **options):
    """Return what runs are called after, and the fingerprints of what is asked."""
    plan = make_plan(scenario, models=[], data=screen, **options)
    split = make_splits(plan.scenario, screen, seed=0)[0]
    return plan.scenario.name, Fold(plan, split).asked


def test_another_graph_makes_other_runs(screen):
    names = sorted(set(screen.components["component"]))
    pairs = {"component": names[:-1], "neighbour": names[1:], "weight": 1.0}
    near = pd.DataFrame(pairs)
    (plain, bare), (one, of_near), (other, of_far) = (
        asked_with(screen, graph=graph) for graph in (None, near, near.assign(weight=0.5))
    )
    assert len({plain, one, other}) == 3
    assert "graph" not in bare
    assert of_near["graph"] != of_far["graph"]
    assert asked_with(screen, graph=near) == (one, of_near)


def test_the_graph_that_a_scenario_names_decides_by_what_is_in_it(tmp_path, screen):
    file, names = tmp_path / "graph.csv", sorted(set(screen.components["component"]))
    text = f"component,neighbour,weight\n{names[0]},{names[1]},1\n"
    file.write_text(text)
    words = replace(load_scenario("unseen-context"), graph=str(file))
    first = asked_with(screen, words)
    (tmp_path / "moved.csv").write_text(text)
    assert asked_with(screen, replace(words, graph=str(tmp_path / "moved.csv"))) == first
    file.write_text(text + f"{names[1]},{names[0]},1\n")
    assert asked_with(screen, words)[1] != first[1]
    assert "graph" not in asked_with(screen, replace(words, graph="none"))[1]


def test_every_base_model_runs_in_every_scenario(tmp_path, screen):
    for scenario in ("iid", "unseen-perturbation", "unseen-combination", "unseen-context"):
        run(tmp_path / "runs", screen, base_models(), scenario=scenario)
    records = read_records(tmp_path / "runs")
    excused = records["status"] == "not_applicable"
    others = records.loc[~excused, ["status", "log"]]
    assert set(others["status"]) == {"ok"}, others.loc[others["status"] != "ok", "log"].tolist()
    assert records.loc[excused, "reason"].str.contains("cannot answer|needs").all()
    assert set(base_models()) <= set(records.loc[~excused, "model"])


def test_no_change_is_flat_in_every_delta_metric(tmp_path, screen):
    run(tmp_path / "runs", screen, ["no-change"])
    scores = read_scores(tmp_path / "runs")
    deltas = ["pearson_delta", "effect_r2", "cosine_lfc", "top_de_overlap", "opposite_direction"]
    own = scores[(scores["model"] == "no-change") & scores["metric"].isin(deltas)]
    assert set(own["status"]) == {"flat"}


def test_the_genes_that_were_asked_are_part_of_the_name(tmp_path, screen):
    outcomes = run(tmp_path / "runs", screen, genes="hvg:20")
    assert {outcome.record["scenario"] for outcome in outcomes} == {"unseen-context[genes=hvg:20]"}
    assert {outcome.record["n_genes"] for outcome in outcomes} == {20}


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"models": ["rigde"]}, UnknownNameError, "Did you mean 'ridge'"),
        ({"scenario": "unseen-contxt"}, UnknownNameError, "Did you mean 'unseen-context'"),
        ({"arm": "leave-one-ot"}, UnknownNameError, "Did you mean 'leave-one-out'"),
        ({"genes": "hvg:many"}, OptionError, "hvg:2000"),
        ({"options": {"ridge": {"alhpa": 1}}, "models": ["ridge"]}, OptionError, "alhpa"),
    ],
)
def test_bad_words_are_refused_before_anything_is_written(
    tmp_path, screen, options, error, message
):
    with pytest.raises(error, match=message):
        run(tmp_path / "runs", screen, **options)
    assert not (tmp_path / "runs").exists()


def test_negative_seeds_are_refused(tmp_path, screen):
    with pytest.raises(OptionError, match="at least 0"):
        run_scenario("iid", models=[], runs=tmp_path / "runs", data=screen, seeds=[-1])


def test_hostile_names_stay_below_the_folder_of_runs(tmp_path):
    key = RunKey("../../x", "a/b", "\u00e9", "<b>", 0, 0)
    folder = key.folder(tmp_path / "runs").resolve()
    assert (tmp_path / "runs").resolve() in folder.parents


def test_slugs_of_different_names_differ():
    names = ["a/b", "a b", "a-b", "a:b", "\u00e9", "\u00e8"]
    assert len({slug(name) for name in names}) == len(names)


def test_a_killed_start_is_continued_with_the_same_scores(tmp_path):
    command = [
        sys.executable,
        "-m",
        "wildcell.cli.main",
        "run",
        "unseen-context",
        "--data",
        "simulated",
        *[part for key, value in SMALL.items() for part in ("--data-option", f"{key}={value}")],
        "--model",
        "perturbed-mean",
        "--model",
        "additive",
        "--seed",
        "0",
    ]
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    subprocess.run([*command, "--runs", str(whole)], check=True, capture_output=True)
    process = subprocess.Popen([*command, "--runs", str(cut)], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(cut.rglob("run.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    n_before = len(list(cut.rglob("run.json")))
    subprocess.run([*command, "--runs", str(cut)], check=True, capture_output=True)
    assert n_before >= 1
    assert not list(cut.rglob("*.part"))
    columns = ["model", "seed", "fold", "context", "perturbation", "metric"]
    tables = [
        read_scores(runs).sort_values(columns).reset_index(drop=True) for runs in (whole, cut)
    ]
    pd.testing.assert_frame_equal(*tables)


def test_records_name_what_the_run_was_made_of(tmp_path, screen):
    outcome = run(tmp_path / "runs", screen)[0]
    record = json.loads((outcome.folder / "run.json").read_text())
    assert record["fingerprints"]["dataset"] == screen.fingerprint
    assert record["versions"]["numpy"] == np.__version__
    assert record["sizes"]["test"]["cells"] > 0
    assert record["wall_s"] > 0


def test_rewording_a_scenario_or_adding_an_arm_leaves_finished_runs_finished(tmp_path):
    words = load_scenario("iid")
    reworded = replace(
        words, question="In other words?", arms={**words.arms, "more": {}}, seeds=(0, 1, 2, 3, 4)
    )
    first, second = (
        run_scenario(scenario, models=["no-change"], runs=tmp_path, seeds=[0], data_options=SMALL)
        for scenario in (words, reworded)
    )
    assert all(outcome.is_new for outcome in first)
    assert not any(outcome.is_new for outcome in second)


def test_embedding_that_cannot_be_read_is_refused_before_anything_is_run(tmp_path):
    words = replace(load_scenario("iid"), embedding="pac:5")
    with pytest.raises(OptionError, match="pca"):
        run_scenario(words, models=["no-change"], runs=tmp_path, seeds=[0], data_options=SMALL)
    assert not list(tmp_path.iterdir())


def test_what_is_specific_is_scored_beside_the_reference_which_has_nothing_specific(tmp_path):
    words = replace(load_scenario("unseen-context"), metrics=("pearson_specific",))
    run_scenario(words, models=["perturbed-mean"], runs=tmp_path, seeds=[0], data_options=SMALL)
    status = read_scores(tmp_path).groupby("model")["status"].agg(set)
    assert status["context-transfer"] == {"flat"}
    assert status["replicate"] == {"ok"}


def test_what_is_the_truths_alone_is_computed_once_for_all_models(tmp_path, monkeypatch):
    calls = {}
    fit = response.fit_components
    for name, models in (("one", ["no-change"]), ("three", ["no-change", "additive", "knn"])):
        calls[name] = []

        def counted(*args, of=calls[name], **named):
            of.append(args)
            return fit(*args, **named)

        monkeypatch.setattr(response, "fit_components", counted)
        options = {"data_options": SMALL, "seeds": [0, 1], "metrics": ["energy_distance_pca"]}
        run_scenario("iid", models=models, runs=tmp_path / name, **options)
    assert len(calls["one"]) == len(calls["three"]) > 0


def test_answers_of_finished_runs_are_scored_by_other_conventions(tmp_path, screen):
    asked = {
        "models": ["perturbed-mean", "no-change"],
        "metrics": ["pearson_delta", "effect_r2"],
        "data": screen,
        "runs": tmp_path,
        "seeds": [0],
    }
    run_scenario("iid", **asked)
    before = read_scores(tmp_path)
    with pytest.raises(StoreError, match="--convention"):
        read_scores_otherwise(tmp_path)
    again = run_scenario("iid", **asked, conventions=["shared-controls", "targets-kept"])
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("scores-*.parquet")}
    run_scenario("iid", **asked, conventions=["all"])
    others = read_scores_otherwise(tmp_path)

    assert not any(outcome.is_new for outcome in again)
    pd.testing.assert_frame_equal(read_scores(tmp_path), before)
    assert all(path.stat().st_mtime_ns == at for path, at in written.items())
    assert set(others["preset"]) == set(ALTERNATIVES)
    rows = ["model", "metric", "context", "perturbation"]
    ours = before.set_index(rows)["value"]
    shared = others[others["preset"] == "shared-controls"].set_index(rows)["value"]
    same = others[others["preset"] == "top-20-genes"].set_index(rows)["value"]
    pd.testing.assert_series_equal(same, ours.loc[same.index])
    model = ("perturbed-mean", "pearson_delta")
    assert shared.loc[model].mean() > ours.loc[model].mean()


def test_an_unknown_convention_is_refused_before_anything_is_run(tmp_path, screen):
    with pytest.raises(UnknownNameError, match="shared-controls"):
        run_scenario(
            "iid", models=["no-change"], data=screen, runs=tmp_path, conventions=["shared-control"]
        )
    assert not list(tmp_path.iterdir())


def test_replicate_and_reference_are_judged_by_the_same_halves_and_oracles_where_asked(
    tmp_path, screen
):
    asked = {"models": ["no-change"], "data": screen, "runs": tmp_path, "seeds": [0]}
    asked["metrics"] = ["pearson_delta", "effect_r2"]
    run_scenario("unseen-context", **asked)
    ranks, plain = rank_runs(tmp_path), read_halves(tmp_path)
    again = run_scenario("unseen-context", **asked, oracles=True)
    beside = read_halves(tmp_path)
    run_scenario("unseen-context", **asked)

    assert not any(outcome.is_new for outcome in again)
    assert set(plain["model"]) == {"replicate", "reference", "ceiling"}
    assert set(beside["model"]) == {*plain["model"], *ORACLES}
    pd.testing.assert_frame_equal(read_halves(tmp_path), beside)
    pd.testing.assert_frame_equal(rank_runs(tmp_path), ranks)
    own = beside[beside["model"] == "replicate"].groupby(["metric", *CONDITION])["value"].mean()
    whole = read_scores(tmp_path)
    whole = whole[whole["model"] == "replicate"].set_index(["metric", *CONDITION])["value"]
    shown = "pearson_delta"
    pd.testing.assert_series_equal(own.loc[shown], whole.loc[shown].sort_index())


def test_a_folder_of_runs_without_halves_has_none(tmp_path, screen):
    run_scenario("iid", models=["no-change"], data=screen, runs=tmp_path, seeds=[0])
    for path in tmp_path.rglob("halves.parquet"):
        path.unlink()
    found = read_halves(tmp_path)

    assert found.empty
    assert list(found) == [*SCORE_COLUMNS, "half"]
    assert set(calibrate_runs(tmp_path)["judged_by"]) == {"all cells"}
