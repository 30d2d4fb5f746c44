"""What a model is, what it declares, and which conditions it can answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from wildcell.registry import Registry
from wildcell.scenarios.prediction import Prediction
from wildcell.scenarios.task import Query, Task
from wildcell.store.provenance import Cost


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
    FEATURES_OF_UNSEEN = "features of components not trained on"
    EMBEDDING = "embedding"


@runtime_checkable
class Resumable(Protocol):
    """A model that learns so long that it keeps its progress."""

    def keep_progress(self, file: Path) -> None:
        """Keep progress in `file` while it learns, and go on from what is there."""


@runtime_checkable
class Trained(Protocol):
    """A model that can say what its training came to."""

    @property
    def training(self) -> Mapping[str, Any]:
        """Numbers and words for the record of a run; `batch` and `device_peak_memory_mb` cost."""


@runtime_checkable
class Apart(Protocol):
    """A model that runs in processes of its own."""

    cost: Cost
    """What they took."""

    def keep_log(self, file: Path) -> None:
        """Keep what they print in `file`."""


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
    extra
        The optional library that it is written with, and the extra that installs it.
    version
        Hash of the file it was read from, where it is not part of an installed package.
    """

    name: str
    make: Callable[..., Model]
    answers: frozenset[Ability]
    needs: frozenset[Input] = frozenset()
    is_sealed: bool = False
    cite: str = ""
    extra: str = ""
    version: str = ""

    @property
    def summary(self) -> str:
        """The first line of the model's docstring."""
        return (self.make.__doc__ or "").strip().partition("\n")[0]

    @property
    def is_installed(self) -> bool:
        """Whether the library that it is written with is there."""
        return not self.extra or find_spec(self.extra) is not None


MODELS: Registry[ModelCard] = Registry("model", "wildcell.models", "wildcell.models.neural")

M = TypeVar("M", bound=Callable[..., Any])

EVERYTHING = tuple(Ability)


def base_models() -> list[str]:
    """Return the names of the models that need no optional library, sorted.

    Examples
    --------
    >>> "perturbed-mean" in base_models()
    True
    """
    return [name for name in MODELS.names() if not MODELS.get(name).extra]


def model(
    name: str,
    *,
    answers: tuple[Ability, ...] = EVERYTHING,
    needs: tuple[Input, ...] = (),
    is_sealed: bool = False,
    cite: str = "",
    extra: str = "",
) -> Callable[[M], M]:
    """Register a model class under `name`, with what it declares of itself.

    Examples
    --------
    >>> @model("always-control-example", answers=(Ability.UNSEEN_CONTEXT,))
    ... class AlwaysControl:
    ...     '''Answers with the given controls.'''
    """

    def register(make: M) -> M:
        card = ModelCard(name, make, frozenset(answers), frozenset(needs), is_sealed, cite, extra)
        MODELS.add(name, card)
        return make

    return register
