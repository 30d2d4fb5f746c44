"""On a screen whose truth is known, the order of the baselines is known beforehand."""

from dataclasses import replace

import pytest

from wildcell.results.rank import EVERY_CATEGORY
from wildcell.results.table import rank_runs
from wildcell.run import run_scenario
from wildcell.scenarios.scenario import load_scenario

SEEDS = [10, 11, 12, 13, 14]


def differences(folder, scenario, models, seed, *, reference, seeds=(0,), **data_options):
    """Return the ranking by rmse of a few models against a reference, indexed by model."""
    words = replace(load_scenario(scenario), reference=reference, metrics=("rmse",), genes="all")
    run_scenario(
        words,
        models=models,
        runs=folder,
        seeds=list(seeds),
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
    ranks = differences(
        tmp_path, "unseen-combination", models, seed, reference="perturbed-mean", seeds=(0, 1)
    )
    assert beats_reference(ranks, "additive")
    assert ranks.loc["no-change", "difference_low"] > 0


def test_what_a_perturbation_did_elsewhere_beats_the_perturbed_mean_in_an_unseen_context(tmp_path):
    ranks = differences(
        tmp_path, "unseen-context", ["context-transfer"], SEEDS[0], reference="perturbed-mean"
    )
    assert beats_reference(ranks, "context-transfer")


def test_the_line_between_doses_beats_the_perturbed_mean(tmp_path):
    options = {"n_perturbations": 8, "n_genes": 200}
    ranks = differences(
        tmp_path,
        "unseen-dose",
        ["dose-interpolation"],
        SEEDS[0],
        reference="perturbed-mean",
        **options,
    )
    assert beats_reference(ranks, "dose-interpolation")


def test_where_nothing_happens_no_share_of_it_is_explained_and_the_table_says_why(tmp_path):
    nothing = ("shared_strength", "specific_strength", "interaction_strength", "target_strength")
    words = replace(
        load_scenario("unseen-context"), metrics=("effect_r2", "pearson_delta"), genes="all"
    )
    strengths = dict.fromkeys([*nothing, "epistasis_strength"], 0.0)
    for seed in SEEDS:
        run_scenario(
            words,
            models=["perturbed-mean"],
            runs=tmp_path,
            seeds=[0],
            data_options={"seed": seed, "n_controls": 600, **strengths},
        )
    ranks = rank_runs(tmp_path)
    ranks = ranks[ranks["category"] == EVERY_CATEGORY]
    shares = ranks[(ranks["metric"] == "effect_r2") & (ranks["model"] == "perturbed-mean")]
    unresolved = shares[shares["mean"].isna()]
    assert len(unresolved) >= 4
    assert unresolved["unscored"].str.contains("no_headroom").all()
    assert unresolved["scaled"].isna().all()
    correlations = ranks[
        (ranks["metric"] == "pearson_delta") & (ranks["model"] == "perturbed-mean")
    ]
    assert (correlations["mean"].abs() < 0.1).all()
