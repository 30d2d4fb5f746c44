"""Shams in ranks: a category of their own, and a sentence on what is claimed of nothing."""

import numpy as np
import pandas as pd
import pytest

from wildcell.cli.main import main
from wildcell.names import SHAM
from wildcell.results.rank import rank
from wildcell.results.shams import sham_sentence
from wildcell.results.table import rank_runs
from wildcell.run import run_scenario
from wildcell.store.runs import read_scores
from wildcell.testing import toy_screen


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    screen = toy_screen(n_controls=200, shared_strength=1.0)
    models = ["no-change", "perturbed-mean", "shuffled"]
    run_scenario("unseen-context", models=models, runs=folder, data=screen, seeds=[0, 1])
    return folder


def test_no_mean_but_that_of_shams_knows_of_them(runs):
    scores = read_scores(runs)
    references = {"unseen-context": "context-transfer"}
    every, without = rank(scores, references), rank(scores[scores["category"] != SHAM], references)
    assert set(every["category"]) == {"all", SHAM}
    pd.testing.assert_frame_equal(every[every["category"] == "all"], without)


def test_shares_of_no_effect_are_undefined(runs):
    ranks = rank_runs(runs)
    of_shams = ranks[(ranks["category"] == SHAM) & (ranks["metric"] == "effect_r2")]
    assert of_shams["mean"].isna().all()
    assert (of_shams["undefined"] == of_shams["expected"]).all()
    assert sham_sentence(ranks, "effect_r2") == ""


def test_a_good_model_scores_nothing_where_nothing_was_done(runs):
    ranks = rank_runs(runs).set_index(["category", "metric", "model"])["mean"]
    assert ranks["all", "pearson_delta", "context-transfer"] > 0.6
    assert abs(ranks[SHAM, "pearson_delta", "context-transfer"]) < 0.2


def test_the_ranking_says_what_is_claimed_of_nothing(runs, capsys):
    main(["rank", str(runs)])
    claim = "By pearson_delta, nothing beats context-transfer on 3 sham conditions"
    (told,) = [one for one in capsys.readouterr().out.splitlines() if one.startswith(claim)]
    assert "a replicate" in told


def test_who_seems_better_on_shams_is_named(runs):
    ranks = rank_runs(runs)
    is_claim = (
        (ranks["category"] == SHAM)
        & (ranks["metric"] == "pearson_delta")
        & (ranks["model"] == "shuffled")
    )
    claimed = ranks.assign(difference_low=np.where(is_claim, 0.1, ranks["difference_low"]))
    claimed["difference_high"] = np.where(is_claim, 0.2, ranks["difference_high"])
    assert "shuffled beats context-transfer" in sham_sentence(claimed, "pearson_delta")


def test_without_shams_nothing_is_said(runs):
    ranks = rank_runs(runs)
    assert sham_sentence(ranks[ranks["category"] != SHAM], "pearson_delta") == ""
