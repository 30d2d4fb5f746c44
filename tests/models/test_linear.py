"""Models on features: their formulas by brute force, and planted effects that they must find."""

from math import inf

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.spatial.distance import cdist

from wildcell.errors import DataError, OptionError, PredictionError
from wildcell.models.design import learn_design
from wildcell.models.linear import ALPHAS, Bilinear, Knn, Ridge
from wildcell.models.means import PerturbedMean
from wildcell.models.model import MODELS, Ability, Input
from wildcell.models.regression import (
    believable,
    left_out_neighbours_errors,
    left_out_ridge_errors,
    ridge_coefficients,
)
from wildcell.names import CONTROL, Expression
from wildcell.scenarios.task import Cells, Query, Task
from wildcell.store.fingerprint import fingerprint

LINEAR = [Bilinear, Ridge, Knn]
N_GENES = 30


def screen(delta_of, *, noise=0.0, seed=0, n_cells=4):
    """Return log values of some conditions and of controls, `delta_of[context, key]` apart."""
    rng = np.random.default_rng(seed)
    contexts = sorted({context for context, _ in delta_of})
    n_genes = len(next(iter(delta_of.values())))
    base = {context: rng.uniform(2, 4, n_genes) for context in contexts}
    rows = [((context, CONTROL), base[context]) for context in contexts]
    rows += [(condition, base[condition[0]] + delta) for condition, delta in delta_of.items()]
    obs = pd.DataFrame(
        [condition for condition, _ in rows for _ in range(n_cells)],
        columns=["context", "perturbation"],
    )
    obs["control_group"], obs["total_counts"] = obs["context"], np.nan
    values = np.repeat([profile for _, profile in rows], n_cells, axis=0)
    values = values + noise * rng.standard_normal(values.shape)
    genes = np.array([f"g{i}" for i in range(n_genes)], dtype=object)
    return Cells(sparse.csr_matrix(values), genes, obs, Expression.LOGNORM)


def components_of(keys):
    parts = [(key, name.split("@")[0]) for key in dict.fromkeys(keys) for name in key.split("+")]
    return pd.DataFrame(parts, columns=["perturbation", "component"]).assign(
        dose=np.nan, unit="", time=np.nan
    )


def task_of(trained, asked, *, features, noise=0.0, seed=0):
    """Return a task; `trained` has the deltas, by condition, `asked` conditions."""
    train = screen(trained, noise=noise, seed=seed)
    zero = {(context, "none"): np.zeros(len(train.genes)) for context, _ in asked}
    given = screen(zero, seed=seed + 1)
    conditions = pd.DataFrame(asked, columns=["context", "perturbation"])
    conditions["control_group"], conditions["category"] = conditions["context"], ""
    components = components_of([key for _, key in [*trained, *asked]])
    query = Query(conditions, given.select(given.is_control), components, features)
    return Task(train, train.select(train.is_control), query)


class Planted:
    """Deltas that are linear in the features: a shared response of each context, and the rest."""

    def __init__(self, *, n=40, n_features=3, seed=0, n_genes=N_GENES):
        rng = np.random.default_rng(seed)
        self.names = [f"g{i}" for i in range(n)]
        spread = rng.uniform(0.5, 20, n_features)
        scores = rng.standard_normal((n, n_features))
        self.features = pd.DataFrame(scores * spread + 5, index=self.names)
        self.effect = dict(
            zip(self.names, scores @ rng.normal(0, 0.2, (n_features, n_genes)), strict=True)
        )
        self.shared = {context: rng.normal(0, 0.3, n_genes) for context in ("c0", "c1")}

    def delta(self, context, key):
        return sum(self.shared[context] + self.effect[name] for name in key.split("+"))

    def deltas(self, keys, contexts=("c0", "c1")):
        return {(context, key): self.delta(context, key) for context in contexts for key in keys}

    def shuffled(self, seed):
        order = np.random.default_rng(seed).permutation(len(self.names))
        return self.features.set_axis(self.features.index[order])


def error(model, task, truth):
    model.fit(task)
    return float(((model.deltas(task.query) - truth) ** 2).mean())


def unseen_task(planted, *, features, noise=0.05, n_train=30, seed=0):
    trained = planted.deltas(planted.names[:n_train])
    asked = planted.deltas(planted.names[n_train:])
    task = task_of(trained, list(asked), features=features, noise=noise, seed=seed)
    return task, np.array(list(asked.values()))


@pytest.mark.parametrize(("make", "at_most"), [(Ridge, 0.1), (Bilinear, 0.1), (Knn, 0.7)])
def test_a_planted_linear_effect_is_recovered_on_unseen_perturbations(make, at_most):
    planted = Planted()
    task, truth = unseen_task(planted, features=planted.features)
    assert error(make(), task, truth) < at_most * error(PerturbedMean(), task, truth)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("make", [Ridge, Knn])
def test_shuffled_features_are_no_better_than_the_perturbed_mean(make, seed):
    planted = Planted(seed=seed)
    task, truth = unseen_task(planted, features=planted.shuffled(seed + 100), seed=seed)
    assert error(make(), task, truth) >= 0.95 * error(PerturbedMean(), task, truth)


def test_ridge_mostly_chooses_an_infinite_penalty_on_shuffled_features():
    chosen = []
    for seed in range(20):
        planted = Planted(seed=seed, n_genes=10)
        task, _ = unseen_task(planted, features=planted.shuffled(seed + 100), seed=seed)
        model = Ridge()
        model.fit(task)
        chosen.append(model.chosen_alpha)
    assert np.mean([alpha == inf for alpha in chosen]) >= 0.7


def unbalanced_task():
    """Contexts with different perturbations, one of them not trained on."""
    planted = Planted()
    trained = {
        **planted.deltas(planted.names[:12], contexts=["c0"]),
        **planted.deltas(planted.names[8:15], contexts=["c1"]),
    }
    asked = [("c0", "g20"), ("c1", "g21"), ("c2", "g3")]
    return task_of(trained, asked, features=planted.features, noise=0.1)


def test_ridge_with_an_infinite_penalty_is_the_perturbed_mean_to_the_bit():
    task = unbalanced_task()
    ridge, mean = Ridge(alpha=inf), PerturbedMean()
    ridge.fit(task)
    mean.fit(task)
    assert np.array_equal(ridge.predict(task.query).X, mean.predict(task.query).X)


def standardised(features, trained):
    table = features.to_numpy()
    known = features.loc[trained].to_numpy()
    return (table - known.mean(axis=0)) / known.std(axis=0) / np.sqrt(table.shape[1])


def one_context(n_train=12, noise=0.3):
    """A single context, so that residuals are plain deviations from the mean delta."""
    planted = Planted(n=16)
    trained = planted.deltas(planted.names[:n_train], contexts=["c0"])
    asked = [("c0", name) for name in planted.names[n_train:]]
    task = task_of(trained, asked, features=planted.features, noise=noise)
    control = task.train.X[task.train.is_control].toarray().mean(axis=0)
    of_cell = task.train.obs["perturbation"].to_numpy()
    deltas = [
        task.train.X[of_cell == name].toarray().mean(axis=0) - control
        for name in planted.names[:n_train]
    ]
    rows = standardised(planted.features, planted.names[:n_train])
    return task, np.array(deltas), rows[:n_train], rows[n_train:]


def test_ridge_solves_the_normal_equations():
    task, deltas, known, new = one_context()
    model = Ridge(alpha=2.0)
    model.fit(task)
    mean = deltas.mean(axis=0)
    gram = known.T @ known + 2.0 * np.eye(known.shape[1])
    expected = mean + new @ np.linalg.inv(gram) @ known.T @ (deltas - mean)
    np.testing.assert_allclose(model.deltas(task.query), expected, atol=1e-6)


def test_bilinear_solves_for_w_with_a_ridge_on_both_sides():
    task, deltas, known, new = one_context()
    model = Bilinear(n_components=4, penalty=0.3)
    model.fit(task)
    b = deltas.mean(axis=0)
    Y = (deltas - b).T
    left, sizes, _ = np.linalg.svd(Y, full_matrices=False)
    G = left[:, :4] * sizes[:4]
    W = np.linalg.inv(G.T @ G + 0.3 * np.eye(4)) @ G.T @ Y @ known
    W = W @ np.linalg.inv(known.T @ known + 0.3 * np.eye(known.shape[1]))
    np.testing.assert_allclose(model.deltas(task.query), (G @ W @ new.T).T + b, atol=1e-6)


def test_knn_averages_the_nearest_training_perturbations():
    task, deltas, known, new = one_context()
    model = Knn(k=3)
    model.fit(task)
    nearest = np.argsort(cdist(new, known), axis=1)[:, :3]
    expected = [deltas[rows].mean(axis=0) for rows in nearest]
    np.testing.assert_allclose(model.deltas(task.query), expected, atol=1e-6)


def test_knn_of_more_neighbours_than_there_are_is_the_perturbed_mean():
    task, deltas, _, _ = one_context()
    model = Knn(k=1000)
    model.fit(task)
    np.testing.assert_allclose(model.deltas(task.query), [deltas.mean(axis=0)] * 4, atol=1e-6)


def test_bilinear_uses_the_loadings_of_the_perturbed_genes_where_there_are_no_features():
    n, rng = 30, np.random.default_rng(0)
    loadings = rng.standard_normal((n, 2))
    effect = 0.2 * loadings @ loadings.T
    trained = {("c0", f"g{i}"): effect[i] for i in range(25)}
    asked = [("c0", f"g{i}") for i in range(25, n)]
    task = task_of(trained, asked, features=None, noise=0.02)
    mean_error = error(PerturbedMean(), task, effect[25:])
    assert error(Bilinear(n_components=2), task, effect[25:]) < 0.2 * mean_error


def test_bilinear_learns_from_perturbations_without_targets_among_the_genes_too():
    planted = Planted(n_genes=25)
    task, truth = unseen_task(planted, features=None, n_train=20)
    among = task.query.conditions["perturbation"].isin(task.train.genes).to_numpy()
    model = Bilinear()
    model.fit(task)
    assert np.isfinite(model.deltas(task.query.select(among))).all()
    assert 0 < among.sum() < len(truth)


@pytest.mark.parametrize("make", LINEAR)
def test_components_add_up_where_only_singles_were_trained_on(make):
    planted = Planted()
    trained = planted.deltas(planted.names[:20], contexts=["c0"])
    asked = [("c0", "g25"), ("c0", "g25+g25")]
    model = make()
    task = task_of(trained, asked, features=planted.features, noise=0.05)
    model.fit(task)
    single, twice = model.deltas(task.query)
    np.testing.assert_allclose(twice, 2 * single, atol=1e-9)


@pytest.mark.parametrize("make", [Ridge, Bilinear])
def test_different_components_add_up_too(make):
    planted = Planted()
    trained = planted.deltas(planted.names[:20], contexts=["c0"])
    asked = [("c0", "g25"), ("c0", "g26"), ("c0", "g25+g26")]
    model = make()
    task = task_of(trained, asked, features=planted.features, noise=0.05)
    model.fit(task)
    one, other, both = model.deltas(task.query)
    np.testing.assert_allclose(both, one + other, atol=1e-9)


@pytest.mark.parametrize("make", [Ridge, Bilinear])
def test_the_shared_response_grows_with_size_as_combinations_in_training_show(make):
    planted = Planted(n=40)
    singles, pairs = planted.names[:20], [f"g{i}+g{i + 1}" for i in range(0, 20, 2)]
    trained = planted.deltas([*singles, *pairs], contexts=["c0"])
    asked = planted.deltas(["g30+g31", "g33", "g34+g38"], contexts=["c0"])
    task = task_of(trained, list(asked), features=planted.features, noise=0.02)
    truth = np.array(list(asked.values()))
    assert error(make(), task, truth) < 0.1 * error(PerturbedMean(), task, truth)


@pytest.mark.parametrize("make", LINEAR)
def test_doses_of_one_component_are_one_perturbation(make):
    """Leaving out one dose while another stays would make features look better than they are."""
    planted = Planted()
    plain = planted.deltas(planted.names[:10], contexts=["c0"])
    dosed = {("c0", f"{key}@{dose}"): delta for (_, key), delta in plain.items() for dose in "123"}
    answers = []
    for trained in (plain, dosed):
        task = task_of(trained, [("c0", "g30")], features=planted.features)
        model = make()
        model.fit(task)
        answers.append(model.deltas(task.query))
    np.testing.assert_allclose(*answers, atol=1e-9)


def test_units_of_features_do_not_matter():
    planted = Planted()
    scaled = planted.features * [1e-6, 1.0, 1e6] + 3.0
    answers = []
    for features in (planted.features, scaled):
        task, _ = unseen_task(planted, features=features)
        model = Ridge(alpha=1.0)
        model.fit(task)
        answers.append(model.deltas(task.query))
    np.testing.assert_allclose(*answers, atol=1e-7)


def test_a_feature_that_does_not_vary_in_training_is_passed_over():
    features = pd.DataFrame({"x": [1.0, 2.0, 3.0], "y": [5.0, 5.0, 9.0]}, index=list("abc"))
    design = learn_design([("a",), ("b",)], features)
    assert design.rows([("c",)], features)[0, 1] == 0


def test_left_out_errors_of_ridge_equal_those_of_refitting():
    rng = np.random.default_rng(0)
    rows, values = rng.standard_normal((9, 4)), rng.standard_normal((9, 5))
    rows -= rows.mean(axis=0)
    expected = []
    for out in range(9):
        kept = np.arange(9) != out
        center, mean = rows[kept].mean(axis=0), values[kept].mean(axis=0)
        coefficients = ridge_coefficients(rows[kept] - center, values[kept] - mean, penalty=0.7)
        predicted = mean + (rows[out] - center) @ coefficients
        expected.append(((values[out] - predicted) ** 2).sum())
    np.testing.assert_allclose(left_out_ridge_errors(rows, values, [0.7])[0], expected)


def test_left_out_errors_of_an_infinite_penalty_are_those_of_the_mean_of_the_others():
    values = np.random.default_rng(0).standard_normal((6, 3))
    others = (values.sum(axis=0) - values) / 5
    expected = ((values - others) ** 2).sum(axis=1)
    rows = np.arange(6.0)[:, None] - 2.5
    np.testing.assert_allclose(left_out_ridge_errors(rows, values, [inf])[0], expected)
    np.testing.assert_allclose(left_out_neighbours_errors(rows, values, [5])[0], expected)


def test_two_perturbations_are_too_few_to_believe_in_features():
    assert believable(np.array([[0.0, 0.0], [1.0, 1.0]])) == 1


@pytest.mark.parametrize("make", LINEAR)
def test_one_gene_one_perturbation_one_condition_will_do(make):
    features = pd.DataFrame({"x": [1.0, 2.0]}, index=["g0", "h"])
    task = task_of({("c0", "g0"): np.array([0.5])}, [("c1", "h")], features=features)
    model = make()
    model.fit(task)
    np.testing.assert_allclose(model.deltas(task.query), [[0.5]], atol=1e-6)


@pytest.mark.parametrize("make", LINEAR)
def test_the_same_answer_is_given_twice_and_the_task_left_unchanged(make):
    task = unbalanced_task()
    before, answers = fingerprint(task), []
    for _ in range(2):
        model = make(seed=3)
        model.fit(task)
        answers.append(model.predict(task.query).X)
    assert np.array_equal(*answers)
    assert answers[0].shape == (3, N_GENES)
    assert fingerprint(task) == before


@pytest.mark.parametrize("make", [Ridge, Knn])
def test_a_query_without_features_is_refused(make):
    task = task_of({("c0", "g0"): np.ones(3)}, [("c0", "g1")], features=None)
    with pytest.raises(DataError, match="no features"):
        make().fit(task)


@pytest.mark.parametrize("make", LINEAR)
def test_training_without_any_featured_perturbation_is_refused(make):
    features = pd.DataFrame({"x": [1.0]}, index=["other"])
    task = task_of({("c0", "g0"): np.ones(3)}, [("c0", "g1")], features=features)
    with pytest.raises(DataError, match="No perturbation trained on has features"):
        make().fit(task)


@pytest.mark.parametrize("make", LINEAR)
def test_a_component_without_features_is_named(make):
    planted = Planted()
    trained = planted.deltas(planted.names[:5])
    features = planted.features.drop(index="g7")
    task = task_of(trained, [("c0", "g7")], features=features)
    model = make()
    model.fit(task)
    with pytest.raises(PredictionError, match="Component 'g7' has no features"):
        model.predict(task.query)


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (Bilinear, {"n_components": 0}),
        (Bilinear, {"n_components": 2.5}),
        (Bilinear, {"penalty": 0}),
        (Ridge, {"alpha": -1.0}),
        (Ridge, {"alpha": float("nan")}),
        (Ridge, {"alpha": "much"}),
        (Knn, {"k": 0}),
    ],
)
def test_an_option_out_of_range_is_named(make, options):
    with pytest.raises(OptionError, match=next(iter(options))):
        make(**options)


@pytest.mark.parametrize("name", ["bilinear", "ridge", "knn"])
def test_what_does_not_depend_on_the_dose_does_not_answer_for_unseen_doses(name):
    card = MODELS.get(name)
    assert card.answers == frozenset(Ability) - {Ability.UNSEEN_DOSE}
    assert card.needs <= {Input.FEATURES, Input.FEATURES_OR_TARGETS}
    assert card.needs


def test_penalties_tried_end_with_the_perturbed_mean():
    assert list(ALPHAS) == sorted(ALPHAS)
    assert ALPHAS[-1] == inf
