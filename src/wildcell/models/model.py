"""What a model is, what it declares, and which conditions it can answer."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, TypeVar

import numpy as np
import pandas as pd

from wildcell.arrays import Booleans
from wildcell.registry import Registry
from wildcell.scenarios.prediction import Prediction
from wildcell.scenarios.task import Query, Task


class Ability(StrEnum):
    """Kinds of unseen that a model may be asked about."""

    UNSEEN_CONTEXT = "unseen context"
    UNSEEN_PERTURBATION = "unseen perturbation"
    UNSEEN_COMBINATION = "unseen combination"
    UNSEEN_DOSE = "unseen dose"


class Input(StrEnum):
    """What a model cannot do without, besides cells."""

    FEATURES = "features"
    FEATURES_OR_TARGETS = "features, or targets among the genes"
    EMBEDDING = "embedding"


class Model(Protocol):
    """Anything that learns from a task and answers a query."""

    def fit(self, task: Task) -> None:
        """Learn from the training and validation cells of `task`, leaving it unchanged."""

    def predict(self, query: Query) -> Prediction:
        """Answer every condition of `query`."""


@dataclass(frozen=True)
class ModelCard:
    """What a model declares of itself.

    Attributes
    ----------
    name
        What it is called on the command line and in tables.
    make
        The class, or a function, that makes a fresh model: `make(seed=..., **options)`.
    answers
        Kinds of unseen it can answer; a condition that asks for another is "not applicable".
    needs
        Inputs it cannot do without.
    is_sealed
        Whether it runs in a process of its own, where it cannot reach the truth.
    cite
        Where it was published.
    version
        Hash of the file it was read from, where it is not part of an installed package.
    """

    name: str
    make: Callable[..., Model]
    answers: frozenset[Ability]
    needs: frozenset[Input] = frozenset()
    is_sealed: bool = False
    cite: str = ""
    version: str = ""

    @property
    def summary(self) -> str:
        """The first line of the model's docstring."""
        return (self.make.__doc__ or "").strip().partition("\n")[0]


MODELS: Registry[ModelCard] = Registry("model", package="wildcell.models")

M = TypeVar("M", bound=Callable[..., Any])

EVERYTHING = tuple(Ability)


def model(
    name: str,
    *,
    answers: tuple[Ability, ...] = EVERYTHING,
    needs: tuple[Input, ...] = (),
    is_sealed: bool = False,
    cite: str = "",
) -> Callable[[M], M]:
    """Register a model class under `name`, with what it declares of itself.

    Examples
    --------
    >>> @model("always-control-example", answers=(Ability.UNSEEN_CONTEXT,))
    ... class AlwaysControl:
    ...     '''Answers with the given controls.'''
    """

    def register(make: M) -> M:
        card = ModelCard(name, make, frozenset(answers), frozenset(needs), is_sealed, cite)
        MODELS.add(name, card)
        return make

    return register


def unanswerable(card: ModelCard, task: Task) -> pd.Series:
    """Return, for each condition of the task's query, why the model cannot answer it, or "".

    Parameters
    ----------
    card
        The model's declarations.
    task
        The question; features and components are read from its query.
    """
    query = task.query
    reasons = pd.Series("", index=query.conditions.index)
    for ability, asked in asked_abilities(task).items():
        if ability not in card.answers:
            reasons[asked & (reasons == "")] = f"cannot answer an {ability}"
    for need in sorted(card.needs):
        lacking = _lacks(task, need)
        reasons[lacking & (reasons == "")] = f"needs {need}"
    return reasons


def asked_abilities(task: Task) -> dict[Ability, Booleans]:
    """Return which kinds of unseen each condition of the query asks for, each (n_conditions,)."""
    query = task.query
    seen = task.train.obs.loc[~task.train.is_control]
    seen_components = query.components[query.components["perturbation"].isin(seen["perturbation"])]
    conditions = query.conditions
    is_new = ~conditions["perturbation"].isin(seen["perturbation"]).to_numpy()
    parts = query.components.groupby("perturbation")["component"].agg(set)
    parts_of = [parts.get(key, set()) for key in conditions["perturbation"]]
    known = set(seen_components["component"])
    has_new_part = np.array([not part <= known for part in parts_of], dtype=bool)
    is_combination = np.array([len(part) > 1 for part in parts_of], dtype=bool)
    return {
        Ability.UNSEEN_CONTEXT: ~conditions["context"].isin(seen["context"]).to_numpy(),
        Ability.UNSEEN_PERTURBATION: is_new & has_new_part,
        Ability.UNSEEN_COMBINATION: is_new & is_combination,
        Ability.UNSEEN_DOSE: is_new & ~has_new_part & ~is_combination,
    }


def _lacks(task: Task, need: Input) -> Booleans:
    """Mark conditions for which an input is lacking, or all if nothing trained on has it."""
    query = task.query
    if need is Input.EMBEDDING:
        return np.full(len(query.conditions), query.controls.embedding is None)
    featured = set() if query.features is None else set(query.features.index)
    if need is Input.FEATURES_OR_TARGETS and not featured:
        featured = set(query.controls.genes)
    without = _with_part_outside(query.components, featured)
    trained = set(task.train.obs.loc[~task.train.is_control, "perturbation"])
    if trained <= without:
        return np.ones(len(query.conditions), dtype=bool)
    return query.conditions["perturbation"].isin(without).to_numpy(dtype=bool)


def _with_part_outside(components: pd.DataFrame, known: set[str]) -> set[str]:
    is_outside = ~components["component"].isin(known)
    return set(components.loc[is_outside, "perturbation"])
