"""Arms of one scenario are judged alike: by the same cells, controls, genes and depth."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from wildcell.cli.main import main
from wildcell.datasets.dataset import Dataset
from wildcell.names import CONDITION, SHAM
from wildcell.run import run_scenario
from wildcell.scenarios.ask import ask
from wildcell.scenarios.judged import judged_by
from wildcell.scenarios.scenario import general_scenario_names, load_scenario
from wildcell.scenarios.split import make_splits
from wildcell.store.runs import judged_otherwise, read_conditions, read_records
from wildcell.testing import toy_screen_for

SEVERAL = [
    name
    for name in general_scenario_names()
    if len(load_scenario(name).arms) > 1 and name != "cross-data-set"
]


def screen_for(scenario):
    """Return a screen whose contexts and perturbations differ in depth, with shams to draw."""
    screen = toy_screen_for(scenario, n_controls=120)
    cells = screen.cells.copy()
    codes = sum(pd.factorize(cells.obs[name].astype(str))[0] for name in CONDITION)
    cells.X = cells.X.multiply((1 + codes % 5)[:, None]).tocsr()
    cells.obs["total_counts"] = np.asarray(cells.X.sum(axis=1)).ravel()
    return Dataset(screen.name, cells)


def hashes_by_arm(screen, scenario, seed=0):
    """Return the hash that each condition is judged by, of every arm and fold."""
    rows = []
    for arm in scenario.arms:
        for split in make_splits(scenario, screen, seed=seed, arm=arm):
            truth = ask(screen, split, scenario).question.truth
            rows.append(truth.conditions.assign(arm=arm, judged=judged_by(truth)))
    return pd.concat(rows, ignore_index=True)


@pytest.mark.parametrize("name", SEVERAL)
def test_every_arm_and_fold_judges_a_condition_alike(name):
    scenario = load_scenario(name)
    found = hashes_by_arm(screen_for(scenario), scenario)
    assert SHAM in set(found["category"])
    arms = found.groupby(CONDITION)["arm"].nunique()
    assert arms.max() > 1
    assert found.groupby(CONDITION)["judged"].nunique().max() == 1


def test_genes_chosen_on_controls_are_those_of_every_arm():
    context = load_scenario("unseen-context")
    screen = screen_for(context)
    n_hashes = {}
    for fit_on in ("train", "controls"):
        arms = {name: {**context.arms[name], "genes": "hvg:20"} for name in context.arms}
        scenario = replace(context, arms=arms, fit_on=fit_on)
        found = hashes_by_arm(screen, scenario)
        n_hashes[fit_on] = found.groupby(CONDITION)["judged"].nunique().max()
    assert n_hashes["controls"] == 1
    assert n_hashes["train"] > 1


def test_a_hash_tells_cells_controls_genes_and_depth_apart():
    scenario = load_scenario("unseen-context")
    screen = toy_screen_for(scenario)
    truth = ask(screen, make_splits(scenario, screen, seed=0)[0], scenario).question.truth
    names = judged_by(truth)
    assert names.nunique() == len(names)
    first = (truth.test.obs["perturbation"] != truth.conditions["perturbation"][0]).to_numpy()
    lacking = replace(truth, test=truth.test.select(first))
    assert (judged_by(lacking) != names).tolist() == [True, *[False] * (len(names) - 1)]
    half = np.arange(truth.kept.n) % 2 == 0
    for side in ("kept", "given"):
        other = replace(truth, **{side: getattr(truth, side).select(half)})
        assert (judged_by(other) != names).all()
    deeper = replace(truth, test=replace(truth.test, target_sum=1.0))
    assert (judged_by(deeper) != names).all()
    renamed = replace(truth, test=replace(truth.test, genes=truth.test.genes[::-1]))
    assert (judged_by(renamed) != names).all()


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Runs of three arms, one of which judges other genes."""
    folder = tmp_path_factory.mktemp("runs")
    arms = {"one": {}, "same": {"embedding": "pca:2"}, "other": {"genes": "hvg:20"}}
    scenario = replace(load_scenario("unseen-context"), arms=arms, default_arm="one")
    screen = toy_screen_for(scenario)
    for arm in arms:
        run_scenario(scenario, models=["no-change"], runs=folder, data=screen, arm=arm, seeds=[0])
    return folder


def test_record_of_a_run_says_what_it_was_judged_by(runs):
    records = read_records(runs)
    of_arm = records.groupby("arm")["judged"].agg(set)
    assert all(len(found) == 1 for found in of_arm)
    assert of_arm["one"] == of_arm["same"] != of_arm["other"]
    conditions = read_conditions(runs)
    assert ((conditions["judged"] != "") == (conditions["role"] == "test")).all()


def test_arms_that_judge_otherwise_are_told(runs):
    (said,) = judged_otherwise(runs, base="one")
    assert "arms one and other judged 13 of the 13 conditions" in said
    assert len(judged_otherwise(runs)) == 2


def test_command_cautions_before_it_compares(runs, capsys):
    main(["arms", str(runs), "--base", "one", "--metric", "rmse"])
    first, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith("unseen-context / simulated")
    assert "arms one and other judged 13 of the 13 conditions" in first


def test_command_shows_a_word_where_there_is_no_number(runs, capsys):
    main(["arms", str(runs), "--base", "one", "--metric", "pearson_delta"])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert any("base" in line for line in lines)
    assert not any("-" in line for line in lines)
