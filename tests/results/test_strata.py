"""Strata are of conditions: fixed beforehand, complete, and the same for all models."""

import numpy as np
import pandas as pd
import pytest

from wildcell.cli.main import main
from wildcell.errors import OptionError, UnknownNameError
from wildcell.names import CONDITION, CONDITION_COLUMNS, SHAM
from wildcell.results.rank import rank
from wildcell.results.strata import COLUMNS, UNKNOWN_STRATUM, rank_in_strata, strata
from wildcell.results.table import rank_runs_in_strata
from wildcell.run import run_scenario
from wildcell.store.runs import read_conditions, read_scores
from wildcell.testing import toy_screen

MODELS = ["no-change", "perturbed-mean"]
REFERENCES = {"unseen-context": "context-transfer"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    screen = toy_screen(n_controls=100, shared_strength=1.0)
    run_scenario("unseen-context", models=MODELS, runs=folder, data=screen, seeds=[0, 1])
    return folder


@pytest.fixture(scope="module")
def scores(runs):
    return read_scores(runs)


@pytest.fixture(scope="module")
def conditions(runs):
    return read_conditions(runs)


def test_every_tested_condition_is_in_one_stratum_whatever_the_seed(conditions):
    told = strata(conditions, by="effect_size", bins=3)
    tested = conditions[(conditions["role"] == "test") & (conditions["category"] != SHAM)]
    assert len(told) == len(tested)
    assert set(told.groupby(CONDITION)["stratum"].nunique()) == {1}
    sizes = told.drop_duplicates(CONDITION).groupby("stratum").size()
    assert len(sizes) == 3
    assert sizes.max() - sizes.min() <= 1


def test_strata_do_not_depend_on_the_models(scores, conditions):
    every = rank_in_strata(scores, REFERENCES, conditions, by="effect_size")
    fewer = scores[scores["model"] != "no-change"]
    without = rank_in_strata(fewer, REFERENCES, conditions, by="effect_size")
    columns = ["stratum", "stratum_conditions"]
    assert set(map(tuple, every[columns].to_numpy())) == set(
        map(tuple, without[columns].to_numpy())
    )


def test_all_conditions_together_are_ranked_as_ever(scores, conditions):
    ranks = rank(scores, REFERENCES)
    found = rank_in_strata(scores, REFERENCES, conditions, by="n_components")
    keys = ["metric", "model"]
    means = ranks[ranks["category"] == "all"].set_index(keys)["mean"].sort_index()
    of_all = found[found["stratum"] == "all"].set_index(keys)["mean"].sort_index()
    pd.testing.assert_series_equal(means, of_all)


def test_rows_of_the_strata_add_up_to_all(scores, conditions):
    found = rank_in_strata(scores, REFERENCES, conditions, by="effect_size", bins=3)
    is_all = found["stratum"] == "all"
    parts = found[~is_all].groupby(["metric", "model"])["expected"].sum()
    every = found[is_all].set_index(["metric", "model"])["expected"]
    pd.testing.assert_series_equal(parts, every.sort_index(), check_dtype=False)


def test_the_mean_of_a_stratum_is_that_of_its_conditions(scores, conditions):
    found = rank_in_strata(scores, REFERENCES, conditions, by="effect_size", bins=2)
    told = strata(conditions, by="effect_size", bins=2)
    first = told["stratum"].iloc[0]
    own = scores.merge(told[told["stratum"] == first].drop(columns="stratum"))
    expected = rank(own, REFERENCES).set_index(["category", "metric", "model"])["mean"]
    mean = found[found["stratum"] == first].set_index(["metric", "model"])["mean"]
    assert mean["pearson_delta", "perturbed-mean"] == pytest.approx(
        expected["all", "pearson_delta", "perturbed-mean"]
    )


def test_conditions_of_unknown_difficulty_are_a_stratum_of_their_own(scores, conditions):
    first = conditions.loc[conditions["role"] == "test", "perturbation"].iloc[0]
    is_first = conditions["perturbation"] == first
    told = strata(
        conditions.assign(effect_size=conditions["effect_size"].mask(is_first)), by="effect_size"
    )
    unknown = told[told["stratum"] == UNKNOWN_STRATUM]
    assert set(unknown["perturbation"]) == {first}
    assert told["stratum"].iloc[-1] == UNKNOWN_STRATUM


def test_few_values_are_strata_as_they_are(conditions):
    sizes = conditions.assign(n_components=np.arange(len(conditions)) % 2 + 1)
    one_seed = sizes[(sizes["seed"] == 0) & (sizes["fold"] == 0)]
    labels = set(strata(one_seed, by="n_components")["stratum"])
    assert labels == {"1 of 2: 1.00", "2 of 2: 2.00"}


def test_what_cannot_be_laid_in_strata_is_refused(conditions):
    with pytest.raises(UnknownNameError, match="effect_size"):
        strata(conditions, by="effect_siz")
    with pytest.raises(OptionError, match="two bins"):
        strata(conditions, by="effect_size", bins=1)
    with pytest.raises(OptionError, match="Nothing is known"):
        strata(conditions[:0], by="effect_size")


def test_strata_are_made_of_any_column_that_says_something(conditions):
    assert set(COLUMNS) < set(CONDITION_COLUMNS)
    for name in COLUMNS:
        assert len(strata(conditions, by=name)) > 0


def test_the_command_prints_each_stratum_with_its_size_and_writes_them(runs, tmp_path, capsys):
    main(
        ["rank", str(runs), "--by", "effect_size", "--bins", "2", "--out", str(tmp_path / "s.csv")]
    )
    printed = capsys.readouterr().out
    assert "1 of 2:" in printed
    assert "n = " in printed
    assert len(pd.read_csv(tmp_path / "s.csv")) == len(
        rank_runs_in_strata(runs, by="effect_size", bins=2)
    )


def test_the_command_prints_the_worst_context_by_name(runs, capsys):
    main(["rank", str(runs), "--means", "--metric", "pearson_delta"])
    printed = capsys.readouterr().out
    assert "context-" in printed
    assert "Ranked by macro" in printed
