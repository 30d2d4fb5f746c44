"""Many runs at once, shown first, and gone on with."""

import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from wildcell.cli.progress import say

if TYPE_CHECKING:
    import pandas as pd

    from wildcell.sweeps.layout import Layout, Problem
    from wildcell.sweeps.sweep import Swept

QUESTION = ["scenario", "dataset", "arm"]
HOUR = 3600.0


def sweep(
    plan: Path,
    /,
    *,
    runs: Path = Path("runs"),
    workers: int | None = None,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
    past: Annotated[list[Path] | None, Parameter(negative=())] = None,
    retry: Annotated[bool, Parameter(negative=())] = False,
    max_seconds: float | None = None,
    max_memory: float | None = None,
    installer: Literal["pip", "uv"] = "pip",
    allow_network: Annotated[bool, Parameter(negative=())] = False,
    cluster: str | None = None,
    gpu: Annotated[list[str] | None, Parameter(negative=())] = None,
    trust: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Run scenarios x data x arms x seeds x models x options, so many jobs at a time.

    Every finished run is kept, and a second start continues; wildcell status RUNS tells how far it
    is, meanwhile, too. A job has one thread, and results are the same whatever the number of
    workers.

    Parameters
    ----------
    plan
        A TOML file with the keys `scenarios`, `data`, `models`, `arms`, `seeds`, `options`, `genes`
        and `metrics`; all but `scenarios` may be left out.
    runs
        Folder of all runs.
    workers
        Jobs at a time; as many as there are cores if not given.
    dry_run
        Show the jobs and what they will cost, and run nothing.
    past
        Another folder of runs that tells what jobs cost, besides RUNS; may be given several times.
    retry
        Run again what ended in an error, such as jobs that passed a limit.
    max_seconds
        How long a job may take; then it is stopped, and is an error.
    max_memory
        How much memory the processes of a job may hold, in GiB, beside what lies in files, and with
        what they share with others in full; then they are stopped, and the job is an error.
    installer
        What environments of models are made with.
    allow_network
        Let models in processes of their own use the network, which is cut else where the system
        allows that.
    cluster
        Run on a Dask cluster instead: tcp://HOST:PORT of its scheduler, or a TOML file that says
        what Slurm, PBS, LSF or SGE are to be asked for. All machines must see the cells and RUNS
        under the same paths.
    gpu
        A model whose jobs need a GPU; may be given several times. On a cluster they go to workers
        with the resource GPU, here they are run one at a time.
    trust
        Let the TOML file of --cluster name programs and lines for the shell of jobs, such as
        `job_script_prologue`.
    """
    from wildcell.cli.progress import counting, working
    from wildcell.models.sealed.terms import Terms
    from wildcell.sweeps.setting import Setting
    from wildcell.sweeps.sweep import plan_sweep, run_sweep
    from wildcell.sweeps.sweep_file import read_sweep

    words = read_sweep(plan)
    setting = Setting(
        runs.absolute(), Terms(max_seconds, max_memory, installer, allow_network), retry
    )
    if dry_run:
        with working("laying out"):
            layouts = plan_sweep(words, setting)
        _show_plan(layouts, [runs, *(past or [])])
        _show_script(cluster, is_trusted=trust)
        return
    with counting(str(plan)) as show, _ended_politely():
        if cluster is None:
            swept = run_sweep(words, setting, n_workers=workers, gpu_models=gpu or [], on_job=show)
        else:
            from wildcell.sweeps.cluster import sweep_on_cluster

            swept = sweep_on_cluster(
                words,
                setting,
                cluster=cluster,
                gpu_models=gpu or [],
                is_trusted=trust,
                on_job=show,
            )
    _show_end(swept, runs)


@contextmanager
def _ended_politely() -> Iterator[None]:
    """Take a polite kill, as schedulers send it before their time is up, for Ctrl-C."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _show_plan(layouts: "Sequence[Layout]", folders: Sequence[Path]) -> None:
    from rich.table import Table

    from wildcell.cli.progress import printer
    from wildcell.sweeps.estimate import estimate, past_costs
    from wildcell.sweeps.sweep import open_jobs, problems_of

    questions = [question for layout in layouts for question in layout.questions]
    jobs = estimate(open_jobs(questions), past_costs(folders))
    table = Table("scenario", "data", "arm", "folds", "jobs", "open", box=None, pad_edge=False)
    counted: dict[tuple[str, str, str], list[int]] = {}
    for question in questions:
        row = counted.setdefault((question.scenario, question.dataset, question.arm), [0, 0, 0])
        for place, n in enumerate((1, len(question.jobs), len(open_jobs([question])))):
            row[place] += n
    for names, numbers in counted.items():
        table.add_row(*names, *map(str, numbers))
    printer().print(table)
    total = sum(len(question.jobs) for question in questions)
    say(f"\n{total} jobs, {total - len(jobs)} of them finished or blocked, {len(jobs)} to run.")
    _print_costs(jobs)
    _print_problems([problem for layout in layouts for problem in problems_of(layout)])


def _show_script(cluster: str | None, *, is_trusted: bool) -> None:
    """Print what a scheduler would be handed, if one is to start the cluster."""
    if cluster is not None and cluster.endswith(".toml"):
        from wildcell.sweeps.cluster_file import read_cluster_file

        file = read_cluster_file(Path(cluster), is_trusted=is_trusted)
        say(f"\n{file.jobs} times, by {file.scheduler}:\n{file.job_script()}")


def _print_costs(jobs: "pd.DataFrame") -> None:
    """Print what jobs will take, as far as past runs tell."""
    if jobs.empty:
        return
    is_known = jobs["n_past"] > 0
    known = jobs[is_known]
    if len(known):
        longest = known["wall_s"].max()
        say(
            f"By the medians of past runs {len(known)} of them take "
            f"{_time(known['wall_s'].sum())} of one worker, {_time(longest)} the longest, "
            f"{known['peak_memory_mb'].max():.0f} MiB the largest; preparing questions comes on "
            "top."
        )
    for model, n in jobs[~is_known].groupby("model").size().items():
        say(f"unknown cost: {model} in {n} jobs, no past run of it on these data")


def _show_end(swept: "Swept", runs: Path) -> None:
    n_new = sum(end.is_new for end in swept.ended)
    say(f"{n_new} runs finished now, {swept.n_finished_before} were finished before, in {runs}.")
    for (status, model, reason), n in Counter(
        (end.status, end.model, end.reason) for end in swept.ended if end.status not in {"", "ok"}
    ).items():
        say(f"{status}: {model} in {n} runs: {reason}")
    failures = Counter((end.model, end.failure) for end in swept.ended if end.failure)
    for (model, failure), n in failures.items():
        say(f"not run: {model} in {n} jobs: {failure}")
    _print_problems(swept.problems)
    say(f"See them with: wildcell status {runs} and wildcell rank {runs}")
    if failures or swept.problems:
        raise SystemExit(1)


def _print_problems(problems: "Sequence[Problem]") -> None:
    for problem in problems:
        say(f"not run: {problem.what}: {problem.reason}")


def status(
    runs: Path,
    /,
    *,
    by: list[str] | None = None,
    out: Path | None = None,
) -> None:
    """Say how far the jobs of a folder of runs are, why some failed, and what they took.

    What is missing is known of sweeps alone, which keep what they planned.

    Parameters
    ----------
    runs
        Folder of runs.
    by
        Columns that jobs are counted by: scenario, dataset, arm, model or seed. By model if none
        is given.
    out
        Table of all jobs to write, .csv or .parquet.
    """
    from rich.table import Table

    from wildcell.cli.progress import printer
    from wildcell.store.atomic import write_table
    from wildcell.sweeps.status import JobState, progress_of, reasons, summary

    jobs, problems = progress_of(runs)
    if out is not None:
        write_table(out, jobs)
    names = _known_columns(by or ["model"])
    states = [str(state) for state in JobState]
    table = Table(*names, *states, "wall", "CPU", "memory MiB", box=None, pad_edge=False)
    for _, row in summary(jobs, names).iterrows():
        costs = (_time(row["wall_s"]), _time(row["cpu_s"]), _whole(row["peak_memory_mb"]))
        table.add_row(*(str(row[name]) for name in [*names, *states]), *costs)
    printer().print(table)
    counts = jobs["state"].value_counts()
    told = ", ".join(f"{counts.get(state, 0)} {state}" for state in states)
    say(f"\n{len(jobs)} jobs: {told}.")
    say(f"Those that ended took {_time(jobs['cpu_s'].sum())} of CPU.")
    for model, reason, n in reasons(jobs):
        say(f"failed: {model} in {n} jobs: {reason}")
    for _, job in jobs[jobs["state"] == JobState.RUNNING].iterrows():
        say(f"running since {job['since']}: {job['folder']}")
    _print_problems(problems)


def _known_columns(names: list[str]) -> list[str]:
    from wildcell.errors import UnknownNameError
    from wildcell.registry import did_you_mean

    known = [*QUESTION, "model", "seed"]
    for name in names:
        if name not in known:
            raise UnknownNameError(
                f"Jobs cannot be counted by {name!r}. {did_you_mean(name, known)}"
            )
    return names


def _time(seconds: float) -> str:
    """Return a time as one reads it, a dash for one that is not known."""
    if isnan(seconds):
        return "-"
    return f"{seconds / HOUR:.1f} h" if seconds >= HOUR else f"{seconds:.1f} s"


def _whole(value: float) -> str:
    return "-" if isnan(value) else f"{value:.0f}"
