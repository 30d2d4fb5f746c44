"""A question is asked with its shams and audited, and an arm's words reach the task."""

import json
from dataclasses import replace

import anndata as ad
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wildcell.datasets.dataset import Dataset
from wildcell.errors import SplitError
from wildcell.names import SHAM, UNS, Role
from wildcell.scenarios.ask import ask
from wildcell.scenarios.feature_file import KEY, read_origin
from wildcell.scenarios.features import read_features
from wildcell.scenarios.folder import read_task, write_question
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


@pytest.fixture
def declared(tmp_path):
    """A file of features of the toy screen that says which cells it was made of."""
    names = sorted(set(toy_screen().components["component"]))
    values = np.random.default_rng(0).normal(size=(len(names), 3))
    table = pa.Table.from_pandas(pd.DataFrame(values, index=names, columns=list("abc")))

    def write(cells):
        said = {KEY: json.dumps({"cells": cells}).encode()}
        pq.write_table(table.replace_schema_metadata({**table.schema.metadata, **said}), place)
        return place

    place = tmp_path / "features.parquet"
    return write


def test_features_that_say_they_are_of_test_cells_stop_the_question(declared):
    screen, features = toy_screen(), read_features(declared("all"))
    split = make_splits(CONTEXT, screen, seed=0)[0]
    with pytest.raises(SplitError, match="features say that they were made of all cells"):
        ask(screen, split, CONTEXT, features=features)


def test_what_features_say_of_themselves_stays_with_them_in_the_task_folder(declared, tmp_path):
    screen, features = toy_screen(), read_features(declared("train"))
    split = make_splits(CONTEXT, screen, seed=0)[0]
    question, posed = ask(screen, split, CONTEXT, features=features)
    folder = tmp_path / "task"
    write_question(question, posed, task_folder=folder, truth=tmp_path / "truth.h5ad")
    assert read_origin(folder / "features.parquet") == {"cells": "train"}
    pd.testing.assert_frame_equal(read_task(folder).query.features, question.task.query.features)


def test_a_question_says_what_its_audit_looked_for_and_could_not():
    audit = asked(toy_screen(), CONTEXT).question.truth.origin.audit
    assert "test cells among those seen" in audit["checks"]
    assert audit["skipped"]["graph made from test cells"] == "there is no graph"
    assert audit["leaks"] == []
    json.dumps(audit)


@pytest.mark.parametrize("told_by", ["the data set", "aliases"])
def test_other_names_are_told_by_the_data_set_or_by_aliases(told_by):
    """The tested gene is trained on under another name, which spelling cannot tell."""
    screen, scenario = toy_screen(n_combinations=0), load_scenario("unseen-perturbation")
    split = make_splits(scenario, screen, seed=0)[0]
    tested = split.conditions_in(Role.TEST)["perturbation"].iloc[0]
    trained = split.conditions_in(Role.TRAIN)["perturbation"].iloc[0]
    other = "ENSG00000000001"
    renamed = _renamed(screen, trained, other)
    if told_by == "the data set":
        identities = np.where(renamed.cells.var_names == tested, other, "")
        renamed.cells.var["ensembl_id"] = identities
    names = {other: tested} if told_by == "aliases" else {}
    conditions = split.conditions.replace({"perturbation": {trained: other}})
    with pytest.raises(SplitError, match=f"{tested} as {other}"):
        ask(renamed, replace(split, conditions=conditions), scenario, aliases=names)


def _renamed(screen, old, new):
    """Return the screen with a perturbation called otherwise."""
    cells = screen.cells.copy()
    keys = cells.obs["perturbation"].astype(str).replace({old: new})
    cells.obs["perturbation"] = pd.Categorical(keys)
    components = screen.components.replace({old: new})
    cells.uns = {**cells.uns, UNS: {**cells.uns[UNS], "components": components}}
    return Dataset("renamed", cells)


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
