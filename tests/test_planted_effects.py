"""On a screen whose truth is known, the order of the baselines is known beforehand."""

from dataclasses import replace

import pytest

from wildcell.results.table import rank_runs
from wildcell.run import run_scenario
from wildcell.scenarios.scenario import load_scenario

SEEDS = [10, 11, 12, 13, 14]


def differences(folder, scenario, models, seed, *, reference, **data_options):
    """Return the ranking by rmse of a few models against a reference, indexed by model."""
    words = replace(load_scenario(scenario), reference=reference, metrics=("rmse",), genes="all")
    run_scenario(
        words,
        models=models,
        runs=folder,
        seeds=[0],
        data_options={"seed": seed, **data_options},
    )
    ranks = rank_runs(folder)
    return ranks[ranks["category"] == "all"].set_index("model")


def beats_reference(ranks, model):
    return ranks.loc[model, "difference_high"] < 0


@pytest.mark.parametrize("seed", SEEDS)
def test_models_with_informative_features_beat_the_perturbed_mean(tmp_path, seed):
    ranks = differences(
        tmp_path,
        "unseen-perturbation",
        ["ridge", "bilinear"],
        seed,
        reference="perturbed-mean",
        n_combinations=0,
    )
    assert beats_reference(ranks, "ridge")
    assert beats_reference(ranks, "bilinear")


@pytest.mark.parametrize("seed", SEEDS)
def test_models_with_shuffled_features_do_not_beat_the_perturbed_mean(tmp_path, seed):
    ranks = differences(
        tmp_path,
        "unseen-perturbation",
        ["ridge", "bilinear"],
        seed,
        reference="perturbed-mean",
        n_combinations=0,  # with some, a model may gain by their number of parts alone
        shuffle_features=True,
    )
    assert not beats_reference(ranks, "ridge")
    assert not beats_reference(ranks, "bilinear")


@pytest.mark.parametrize("seed", SEEDS)
def test_combinations_additive_beats_the_perturbed_mean_beats_no_change(tmp_path, seed):
    models = ["additive", "no-change"]
    ranks = differences(tmp_path, "unseen-combination", models, seed, reference="perturbed-mean")
    assert beats_reference(ranks, "additive")
    assert ranks.loc["no-change", "difference_low"] > 0


def test_what_a_perturbation_did_elsewhere_beats_the_perturbed_mean_in_an_unseen_context(tmp_path):
    ranks = differences(
        tmp_path, "unseen-context", ["context-transfer"], SEEDS[0], reference="perturbed-mean"
    )
    assert beats_reference(ranks, "context-transfer")
