"""Every model keeps every law on every toy question, and every law catches one that breaks it."""

from copy import deepcopy
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy import sparse

from wildcell.laws.law import LawBrokenError, obey, sentence
from wildcell.laws.model import MODEL_LAWS, ModelCase
from wildcell.models.answer import asked_abilities, unanswerable
from wildcell.models.model import (
    EVERYTHING,
    MODELS,
    Ability,
    Input,
    ModelCard,
)
from wildcell.names import Expression, Kind
from wildcell.scenarios.pose import Question
from wildcell.scenarios.prediction import predicted_means
from wildcell.scenarios.scenario import general_scenario_names
from wildcell.testing import check_model, toy_questions

LAWS = {law.__name__: law for law in MODEL_LAWS}
QUESTIONS = cache(toy_questions)
TINY = [
    "unseen-context, two cells a condition",
    "unseen-context, one gene",
    "unseen-context, one perturbation",
    "unseen-context, one gene, one perturbation",
]


FEW_STEPS = {"max_steps": 2, "n_controls": 8}
"""Options of the networks: the laws hold for what has hardly learned."""


@cache
def case_of(name, question):
    card = MODELS.get(name)
    return ModelCase(card, QUESTIONS()[question], FEW_STEPS if card.extra else {})


@pytest.mark.parametrize("question", [*general_scenario_names(), *TINY])
@pytest.mark.parametrize("name", MODELS.names())
@pytest.mark.parametrize("law", LAWS)
def test_model_keeps_law(law, name, question):
    case = case_of(name, question)
    if not case.card.is_installed:
        pytest.skip(f"{case.card.extra} is not installed")
    if not case.is_answerable.any():
        reasons = set(unanswerable(case.card, case.question.task))
        beyond = {f"cannot answer an {kind}" for kind in set(Ability) - case.card.answers}
        assert reasons <= beyond, sorted(reasons)
        pytest.skip("; ".join(sorted(reasons)))
    obey(LAWS[law], case, called=f"model {name!r} on {question}")


@pytest.mark.parametrize("name", MODELS.names())
def test_model_of_features_can_answer_nothing_without_them_and_says_why(name):
    card = MODELS.get(name)
    task, truth = QUESTIONS()["unseen-perturbation"]
    bare = Question(replace(task, query=replace(task.query, features=None)), truth)
    reasons = unanswerable(card, bare.task)
    if Input.FEATURES not in card.needs:
        assert (reasons != "needs features").all()
        return
    assert (reasons == "needs features").all()
    if not card.is_installed:
        pytest.skip(f"{card.extra} is not installed")
    with pytest.raises(LawBrokenError, match=f"{name!r} declares that it can answer none of bare"):
        check_model(name, questions={"bare": bare})


def test_toy_questions_ask_for_every_kind_of_unseen():
    asked = {
        ability
        for question in QUESTIONS().values()
        for ability, rows in asked_abilities(question.task).items()
        if rows.any()
    }
    assert asked == set(Ability)


def test_tiny_questions_are_tiny():
    assert set(TINY) < set(QUESTIONS())
    for name in TINY:
        train = QUESTIONS()[name].task.train
        perturbed = train.select(~train.is_control)
        assert ("one gene" in name) == (len(train.genes) == 1)
        assert ("one perturbation" in name) == (perturbed.obs["perturbation"].nunique() == 1)
        sizes = perturbed.obs.groupby(["context", "perturbation"]).size()
        assert ("two cells" in name) == (sizes == 2).all()


class Silence:
    """Answers with the given controls; what is broken below is broken from it."""

    def __init__(self, *, seed):
        self.rng = np.random.default_rng(seed)

    def fit(self, task):
        self.task = task

    def predict(self, query):
        return self.change(predicted_means(query, query.control_mean))

    def change(self, prediction):
        return prediction


def changed(change):
    return type("Changed", (Silence,), {"change": staticmethod(change)})


class Mutating(Silence):
    def fit(self, task):
        super().fit(task)
        task.train.X.data += 1


class Normalising(Silence):
    """Works in place on the log values that everyone is given."""

    def fit(self, task):
        super().fit(task)
        task.train.lognorm.data -= 0.5


class Sorting(Silence):
    def predict(self, query):
        prediction = super().predict(query)
        query.conditions.sort_values("perturbation", inplace=True)
        return prediction


class Drawing(Silence):
    def change(self, prediction):
        return replace(prediction, X=prediction.X + np.random.default_rng().random())


def reversed_rows(prediction):
    return replace(prediction, X=prediction.X[::-1], obs=prediction.obs[::-1])


def all_but_one(prediction):
    return replace(prediction, X=prediction.X[1:], obs=prediction.obs[1:])


def one_more_row(prediction):
    return replace(prediction, X=np.vstack([prediction.X, prediction.X[:1]]))


BROKEN = [
    ("whole_query_is_answered", changed(reversed_rows)),
    ("whole_query_is_answered", changed(all_but_one)),
    ("whole_query_is_answered", changed(one_more_row)),
    ("genes_are_those_of_the_task", changed(lambda p: replace(p, genes=p.genes[::-1]))),
    ("genes_are_those_of_the_task", changed(lambda p: replace(p, X=p.X[:, 1:]))),
    ("values_are_finite", changed(lambda p: replace(p, X=p.X / 0))),
    ("judge_accepts_the_answer", changed(lambda p: replace(p, X=p.X - 1))),
    ("judge_accepts_the_answer", changed(lambda p: replace(p, expression=Expression.LOG2))),
    ("judge_accepts_the_answer", changed(all_but_one)),
    ("same_seed_same_answer", Drawing),
    ("task_is_left_unchanged", Mutating),
    ("task_is_left_unchanged", Normalising),
    ("task_is_left_unchanged", Sorting),
]


def example(make):
    card = ModelCard("example", make, frozenset(EVERYTHING))
    return ModelCase(card, deepcopy(QUESTIONS()["iid"]))


@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
@pytest.mark.parametrize(("law", "make"), BROKEN)
def test_law_catches_a_model_that_breaks_it(law, make):
    with pytest.raises(LawBrokenError, match="'example' breaks a law"):
        obey(LAWS[law], example(make), called="model 'example'")


def test_every_law_is_broken_by_some_model_above():
    assert {law for law, _ in BROKEN} == set(LAWS)


@pytest.mark.parametrize("law", LAWS)
def test_model_of_cells_keeps_the_law(law):
    def as_cells(prediction):
        twice = np.repeat(np.arange(len(prediction.obs)), 2)
        return replace(
            prediction,
            X=sparse.csr_matrix(prediction.X[twice]),
            obs=prediction.obs.iloc[twice].reset_index(drop=True),
            kind=Kind.CELLS,
        )

    obey(LAWS[law], example(changed(as_cells)), called="model of cells")


def test_model_is_asked_only_what_it_declares():
    class Narrow(Silence):
        def predict(self, query):
            assert set(query.conditions["category"]) == {"single"}
            return super().predict(query)

    card = ModelCard("narrow", Narrow, frozenset({Ability.UNSEEN_PERTURBATION}))
    case = ModelCase(card, QUESTIONS()["unseen-combination"])
    assert 0 < case.is_answerable.sum() < len(case.is_answerable)
    obey(LAWS["whole_query_is_answered"], case, called="model 'narrow'")


def test_check_hands_options_on_and_stops_at_the_first_broken_law():
    check_model("ridge", options={"alpha": 1.0}, questions={"iid": QUESTIONS()["iid"]})
    with pytest.raises(TypeError, match="no_such_option") as caught:
        check_model("ridge", options={"no_such_option": 1})
    law = sentence(LAWS["whole_query_is_answered"])
    assert any(law in note for note in caught.value.__notes__)
