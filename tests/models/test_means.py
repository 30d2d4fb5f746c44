"""The naive models, against their formulas computed by brute force on a tiny screen."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from wildcell.errors import DataError, OptionError
from wildcell.models.effects import training_effects
from wildcell.models.means import (
    Additive,
    ContextTransfer,
    MatchingMean,
    NoChange,
    PerturbedMean,
)
from wildcell.models.negative import Random, Shuffled
from wildcell.names import CONTROL, Expression, Kind
from wildcell.scenarios.task import Cells, Query, Task
from wildcell.store.fingerprint import fingerprint

MODELS = [NoChange, PerturbedMean, ContextTransfer, Additive, MatchingMean, Shuffled, Random]
TRAIN = [("c0", "A"), ("c0", "B"), ("c0", "A+B"), ("c1", "A"), ("c1", "C")]
VAL = [("c1", "D")]
ASKED = [("c0", "C"), ("c0", "A+C"), ("c1", "A"), ("c2", "B"), ("c2", "A+B"), ("c2", "E+D")]
TARGET_SUM = 1000.0


def cells_of(conditions, *, seed, n_genes=6, n_cells=8, groups=None):
    """Return random counts of some conditions, and of the controls of their contexts."""
    rng = np.random.default_rng(seed)
    contexts = sorted({context for context, _ in conditions})
    rows = [*[(context, CONTROL) for context in contexts], *conditions]
    obs = pd.DataFrame(
        [row for row in rows for _ in range(n_cells)], columns=["context", "perturbation"]
    )
    obs["control_group"] = obs["context"] if groups is None else obs["context"].map(groups)
    obs["batch"], obs["replicate"] = "b", "r"
    means = rng.gamma(2.0, 2.0, (len(rows), n_genes)).repeat(n_cells, axis=0)
    counts = rng.negative_binomial(5, 5 / (5 + means)).astype(np.float32)
    obs["total_counts"] = counts.sum(axis=1) + 40.0
    genes = np.array([f"g{i}" for i in range(n_genes)], dtype=object)
    return Cells(sparse.csr_matrix(counts), genes, obs, Expression.COUNTS, TARGET_SUM)


def components_of(conditions):
    parts = [
        (key, name, None, "", None)
        for key in dict.fromkeys(key for _, key in conditions)
        for name in key.split("+")
    ]
    return pd.DataFrame(parts, columns=["perturbation", "component", "dose", "unit", "time"])


def query_of(conditions, *, components=None, seed=3, n_genes=6):
    table = pd.DataFrame(conditions, columns=["context", "perturbation"])
    table["control_group"], table["category"] = table["context"], ""
    given = cells_of(conditions, seed=seed, n_genes=n_genes)
    if components is None:
        components = components_of([*conditions, *TRAIN, *VAL])
    return Query(table, given.select(given.is_control), components)


def tiny_task(**options):
    return Task(
        train=cells_of(TRAIN, seed=1, **options),
        val=cells_of(VAL, seed=2, **options),
        query=query_of(ASKED, **options),
    )


def profile(cells, context, perturbation):
    """Return the mean log values of a condition, from the counts themselves."""
    rows = (cells.obs["context"] == context) & (cells.obs["perturbation"] == perturbation)
    total = cells.obs["total_counts"].to_numpy()[:, None]
    values = np.log1p(cells.X.toarray() / total * cells.target_sum)
    return values[rows.to_numpy()].mean(axis=0)


@pytest.fixture
def task():
    return tiny_task()


@pytest.fixture
def delta(task):
    """The training deltas, by condition."""
    sides = [(task.train, TRAIN), (task.val, VAL)]
    return {
        (context, key): profile(cells, context, key) - profile(cells, context, CONTROL)
        for cells, conditions in sides
        for context, key in conditions
    }


@pytest.fixture
def shared(delta):
    """The perturbed mean of each context; c2 was not trained on."""
    c0 = np.mean([delta["c0", "A"], delta["c0", "B"], delta["c0", "A+B"]], axis=0)
    c1 = np.mean([delta["c1", "A"], delta["c1", "C"], delta["c1", "D"]], axis=0)
    return {"c0": c0, "c1": c1, "c2": (c0 + c1) / 2}


def assert_deltas(model, task, expected):
    model.fit(task)
    control = [profile(task.query.controls, context, CONTROL) for context, _ in ASKED]
    wanted = np.maximum(np.array(control) + np.array(expected), 0)
    np.testing.assert_allclose(model.predict(task.query).X, wanted, atol=1e-6)


def test_no_change_answers_with_the_given_controls_to_the_bit(task):
    model = NoChange()
    model.fit(task)
    assert np.array_equal(model.predict(task.query).X, task.query.control_mean)


def test_perturbed_mean_weighs_conditions_within_a_context_and_contexts_among_each_other(
    task, shared
):
    assert_deltas(PerturbedMean(), task, [shared[context] for context, _ in ASKED])


def test_context_transfer_prefers_the_own_context_then_others_then_the_perturbed_mean(
    task, delta, shared
):
    expected = [
        delta["c1", "C"],
        shared["c0"],
        delta["c1", "A"],
        delta["c0", "B"],
        delta["c0", "A+B"],
        shared["c2"],
    ]
    assert_deltas(ContextTransfer(), task, expected)


def test_additive_sums_singles_and_takes_the_mean_of_singles_for_one_that_is_missing(task, delta):
    singles = {
        "c0": np.mean([delta["c0", "A"], delta["c0", "B"]], axis=0),
        "c1": np.mean([delta["c1", "A"], delta["c1", "C"], delta["c1", "D"]], axis=0),
    }
    missing = (singles["c0"] + singles["c1"]) / 2
    a_elsewhere = (delta["c0", "A"] + delta["c1", "A"]) / 2
    expected = [
        delta["c1", "C"],
        delta["c0", "A"] + delta["c1", "C"],
        delta["c1", "A"],
        delta["c0", "B"],
        a_elsewhere + delta["c0", "B"],
        missing + delta["c1", "D"],
    ]
    assert_deltas(Additive(), task, expected)


def test_matching_mean_averages_singles_and_the_perturbed_mean_for_one_that_is_missing(
    task, delta, shared
):
    a_elsewhere = (delta["c0", "A"] + delta["c1", "A"]) / 2
    expected = [
        delta["c1", "C"],
        (delta["c0", "A"] + delta["c1", "C"]) / 2,
        delta["c1", "A"],
        delta["c0", "B"],
        (a_elsewhere + delta["c0", "B"]) / 2,
        (shared["c2"] + delta["c1", "D"]) / 2,
    ]
    assert_deltas(MatchingMean(), task, expected)


def dosed_task(*, asked_dose):
    components = pd.DataFrame(
        [
            ("X1", "X", 1.0, "uM", np.nan),
            ("X10", "X", 10.0, "uM", np.nan),
            ("Y", "Y", np.nan, "", np.nan),
            ("XY", "X", asked_dose, "uM", np.nan),
            ("XY", "Y", np.nan, "", np.nan),
        ],
        columns=["perturbation", "component", "dose", "unit", "time"],
    )
    conditions = [("c0", "X1"), ("c0", "X10"), ("c0", "Y")]
    train = cells_of(conditions, seed=5)
    val = train.select(np.zeros(train.n, dtype=bool))
    return Task(train, val, query_of([("c0", "XY")], components=components))


def test_additive_takes_the_component_at_the_dose_that_is_asked_for():
    task = dosed_task(asked_dose=10.0)
    model = Additive()
    model.fit(task)
    control = profile(task.train, "c0", CONTROL)
    expected = profile(task.train, "c0", "X10") + profile(task.train, "c0", "Y") - 2 * control
    np.testing.assert_allclose(model.deltas(task.query)[0], expected, atol=1e-6)


def test_additive_does_not_take_one_dose_for_another():
    task = dosed_task(asked_dose=3.0)
    model = Additive()
    model.fit(task)
    control = profile(task.train, "c0", CONTROL)
    singles = [profile(task.train, "c0", key) - control for key in ("X1", "X10", "Y")]
    np.testing.assert_allclose(
        model.deltas(task.query)[0], np.mean(singles, axis=0) + singles[2], atol=1e-6
    )


def test_additive_falls_back_to_the_perturbed_mean_where_nothing_was_seen_alone():
    train = cells_of([("c0", "A+B")], seed=5)
    task = Task(train, train.select(train.is_control), query_of([("c0", "A+C")]))
    model = Additive()
    model.fit(task)
    expected = 2 * (profile(train, "c0", "A+B") - profile(train, "c0", CONTROL))
    np.testing.assert_allclose(model.deltas(task.query)[0], expected, atol=1e-6)


def test_a_condition_split_between_train_and_val_has_the_mean_over_all_its_cells():
    cells = cells_of([("c0", "A")], seed=6, n_cells=9)
    treated = np.cumsum(~cells.is_control)
    task = Task(
        cells.select(cells.is_control | (treated <= 3)),
        cells.select(cells.is_control | (treated > 3)),
        query_of([("c0", "A")]),
    )
    expected = profile(cells, "c0", "A") - profile(cells, "c0", CONTROL)
    np.testing.assert_allclose(training_effects(task).delta, [expected], atol=1e-6)


def test_shuffled_answers_with_training_deltas_and_draws_them_all(task, delta):
    model = Shuffled()
    model.fit(task)
    answers = []
    for model.seed in range(20):
        answers.extend(model.deltas(task.query))
    known = np.array(list(delta.values()))
    nearest = [np.abs(known - answer).max(axis=1) for answer in answers]
    assert max(distances.min() for distances in nearest) < 1e-6
    assert {int(distances.argmin()) for distances in nearest} == set(range(len(known)))


def test_random_is_as_large_as_the_training_deltas_gene_by_gene(task, delta):
    model = Random()
    model.fit(task)
    draws = []
    for model.seed in range(400):
        draws.append(model.deltas(task.query))
    drawn = np.concatenate(draws)
    size = np.sqrt(np.mean([value**2 for value in delta.values()], axis=0))
    has_room = (task.query.control_mean > 3 * size).all(axis=0)
    assert has_room.any()
    np.testing.assert_allclose(drawn.std(axis=0)[has_room], size[has_room], rtol=0.07)
    assert (np.abs(drawn.mean(axis=0)) < 4 * size / np.sqrt(len(drawn))).all()


def test_random_never_goes_below_no_expression_and_is_cut_alike_above(task):
    model = Random(seed=1)
    model.fit(task)
    assert (np.abs(model.deltas(task.query)) <= task.query.control_mean).all()


@pytest.mark.parametrize("make", [Shuffled, Random])
def test_what_is_drawn_for_a_condition_does_not_depend_on_what_else_is_asked(make, task):
    model = make(seed=4)
    model.fit(task)
    some = np.array([False, True, False, True, True, False])
    whole, part = model.deltas(task.query), model.deltas(task.query.select(some))
    assert np.array_equal(whole[some], part)


@pytest.mark.parametrize("make", [Shuffled, Random])
def test_a_negative_seed_is_refused(make):
    with pytest.raises(OptionError, match="0 or more; it is -1"):
        make(seed=-1)


@pytest.mark.parametrize("make", MODELS)
def test_the_whole_query_is_answered_in_its_order_and_the_task_left_unchanged(make, task):
    before = fingerprint(task)
    model = make(seed=1)
    model.fit(task)
    prediction = model.predict(task.query)
    assert prediction.X.shape == (len(ASKED), 6)
    assert np.isfinite(prediction.X).all()
    assert prediction.kind is Kind.MEAN
    assert list(prediction.obs.itertuples(index=False, name=None)) == ASKED
    assert fingerprint(task) == before


@pytest.mark.parametrize("make", MODELS)
def test_the_same_seed_gives_the_same_answer(make, task):
    answers = []
    for _ in range(2):
        model = make(seed=7)
        model.fit(task)
        answers.append(model.predict(task.query).X)
    assert np.array_equal(*answers)


@pytest.mark.parametrize("make", MODELS)
def test_one_gene_one_perturbation_and_no_validation_cells_will_do(make):
    train = cells_of([("c0", "A")], seed=1, n_genes=1)
    task = Task(
        train,
        train.select(np.zeros(train.n, dtype=bool)),
        query_of([("c1", "B")], n_genes=1),
    )
    model = make()
    model.fit(task)
    assert np.isfinite(model.predict(task.query).X).all()


@pytest.mark.parametrize("make", MODELS)
def test_a_query_of_no_condition_has_an_answer_of_no_rows(make, task):
    model = make()
    model.fit(task)
    nothing = task.query.select(np.zeros(len(ASKED), dtype=bool))
    assert model.predict(nothing).X.shape == (0, 6)


def test_a_condition_without_controls_is_named():
    cells = cells_of(TRAIN, seed=1)
    orphaned = cells.select(~(cells.is_control & (cells.obs["context"] == "c1").to_numpy()))
    task = Task(orphaned, cells_of(VAL, seed=2), query_of(ASKED))
    with pytest.raises(DataError, match=r"\(c1, A\) has no controls: its control group is 'c1'"):
        PerturbedMean().fit(task)


def test_a_task_without_perturbed_cells_is_refused(task):
    controls = task.train.select(task.train.is_control)
    with pytest.raises(DataError, match="no perturbed cells"):
        PerturbedMean().fit(Task(controls, controls, task.query))


def test_a_perturbation_without_components_is_named(task):
    query = query_of(ASKED, components=components_of(TRAIN))
    model = Additive()
    model.fit(task)
    with pytest.raises(DataError, match=r"'A\+C' has no components"):
        model.predict(query)


def test_deltas_are_taken_against_the_controls_of_the_control_group():
    groups = {"c0": "plate", "c1": "plate"}
    cells = cells_of([("c0", "A"), ("c1", "A")], seed=8, groups=groups)
    task = Task(cells, cells.select(cells.is_control), query_of([("c0", "A")]))
    control = (profile(cells, "c0", CONTROL) + profile(cells, "c1", CONTROL)) / 2
    expected = [profile(cells, context, "A") - control for context in ("c0", "c1")]
    np.testing.assert_allclose(training_effects(task).delta, expected, atol=1e-6)
