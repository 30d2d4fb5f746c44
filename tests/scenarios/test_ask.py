"""A question is asked with its shams and audited, and an arm's words reach the task."""

from dataclasses import replace

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from wildcell.datasets.dataset import Dataset
from wildcell.errors import SplitError
from wildcell.names import SHAM, Role
from wildcell.scenarios.ask import ask
from wildcell.scenarios.scenario import load_scenario
from wildcell.scenarios.split import Division, Splitter, divide, evidence_for, make_splits
from wildcell.testing import toy_screen

CONTEXT = load_scenario("unseen-context")


def asked(screen, scenario, arm=None):
    return ask(screen, make_splits(scenario, screen, seed=0, arm=arm)[0], scenario)


@pytest.fixture
def copied():
    """A screen in which a test cell of the first context stands again in another one."""
    screen = toy_screen()
    tested = set(make_splits(CONTEXT, screen, seed=0)[0].conditions_in(Role.TEST)["context"])
    is_test = screen.cells.obs["context"].isin(tested).to_numpy() & ~screen.is_control
    is_train = ~screen.cells.obs["context"].isin(tested).to_numpy() & ~screen.is_control
    X = screen.cells.X.toarray()
    source, target = np.flatnonzero(is_test)[:20], np.flatnonzero(is_train)[:20]
    X[target] = X[source]
    cells = ad.AnnData(X, obs=screen.cells.obs.copy(), var=screen.cells.var, uns=screen.cells.uns)
    cells.obs["total_counts"] = X.sum(axis=1)
    return Dataset("copied", cells)


def test_a_leak_stops_a_strict_scenario_and_says_which(copied):
    with pytest.raises(SplitError, match="20 test cells are equal to train cells"):
        asked(copied, CONTEXT)


def test_a_leak_marks_a_lenient_scenario(copied):
    flags = asked(copied, replace(CONTEXT, strict=False)).question.truth.origin.flags
    assert [flag for flag in flags if flag.startswith("audit: 20 test cells are equal")]


@pytest.mark.parametrize("where", ["scenario", "arm"])
def test_the_published_choice_of_genes_is_flagged_and_stops_nothing(where):
    scenario = replace(CONTEXT, genes="hvg:20")
    if where == "scenario":
        scenario = replace(scenario, fit_on="all")
    else:
        arms = {"leave-one-out": {**CONTEXT.arms["leave-one-out"], "fit_on": "all"}}
        scenario = replace(scenario, arms=arms)
    flags = asked(toy_screen(), scenario).question.truth.origin.flags
    assert any("genes were chosen on all cells" in flag for flag in flags)


def test_shams_are_asked_where_the_scenario_says_so():
    screen = toy_screen(n_controls=200)
    without, beside = (asked(screen, replace(CONTEXT, shams=n)) for n in (0, 2))
    assert SHAM not in set(without.question.truth.conditions["category"])
    assert (beside.question.truth.conditions["category"] == SHAM).sum() == 2
    shams = beside.split.conditions.query("category == @SHAM")
    assert (shams["role"] == Role.TEST).sum() == 2
    assert (shams["role"] == Role.UNUSED).sum() == 4


def test_an_arm_gives_models_an_embedding_and_other_features():
    arms = {
        **CONTEXT.arms,
        "other": {"n_folds": -1, "embedding": "pca:5", "features": "one-hot", "genes": "hvg:10"},
    }
    scenario = replace(CONTEXT, arms=arms)
    task, truth = asked(toy_screen(), scenario, arm="other").question
    plain, _ = asked(toy_screen(), scenario).question
    assert task.train.embedding.shape == (task.train.n, 5)
    assert task.query.controls.embedding.shape == (task.query.controls.n, 5)
    assert (task.query.features.to_numpy().sum(axis=1) == 1).all()
    assert len(truth.test.genes) == 10
    assert plain.train.embedding is None


def test_arms_that_hold_out_the_same_test_the_same_cells():
    screen = toy_screen()
    arms = {"one": {"test_share": 0.3}, "two": {"test_share": 0.3, "embedding": "pca:5"}}
    scenario = replace(CONTEXT, arms=arms, default_arm="one")
    one, two = (make_splits(scenario, screen, seed=3, arm=arm)[0] for arm in arms)
    pd.testing.assert_frame_equal(one.conditions, two.conditions)


def test_a_splitter_is_given_what_it_needs_and_its_tables_are_kept():
    def by_controls(table, components, rng, *, controls, features):
        assert controls.is_control.all()
        roles = pd.DataFrame({"role": "train", "reason": "", "category": "any"}, index=table.index)
        return Division([roles], {"sizes": pd.DataFrame({"n": [controls.n, len(features)]})})

    screen = toy_screen()
    rule = Splitter("by-controls", by_controls, "condition", ("controls", "features"))
    evidence = evidence_for(rule, screen)
    found = divide(rule, screen.conditions, screen.components, np.random.default_rng(0), **evidence)
    assert found.tables["sizes"]["n"].tolist() == [screen.is_control.sum(), len(screen.features)]
