"""The jobs of a sweep on one screen: what is run, where it will lie, whether it is there."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from wildcell.datasets.dataset import Dataset
from wildcell.datasets.load import load_dataset
from wildcell.errors import BenchmarkError, StoreError
from wildcell.names import REPLICATE, Status
from wildcell.plan import make_plan
from wildcell.run import Fold, folds_of, names_of, record_in, run_folder
from wildcell.scenarios.scenario import load_scenario
from wildcell.store.runs import HALVES
from wildcell.sweeps.setting import Setting
from wildcell.sweeps.sweep_file import Screen, Sweep


class State(StrEnum):
    """Whether a job is to be run."""

    OPEN = "open"
    FINISHED = "finished"
    BLOCKED = "blocked"


@dataclass(frozen=True)
class Job:
    """One model, the replicate or the ceiling on one fold.

    Attributes
    ----------
    model
        The name that its run bears.
    folder
        Where that lies below the folder of all runs.
    state
        Blocked jobs are those in whose place something else lies.
    reason
        Why it is blocked.
    """

    model: str
    folder: str
    state: State = State.OPEN
    reason: str = ""


@dataclass(frozen=True)
class Question:
    """One fold of a scenario on a screen in an arm, and its jobs."""

    scenario: str
    dataset: str
    arm: str
    seed: int
    fold: int
    jobs: tuple[Job, ...]

    @property
    def name(self) -> str:
        """What it is, in words."""
        return f"{self.scenario} / {self.dataset} / {self.arm}, seed {self.seed}, fold {self.fold}"

    def words(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return asdict(self)

    @classmethod
    def of(cls, words: Mapping[str, Any]) -> "Question":
        """Return what `words` were made of."""
        jobs = (Job(**{**job, "state": State(job["state"])}) for job in words["jobs"])
        return cls(**{**words, "jobs": tuple(jobs)})


class Problem(NamedTuple):
    """What cannot be laid out, or run, and why."""

    what: str
    reason: str


class Layout(NamedTuple):
    """The questions of a sweep on one screen, and what keeps others from being asked."""

    questions: tuple[Question, ...]
    problems: tuple[Problem, ...]


def lay_out(sweep: Sweep, screen: Screen, setting: Setting) -> tuple[list[Fold], Layout]:
    """Return the folds that a sweep asks about on a screen, and their jobs in the same order.

    What cannot be asked is a problem, and leaves the rest alone.
    """
    folds: list[Fold] = []
    problems: list[Problem] = []
    screens: dict[str, Dataset] = {}
    for name, arms in sweep.arms.items():
        for arm in arms:
            source = screen.name or load_scenario(name).dataset
            try:
                if source not in screens:
                    screens[source] = load_dataset(source, **screen.options)
                folds += _folds_of(sweep, name, arm, screens[source], setting)
            except BenchmarkError as error:
                problems.append(Problem(f"{name} / {source} / {arm}", str(error)))
    return folds, Layout(tuple(_question(fold, setting) for fold in folds), tuple(problems))


def _folds_of(
    sweep: Sweep, scenario: str, arm: str, dataset: Dataset, setting: Setting
) -> list[Fold]:
    plan = make_plan(
        scenario,
        models=sweep.models,
        data=dataset,
        arm=arm,
        genes=sweep.genes,
        metrics=sweep.metrics,
        options=sweep.options,
        terms=setting.terms,
    )
    return folds_of(plan, sweep.seeds)


def _question(fold: Fold, setting: Setting) -> Question:
    return Question(
        fold.plan.scenario.name,
        fold.plan.dataset.name,
        fold.plan.arm,
        fold.split.seed,
        fold.split.fold,
        tuple(_jobs_of(fold, setting)),
    )


def _jobs_of(fold: Fold, setting: Setting) -> Iterator[Job]:
    for name in names_of(fold.plan):
        folder = str(run_folder(fold, name, setting.runs).relative_to(setting.runs))
        try:
            found = record_in(fold, name, setting.runs)
        except StoreError as error:
            yield Job(name, folder, State.BLOCKED, str(error))
            continue
        is_open = found is None or (setting.retry and found["status"] == Status.ERROR)
        if name == REPLICATE:  # its halves are written after its record
            is_open |= not (setting.runs / folder / HALVES).is_file()
        yield Job(name, folder, State.OPEN if is_open else State.FINISHED)
