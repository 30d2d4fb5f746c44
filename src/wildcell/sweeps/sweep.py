"""Many runs: planned, shared out, kept, and gone on with."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from wildcell.errors import OptionError, StoreError
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
    on_job: OnJob = print_nothing,
) -> Swept:
    """Run the jobs of a sweep that are not finished, each in a process of its own with one thread.

    Jobs of a question share what was prepared for it. One that crashes, hangs or is killed is a run
    with the status `error`; one that could not be run at all, as when the disk is full, is noted
    (see `wildcell.sweeps.status`). The others go on, and a second start runs what is left.

    Parameters
    ----------
    sweep, setting
        What is run, and how.
    n_workers
        Jobs at a time; as many as there are cores if None.
    on_job
        Called after each job with the number of jobs behind it, of all open ones, and its name.
    """
    if n_workers is not None and n_workers < 1:
        raise OptionError(f"A sweep takes one worker at least; got {n_workers}.")
    n_workers = n_workers or cores()
    with _laid_out(sweep, setting, n_kept=n_workers) as (stems, layouts):
        keep_plan(setting.runs, sweep, layouts)
        asked = [
            Asked.of(stem, index, question)
            for stem, layout in zip(stems, layouts, strict=True)
            for index, question in enumerate(layout.questions)
        ]
        ended: list[Ended] = []
        total = sum(len(one.waiting) for one in asked)

        def take_in(end: Ended) -> None:
            ended.append(end)
            write_down(end, setting.runs)
            on_job(len(ended), total, f"{end.model}, {end.question.name}")

        Crew(asked, n_workers=n_workers, on_end=take_in).work()
        return Swept(ended, layouts)


def write_down(end: Ended, runs: Path) -> None:
    """Keep why a job has no run, or forget why it had none."""
    (folder,) = (job.folder for job in end.question.jobs if job.model == end.model)
    with suppress(StoreError):  # the disk that is full is told of besides
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
