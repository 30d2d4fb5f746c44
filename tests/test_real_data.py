"""Facts that must come out on small real screens, where they are at hand.

The folder is named by WILDCELL_TEST_DATA, by default `../shared` beside the repository; its
subfolder `data` holds the files. Without them these tests are skipped.
"""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from wildcell.datasets.curate import curate_file
from wildcell.datasets.curate_options import CurateOptions
from wildcell.datasets.fetch import fetch
from wildcell.datasets.load import load_dataset
from wildcell.results.rank import without_shams
from wildcell.results.table import rank_runs
from wildcell.results.verdict import verdict
from wildcell.run import run_scenario
from wildcell.scenarios.scenario import load_scenario, scenario_names
from wildcell.scenarios.split import make_splits
from wildcell.store.runs import read_scores

SMALL = {
    "norman2019-small": "norman2019_mcfaline2023_small.h5ad",
    "mcfaline2023-small": "norman2019_mcfaline2023_small.h5ad",
    "tggates": "tggates_hepatocytes.h5ad",
}

ROOT = Path(__file__).parents[1]
FOLDER = Path(os.environ.get("WILDCELL_TEST_DATA", ROOT.parent / "shared")) / "data"

SOURCES = {
    "kang": (
        "kang2018_pbmc.h5ad",
        CurateOptions(
            perturbation_column="perturbation",
            context_column="context",
            modality="cytokine",
            counts_layer="counts",
            total_counts_column="n_counts",
        ),
    ),
    "norman": (
        "norman2019_mcfaline2023_small.h5ad",
        CurateOptions(
            perturbation_column="perturbation",
            combination_separator="+",
            context_column="context",
            modality_column="perturbation_type",
            counts_layer="counts",
            total_counts_column="ncounts",
        ),
    ),
    "papalexi": (
        "papalexi2021_thp1.h5ad",
        CurateOptions(
            perturbation_column="perturbation",
            context_column="context",
            modality="crisprko",
            where=("confident_assignment=True",),
            batch_column="batch",
        ),
    ),
    "zhao": (
        "zhao2021_glioblastoma.h5ad",
        CurateOptions(
            perturbation_column="perturbation",
            context_column="context",
            modality="drug",
            dose_column="dose",
            dose_unit="uM",
        ),
    ),
}


@pytest.fixture(scope="module")
def screen(tmp_path_factory):
    """Return a function that curates a real screen once."""
    folder = tmp_path_factory.mktemp("curated")

    def curated(name):
        file, options = SOURCES[name]
        if not (FOLDER / file).is_file():
            pytest.skip(f"{FOLDER / file} is not at hand; name its folder in WILDCELL_TEST_DATA")
        path = folder / f"{name}.h5ad"
        if not path.exists():
            curate_file(FOLDER / file, path, options)
        return load_dataset(path)

    return curated


def run(scenario, data, runs, *, models, seeds, metrics, arm=None):
    words = replace(load_scenario(scenario), metrics=metrics, genes="all")
    run_scenario(words, data=data, models=models, runs=runs, seeds=seeds, arm=arm)
    return without_shams(read_scores(runs))


def mean_of(scores, model, metric="pearson_delta"):
    """Return the mean over contexts of a model's mean over seeds."""
    chosen = scores[(scores["model"] == model) & (scores["metric"] == metric)]
    return chosen.groupby("context")["value"].mean()


@pytest.fixture(scope="module")
def kang_scores(screen, tmp_path_factory):
    return run(
        "unseen-context",
        screen("kang"),
        tmp_path_factory.mktemp("kang"),
        models=["no-change"],
        seeds=range(5),
        metrics=("pearson_delta",),
        arm="leave-one-out",
    )


def test_on_kang_what_ifn_did_in_other_types_transfers(kang_scores):
    assert 0.79 <= mean_of(kang_scores, "context-transfer").mean() <= 0.84


def test_on_kang_no_change_is_flat(kang_scores):
    assert set(kang_scores.loc[kang_scores["model"] == "no-change", "status"]) == {"flat"}


def test_on_kang_halves_agree_and_most_of_all_in_monocytes(kang_scores):
    replicate = mean_of(kang_scores, "replicate")
    assert 0.80 <= replicate.mean() <= 0.86
    assert replicate[["CD14+Mono", "FCGR3A+Mono"]].to_numpy() == pytest.approx(0.97, abs=0.01)


def mean_delta(dataset, perturbation):
    """Return the mean delta of log1p values over contexts, by gene."""
    cells = dataset.cells
    depth = cells.obs["total_counts"].to_numpy()
    values = np.log1p(cells.X.toarray() / depth[:, None] * np.median(depth))
    deltas = []
    for context in sorted(set(dataset.conditions["context"])):
        here = (cells.obs["context"] == context).to_numpy()
        perturbed = here & (cells.obs["perturbation"] == perturbation).to_numpy()
        if perturbed.any():
            control = values[here & dataset.is_control].mean(axis=0)
            deltas.append(values[perturbed].mean(axis=0) - control)
    return pd.Series(np.mean(deltas, axis=0), index=cells.var_names)


def test_on_kang_isg15_leads_the_response(screen):
    assert mean_delta(screen("kang"), "IFNB1").idxmax() == "ISG15"


def test_on_norman_klf1_raises_embryonic_and_fetal_globins(screen):
    delta = mean_delta(screen("norman"), "KLF1").sort_values(ascending=False)
    assert {"HBZ", "HBG2"} <= set(delta.index[:10])


@pytest.fixture(scope="module")
def norman_runs(screen, tmp_path_factory):
    folder = tmp_path_factory.mktemp("norman")
    run(
        "unseen-perturbation",
        screen("norman"),
        folder,
        models=["no-change"],
        seeds=range(2),
        metrics=("pearson_delta", "effect_r2"),
    )
    return folder


LINES = ["A172", "T98G", "U87MG"]


def test_mcfaline_lines_are_at_the_noise_floor(norman_runs):
    replicate = mean_of(read_scores(norman_runs), "replicate")
    assert (replicate[LINES] < 0.15).all()
    assert replicate["k562"] > 0.3


def test_in_mcfaline_lines_no_model_is_given_a_number(norman_runs):
    scores = read_scores(norman_runs)
    models = scores[scores["context"].isin(LINES) & (scores["model"] == "perturbed-mean")]
    assert set(models["status"]) == {"too_few_controls"}


def test_the_verdict_says_that_nothing_can_be_concluded_in_mcfaline_lines(norman_runs):
    found = verdict(rank_runs(norman_runs), read_scores(norman_runs))
    said = " ".join([found.sentence, *found.details])
    assert "nothing can be concluded there" in said.lower()
    assert all(line in said for line in LINES)


def test_on_norman_combinations_singles_add_up(screen, tmp_path):
    scores = run(
        "unseen-combination",
        screen("norman"),
        tmp_path,
        models=["perturbed-mean", "no-change"],
        seeds=range(2),
        metrics=("pearson_delta",),
        arm="k-fold",
    )
    own = scores[scores["model"] == "additive"]
    assert set(own["category"]) == {"combo-0", "combo-1", "combo-2"}
    assert mean_of(scores, "additive").mean() > mean_of(scores, "perturbed-mean").mean() + 0.1


def test_on_papalexi_half_of_the_perturbations_repeat(screen, tmp_path):
    scores = run(
        "unseen-perturbation",
        screen("papalexi"),
        tmp_path,
        models=["no-change"],
        seeds=[0],
        metrics=("pearson_delta",),
    )
    of_replicate = scores[scores["model"] == "replicate"].set_index("perturbation")["value"]
    assert (of_replicate[["IFNGR1", "IFNGR2", "JAK2", "STAT1"]] > 0.5).all()
    assert (of_replicate < 0.2).sum() >= 8


def test_on_zhao_patients_differ_in_what_panobinostat_does(screen, tmp_path):
    scores = run(
        "unseen-context",
        screen("zhao"),
        tmp_path,
        models=["no-change"],
        seeds=range(2),
        metrics=("pearson_delta",),
    )
    transfer, replicate = (mean_of(scores, name) for name in ("context-transfer", "replicate"))
    assert (replicate > 0.85).all()
    assert (transfer < replicate - 0.1).all()


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Return a function that fetches a small screen from its file, once."""
    cache = tmp_path_factory.mktemp("cache")

    def fetched(name):
        file = FOLDER / SMALL[name]
        if not file.is_file():
            pytest.skip(f"{file} is not at hand; name its folder in WILDCELL_TEST_DATA")
        return load_dataset(fetch(name, source=file, cache=cache).path)

    return fetched


BOUND = [
    name
    for name in scenario_names()
    if {load_scenario(name).dataset, *load_scenario(name).foreign} <= set(SMALL)
    and load_scenario(name).splitter != "perturbation-clusters"
]


@pytest.mark.parametrize("name", BOUND)
def test_scenario_bound_to_a_small_screen_can_be_asked_in_every_arm(name, small):
    scenario = load_scenario(name)
    screen, foreign = small(scenario.dataset), [small(other) for other in scenario.foreign]
    for arm in scenario.arms:
        assert make_splits(scenario, screen, seed=0, arm=arm, foreign=foreign)


def test_a_scenario_named_after_one_of_two_screens_asks_about_it_alone(small):
    assert set(small("norman2019-small").conditions["modality"]) == {"crispra"}
    assert set(small("mcfaline2023-small").conditions["modality"]) == {"crispri"}
    for name in scenario_names():
        for screen in ("norman2019-small", "mcfaline2023-small"):
            assert not name.startswith(screen) or load_scenario(name).dataset == screen


def test_hepatocytes_are_scored_by_more_than_what_their_two_controls_cannot_carry(small, tmp_path):
    screen, scenario = small("tggates"), load_scenario("tggates-unseen-dose")
    run_scenario(scenario, data=screen, models=["no-change"], runs=tmp_path, seeds=[0])
    scores = read_scores(tmp_path)
    n_known = scores[scores["model"] == "no-change"].groupby("metric")["value"].count()
    assert n_known["pearson_delta"] == n_known["effect_r2"] == 0
    assert (n_known[["rmse", "mae", "pearson"]] > 0).all()
