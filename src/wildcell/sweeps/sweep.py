"""Many runs: planned, shared out, kept, and gone on with."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from wildcell.errors import OptionError, StoreError
from wildcell.models.find import find_model
from wildcell.parallel import cores
from wildcell.sweeps.book import Planned, forget_failure, keep_plan, note_failure, planned_of
from wildcell.sweeps.layout import Job, Layout, Problem, Question, State
from wildcell.sweeps.local import Asked, Crew, Ended
from wildcell.sweeps.setting import Setting
from wildcell.sweeps.stem_process import StemDiedError, StemProcess
from wildcell.sweeps.sweep_file import Sweep

OnJob = Callable[[int, int, str], object]


def print_nothing(done: int, total: int, name: str) -> None:
    """Report no progress."""


class Swept(NamedTuple):
    """What a sweep came to.

    Attributes
    ----------
    ended
        The jobs that ended now, in the order in which they did.
    layouts
        All that was planned, a screen each.
    """

    ended: list[Ended]
    layouts: list[Layout]

    @property
    def jobs(self) -> list[Job]:
        """All that were planned."""
        return [
            job for layout in self.layouts for question in layout.questions for job in question.jobs
        ]

    @property
    def n_finished_before(self) -> int:
        """How many of them were finished when it began."""
        return sum(job.state is State.FINISHED for job in self.jobs)

    @property
    def problems(self) -> list[Problem]:
        """What could not be asked, and jobs that something else lies in the place of."""
        return [problem for layout in self.layouts for problem in problems_of(layout)]


def plan_sweep(sweep: Sweep, setting: Setting) -> list[Layout]:
    """Return the jobs of a sweep, a layout a screen, without running any.

    The cells are loaded, each screen in a process of its own, and split.
    """
    with _laid_out(sweep, setting, n_kept=0) as (_, layouts):
        return layouts


def run_sweep(
    sweep: Sweep,
    setting: Setting,
    *,
    n_workers: int | None = None,
    gpu_models: Sequence[str] = (),
    on_job: OnJob = print_nothing,
) -> Swept:
    """Run the jobs of a sweep that are not finished, in processes with one thread.

    Jobs of a question share what was prepared for it. One that crashes, hangs or is killed is a run
    with the status `error`; one that could not be run at all, as when the disk is full, is noted
    (see `wildcell.sweeps.status`). The others go on, and a second start runs what is left.

    Parameters
    ----------
    sweep, setting
        What is run, and how.
    n_workers
        Jobs at a time; as many as there are cores if None.
    gpu_models
        Models whose jobs need a GPU, and are run one at a time.
    on_job
        Called after each job with the number of jobs behind it, of all open ones, and its name.
    """
    if n_workers is not None and n_workers < 1:
        raise OptionError(f"A sweep takes one worker at least; got {n_workers}.")
    n_workers, on_gpu = n_workers or cores(), names_of_runs(gpu_models)
    with _laid_out(sweep, setting, n_kept=n_workers) as (stems, layouts):
        ledger = Ledger(sweep, setting, layouts, on_job)
        asked = [
            Asked.of(stem, index, question)
            for stem, layout in zip(stems, layouts, strict=True)
            for index, question in enumerate(layout.questions)
        ]
        Crew(asked, n_workers=n_workers, on_end=ledger.take_in, gpu_models=on_gpu).work()
        return ledger.swept()


def names_of_runs(models: Iterable[str]) -> set[str]:
    """Return the names that the runs of models bear, without their options."""
    return {find_model(name).name for name in models}


class Ledger:
    """The jobs of a sweep as they end: kept in the folder of runs, and counted.

    Parameters
    ----------
    sweep, setting, layouts
        What is run, how, and all its jobs.
    on_job
        As for `run_sweep`.
    """

    def __init__(
        self, sweep: Sweep, setting: Setting, layouts: list[Layout], on_job: OnJob
    ) -> None:
        keep_plan(setting.runs, sweep, layouts)
        self._runs, self._layouts, self._on_job = setting.runs, layouts, on_job
        questions = [question for layout in layouts for question in layout.questions]
        self._n_open = len(open_jobs(questions))
        self._ended: list[Ended] = []

    def take_in(self, end: Ended) -> None:
        """Write down how a job ended."""
        self._ended.append(end)
        write_down(end, self._runs)
        self._on_job(len(self._ended), self._n_open, f"{end.model}, {end.question.name}")

    def swept(self) -> Swept:
        """Return what the sweep came to."""
        return Swept(self._ended, self._layouts)


def write_down(end: Ended, runs: Path) -> None:
    """Keep why a job has no run, or forget why it had none."""
    (folder,) = (job.folder for job in end.question.jobs if job.model == end.model)
    with suppress(StoreError, OSError):  # the disk that is full is told of besides
        if end.failure:
            note_failure(runs, folder, end.failure)
        else:
            forget_failure(runs, folder)


def problems_of(layout: Layout) -> list[Problem]:
    """Return what of a screen cannot be asked, or has something else in its place."""
    return [
        *layout.problems,
        *(
            Problem(f"{job.model}, {question.name}", job.reason)
            for question in layout.questions
            for job in question.jobs
            if job.state is State.BLOCKED
        ),
    ]


def open_jobs(questions: Iterable[Question]) -> list[Planned]:
    """Return the jobs of questions that are to be run."""
    return [
        planned
        for question in questions
        for planned, job in zip(planned_of(question), question.jobs, strict=True)
        if job.state is State.OPEN
    ]


@contextmanager
def _laid_out(
    sweep: Sweep, setting: Setting, *, n_kept: int
) -> Iterator[tuple[list[StemProcess], list[Layout]]]:
    """Lay out all screens, one after the other; the first that have open jobs are kept."""
    with TemporaryDirectory(prefix="wildcell-") as place:
        stems = [StemProcess(sweep, screen, setting, Path(place)) for screen in sweep.data]
        try:
            layouts = []
            for stem in stems:
                layouts.append(_layout_of(stem))
                is_asked = bool(open_jobs(layouts[-1].questions))
                if not is_asked or sum(one.is_running for one in stems) > n_kept:
                    stem.close()
            yield stems, layouts
        finally:
            for stem in stems:
                stem.close()


def _layout_of(stem: StemProcess) -> Layout:
    try:
        return stem.lay_out()
    except StemDiedError as error:
        return Layout((), (Problem(stem.name, str(error)),))
