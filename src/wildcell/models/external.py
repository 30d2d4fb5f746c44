"""Models as their authors wrote them: in an environment and a process of their own."""

import json
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from inspect import Parameter, Signature
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from wildcell.errors import BenchmarkError, PredictionError
from wildcell.models.model import ModelCard
from wildcell.models.sealed.environment import last_lines, python_of
from wildcell.models.sealed.exchange import give, take
from wildcell.models.sealed.model_folder import ModelFolder, read_folder
from wildcell.models.sealed.process import MOST_FILE_BYTES, Ended, can_cut_network, run_apart
from wildcell.models.sealed.terms import Terms
from wildcell.scenarios.prediction import Prediction
from wildcell.scenarios.task import Query, Task
from wildcell.store.provenance import Cost
from wildcell.store.runs import LOG

PREFIX = "external:"


def external_card(path: Path, terms: Terms) -> ModelCard:
    """Return the card of the model in a folder.

    Parameters
    ----------
    path
        A folder with `predict.py` and `constraints.txt`, or with a `card.toml` that says what
        starts the model.
    terms
        What it may take.

    Raises
    ------
    BenchmarkError
        The folder is none, or is not complete.
    """
    folder = read_folder(path)
    return ModelCard(
        name=f"{PREFIX}{folder.name}",
        make=_Maker(folder, terms),
        answers=folder.answers,
        needs=folder.needs,
        is_sealed=True,
        cite=folder.card.cite,
        version=folder.version,
    )


class _Maker:
    """Makes a fresh model of a folder, with the options that its card lists."""

    def __init__(self, folder: ModelFolder, terms: Terms) -> None:
        self.folder, self.terms = folder, terms
        self.__doc__ = folder.card.summary
        defaults: Mapping[str, Any] = {"seed": 0, **folder.card.options}
        self.__signature__ = Signature(
            [
                Parameter(name, Parameter.KEYWORD_ONLY, default=default)
                for name, default in defaults.items()
            ]
        )

    def __call__(self, *, seed: int = 0, **options: Any) -> "ExternalModel":
        chosen = {**self.folder.card.options, **options}
        return ExternalModel(self.folder, seed=seed, options=chosen, terms=self.terms)


@dataclass
class ExternalModel:
    """A model that is started as `COMMAND TASK_FOLDER PREDICTION --seed N --OPTION VALUE ...`.

    Attributes
    ----------
    folder
        Where it is, and what it says of itself.
    seed, options
        What it is started with.
    terms
        What it may take.
    cost
        What its processes took, NaN before it was asked.
    """

    folder: ModelFolder
    seed: int
    options: Mapping[str, Any]
    terms: Terms = field(default_factory=Terms)
    cost: Cost = field(default_factory=Cost)
    log: Path | None = None
    python: Path = field(init=False)
    task: Task = field(init=False)

    def keep_log(self, file: Path) -> None:
        """Keep what it prints in `file`."""
        self.log = file

    def fit(self, task: Task) -> None:
        """See to its environment; it learns when it is asked, from the task folder."""
        self.python = python_of(self.folder, installer=self.terms.installer)
        self.task = task

    @property
    def training(self) -> dict[str, Any]:
        """What it was run in, for the record of a run."""
        home = self.python.parents[1].name if self.folder.has_environment else "none of its own"
        return {
            "environment": home,
            "licence": self.folder.card.licence,
            "network": _network(self.terms),
        }

    def predict(self, query: Query) -> Prediction:
        """Start it on a copy of the task folder, and read what it leaves.

        Raises
        ------
        PredictionError
            It crashed, passed a limit, or left nothing that can be read.
        """
        with TemporaryDirectory(prefix="wildcell-") as place:
            scratch = Path(place)
            give(scratch / "task", replace(self.task, query=query))
            work, out = scratch / "work", scratch / self.folder.card.prediction
            work.mkdir()
            log = self.log or scratch / LOG
            self._run([str(scratch / "task"), str(out), *self._arguments()], work, log)
            if not out.exists():
                raise PredictionError(
                    f"{self.folder.name} ended well but left no prediction: {out.name} was to be "
                    f"written where its second argument says. {_shown(log)}"
                )
            try:
                return take(out, query)
            except BenchmarkError as error:
                said = str(error).replace(f"{scratch}/", "")
                raise PredictionError(f"{self.folder.name} left garbage: {said}") from error

    def _run(self, arguments: list[str], work: Path, log: Path) -> None:
        command = [*self.folder.command(self.python), *arguments]
        try:
            ended = run_apart(command, folder=work, python=self.python, log=log, terms=self.terms)
        except OSError as error:
            raise PredictionError(
                f"{self.folder.name} cannot be started: {command[0]}: {error.strerror}. Is it "
                "installed?"
            ) from error
        self.cost = ended.cost
        if problem := _problem(ended):
            raise PredictionError(f"{self.folder.name} {problem}. {_shown(log)}")

    def _arguments(self) -> list[str]:
        options = {"seed": self.seed, **self.options}
        return [word for key, value in options.items() for word in (f"--{key}", _as_text(value))]


def _network(terms: Terms) -> str:
    if terms.has_network:
        return "open, as was asked for"
    return "cut" if can_cut_network() else "open: this system does not let it be cut"


def _problem(ended: Ended) -> str:
    if ended.stopped:
        return f"was stopped {ended.stopped}"
    if ended.code == -signal.SIGXFSZ:
        return f"wrote a file above {MOST_FILE_BYTES / 2**30:g} GiB"
    if ended.code < 0:
        return f"was killed by signal {-ended.code}: the system may have run out of memory"
    return f"ended with code {ended.code}" if ended.code else ""


def _shown(log: Path) -> str:
    lines = last_lines(log)
    return f"The last that it printed:\n{lines}" if lines else "It printed nothing."


def _as_text(value: object) -> str:
    """Return an option as it is given on a command line: text as it is, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)
