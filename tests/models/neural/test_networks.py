"""What each network promises: planted effects found, formulas by brute force, declared limits."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

from wildcell.errors import DataError, OptionError
from wildcell.models.answer import unanswerable
from wildcell.models.model import MODELS, Ability, Input
from wildcell.names import Kind
from wildcell.scenarios.pose import pose
from wildcell.scenarios.scenario import load_scenario
from wildcell.scenarios.split import make_splits
from wildcell.testing import toy_questions as make_toy_questions
from wildcell.testing import toy_screen

torch = pytest.importorskip("torch", reason="torch is not installed")
NETWORKS = [name for name in MODELS.names() if MODELS.get(name).extra == "torch"]
toy_questions = cache(make_toy_questions)
QUICK = {"max_steps": 150, "n_checks": 10, "lr": 1e-3, "n_controls": 64}


@cache
def question(scenario="unseen-context", **options):
    screen = toy_screen(
        n_cells=40, interaction_strength=0.0, specific_strength=0.4, n_perturbations=12, **options
    )
    words = load_scenario(scenario)
    return pose(screen, make_splits(words, screen, seed=0)[0], words)


def means(prediction):
    if prediction.kind is Kind.MEAN:
        return np.asarray(prediction.X)
    rows, _ = pd.factorize(pd.MultiIndex.from_frame(prediction.obs))
    table = pd.DataFrame(prediction.X.toarray()).groupby(rows).mean()
    return table.to_numpy()


@cache
def fitted(name, scenario="unseen-context", **options):
    model = MODELS.get(name).make(seed=0, **{**QUICK, **options})
    model.fit(question(scenario).task)
    return model


def explained(model, scenario="unseen-context"):
    """Return the share of the squared true deltas that is predicted."""
    task, truth = question(scenario)
    query = task.query
    found = means(model.predict(query)) - query.control_mean
    conditions, measured = truth.test.condition_moments()
    groups, kept = truth.kept.control_moments()
    delta = measured.mean - kept.mean[groups.get_indexer(conditions["control_group"])]
    keys = [pd.MultiIndex.from_frame(table[["context", "perturbation"]])
            for table in (conditions, query.conditions)]  # fmt: skip
    delta = delta[keys[0].get_indexer(keys[1])]
    return 1 - ((found - delta) ** 2).sum() / (delta**2).sum()


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_beats_no_change_on_an_unseen_context(name):
    assert explained(fitted(name)) > 0.2


@pytest.mark.parametrize("name", NETWORKS)
def test_without_features_only_what_was_trained_on_is_answered(name):
    card = MODELS.get(name)
    assert Input.FEATURES_OF_UNSEEN in card.needs
    bare = {}
    for asked in ("unseen-context", "unseen-perturbation"):
        task = toy_questions()[asked].task
        bare[asked] = replace(task, query=replace(task.query, features=None))
    assert (unanswerable(card, bare["unseen-context"]) == "").all()
    reasons = set(unanswerable(card, bare["unseen-perturbation"]))
    assert reasons == {"needs features of components not trained on"}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_perturbation_without_features_is_left_out_and_the_others_are_answered(name):
    task = question("unseen-perturbation").task
    lost = task.query.conditions["perturbation"].iloc[0]
    query = replace(task.query, features=task.query.features.drop(lost))
    reasons = unanswerable(MODELS.get(name), replace(task, query=query))
    is_lost = task.query.conditions["perturbation"] == lost
    assert ((reasons != "") == is_lost).all()
    model = MODELS.get(name).make(seed=0, max_steps=1)
    own = replace(task, query=query.select((reasons == "").to_numpy()))
    model.fit(own)
    assert len(means(model.predict(own.query))) == (~is_lost).sum()


@pytest.mark.parametrize("name", NETWORKS)
def test_defaults_fit_a_cpu_and_the_paper_has_its_own_sizes(name):
    from wildcell.models.neural.neural_model import Shape

    card = MODELS.get(name)
    model = card.make(seed=0)
    assert 0.1e6 < n_parameters(model, Shape(2000, 2000, 50, 4)) < 4e6
    assert card.make(seed=0, preset="paper").max_steps >= 40_000 or name == "gears"
    assert model.anchored
    assert not card.make(seed=0, preset="paper").anchored


def n_parameters(model, shape):
    task = toy_questions()["unseen-context"].task
    from wildcell.models.neural.material import prepare

    model.place = torch.device("cpu")
    model.start(prepare(task, np.random.default_rng(0)))
    return sum(p.numel() for part in model.build(shape).values() for p in part.parameters())


def test_linear_additive_on_one_hot_adds_what_the_perturbation_did_elsewhere():
    task = question().task
    features = replace(task, query=replace(task.query, features=None))
    model = MODELS.get("linear-additive").make(seed=0, **{**QUICK, "max_steps": 600})
    model.fit(features)
    found = means(model.predict(features.query)) - task.query.control_mean
    transfer = MODELS.get("context-transfer").make(seed=0)
    transfer.fit(task)
    wanted = transfer.deltas(task.query)
    assert np.corrcoef(found.ravel(), wanted.ravel())[0, 1] > 0.9


def test_a_combination_is_the_sum_of_its_parts_to_linear_additive():
    task = question("unseen-combination").task
    model = MODELS.get("linear-additive").make(seed=0, **{**QUICK, "max_steps": 50})
    model.fit(task)
    parts = task.query.components
    pair = parts["perturbation"][parts["perturbation"].duplicated()].iloc[0]
    single = parts.loc[parts["perturbation"] == pair, "component"].tolist()
    asked = task.query.conditions.iloc[:1]
    conditions = pd.concat([asked.assign(perturbation=key) for key in [pair, *single]])
    query = replace(task.query, conditions=conditions.reset_index(drop=True))
    both, first, second = model.predict(query).X - query.control_mean
    free = (np.array([both, first, second]) > -query.control_mean[0] + 1e-6).all(axis=0)
    assert np.allclose(both[free], (first + second)[free], atol=1e-4)


def test_decoder_only_sees_no_control_state_and_latent_additive_does():
    def spread(name):
        model = fitted(name)
        task = question().task
        from wildcell.models.neural.material import ask_examples

        examples = ask_examples(task.query, model.encoding, model.contexts)
        controls = examples.controls.of(0)[:8]
        batch = examples.batch(np.zeros(8, dtype=int), controls, None, device=model.place)
        with torch.no_grad():
            return float(model.respond(batch).std(dim=0).max())

    assert spread("decoder-only") < 1e-6
    assert spread("latent-additive") > 1e-3


def test_energy_distance_is_that_of_its_definition():
    from wildcell.models.neural.state import energy_distance

    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(6, 4)), rng.normal(size=(6, 4)) + 1
    wanted = 2 * cdist(first, second).mean() - cdist(first, first).mean()
    wanted = (wanted - cdist(second, second).mean()) / 2
    found = energy_distance(torch.tensor(first)[None], torch.tensor(second)[None])
    assert float(found) == pytest.approx(wanted, abs=1e-3)
    assert float(energy_distance(torch.tensor(first)[None], torch.tensor(first)[None])) == 0


def test_state_matches_the_spread_of_cells_better_with_its_distance_than_with_squared_errors():
    truth = question().truth
    task = question().task
    wanted = truth.test.lognorm.toarray().var(axis=0)

    def spread_error(distance):
        model = fitted("state", distance=distance)
        found = model.predict(task.query).X.toarray().var(axis=0)
        return float(np.abs(found - wanted).mean())

    assert spread_error("energy") < spread_error("squared")


def test_state_answers_with_cells_and_others_do_when_told_to():
    task = question().task
    assert fitted("state").predict(task.query).kind is Kind.CELLS
    cells = fitted("prnet", answers_cells=True).predict(task.query)
    assert cells.kind is Kind.CELLS
    own = fitted("prnet").predict(task.query)
    assert np.abs(means(cells) - own.X).max() < 0.3
    with pytest.raises(OptionError, match="distance is one of"):
        MODELS.get("state").make(seed=0, distance="mmd")


def test_messages_of_gears_come_from_the_most_similar_others():
    from wildcell.models.neural.gears import _nearest

    nodes = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [-1.0, 0.0]])
    weights = _nearest(nodes[:1], nodes, 1)
    assert weights.tolist() == [[0.0, 1.0, 0.0, 0.0]]


def with_graph(task, pairs):
    graph = pd.DataFrame(pairs, columns=["component", "neighbour"]).assign(weight=1.0)
    return replace(task, query=replace(task.query, graph=graph))


def neighbours_in(model, task):
    """Return the components from which each asked one is sent messages, by its name."""
    from wildcell.models.neural.material import ask_examples

    examples = ask_examples(task.query, model.encoding, model.contexts)
    rows = np.arange(len(task.query.conditions))
    controls = np.array([examples.controls.of(row)[0] for row in examples.control_group[rows]])
    batch = examples.batch(rows, controls, None, device=model.place)
    joined = model._joined(batch).numpy() > 0
    return {name: set(model.names[row]) for name, row in zip(batch.components, joined, strict=True)}


def test_gears_takes_its_neighbours_of_components_from_the_given_graph():
    task = question("unseen-perturbation").task
    names = sorted(set(task.query.components["component"]))
    pairs = [(names[i], names[i - step]) for i in range(1, len(names)) for step in (1, 2)]
    told = with_graph(task, pairs)
    model, usual = (MODELS.get("gears").make(seed=0, **{**QUICK, "max_steps": 20}) for _ in "ab")
    model.fit(told)
    usual.fit(task)
    asked = neighbours_in(model, told)
    assert set(asked) <= set(names)
    for name, found in asked.items():
        assert found == {other for one, other in pairs if one == name}
    assert asked != neighbours_in(usual, task)
    assert not np.array_equal(model.predict(told.query).X, usual.predict(task.query).X)


def test_gears_refuses_a_graph_that_joins_nothing_it_knows():
    task = with_graph(question("unseen-perturbation").task, [("elsewhere", "nowhere")])
    with pytest.raises(DataError, match="joins none of the"):
        MODELS.get("gears").make(seed=0, max_steps=1).fit(task)


@pytest.mark.parametrize("regressor", ["ridge", "mlp"])
def test_genepert_beats_the_perturbed_mean_on_unseen_perturbations(regressor):
    model = MODELS.get("genepert").make(seed=0, regressor=regressor)
    model.fit(question("unseen-perturbation").task)
    base = MODELS.get("perturbed-mean").make(seed=0)
    base.fit(question("unseen-perturbation").task)
    gain = explained(model, "unseen-perturbation") - explained(base, "unseen-perturbation")
    assert gain > 0.05


def with_doses():
    """Return a task that trains on the least and the largest of three doses, and asks of all."""
    task = question().task
    dosed = [f"drug@{dose}" for dose in (10, 100, 1000)]
    components = pd.DataFrame(
        {"perturbation": dosed, "component": "drug", "dose": [10.0, 100.0, 1000.0], "unit": "nM",
         "time": np.nan}
    )  # fmt: skip
    strong, weak = task.train.obs["perturbation"].value_counts().index[1:3]
    train = task.train.select(
        task.train.obs["perturbation"].isin(["control", strong, weak]).to_numpy()
    )
    names = {strong: dosed[2], weak: dosed[0]}
    train = replace(train, obs=train.obs.replace({"perturbation": names}))
    conditions = task.query.conditions.iloc[:3].assign(perturbation=dosed)
    query = replace(task.query, conditions=conditions, components=components, features=None)
    return replace(task, train=train, val=train, query=query)


def test_gears_declares_that_its_graph_has_no_doses():
    reasons = unanswerable(MODELS.get("gears"), with_doses())
    assert list(reasons) == ["", "cannot answer an unseen dose", ""]


def test_doses_between_those_trained_on_lie_between_their_answers():
    own = with_doses()
    assert Ability.UNSEEN_DOSE in MODELS.get("linear-additive").answers
    assert (unanswerable(MODELS.get("linear-additive"), own) == "").all()
    model = MODELS.get("linear-additive").make(seed=0, **QUICK)
    model.fit(own)
    low, middle, high = model.predict(own.query).X
    inside = (middle >= np.minimum(low, high) - 1e-3) & (middle <= np.maximum(low, high) + 1e-3)
    assert inside.all()
