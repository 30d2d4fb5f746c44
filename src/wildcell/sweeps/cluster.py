"""The jobs of a sweep on a Dask cluster, which runs already or is started by a scheduler."""

import secrets
import time
from asyncio import CancelledError
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from queue import Empty, Queue
from typing import Any, NamedTuple

from wildcell.errors import MissingExtraError, OptionError, StoreError
from wildcell.store.atomic import write_text
from wildcell.store.keeping import software
from wildcell.sweeps.book import BOOK
from wildcell.sweeps.cluster_file import GPU, read_cluster_file
from wildcell.sweeps.layout import Layout, Question, State
from wildcell.sweeps.local import Ended, OnEnd
from wildcell.sweeps.setting import Setting
from wildcell.sweeps.station import Errand, run_errand
from wildcell.sweeps.sweep import (
    Ledger,
    OnJob,
    Swept,
    names_of_runs,
    plan_sweep,
    print_nothing,
)
from wildcell.sweeps.sweep_file import Sweep

try:
    from distributed import Client, Future, get_worker
except ImportError as error:
    raise MissingExtraError("A sweep on a cluster", "cluster") from error

ERRANDS_A_WORKER = 2
"""How finely jobs are shared out where there are few questions."""

PATIENCE_S = 30
LOOK_S, LONGEST_REST_S = 10.0, 600.0
"""How often it is seen whether there are workers, and how long there may be none."""

AT_WORK = ("executing", "long-running")
HOPEFUL = ("pending", "finished", "lost")


class UnwantedError(Exception):
    """Jobs that nobody waits for any more."""


class Cluster(NamedTuple):
    """A cluster that is there, and how many jobs it can do at a time when all of it is."""

    client: Client
    n_workers: int
    has_gpus: bool


class Share(NamedTuple):
    """Some open jobs of a question, for one worker."""

    screen: int
    question: Question
    models: tuple[str, ...]
    needs_gpu: bool


@contextmanager
def connected(words: str, *, is_trusted: bool = False) -> Iterator[Cluster]:
    """Connect to a cluster, or have one started until the block ends.

    Parameters
    ----------
    words
        The address of a Dask scheduler, or the file of `wildcell.sweeps.cluster_file`.
    is_trusted
        Whether that file may name what a shell runs.

    Raises
    ------
    OptionError
        Nothing answers there, or nobody works.
    """
    if words.endswith(".toml"):
        file = read_cluster_file(Path(words), is_trusted=is_trusted)
        with file.started() as queue, Client(queue) as client:
            yield Cluster(client, file.n_workers, has_gpus=file.has_gpus)
        return
    try:
        client = Client(words, timeout=PATIENCE_S)
    except (OSError, ValueError) as error:
        raise OptionError(
            f"No Dask scheduler answers at {words} ({error}). Give an address such as "
            "tcp://HOST:8786, as dask scheduler prints it, or a TOML file that says how to start "
            "one."
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE_S)
        except TimeoutError as error:
            raise OptionError(
                f"The scheduler at {words} has no workers; start some with: dask worker {words} "
                "--nworkers 4 --nthreads 1"
            ) from error
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
        has_gpus = any(GPU in worker["resources"] for worker in workers)
        yield Cluster(client, sum(worker["nthreads"] for worker in workers), has_gpus=has_gpus)


def sweep_on_cluster(
    sweep: Sweep,
    setting: Setting,
    *,
    cluster: str,
    gpu_models: Sequence[str] = (),
    is_trusted: bool = False,
    on_job: OnJob = print_nothing,
) -> Swept:
    """Run the jobs of a sweep that are not finished on a cluster; see `run_sweep`.

    Parameters
    ----------
    sweep, setting, on_job
        As for `wildcell.sweeps.sweep.run_sweep`. All machines must see the cells and the folder of
        runs under the same paths.
    cluster, is_trusted
        As for `connected`.
    gpu_models
        Models whose jobs go to workers that have a GPU to give.
    """
    on_gpu = names_of_runs(gpu_models)
    with connected(cluster, is_trusted=is_trusted) as found:
        layouts = plan_sweep(sweep, setting)
        ledger = Ledger(sweep, setting, layouts, on_job)
        run_on_cluster(sweep, setting, layouts, found, gpu_models=on_gpu, on_end=ledger.take_in)
        return ledger.swept()


def run_on_cluster(
    sweep: Sweep,
    setting: Setting,
    layouts: Sequence[Layout],
    cluster: Cluster,
    *,
    gpu_models: Container[str],
    on_end: OnEnd,
) -> None:
    """Run the open jobs of a sweep on the workers of a cluster.

    A worker loads a screen and prepares a question by itself, once for all jobs of it that it is
    given at a time. When a worker is lost, others do what it left.

    Parameters
    ----------
    sweep, setting, layouts
        What is run, how, and which jobs are open. All machines must see the cells and the folder
        of runs under the same paths.
    cluster
        Who works.
    gpu_models
        Models, by the names of their runs without options, whose jobs need a worker with a GPU.
    on_end
        Called with each job that ended.

    Raises
    ------
    OptionError
        A job needs a GPU, and no worker has one.
    StoreError
        There have been no workers for long.
    """
    shares = shares_of(layouts, cluster.n_workers, gpu_models)
    if any(share.needs_gpu for share in shares) and not cluster.has_gpus:
        raise OptionError(
            "No worker of the cluster has a GPU to give: start some with: dask worker ... "
            f"--resources {GPU}=1, or leave out --gpu."
        )
    token = setting.runs / BOOK / f"{secrets.token_hex(8)}.here"
    write_text(token, "A machine that sees this file sees this folder of runs.\n")
    waiting: dict[Future[Any], Share] = {}
    try:
        for share in shares:
            waiting[_sent(cluster.client, sweep, setting, share, token)] = share
        done: Queue[Future[Any]] = Queue()
        for future in waiting:
            future.add_done_callback(done.put)
        while waiting:
            future = _next(done, cluster.client)
            for end in _ends(future, waiting.pop(future), cluster.client):
                on_end(end)
    finally:
        cluster.client.cancel(list(waiting))
        token.unlink(missing_ok=True)


def _next(done: "Queue[Future[Any]]", client: Client) -> "Future[Any]":
    """Return the next that is done, as long as somebody works."""
    patience = Patience(client)
    while True:
        try:
            return done.get(timeout=LOOK_S)
        except Empty:
            patience.look()


class Patience:
    """Waits for workers, but not for ever."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.last_seen = time.monotonic()

    def look(self) -> None:
        """Look for workers.

        Raises
        ------
        StoreError
            There have been none for long.
        """
        if self.client.nthreads():
            self.last_seen = time.monotonic()
        if time.monotonic() - self.last_seen > LONGEST_REST_S:
            raise StoreError(
                f"The cluster has had no workers for {LONGEST_REST_S:.0f} s. What is finished is "
                "kept: see to its workers, and start the sweep again."
            )


def shares_of(layouts: Sequence[Layout], n_workers: int, gpu_models: Container[str]) -> list[Share]:
    """Share out open jobs: whole questions where there are many, else parts of them.

    Parameters
    ----------
    layouts
        All jobs.
    n_workers
        How many can be done at a time.
    gpu_models
        Models whose jobs are shared out by themselves.
    """
    questions = [
        (screen, question)
        for screen, layout in enumerate(layouts)
        for question in layout.questions
        if any(job.state is State.OPEN for job in question.jobs)
    ]
    if not questions:
        return []
    n_parts = min(n_workers, ceil(ERRANDS_A_WORKER * n_workers / len(questions)))
    return [
        Share(screen, question, tuple(names[part::n_parts]), needs_gpu)
        for screen, question in questions
        for needs_gpu, names in _by_need(question, gpu_models).items()
        for part in range(min(n_parts, len(names)))
    ]


def _by_need(question: Question, gpu_models: Container[str]) -> dict[bool, list[str]]:
    names: dict[bool, list[str]] = {False: [], True: []}
    for job in question.jobs:
        if job.state is State.OPEN:
            names[job.model.partition("[")[0] in gpu_models].append(job.model)
    return names


def _sent(
    client: Client, sweep: Sweep, setting: Setting, share: Share, token: Path
) -> "Future[Any]":
    errand = Errand(
        sweep.words(),
        share.screen,
        setting.words(),
        share.question.words(),
        share.models,
        software(),
        str(token),
    )
    key = f"wildcell-{secrets.token_hex(8)}"
    resources: Mapping[str, float] | None = {GPU: 1} if share.needs_gpu else None
    return client.submit(_run_there, errand._asdict(), key, key=key, resources=resources)


def _run_there(words: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """Run an errand on a worker, for as long as its key is wanted."""
    tasks = get_worker().state.tasks

    def check() -> None:
        if key not in tasks or tasks[key].state not in AT_WORK:
            raise UnwantedError(key)

    return run_errand(Errand(**words), check)


def _ends(future: "Future[Any]", share: Share, client: Client) -> Iterator[Ended]:
    """Yield how the jobs of a share ended.

    What a worker returned is lost with it, if it is lost before it is asked: others do it anew.
    """
    patience = Patience(client)
    while future.status in HOPEFUL:
        try:
            found = future.result(timeout=LOOK_S)
        except TimeoutError:
            patience.look()
        except (Exception, CancelledError):
            if future.status in HOPEFUL:
                raise
        else:
            yield from (Ended(**{**words, "question": share.question}) for words in found)
            return
    error = None if future.cancelled() else future.exception()
    reason = "the cluster was lost" if error is None else f"{type(error).__name__}: {error}"
    for name in share.models:
        yield Ended(share.question, name, failure=reason)
