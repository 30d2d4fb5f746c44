"""What all networks have in common: options, learning from a task, answering a query."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial, wraps
from math import inf, isnan
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar, dataclass_transform

import numpy as np

from wildcell.arrays import Codes, Floats
from wildcell.errors import OptionError
from wildcell.models.model import EVERYTHING, Ability, Input, model
from wildcell.models.neural.asking import (
    Asked,
    Floats32,
    Respond,
    anchored,
    asked_of,
    mean_responses,
    predicted_cells,
    responses,
)
from wildcell.models.neural.backend import (
    Module,
    Tensor,
    device_peak_memory_mb,
    find_device,
    mixed_precision,
    seeded,
    torch,
)
from wildcell.models.neural.batch import Batch
from wildcell.models.neural.checkpoint import Checkpoint
from wildcell.models.neural.examples import Examples
from wildcell.models.neural.material import Material, Side, ask_examples, prepare
from wildcell.models.neural.schedule import Schedule
from wildcell.models.neural.trainer import History, Player, train
from wildcell.models.search import Searched
from wildcell.names import Expression
from wildcell.scenarios.prediction import Prediction, predicted_means
from wildcell.scenarios.task import Query, Task
from wildcell.store.fingerprint import fingerprint

PRESETS = ("default", "paper")

CONTROLS_LOOKED_AT = 64
"""Controls of a group that validation is answered for; what is asked uses `n_controls`."""


class Shape(NamedTuple):
    """What a network must fit: numbers of genes, of what encoders read, of inputs, of contexts."""

    n_genes: int
    n_state: int
    n_inputs: int
    n_contexts: int


@dataclass(kw_only=True)
class NeuralModel(Schedule, ABC):
    """A network that is trained on pairs of control and perturbed cells.

    Its options are the fields of its class. What it answers is the mean of its responses for
    given controls; `anchored`, it is what the controls measured plus the difference that the
    perturbation makes to the network's response, so that what the network gets wrong of an unseen
    context's controls is not taken for an effect.

    Attributes
    ----------
    seed
        Of weights, draws and dropout.
    preset
        `default`: sized for a CPU. `paper`: the sizes and schedule of the publication. Options
        that are given go before either.
    anchored
        Whether answers are anchored at the given controls.
    cell_embedding
        Whether encoders read the cell embedding in the place of expression, where there is one.
    control_share
        Share of the draws in which other controls stand as perturbed cells.
    foreign_share
        Pairs of other screens in a step, at most, over those of the screen that is asked about;
        they come beside its own, of which there are as many in every arm.
    answers_cells
        Whether it answers with cells, one for each control, instead of their mean.
    n_controls
        Controls of each condition that are asked of, at most.
    device
        `auto`, `cpu`, `cuda` or `mps`.
    precision
        `auto`, `float32` or `bfloat16` (mixed); `auto` is float32, which was the faster.
    """

    seed: int = 0
    preset: str = "default"
    anchored: bool = True
    cell_embedding: bool = True
    control_share: float = 0.2
    foreign_share: float = 1.0
    answers_cells: bool = False
    n_controls: int = 256
    device: str = "auto"
    precision: str = "auto"

    paper: ClassVar[Mapping[str, Any]] = {}
    searched: ClassVar[tuple[Searched, ...]] = (
        Searched(name="lr", low=3e-5, high=3e-3, log=True),
        Searched(name="weight_decay", low=1e-8, high=1e-2, log=True),
        Searched(name="control_share", low=0.0, high=0.5),
        Searched(name="width", choices=(64, 128, 256, 512)),
    )

    net: Module = field(init=False, default=None)
    history: History | None = field(init=False, default=None)
    is_told: Tensor | None = field(init=False, default=None)
    share_trained: float = field(init=False, default=0.0)
    progress_file: Path | None = field(init=False, default=None)
    seconds_between: float = field(init=False, default=inf)

    @property
    def cells_at_once(self) -> int:
        """How many cells of a condition the network reads together."""
        return 1

    @property
    def kept_from(self) -> float:
        """Share of the steps before which the network is not kept, however well it answers."""
        return 0.0

    @abstractmethod
    def build(self, shape: Shape) -> Mapping[str, Module]:
        """Return the parts of the network, by name."""

    @abstractmethod
    def respond(self, batch: Batch) -> Tensor:
        """Return the log values of the control cells under their perturbations, (n, n_genes)."""

    def draw_cells(self, batch: Batch) -> Tensor:
        """Return cells rather than what is expected of them, where a network knows their spread."""
        return self.respond(batch)

    @abstractmethod
    def loss(self, batch: Batch) -> Tensor:
        """Return what training lowers."""

    def players(self) -> Sequence[Player]:
        """Return who moves which parameters; all lower `loss` unless there is a game."""
        return [Player(list(self.net.parameters()), self.loss)]

    def start(self, material: Material) -> None:
        """Take from the material what the network needs besides batches."""

    def keep_progress(self, file: Path, *, seconds_between: float = 10.0) -> None:
        """Keep progress in a file while it is trained, and go on from what is there."""
        self.progress_file, self.seconds_between = file, seconds_between

    def fit(self, task: Task) -> None:
        """Train the network on `task`.

        Raises
        ------
        DataError
            There are no perturbed cells, or a condition has no controls.
        OptionError
            There is no such device or precision.
        MissingExtraError
            torch is not installed.
        """
        rng = np.random.default_rng(self.seed)
        with seeded(self.seed):
            material = prepare(task, rng, use_embedding=self.cell_embedding)
            self.encoding, self.contexts = material.encoding, material.contexts
            self.is_positive = task.train.expression is not Expression.LOG2
            self.place = find_device(self.device)
            self.is_told = _told(material, self.place)
            self.start(material)
            shape = shape_of(material)
            self.net = torch.nn.ModuleDict(dict(self.build(shape))).to(self.place)
            n_cells = task.epoch_cells or int((~task.train.is_control).sum())
            self.history = self._train(material, rng, self.n_steps(n_cells), self._key(task))

    def predict(self, query: Query) -> Prediction:
        """Answer every condition of `query` with mean log values, or with cells."""
        examples = ask_examples(query, self.encoding, self.contexts)
        conditions = np.arange(len(query.conditions))
        _, control = query.controls.control_moments()
        with seeded(self.seed):
            means = self._means(examples, conditions, control.mean, self.n_controls)
            if not self.answers_cells:
                return predicted_means(query, means)
            return predicted_cells(query, self._cells(examples, conditions, means))

    @property
    def training(self) -> dict[str, Any]:
        """What training came to, for the record of a run."""
        assert self.history is not None
        peak = device_peak_memory_mb(self.place)
        return {
            **vars(self.history),
            "batch": self.batch_size,
            "device": self.place.type,
            "device_peak_memory_mb": None if isnan(peak) else peak,
            "n_parameters": sum(weights.numel() for weights in self.net.parameters()),
        }

    def positive(self, values: Tensor) -> Tensor:
        """Return values that log expression can have: above 0, unless it is that of arrays."""
        return torch.nn.functional.softplus(values) if self.is_positive else values

    def _train(
        self, material: Material, rng: np.random.Generator, n_steps: int, key: str
    ) -> History:
        examples = material.train.examples
        return train(
            self.net,
            self.players(),
            draw=partial(self.draw_batch, examples, rng),
            look=partial(self._look, material.val),
            schedule=self,
            n_steps=n_steps,
            precision=mixed_precision(self.precision, self.place),
            checkpoint=Checkpoint(self.progress_file, key, rng, self.place, self.seconds_between),
            tell=self._tell,
            kept_from=self.kept_from,
        )

    def _tell(self, share_trained: float) -> None:
        self.share_trained = share_trained

    def draw_batch(self, examples: Examples, rng: np.random.Generator) -> Batch:
        """Return the next batch to train on: as many pairs of the target whatever is pooled."""
        pairs = examples.draw(
            self.batch_size,
            rng,
            set_size=self.cells_at_once,
            control_share=self.control_share,
            n_foreign=examples.n_foreign(self.batch_size, at_most=self.foreign_share),
        )
        return examples.batch(*pairs, device=self.place, set_size=self.cells_at_once)

    def _look(self, val: Side) -> Floats:
        """Return the mean squared error of what is answered, one a validation perturbation."""
        conditions = np.arange(len(val.conditions))
        means = self._means(val.examples, conditions, val.control_mean, CONTROLS_LOOKED_AT)
        errors = np.nanmean((means - val.mean) ** 2, axis=1)
        _, codes = np.unique(val.conditions["perturbation"], return_inverse=True)
        return np.array([np.nanmean(errors[codes == code]) for code in range(codes.max() + 1)])

    def _means(
        self,
        examples: Examples,
        conditions: Codes,
        control_mean: Floats,
        n_controls: int,
    ) -> Floats:
        """Return what is answered for the first conditions, shape (n_conditions, n_genes)."""
        groups = np.unique(examples.control_group[conditions])
        alone = np.flatnonzero(examples.perturbation < 0)
        wanted = np.append(conditions, alone[groups]) if self.anchored else conditions
        asked = self._asked(examples, wanted, n_controls)
        means = mean_responses(self._told_of(self.respond), examples, asked, self.place)
        if self.anchored:
            means = anchored(means, control_mean, examples)
        return means[conditions]

    def _cells(self, examples: Examples, conditions: Codes, means: Floats) -> list[Floats32]:
        """Return a cell for each control of the conditions, moved as the means were."""
        cells: dict[int, Floats32] = {}
        asked = self._asked(examples, conditions, self.n_controls)
        for members, found in responses(
            self._told_of(self.draw_cells), examples, asked, self.place
        ):
            moved = means[members][:, None] - found.mean(axis=1, keepdims=True)
            cells |= dict(zip(members, (found + moved).astype(np.float32), strict=True))
        return [cells[number] for number in conditions]

    def _told_of(self, respond: Respond) -> Respond:
        """Return a response that leaves the genes that no screen measured as they are."""
        if self.is_told is None:
            return respond
        return lambda batch: torch.where(self.is_told, respond(batch), batch.control)

    def _asked(self, examples: Examples, conditions: Codes, n_controls: int) -> list[Asked]:
        rng = np.random.default_rng(self.seed)
        return asked_of(
            examples, conditions, rng, n_controls=n_controls, set_size=self.cells_at_once
        )

    def _key(self, task: Task) -> str:
        """Return what tells this training from others, where its progress is kept."""
        if self.progress_file is None:
            return ""
        options = {item.name: getattr(self, item.name) for item in fields(self) if item.init}
        return fingerprint(type(self).__name__, options, task.train, task.val, task.query)


def shape_of(material: Material) -> Shape:
    """Return what a network must fit to be trained on some material."""
    examples = material.train.examples
    return Shape(
        examples.values.shape[1],
        examples.state.shape[1],
        material.encoding.n_columns,
        len(material.contexts),
    )


def _told(material: Material, device: Any) -> Tensor | None:
    """Return which genes some screen measured, None where that is all of them."""
    gaps = material.train.examples.gaps
    if gaps is None or gaps.is_told.all():
        return None
    return torch.from_numpy(gaps.is_told).to(device)


N = TypeVar("N", bound=type[NeuralModel])


@dataclass_transform(kw_only_default=True)
def neural_model(
    name: str,
    *,
    cite: str,
    answers: tuple[Ability, ...] = EVERYTHING,
    needs: tuple[Input, ...] = (Input.FEATURES_OF_UNSEEN,),
) -> Callable[[N], N]:
    """Register a network under `name`; the annotated fields of its class are its options."""

    def register(make: N) -> N:
        dataclass(kw_only=True, eq=False)(make)
        _take_presets(make)
        return model(name, answers=answers, needs=needs, cite=cite, extra="torch")(make)

    return register


def _take_presets(make: type[NeuralModel]) -> None:
    """Let a preset fill in the options that are not given."""
    initialise = make.__init__

    @wraps(initialise)
    def fill_in(self: NeuralModel, **options: Any) -> None:
        preset = options.get("preset", "default")
        if preset not in PRESETS:
            raise OptionError(f"preset is one of {', '.join(PRESETS)}; got {preset!r}.")
        initialise(self, **{**(make.paper if preset == "paper" else {}), **options})

    make.__init__ = fill_in  # type: ignore[method-assign]
