"""The laws of models, each a function of one model asked one question."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from wildcell.arrays import Booleans
from wildcell.errors import PredictionError
from wildcell.laws.law import Law
from wildcell.models.answer import unanswerable
from wildcell.models.model import ModelCard
from wildcell.names import CONDITION, Kind
from wildcell.scenarios.answer import check_conditions, to_truth
from wildcell.scenarios.pose import Question
from wildcell.scenarios.prediction import Prediction
from wildcell.scenarios.task import Cells, Task
from wildcell.store.fingerprint import fingerprint


@dataclass(frozen=True)
class ModelCase:
    """A model, and a question of which it can answer some conditions.

    Attributes
    ----------
    card
        The model.
    question
        The task, and the truth that the judge would hold the answer to.
    options
        Options of the model.
    """

    card: ModelCard
    question: Question
    options: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def is_answerable(self) -> Booleans:
        """Which conditions of the question the model declares that it can answer."""
        return (unanswerable(self.card, self.question.task) == "").to_numpy(dtype=bool)

    @cached_property
    def task(self) -> Task:
        """The task, asking what the model can answer."""
        task = self.question.task
        return replace(task, query=task.query.select(self.is_answerable))

    @cached_property
    def prediction(self) -> Prediction:
        """What the model answers, computed once."""
        return self.answer(seed=0)

    def answer(self, *, seed: int) -> Prediction:
        """Fit a fresh model and ask it."""
        model = self.card.make(seed=seed, **self.options)
        model.fit(self.task)
        return model.predict(self.task.query)


def whole_query_is_answered(case: ModelCase) -> str:
    """Every condition that is asked is answered, in the order of the query."""
    wanted = list(map(tuple, case.task.query.conditions[CONDITION].to_numpy()))
    prediction = case.prediction
    given = prediction.obs[CONDITION]
    if prediction.kind is Kind.CELLS:
        given = given.drop_duplicates()
    found = list(map(tuple, given.to_numpy()))
    if len(prediction.obs) != prediction.X.shape[0]:
        return f"{prediction.X.shape[0]} rows of values with {len(prediction.obs)} labels."
    if found != wanted:
        return f"{len(found)} conditions, {found[:3]}, where {len(wanted)} are asked, {wanted[:3]}."
    return ""


def genes_are_those_of_the_task(case: ModelCase) -> str:
    """The genes of the answer are those of the task, in their order."""
    prediction, wanted = case.prediction, case.task.query.controls.genes
    if prediction.X.shape[1] != len(wanted) or list(prediction.genes) != list(wanted):
        return f"{prediction.X.shape[1]} genes, {list(prediction.genes[:3])}, of {len(wanted)}."
    return ""


def values_are_finite(case: ModelCase) -> str:
    """All values are finite."""
    X = case.prediction.X
    values = X.data if sparse.issparse(X) else np.asarray(X)
    n_bad = int((~np.isfinite(values)).sum())
    return f"{n_bad} values that are NaN or infinite." if n_bad else ""


def judge_accepts_the_answer(case: ModelCase) -> str:
    """The judge accepts the answer: its conditions, its scale and its genes."""
    try:
        check_conditions(case.prediction.obs, case.task.query.conditions)
        to_truth(case.prediction, case.question.truth)
    except PredictionError as error:
        return str(error)
    return ""


def same_seed_same_answer(case: ModelCase) -> str:
    """The same seed gives the same answer, to the last bit."""
    first, second = (_content(case.answer(seed=7)) for _ in range(2))
    return "" if first == second else "two models made with seed 7 differ."


def _content(prediction: Prediction) -> str:
    X = prediction.X if sparse.issparse(prediction.X) else np.asarray(prediction.X)
    return fingerprint(X, prediction.obs, prediction.genes)


def task_is_left_unchanged(case: ModelCase) -> str:
    """Neither learning nor answering changes the task."""
    before = _contents(case.task)
    case.answer(seed=0)
    after = _contents(case.task)
    changed = [name for name, found in before.items() if after[name] != found]
    return f"{', '.join(changed)} changed; work on copies." if changed else ""


def _contents(task: Task) -> dict[str, str]:
    query = task.query
    tables = {
        "conditions": query.conditions,
        "components": query.components,
        "features": query.features,
        "graph": query.graph,
    }
    sides: dict[str, Cells] = {
        "training cells": task.train,
        "validation cells": task.val,
        "given controls": query.controls,
    }
    # Log values are computed once and shared by all who ask for them.
    return {
        **{name: fingerprint(table) for name, table in tables.items()},
        **{name: fingerprint(cells, cells.lognorm) for name, cells in sides.items()},
    }


MODEL_LAWS: tuple[Law[ModelCase], ...] = (
    whole_query_is_answered,
    genes_are_those_of_the_task,
    values_are_finite,
    judge_accepts_the_answer,
    same_seed_same_answer,
    task_is_left_unchanged,
)
