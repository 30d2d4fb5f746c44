"""Every splitter keeps every law, on random tables of conditions; and its own promises."""

from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from wildcell.datasets.dataset import Component, Dataset, perturbation_key
from wildcell.errors import OptionError, SplitError
from wildcell.laws.law import LawBrokenError, obey, obey_all
from wildcell.laws.splitter import SPLITTER_LAWS, SplitCase, split_case
from wildcell.names import CONDITION, Expression, Role
from wildcell.scenarios.roles import blank_roles
from wildcell.scenarios.scenario import general_scenario_names, load_scenario
from wildcell.scenarios.split import (
    SPLITTERS,
    TOLD_OF_CELLS,
    Splitter,
    check_roles,
    divide,
    make_splits,
)
from wildcell.scenarios.task import Cells
from wildcell.testing import check_splitter, toy_screen, toy_screen_for

LAWS = {law.__name__: law for law in SPLITTER_LAWS}
shares = st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.9])
n_folds = st.sampled_from([-1, 0, 1, 2, 3, 7])
HELD_OUT = {"test_share": shares, "val_share": shares}
TREE = {
    "n_clusters": st.sampled_from([0, 0, 2, 3]),
    "linkage": st.sampled_from(["average", "ward"]),
    "metric": st.sampled_from(["euclidean", "euclidean", "cosine"]),
}


def features_of(seed, n_known):
    """Return features of the first components that a screen may have, some of them equal or 0."""
    values = np.random.default_rng(seed).integers(-2, 3, (n_known, 3))
    return pd.DataFrame(values, index=[f"P{number}" for number in range(n_known)], dtype=float)


OPTIONS = {
    "iid": HELD_OUT,
    "unseen-perturbation": {**HELD_OUT, "n_folds": n_folds},
    "unseen-context": {**HELD_OUT, "n_folds": n_folds},
    "unseen-combination": {
        **HELD_OUT,
        "n_folds": n_folds,
        "unseen_component_share": st.sampled_from([0.0, 0.1, 0.3, 0.9]),
        "val_component_share": st.sampled_from([0.0, 0.2]),
    },
    "few-shot": {
        **HELD_OUT,
        "n_folds": n_folds,
        "shots": st.sampled_from([0, 1, 2]),
        "most_shots": st.sampled_from([2, 3]),
    },
    "unseen-pair": {**HELD_OUT, "n_folds": n_folds},
    "perturbation-clusters": {
        **HELD_OUT,
        "n_folds": n_folds,
        "n_clusters": st.sampled_from([0, 2, 4, 20]),
        "linkage": st.sampled_from(["average", "complete", "single"]),
        "metric": st.sampled_from(["cosine", "correlation", "euclidean", "jaccard"]),
        "lacking": st.sampled_from(["refuse", "alone", "leave-out"]),
        "placebo": st.booleans(),
        "features": st.builds(features_of, st.integers(0, 99), st.sampled_from([12, 12, 5, 0])),
    },
    "unseen-both": {**HELD_OUT, "n_folds": n_folds, "context_share": shares},
    "unseen-dose": {
        "side": st.sampled_from(["inside", "above", "below"]),
        "n_folds": n_folds,
        "val_share": shares,
    },
    "context-clusters": {**HELD_OUT, **TREE, "n_folds": n_folds},
    "context-relatives": {
        **TREE,
        "relation": st.sampled_from(["near", "far", "placebo-near", "placebo-far"]),
        "max_contexts": st.sampled_from([0, 1, 3]),
        "val_share": shares,
    },
    "context-distance": {
        "distance": st.sampled_from(["near", "middle", "far"]),
        "metric": TREE["metric"],
    },
}
varied = settings(max_examples=60, deadline=None, derandomize=True, database=None)


@st.composite
def screens(draw, fewest_pairs=0):
    """Return a random table of conditions, and that of the components."""
    n_contexts, n_singles = draw(st.integers(1, 6)), draw(st.integers(1, 12))
    n_pairs = draw(st.integers(fewest_pairs, 8))
    measured = draw(st.sampled_from([1.0, 0.8, 0.4]))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    names = [f"P{number}" for number in range(max(n_singles, 2))]
    doses = draw(st.sampled_from([[None], [0.1, 10.0], [1.0, 3.0, 10.0, 100.0], [5.0, None, 0.0]]))
    parts = [[Component(name, dose)] for name in names[:n_singles] for dose in doses]
    parts += [
        [Component(name, doses[0]) for name in rng.choice(names, 2, replace=False)]
        for _ in range(n_pairs)
    ]
    of_key = {perturbation_key(both): both for both in parts}
    rows = [(f"C{context}", key) for context in range(n_contexts) for key in of_key]
    rows = [row for row in rows if rng.random() < measured] or rows[:1]
    table = pd.DataFrame(rows, columns=CONDITION).sort_values(CONDITION, ignore_index=True)
    table = table.assign(control_group=table["context"], modality="crispri", dataset="random")
    table["n_cells"] = rng.integers(1, 9, len(table))
    table["n_components"] = [len(of_key[key]) for key in table["perturbation"]]
    components = [
        (key, *part) for key in sorted(set(table["perturbation"])) for part in of_key[key]
    ]
    columns = ["perturbation", "component", "dose", "unit", "time"]
    return SimpleNamespace(table=table, components=pd.DataFrame(components, columns=columns))


@st.composite
def controls_of(draw, table):
    """Return controls of the contexts of a table, two each; of some there may be none."""
    groups = sorted(set(table["control_group"]))
    kind = draw(st.sampled_from(["expressed", "expressed", "embedded", "alike", "lacking"]))
    names = np.repeat(np.array(groups[1:] if kind == "lacking" else groups, dtype=object), 2)
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    values = rng.poisson(3.0, (len(names), 5)) + (0 if kind == "alike" else 1.0)
    X = np.ones_like(values) if kind == "alike" else values
    obs = pd.DataFrame({"context": names, "perturbation": "control", "control_group": names})
    return Cells(
        X=sparse.csr_matrix(X),
        genes=np.array([f"G{number}" for number in range(5)], dtype=object),
        obs=obs.assign(total_counts=X.sum(axis=1)),
        expression=Expression.COUNTS,
        target_sum=10.0,
        embedding=rng.normal(size=(len(names), 3)) if kind == "embedded" else None,
    )


@st.composite
def cases(draw, *names):
    """Return the application of a splitter with random options to a random screen."""
    rule = SPLITTERS.get(draw(st.sampled_from(names or SPLITTERS.names())))
    options = {key: draw(values) for key, values in OPTIONS[rule.name].items()}
    is_of_pairs = rule.name == "unseen-combination"
    screen = draw(screens(draw(st.sampled_from([4, 0])) if is_of_pairs else 0))
    table = screen.table
    if "controls" in rule.needs:
        options["controls"] = draw(controls_of(table))
    if rule.level == "cell":
        cells = table.loc[table.index.repeat(table["n_cells"]), TOLD_OF_CELLS]
        table = cells.reset_index(drop=True)
    return SplitCase(rule, table, screen.components, draw(st.integers(0, 99)), options)


def folds_or_none(case):
    """Return the folds, or None where the splitter says that it cannot."""
    division = division_or_none(case)
    return None if division is None else division.folds


def division_or_none(case):
    """Return the folds and tables, or None where the splitter says that it cannot."""
    rng = np.random.default_rng(case.seed)
    try:
        division = divide(case.rule, case.table, case.components, rng, **case.options)
        for fold in division.folds:
            check_roles(fold, case.table, case.rule)
    except (SplitError, OptionError):
        return None
    return division


def parts_of(case):
    return case.components.groupby("perturbation")["component"].agg(set).to_dict()


def in_role(case, fold, *roles):
    return case.table[fold["role"].isin(roles).to_numpy()]


def toy_screen_of_splitter(name, **options):
    """Return the toy screen of the shipped scenario with this splitter."""
    words = [load_scenario(scenario) for scenario in general_scenario_names()]
    scenarios = [one for one in words if one.splitter == name]
    return toy_screen_for(scenarios[0], **options) if scenarios else toy_screen(**options)


@varied
@given(cases())
def test_splitter_keeps_the_laws_or_refuses(case):
    if folds_or_none(case) is not None:
        obey_all(SPLITTER_LAWS, case, called=f"splitter {case.rule.name!r}")


@pytest.mark.parametrize("name", SPLITTERS.names())
def test_splitter_splits_most_screens_of_some_size(name):
    """Refusals must not make the law above an empty one."""
    for seed in range(5):
        screen = toy_screen_of_splitter(name, seed=seed, n_contexts=4)
        assert folds_or_none(split_case(SPLITTERS.get(name), screen, seed=seed)) is not None


@varied
@given(cases("unseen-context"))
def test_unseen_context_trains_on_no_context_it_tests_and_on_every_perturbation_it_asks(case):
    for fold in folds_or_none(case) or []:
        train, test = (in_role(case, fold, role) for role in (Role.TRAIN, Role.TEST))
        val = in_role(case, fold, Role.VAL)
        assert not set(test["context"]) & (set(train["context"]) | set(val["context"]))
        assert not set(val["context"]) & set(train["context"])
        assert set(test["perturbation"]) <= set(train["perturbation"])


@varied
@given(cases("context-clusters"))
def test_context_clusters_trains_on_no_cluster_that_it_tests(case):
    division = division_or_none(case)
    if division is None:
        return
    cluster = division.tables["clusters"].set_index("context")["cluster"]
    for fold in division.folds:
        held_out = in_role(case, fold, Role.TEST)["context"].map(cluster)
        rest = in_role(case, fold, Role.TRAIN, Role.VAL)["context"].map(cluster)
        assert not set(held_out) & set(rest)


MATCHED = {
    "context-relatives": [
        {"relation": f"{prefix}{side}"} for prefix in ("", "placebo-") for side in ("near", "far")
    ],
    "context-distance": [{"distance": name} for name in ("near", "middle", "far")],
}


def sizes(case, fold, *roles):
    """Return the contexts, cells and conditions in some roles, and the contexts of each drug."""
    rows = in_role(case, fold, *roles)
    of_condition = rows.groupby(CONDITION).size()
    coverage = of_condition.groupby("perturbation").agg(["size", "sum"])
    return rows["context"].nunique(), len(rows), len(of_condition), coverage.to_dict()


@varied
@given(cases("context-relatives", "context-distance"))
def test_matched_arms_test_the_same_and_train_on_as_much_of_each_perturbation(case):
    choices = MATCHED[case.rule.name]
    groups = [choices[:2], choices[2:]] if len(choices) == 4 else [choices]
    for arms in groups:
        together = [replace(case, options={**case.options, **arm}) for arm in arms]
        every = [folds_or_none(one) for one in together]
        assert len({folds is None for folds in every}) == 1
        for folds in zip(*every, strict=True) if every[0] is not None else []:
            first, *others = folds
            for other in others:
                assert (first["role"] == Role.TEST).equals(other["role"] == Role.TEST)
                for role in (Role.TRAIN, Role.VAL):
                    assert sizes(case, first, role) == sizes(case, other, role)


@varied
@given(cases("context-relatives"))
def test_far_trains_on_no_relative_and_near_on_one_at_least(case):
    near, far = (
        division_or_none(replace(case, options={**case.options, "relation": relation}))
        for relation in ("near", "far")
    )
    if near is None:
        return
    cluster = near.tables["clusters"].set_index("context")["cluster"]
    for division, has_relatives in ((near, True), (far, False)):
        for fold in division.folds:
            (tested,) = set(in_role(case, fold, Role.TEST)["context"])
            trained = set(in_role(case, fold, Role.TRAIN, Role.VAL)["context"]) - {tested}
            assert (cluster[tested] in set(cluster[sorted(trained)])) == has_relatives


@varied
@given(cases("unseen-perturbation"))
def test_unseen_perturbation_trains_on_no_component_that_it_tests(case):
    parts = parts_of(case)
    for fold in folds_or_none(case) or []:
        tested = in_role(case, fold, Role.TEST)["perturbation"]
        held_out = set().union(*(parts[key] for key in tested))
        for key in in_role(case, fold, Role.TRAIN, Role.VAL)["perturbation"]:
            assert not parts[key] & held_out
        validated = in_role(case, fold, Role.VAL)["perturbation"]
        set_aside = set().union(*(parts[key] for key in validated))
        for key in in_role(case, fold, Role.TRAIN)["perturbation"]:
            assert not parts[key] & set_aside


@varied
@given(cases("unseen-perturbation"))
def test_unseen_perturbation_tests_singles_alone_each_once_in_all_folds(case):
    folds = folds_or_none(case) or []
    tested = [in_role(case, fold, Role.TEST) for fold in folds]
    assert all((table["n_components"] == 1).all() for table in tested)
    if len(folds) > 1:
        together = pd.concat(tested)[CONDITION]
        assert not together.duplicated().any()
        assert len(together) == (case.table["n_components"] == 1).sum()


@varied
@given(cases("unseen-combination"))
def test_unseen_combination_trains_on_no_combination_that_it_tests(case):
    parts = parts_of(case)
    for fold in folds_or_none(case) or []:
        train = set(in_role(case, fold, Role.TRAIN, Role.VAL)["perturbation"])
        test = in_role(case, fold, Role.TEST)
        assert not train & set(test["perturbation"])
        singles = test.loc[test["n_components"] == 1, "perturbation"]
        held_out = set().union(*(parts[key] for key in singles))
        assert not any(parts[key] & held_out for key in train)
        val = in_role(case, fold, Role.VAL)
        aside = set().union(
            *(parts[key] for key in val.loc[val["n_components"] == 1, "perturbation"])
        )
        assert not any(
            parts[key] & aside for key in in_role(case, fold, Role.TRAIN)["perturbation"]
        )


@varied
@given(cases("unseen-combination"))
def test_category_counts_the_components_that_were_not_trained_on_alone(case):
    parts = parts_of(case)
    for fold in folds_or_none(case) or []:
        trained = in_role(case, fold, Role.TRAIN)
        alone = [parts[key] for key in trained["perturbation"] if len(parts[key]) == 1]
        seen = set().union(*alone)
        for key, category in zip(case.table["perturbation"], fold["category"], strict=True):
            n_new = len(parts[key] - seen)
            assert category == ("single" if len(parts[key]) == 1 else f"combo-{n_new}")


@varied
@given(cases("perturbation-clusters"))
def test_no_component_of_a_cluster_that_is_tested_is_trained_on(case):
    parts = parts_of(case)
    for fold in folds_or_none(case) or []:
        rng = np.random.default_rng(case.seed)
        tables = divide(case.rule, case.table, case.components, rng, **case.options).tables
        cluster = tables["clusters"].set_index("component")["cluster"]
        tested = in_role(case, fold, Role.TEST)
        assert (tested["n_components"] == 1).all()
        held_out = {cluster[part] for key in tested["perturbation"] for part in parts[key]}
        for key in in_role(case, fold, Role.TRAIN, Role.VAL)["perturbation"]:
            assert not held_out & {cluster[part] for part in parts[key]}


@varied
@given(cases("perturbation-clusters"))
def test_component_without_features_is_refused_alone_or_left_out_as_asked(case):
    known = case.options["features"]
    is_blank = known.eq(known.iloc[:, 0] if case.options["metric"] == "correlation" else 0, axis=0)
    lacking = set(case.components["component"]) - set(known.index[~is_blank.all(axis=1)])
    folds = folds_or_none(case)
    assert not lacking or case.options["lacking"] != "refuse" or folds is None
    is_lacking = case.table["perturbation"].isin(
        case.components.loc[case.components["component"].isin(lacking), "perturbation"]
    )
    for fold in folds or []:
        is_left_out = fold["reason"] == "component without features"
        assert is_left_out.equals(is_lacking & (case.options["lacking"] == "leave-out"))


@varied
@given(cases("few-shot"))
def test_few_shot_sees_so_many_treatments_of_each_held_out_context_and_no_dose_of_another(case):
    parts = parts_of(case)
    treatment = case.table["perturbation"].map(lambda key: frozenset(parts[key]))
    for fold in folds_or_none(case) or []:
        is_train = fold["role"] == Role.TRAIN
        for role in (Role.TEST, Role.VAL):
            for context in set(in_role(case, fold, role)["context"]):
                here = case.table["context"] == context
                shots = set(treatment[here & is_train])
                asked = case.table[here & (fold["role"] == role)]
                assert len(shots) == case.options["shots"]
                assert not shots & set(treatment[asked.index])
                elsewhere = case.table.loc[is_train & ~here, "perturbation"]
                assert set(asked["perturbation"]) <= set(elsewhere)


@varied
@given(cases("few-shot"))
def test_more_shots_are_judged_on_the_same_and_see_what_fewer_see(case):
    options = {**case.options, "most_shots": 3}
    arms = [folds_or_none(replace(case, options={**options, "shots": k})) for k in range(4)]
    for folds in zip(*(arm or [] for arm in arms), strict=True):
        for fewer, more in pairwise(folds):
            is_seen, is_seen_too = ((fold["role"] == Role.TRAIN) for fold in (fewer, more))
            assert (is_seen <= is_seen_too).all()
            for role in (Role.TEST, Role.VAL):
                assert ((fewer["role"] == role) == (more["role"] == role)).all()


@varied
@given(cases("unseen-pair"))
def test_unseen_pair_trains_on_its_context_and_its_perturbation_and_never_on_both(case):
    parts = parts_of(case)
    for fold in folds_or_none(case) or []:
        train = in_role(case, fold, Role.TRAIN)
        seen = {(context, frozenset(parts[key])) for context, key in train[CONDITION].to_numpy()}
        apart = {(context, frozenset([part])) for context, both in seen for part in both}
        for context, key in in_role(case, fold, Role.TEST, Role.VAL)[CONDITION].to_numpy():
            assert context in set(train["context"])
            assert key in set(train["perturbation"])
            assert (context, frozenset(parts[key])) not in seen | apart


@varied
@given(cases("unseen-pair"))
def test_folds_of_pairs_test_none_twice(case):
    folds = folds_or_none(case) or []
    together = [in_role(case, fold, Role.TEST)[CONDITION] for fold in folds]
    assert not together or not pd.concat(together).duplicated().any()


@varied
@given(cases("unseen-both"))
def test_unseen_both_trains_on_neither_the_contexts_nor_the_components_that_it_tests(case):
    parts = parts_of(case)
    for fold in folds_or_none(case) or []:
        train, val, test = (in_role(case, fold, role) for role in ("train", "val", "test"))
        for seen, asked in ((train, test), (train, val), (val, test)):
            held_out = set().union(*(parts[key] for key in asked["perturbation"]))
            assert not set(seen["context"]) & set(asked["context"])
            assert not any(parts[key] & held_out for key in seen["perturbation"])
        assert (test["n_components"] == 1).all()


@varied
@given(cases("unseen-dose"))
def test_unseen_dose_is_trained_on_in_no_context_and_lies_where_it_is_said_to(case):
    dose_of = case.components.groupby("perturbation")[["component", "dose"]].first()
    for fold in folds_or_none(case) or []:
        train, test = (in_role(case, fold, role) for role in (Role.TRAIN, Role.TEST))
        assert (test["n_components"] == 1).all()
        assert not set(test["perturbation"]) & set(train["perturbation"])
        alone = train[train["n_components"] == 1].join(dose_of, on="perturbation")
        for _, row in test.join(dose_of, on="perturbation").iterrows():
            is_near = (alone["component"] == row["component"]) & (
                alone["context"] == row["context"]
            )
            others = alone.loc[is_near, "dose"]
            assert others.nunique() >= 2
            side = case.options["side"]
            assert (others < row["dose"]).any() == (side != "below")
            assert (others > row["dose"]).any() == (side != "above")


@varied
@given(cases("unseen-dose"))
def test_conditions_without_a_dose_are_left_out_of_unseen_doses(case):
    lacking = set(case.components.loc[~(case.components["dose"] > 0), "perturbation"])
    for fold in folds_or_none(case) or []:
        is_lacking = case.table["perturbation"].isin(lacking)
        assert (fold.loc[is_lacking, "reason"] == "without a dose").all()
        assert not (fold["reason"] == "without a dose")[~is_lacking].any()


@varied
@given(cases("iid"))
def test_iid_leaves_every_tested_condition_cells_to_train_on(case):
    for fold in folds_or_none(case) or []:
        table = case.table.assign(role=fold["role"])
        for _, cells in table.groupby(CONDITION):
            if (cells["role"] == Role.TEST).any():
                assert (cells["role"] == Role.TRAIN).any()


@pytest.mark.parametrize("scenario", general_scenario_names())
def test_roles_do_not_depend_on_expression(scenario):
    """But on that of controls, where the splitter of an arm says that it needs it."""
    screen, words = toy_screen_for(scenario, n_contexts=4), load_scenario(scenario)
    for arm in words.arms:
        needs = SPLITTERS.get(words.in_arm(arm).splitter).needs
        rows = ~screen.is_control if "controls" in needs else np.full(screen.cells.n_obs, True)
        both = (screen, Dataset("b", with_counts_shuffled(screen.cells, rows)))
        first, second = (make_splits(words, data, seed=3, arm=arm) for data in both)
        for one, two in zip(first, second, strict=True):
            assert (one.conditions["role"] == two.conditions["role"]).all()
            assert np.array_equal(one.cell_roles, two.cell_roles)


def with_counts_shuffled(cells, rows):
    """Return cells of which some have the counts of others, and of other genes."""
    other, counts = cells.copy(), cells.X.toarray()
    order = np.random.default_rng(0).permutation(np.flatnonzero(rows))
    counts[rows] = counts[order][:, ::-1]
    other.X = sparse.csr_matrix(counts)
    other.obs["total_counts"] = counts.sum(axis=1)
    return other


@pytest.mark.parametrize("scenario", general_scenario_names())
def test_split_adds_columns_to_the_conditions_and_changes_none(scenario):
    screen, words = toy_screen_for(scenario), load_scenario(scenario)
    before = screen.conditions.copy()
    for split in make_splits(words, screen, seed=0):
        pd.testing.assert_frame_equal(split.conditions[list(before.columns)], before)
    pd.testing.assert_frame_equal(screen.conditions, before)


def half(table, components, rng):
    """Hold out a random half."""
    roles = blank_roles(table, "any")
    roles.loc[rng.permutation(table.index)[: len(table) // 2], "role"] = str(Role.TEST)
    return [roles]


def half_of_the_names(table, components, rng):
    names = sorted(set(table["perturbation"]))
    roles = blank_roles(table, "any")
    roles.loc[table["perturbation"].isin(names[::2]), "role"] = str(Role.TEST)
    return [roles]


def by_global_generator(table, components, rng):
    return half(table, components, np.random.default_rng())


def without_the_last(table, components, rng):
    return [half(table, components, rng)[0].iloc[:-1]]


def with_a_role_of_its_own(table, components, rng):
    return [half(table, components, rng)[0].replace({"role": {"test": "holdout"}})]


def nothing_tested(table, components, rng):
    return [blank_roles(table, "any")]


def renamed_in_place(table, components, rng):
    table["perturbation"] = table["perturbation"].str.lower()
    return half_of_the_names(table, components, rng)


def unused_without_a_reason(table, components, rng):
    roles = half_of_the_names(table, components, rng)[0]
    roles.loc[table["context"] == table["context"].max(), "role"] = str(Role.UNUSED)
    return [roles]


@pytest.mark.parametrize(
    ("law", "divide"),
    [
        ("every_row_has_a_role", without_the_last),
        ("every_row_has_a_role", with_a_role_of_its_own),
        ("every_row_has_a_role", lambda *_: []),
        ("something_is_trained_on_and_tested", nothing_tested),
        ("same_seed_same_roles", by_global_generator),
        ("order_of_rows_does_not_matter", half),
        ("tables_are_left_unchanged", renamed_in_place),
        ("unused_says_why", unused_without_a_reason),
    ],
)
def test_law_catches_a_splitter_that_breaks_it(law, divide):
    case = split_case(Splitter("example", divide, "condition"), toy_screen(), seed=0)
    with pytest.raises(LawBrokenError, match="example"):
        obey(LAWS[law], case, called="splitter 'example'")


def test_splitter_of_a_plug_in_is_checked_unregistered():
    check_splitter(Splitter("names", half_of_the_names, "condition"))
    with pytest.raises(LawBrokenError, match=r"The splitter 'half' breaks a law: .* shuffled"):
        check_splitter(Splitter("half", half, "condition"))


def test_options_reach_the_splitter_that_is_checked():
    check_splitter("unseen-context", n_folds=-1)
    with pytest.raises(OptionError, match="test_share"):
        check_splitter("unseen-context", test_share=2.0)


def test_cells_of_a_condition_are_alike_to_the_law_of_order():
    """Which of its cells are held out may change with the order, how many may not."""
    case = split_case(SPLITTERS.get("iid"), toy_screen(n_cells=5), seed=0)
    obey(LAWS["order_of_rows_does_not_matter"], case, called="splitter 'iid'")
    uneven = replace(case, rule=Splitter("uneven", half, "cell"))
    with pytest.raises(LawBrokenError):
        obey(LAWS["order_of_rows_does_not_matter"], uneven, called="splitter 'uneven'")
