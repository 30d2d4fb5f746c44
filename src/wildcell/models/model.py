"""What a model is, what it declares, and which conditions it can answer."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, TypeVar

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
