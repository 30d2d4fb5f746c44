"""How foreign screens are trained on, and that nothing that is judged changes with them."""

from dataclasses import replace

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from wildcell.datasets.dataset import Dataset
from wildcell.errors import DataError, OptionError, SplitError
from wildcell.models.effects import training_effects
from wildcell.models.find import find_model
from wildcell.names import CONDITION, CONTROL, UNS
from wildcell.scenarios.ask import ask
from wildcell.scenarios.controls import kept_controls
from wildcell.scenarios.pooling import Pooling
from wildcell.scenarios.pose import pose
from wildcell.scenarios.scenario import load_scenario
from wildcell.scenarios.split import make_splits
from wildcell.store.fingerprint import fingerprint
from wildcell.testing import toy_screen

SHIPPED = load_scenario("cross-data-set")
WORDS = replace(SHIPPED, genes="hvg:30")
ARMS = sorted(WORDS.arms)
LACKING = 5


def named(screen, name):
    return Dataset(name, screen.cells)


@pytest.fixture(scope="module")
def target():
    return named(toy_screen(n_contexts=1, n_combinations=0, depth=800, n_genes=80), "target")


@pytest.fixture(scope="module")
def foreign():
    """Another experiment on the same biology, deeper, in two contexts, a few genes unmeasured."""
    screen = toy_screen(n_contexts=2, n_combinations=0, depth=4000, n_genes=80, cell_seed=9)
    return Dataset("foreign", screen.cells[:, LACKING:].copy())


def asked(target, foreign, arm, *, words=WORDS, seed=0, **pool):
    if pool:
        words = replace(words, arms={**words.arms, arm: {"pool": pool}})
    split = make_splits(words, target, seed=seed, arm=arm, foreign=foreign)[0]
    return ask(target, split, words, foreign=foreign)


def pooled(target, foreign, **pool):
    return asked(target, [foreign], "own", **pool)


@pytest.mark.parametrize("arm", ARMS)
def test_what_is_judged_is_the_same_in_every_arm(target, foreign, arm):
    alone = asked(target, [foreign], "single").question.truth
    truth = asked(target, [foreign], arm).question.truth
    for side in ("test", "kept", "given", "conditions", "targets"):
        assert fingerprint(getattr(truth, side)) == fingerprint(getattr(alone, side))
    assert truth.noisy_groups == alone.noisy_groups


@pytest.mark.parametrize("arm", ARMS)
def test_no_tested_cell_nor_kept_control_of_the_target_changes_what_is_trained_on(
    target, foreign, arm
):
    split = make_splits(WORDS, target, seed=0, arm=arm, foreign=[foreign])[0]
    roles = split.roles_of_cells(target)
    groups = set(split.conditions["control_group"])
    hidden = np.isin(roles, ["test", "unused"]) | kept_controls(target, groups, seed=0)
    X = target.cells.X.toarray()
    X[hidden] = np.random.default_rng(0).poisson(30.0, (int(hidden.sum()), X.shape[1]))
    cells = target.cells.copy()
    cells.X = sparse.csr_matrix(X)
    cells.obs["total_counts"] = X.sum(axis=1, dtype=float)
    before = pose(target, split, WORDS, foreign=[foreign])
    after = pose(Dataset("target", cells), split, WORDS, foreign=[foreign])
    assert fingerprint(before.task) == fingerprint(after.task)
    assert fingerprint(before.truth.test) != fingerprint(after.truth.test)


def test_foreign_cells_keep_their_values_and_controls_in_contexts_of_their_own(target, foreign):
    task = pooled(target, foreign, data="target+foreign").question.task
    own = task.train.select(task.is_foreign)
    assert set(own.obs["context"]) == {"context-1 of foreign", "context-2 of foreign"}
    assert set(own.obs["control_group"]) == set(own.obs["context"])
    assert own.n == foreign.cells.n_obs
    measured = task.is_measured("foreign")
    names = task.train.genes[measured]
    assert (own.X[:, measured].toarray() == foreign.cells[:, names].X.toarray()).all()
    assert own.X[:, ~measured].nnz == 0
    assert set(task.unmeasured["foreign"]) == set(target.cells.var_names[:LACKING]) & set(
        task.train.genes
    )


def test_effects_of_foreign_conditions_are_those_of_the_foreign_screen(target, foreign):
    """Equal to an own computation, and unknown where a gene was not measured."""
    task = pooled(target, foreign, data="target+foreign").question.task
    effects = training_effects(task)
    row = effects.conditions.index[effects.conditions["context"] == "context-2 of foreign"][3]
    perturbation = effects.conditions.loc[row, "perturbation"]
    depth = foreign.cells.obs["total_counts"].to_numpy()
    in_context = (foreign.cells.obs["context"] == "context-2").to_numpy()
    for gene, delta in zip(task.train.genes, effects.delta[row], strict=True):
        if gene in task.unmeasured["foreign"]:
            assert np.isnan(delta)
            continue
        counts = foreign.cells[:, gene].X.toarray().ravel()
        values = np.log1p(counts / depth * task.train.target_sum)
        labels = foreign.cells.obs["perturbation"].to_numpy()
        perturbed, control = (
            values[in_context & (labels == name)].mean() for name in (perturbation, CONTROL)
        )
        assert delta == pytest.approx(perturbed - control, abs=1e-5)


@pytest.mark.parametrize("name", ["perturbed-mean", "context-transfer", "ridge", "knn", "random"])
@pytest.mark.parametrize("data", ["target+foreign", "foreign"])
def test_models_answer_numbers_where_genes_are_unmeasured(target, foreign, name, data):
    task = pooled(target, foreign, data=data).question.task
    model = find_model(name).make(seed=0)
    model.fit(task)
    prediction = model.predict(task.query)
    assert np.isfinite(prediction.X).all()


def test_gene_that_no_screen_tells_of_stays_as_it_is_in_controls(target, foreign):
    task = pooled(target, foreign, data="foreign").question.task
    model = find_model("context-transfer").make(seed=0)
    model.fit(task)
    silent = ~task.is_measured("foreign")
    assert silent.any()
    delta = model.predict(task.query).X - task.query.control_mean
    assert (delta[:, silent] == 0).all()
    assert (delta[:, ~silent] != 0).any()


def test_shuffled_labels_keep_the_shared_response_and_lose_who_did_what(target, foreign):
    plain, shuffled = (
        training_effects(pooled(target, foreign, data=data).question.task)
        for data in ("target+foreign", "target+shuffled")
    )
    contexts = ["context-1 of foreign", "context-2 of foreign"]
    np.testing.assert_allclose(plain.shared(contexts), shuffled.shared(contexts), atol=1e-12)
    assert plain.conditions.equals(shuffled.conditions)
    is_foreign = plain.conditions["context"].isin(contexts).to_numpy()
    assert (plain.delta[~is_foreign] == shuffled.delta[~is_foreign]).all()
    known = ~np.isnan(plain.delta[0])
    same = np.isclose(plain.delta[is_foreign], shuffled.delta[is_foreign]).all(axis=1)
    assert not same.any()
    assert known.any()


def test_target_given_over_and_over_teaches_means_nothing_new(target, foreign):
    alone = asked(target, [foreign], "single").question.task
    again = pooled(target, foreign, data="target+target").question.task
    assert again.train.n > 2 * alone.train.n
    np.testing.assert_allclose(
        training_effects(again).delta, training_effects(alone).delta, atol=1e-6
    )
    assert int((~again.is_foreign).sum()) == alone.train.n


def test_steps_are_counted_in_the_target_s_own_cells_in_every_arm(target, foreign):
    split = make_splits(WORDS, target, seed=0, foreign=[foreign])[0]
    n = int((split.roles_of_cells(target) == "train").sum())
    sizes = {asked(target, [foreign], arm).question.task.epoch_cells for arm in ARMS}
    assert sizes == {n}


def test_trained_on_the_foreign_screen_alone_no_perturbed_cell_of_the_target_is_seen(
    target, foreign
):
    task = pooled(target, foreign, data="foreign").question.task
    assert task.is_foreign.all()
    assert task.val.n == 0
    assert task.query.controls.n > 0
    assert set(task.query.controls.obs["dataset"]) == {"target"}


def test_validation_cells_are_the_target_s(target, foreign):
    for arm in ("single", "merge-before"):
        val = asked(target, [foreign], arm).question.task.val
        assert set(val.obs["dataset"]) == {"target"}


def test_thinning_brings_deeper_screens_to_the_target_s_depth(target, foreign):
    plain, scaled = (
        pooled(target, foreign, data="target+foreign", scaling=scaling)
        for scaling in ("none", "thinned")
    )
    task = scaled.question.task
    before, after = (
        one.question.task.train.select(one.question.task.is_foreign) for one in (plain, scaled)
    )
    level = np.median(task.train.select(~task.is_foreign).obs["total_counts"])
    assert np.median(after.obs["total_counts"]) == pytest.approx(level, rel=0.03)
    assert np.median(before.obs["total_counts"]) > 3 * level
    assert (after.X.toarray() <= before.X.toarray()).all()
    is_own = ~task.is_foreign
    own = plain.question.task.train.select(is_own)
    assert fingerprint(own) == fingerprint(task.train.select(is_own))


def test_shallower_screens_are_left_as_they_are_and_flagged(target, foreign):
    words = {"data": "target+foreign", "scaling": "thinned"}
    found = asked(foreign, [target], "own", **words).question
    own = found.task.train.select(found.task.is_foreign)
    assert own.X.sum() == target.cells[:, own.genes].X.sum()
    assert any("shallower" in flag for flag in found.truth.origin.flags)


def test_panel_is_the_target_s_the_pooled_or_the_union(target, foreign):
    genes = {
        panel: set(pooled(target, foreign, panel=panel).question.task.train.genes)
        for panel in ("target", "pooled", "union")
    }
    alone = set(asked(target, [foreign], "single").question.task.train.genes)
    assert genes["target"] == alone
    assert genes["union"] > alone
    assert len(genes["pooled"]) == 30
    assert genes["pooled"] != alone
    assert not genes["pooled"] & set(target.cells.var_names[:LACKING])


def test_pooled_panel_is_chosen_as_if_all_cells_were_of_one_screen(target, foreign):
    """Equal to the rule on one stacked matrix of training cells, given controls and foreign."""
    from wildcell.scenarios.preprocess import choose_by_moments, moments_of_all

    alone = asked(target, [foreign], "single", words=replace(WORDS, genes="all")).question.task
    common = [gene for gene in target.cells.var_names if gene in foreign.cells.var_names]
    depth = foreign.cells.obs["total_counts"].to_numpy()
    scaled = foreign.cells[:, common].X.toarray() / depth[:, None] * alone.train.target_sum
    seen = alone.train.select(np.ones(alone.train.n, dtype=bool))
    columns = [list(seen.genes).index(gene) for gene in common]
    stacked = sparse.vstack([seen.lognorm[:, columns], sparse.csr_matrix(np.log1p(scaled))])
    chosen = choose_by_moments(moments_of_all(stacked.tocsr()), "hvg:30")
    expected = {gene for gene, is_chosen in zip(common, chosen, strict=True) if is_chosen}
    found = set(pooled(target, foreign, panel="pooled").question.task.train.genes)
    # validation cells are not among the training cells of either
    assert len(found & expected) >= 29


def test_genes_that_models_were_not_given_are_judged_as_no_change(target, foreign):
    from wildcell.judge import Judge
    from wildcell.metrics.headline import find_metrics
    from wildcell.scenarios.answer import to_truth

    question = pooled(target, foreign, panel="pooled").question
    task, truth = question
    assert truth.unseen_genes
    model = find_model("perturbed-mean").make(seed=0)
    model.fit(task)
    answer = to_truth(model.predict(task.query), truth)
    assert list(answer.genes) == list(truth.test.genes)
    unseen = np.isin(truth.test.genes, truth.unseen_genes)
    _, control = truth.given.control_moments()
    np.testing.assert_allclose(
        answer.X[:, unseen], np.repeat(control.mean[:, unseen], len(answer.obs), axis=0), atol=1e-6
    )
    assert (np.abs(answer.X[:, ~unseen] - control.mean[:, ~unseen]) > 1e-6).any()
    scores = Judge(truth, find_metrics(["effect_r2", "pearson_delta"])).score(
        model.predict(task.query)
    )
    assert set(scores["status"]) == {"ok"}
    assert any("judged as no change" in flag for flag in truth.origin.flags)


def test_predicted_cells_are_completed_with_given_controls(target, foreign):
    from wildcell.names import Expression, Kind
    from wildcell.scenarios.answer import to_truth
    from wildcell.scenarios.prediction import Prediction

    task, truth = pooled(target, foreign, panel="pooled").question
    condition = task.query.conditions[CONDITION].iloc[[0] * 7].reset_index(drop=True)
    cells = Prediction(
        np.ones((7, len(task.train.genes))),
        condition,
        task.train.genes,
        Kind.CELLS,
        Expression.LOGNORM,
        task.train.target_sum,
    )
    answer = to_truth(cells, truth)
    unseen = np.isin(truth.test.genes, truth.unseen_genes)
    np.testing.assert_allclose(
        answer.X[:, unseen].toarray(), truth.given.lognorm[:7][:, unseen].toarray()
    )
    assert (answer.X[:, ~unseen].toarray() == 1).all()


def test_smaller_share_of_foreign_data_is_part_of_a_larger_one(target, foreign):
    for unit in ("conditions", "cells"):
        rows = []
        for share in (0.2, 0.5, 1.0):
            words = {"data": "target+foreign", "share": share, "unit": unit}
            task = pooled(target, foreign, **words).question.task
            own = task.train.select(task.is_foreign & ~task.train.is_control)
            rows.append({tuple(row) for row in own.X.toarray()})
        assert rows[0] < rows[1] < rows[2]
        assert len(rows[0]) == pytest.approx(0.2 * len(rows[2]), rel=0.15)


def test_nearest_contexts_come_first(target, foreign):
    def used(order):
        words = {"data": "target+foreign", "share": 0.5, "order": order}
        return pooled(target, foreign, **words).split.tables["foreign_conditions"]

    nearest, farthest = used("nearest-contexts"), used("farthest-contexts")
    distance = nearest.groupby("context")["distance"].first()
    assert distance["context-1"] < distance["context-2"]  # the target is context-1
    assert set(nearest.loc[nearest["is_used"], "context"]) == {"context-1"}
    assert set(farthest.loc[farthest["is_used"], "context"]) == {"context-2"}


def test_nearest_perturbations_come_first(target, foreign):
    words = {"data": "target+foreign", "share": 0.25, "order": "nearest-perturbations"}
    found = pooled(target, foreign, **words)
    table = found.split.tables["foreign_conditions"]
    tested = set(found.question.truth.conditions["perturbation"])
    assert set(table.loc[table["distance"] == 0, "perturbation"]) == tested
    used = table["is_used"]
    assert table.loc[used, "distance"].max() <= table.loc[~used, "distance"].min()


def test_perturbations_cannot_be_ordered_without_features(target, foreign):
    bare = [screen.cells.copy() for screen in (target, foreign)]
    for cells in bare:
        del cells.uns[UNS]["features"]
    target, foreign = Dataset("target", bare[0]), Dataset("foreign", bare[1])
    with pytest.raises(OptionError, match="ordered by features"):
        pooled(target, foreign, data="target+foreign", order="nearest-perturbations")


def test_what_is_held_out_can_be_dropped_from_foreign_screens(target, foreign):
    task, truth = pooled(target, foreign, data="target+foreign", held_out="drop").question
    held_out = set(truth.conditions["perturbation"]) | set(task.val.obs["perturbation"])
    foreign_cells = task.train.select(task.is_foreign & ~task.train.is_control)
    assert not held_out & set(foreign_cells.obs["perturbation"])
    assert foreign_cells.n > 0


def test_shared_perturbations_alone_are_asked_about(target, foreign):
    names = sorted(set(foreign.conditions["perturbation"]))
    is_known = ~foreign.cells.obs["perturbation"].isin(names[:4])
    some = Dataset("foreign", foreign.cells[is_known.to_numpy()].copy())
    splits = make_splits(WORDS, target, seed=0, arm="transfer", foreign=[some])
    tested = [name for split in splits for name in split.conditions_in("test")["perturbation"]]
    assert sorted(tested) == names[4:]
    assert len(splits) == 4
    nothing = Dataset("foreign", foreign.cells[foreign.is_control].copy())
    with pytest.raises(SplitError, match="No tested perturbation of target is in foreign"):
        make_splits(WORDS, target, seed=0, arm="transfer", foreign=[nothing])


def test_category_says_in_every_arm_what_was_measured_elsewhere(target, foreign):
    names = sorted(set(foreign.conditions["perturbation"]))
    is_known = ~foreign.cells.obs["perturbation"].isin(names[:4])
    some = Dataset("foreign", foreign.cells[is_known.to_numpy()].copy())
    for arm in ("single", "merge-before", "unmeasured"):
        splits = make_splits(WORDS, target, seed=0, arm=arm, foreign=[some])
        tested = pd.concat([split.conditions_in("test") for split in splits])
        of_name = tested.set_index("perturbation")["category"]
        assert set(of_name[names[:4]]) == {"single"}
        assert set(of_name[names[4:]]) == {"single, elsewhere"}


def test_principal_components_are_fitted_on_all_that_is_seen(target, foreign):
    words = replace(WORDS, embedding="pca:5")
    for arm in ("single", "merge-before", "target-panel-twice"):
        task, truth = asked(target, [foreign], arm, words=words).question
        assert task.train.embedding.shape == (task.train.n, 5)
        assert task.query.controls.embedding.shape[1] == truth.test.embedding.shape[1] == 5
        seen = task.train.embedding[task.is_foreign]
        assert not task.is_foreign.any() or np.isfinite(seen).all()


def test_embeddings_made_elsewhere_are_each_screen_s_own(target, foreign):
    screens = []
    for number, screen in enumerate((target, foreign)):
        cells = screen.cells.copy()
        cells.obsm["X_own"] = np.full((cells.n_obs, 2), float(number))
        screens.append(Dataset(screen.name, cells))
    words = replace(WORDS, embedding="obsm:X_own")
    task = asked(screens[0], screens[1:], "merge-after", words=words).question.task
    assert (task.train.embedding[:, 0] == task.is_foreign).all()
    assert (task.query.controls.embedding == 0).all()


def test_tables_tell_depths_genes_and_conditions(target, foreign):
    tables = asked(target, [foreign], "merge-after-scaled").split.tables
    screens = tables["screens"].set_index("screen")
    assert screens.loc["foreign", "n_genes_shared"] == 80 - LACKING
    assert screens.loc["foreign", "median_depth"] > 3 * screens.loc["target", "median_depth"]
    assert screens.loc["foreign", "median_depth_scaled"] == pytest.approx(
        screens.loc["target", "median_depth"], rel=0.05
    )
    depths = tables["depths"]
    counted = depths.groupby(["screen", "stage"])["n_cells"].sum()
    assert counted["foreign", "before"] == counted["foreign", "after"] == foreign.cells.n_obs
    genes = tables["gene_sets"].set_index(["kind", "datasets"])["n_genes"]
    assert genes["measured", "target"] == LACKING
    assert genes["measured", "target & foreign"] == 80 - LACKING
    chosen = genes["chosen"]
    assert sum(n for names, n in chosen.items() if "target" in names.split(" & ")) == 30
    assert tables["foreign_conditions"]["is_used"].all()


def copies_of_tested(target, foreign, arm, *, share=1.0):
    """Return a foreign screen of which three cells are, thinned, tested cells of the target."""
    split = make_splits(WORDS, target, seed=0, arm=arm, foreign=[foreign])[0]
    rows = np.flatnonzero(split.roles_of_cells(target) == "test")[:3]
    cells = foreign.cells.copy()
    X = cells.X.toarray()
    copied = target.cells[rows][:, cells.var_names].X.toarray().astype(int)
    X[:3] = np.random.default_rng(0).binomial(copied, share)
    cells.X = sparse.csr_matrix(X)
    cells.obs["total_counts"] = X.sum(axis=1, dtype=float)
    return Dataset("foreign", cells)


@pytest.fixture(scope="module")
def wide():
    """Screens with genes enough for copies to be told from chance."""
    options = {"n_combinations": 0, "n_genes": 400, "n_cells": 12, "dispersion": 0.3}
    target = toy_screen(n_contexts=1, depth=2000, **options)
    foreign = toy_screen(n_contexts=1, depth=8000, cell_seed=3, **options)
    return named(target, "target"), named(foreign, "foreign")


@pytest.mark.parametrize("arm", ["merge-before", "merge-after", "merge-before-scaled", "transfer"])
@pytest.mark.parametrize("share", [1.0, 0.8])
def test_foreign_cells_that_are_copies_of_tested_ones_stop_the_question(wide, arm, share):
    target, foreign = wide
    words = replace(WORDS, genes="hvg:300")
    clean = make_splits(words, target, seed=0, arm=arm, foreign=[foreign])[0]
    assert not [
        flag
        for flag in ask(target, clean, words, foreign=[foreign]).question.truth.origin.flags
        if flag.startswith("audit")
    ]
    leaky = copies_of_tested(target, foreign, arm, share=share)
    split = make_splits(words, target, seed=0, arm=arm, foreign=[leaky])[0]
    with pytest.raises(SplitError, match="3 test cells are"):
        ask(target, split, words, foreign=[leaky])


def test_perturbation_under_another_name_in_a_foreign_screen_counts_where_none_was_claimed(
    target, foreign
):
    """Foreign cells of what is held out are trained on by intent, unless they are to be dropped."""
    words = replace(
        WORDS,
        arms={
            "keep": {"pool": {"data": "target+foreign"}},
            "drop": {"pool": {"data": "target+foreign", "held_out": "drop"}},
        },
        default_arm="keep",
    )
    tested = make_splits(words, target, seed=0)[0].conditions_in("test")["perturbation"].iloc[0]
    cells = foreign.cells.copy()
    alias = f"{tested}_guide2"
    cells.obs["perturbation"] = cells.obs["perturbation"].astype(str).replace(tested, alias)
    parts = cells.uns[UNS]["components"]
    cells.uns[UNS] = {**cells.uns[UNS], "components": parts.replace(tested, alias)}
    renamed = Dataset("foreign", cells)
    kept = make_splits(words, target, seed=0, arm="keep", foreign=[renamed])[0]
    assert ask(target, kept, words, foreign=[renamed]).question.task.train.n
    dropped = make_splits(words, target, seed=0, arm="drop", foreign=[renamed])[0]
    with pytest.raises(SplitError, match="under another name"):
        ask(target, dropped, words, foreign=[renamed])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda cells: cells.uns[UNS].update(expression="lognorm"), DataError, "not on one scale"),
        (
            lambda cells: setattr(cells, "var_names", [f"X{n}" for n in range(cells.n_vars)]),
            DataError,
            "no genes in common",
        ),
    ],
)
def test_screens_that_cannot_be_pooled_are_refused(target, foreign, change, error, message):
    cells = foreign.cells.copy()
    cells.uns[UNS] = dict(cells.uns[UNS])
    change(cells)
    with pytest.raises(error, match=message):
        pooled(target, Dataset("foreign", cells), data="target+foreign")


def test_arm_that_needs_foreign_data_says_so(target):
    with pytest.raises(OptionError, match=r"asks for foreign data .*none are named"):
        asked(target, [], "merge-before")


def test_two_screens_of_one_name_are_refused(target, foreign):
    with pytest.raises(OptionError, match="Two of the data sets are called 'target'"):
        pooled(target, named(foreign, "target"), data="target+foreign")


def test_one_foreign_perturbation_has_no_label_to_shuffle(target, foreign):
    name = foreign.conditions["perturbation"].iloc[0]
    keep = foreign.cells.obs["perturbation"].isin([name, CONTROL]).to_numpy()
    one = Dataset("foreign", foreign.cells[keep].copy())
    with pytest.raises(OptionError, match="cannot be shuffled"):
        pooled(target, one, data="target+shuffled")


def test_perturbations_of_another_modality_under_one_name_are_flagged(target, foreign):
    cells = foreign.cells.copy()
    cells.obs["modality"] = "crispra"
    flags = pooled(target, Dataset("foreign", cells), data="target+foreign").question.truth.origin
    assert any("another modality: crispra, not crispri" in flag for flag in flags.flags)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"data": "both"}, "pool.data is 'both'"),
        ({"share": 0.0}, "pool.share must be"),
        ({"share": True}, "pool.share must be"),
        ({"unit": "cells", "order": "nearest-contexts"}, "which orders conditions"),
        ({"asked": "shared", "held_out": "drop"}, "choose one"),
        ({"panle": "union"}, r"unknown key 'panle'. Did you mean 'panel'"),
    ],
)
def test_words_of_a_pool_that_cannot_be_are_named(words, message):
    with pytest.raises(OptionError, match=message):
        Pooling().changed(words)


def test_depth_is_brought_down_as_a_shallower_experiment_would_show_it(foreign):
    """Thinned counts of a deep screen vary as those of a shallow one do: variance is the mean's."""
    from wildcell.scenarios.depth import thinned_to
    from wildcell.scenarios.panel import every_gene

    options = {
        "n_contexts": 1,
        "n_combinations": 0,
        "depth_spread": 0.0,
        "dispersion": 0.0,
        "batch_strength": 0.0,
        "n_controls": 2000,
        "n_perturbations": 1,
    }
    deep, shallow = (
        every_gene(one, seen=one.is_control).take(one.is_control)
        for one in (toy_screen(depth=d, cell_seed=s, **options) for d, s in ((3000, 1), (600, 2)))
    )
    thinned = thinned_to(
        deep, float(np.median(shallow.obs["total_counts"])), np.random.default_rng(0)
    )
    for values in (np.asarray(thinned.X.todense()), np.asarray(shallow.X.todense())):
        mean, variance = values.mean(axis=0), values.var(axis=0)
        assert variance[mean > 1] / mean[mean > 1] == pytest.approx(1, abs=0.2)
    np.testing.assert_allclose(thinned.X.mean(axis=0), shallow.X.mean(axis=0), rtol=0.15, atol=0.1)


def test_library_size_beyond_the_genes_at_hand_is_thinned_with_them(foreign):
    from wildcell.scenarios.depth import thinned_to
    from wildcell.scenarios.panel import every_gene
    from wildcell.scenarios.task import cells_on

    whole = every_gene(foreign, seen=foreign.is_control).take(foreign.is_control)
    part = cells_on(whole, whole.genes[:20])
    thinned = thinned_to(part, 1000.0, np.random.default_rng(0))
    assert np.median(thinned.obs["total_counts"]) == pytest.approx(1000, rel=0.03)
    share = thinned.X.sum() / part.X.sum()
    assert share == pytest.approx(1000 / np.median(part.obs["total_counts"]), rel=0.05)


def test_task_folder_keeps_what_models_need_to_know(target, foreign, tmp_path):
    from wildcell.scenarios.folder import read_task, truth_from, write_question

    question, split = asked(target, [foreign], "merge-before")
    write_question(question, split, task_folder=tmp_path / "t", truth=tmp_path / "truth.h5ad")
    task = read_task(tmp_path / "t")
    assert task.epoch_cells == question.task.epoch_cells
    assert task.target == "target"
    assert (task.is_foreign == question.task.is_foreign).all()
    truth = truth_from(ad.read_h5ad(tmp_path / "truth.h5ad"))
    assert truth.unseen_genes == question.truth.unseen_genes
    assert truth.origin.pool["panel"] == "pooled"
