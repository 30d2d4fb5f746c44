"""A cluster in words: what a scheduler is asked for, read from TOML."""

import inspect
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wildcell.errors import MissingExtraError, OptionError, UnknownNameError
from wildcell.guards.texts import parse_toml, read_text
from wildcell.registry import did_you_mean

try:
    import dask_jobqueue
    from dask_jobqueue.core import Job, JobQueueCluster
except ImportError as error:
    raise MissingExtraError("A cluster that a scheduler starts", "cluster") from error

GPU = "GPU"
"""The resource of workers that have one, as in `dask worker ... --resources GPU=1`."""

CLUSTERS: Mapping[str, type[JobQueueCluster]] = {
    "slurm": dask_jobqueue.SLURMCluster,
    "pbs": dask_jobqueue.PBSCluster,
    "lsf": dask_jobqueue.LSFCluster,
    "sge": dask_jobqueue.SGECluster,
}

OWN = ("scheduler", "jobs", "gpus")
NEEDED = ("scheduler", "jobs", "cores", "memory")

COMMANDS = ("job_script_prologue", "env_extra", "shebang", "python", "worker_command")
"""What is run by the shell of a job, or as a program: taken from a file that is trusted alone."""

CALLS = ("-E", "-Ep", "-S", "--wrap")
"""Directives by which schedulers start programs of their own."""

DIRECTIVES = ("job_extra_directives", "job_extra")
IN_COMMAND = ("extra", "interface", "local_directory", "protocol", "worker_extra_args")
"""What stands in the line that starts a worker, which a shell reads."""

WORDS = re.compile(r"[\w @%+=:,./${}~-]*")
"""Words in which a shell finds nothing to do but to put in variables."""

NOWHERE = "tcp://SCHEDULER:PORT"
"""What stands in a script that is only shown."""


@dataclass(frozen=True)
class ClusterFile:
    """What a scheduler is asked for.

    Attributes
    ----------
    scheduler
        Its kind, one of `CLUSTERS`.
    jobs
        How many jobs of the scheduler are started, each with workers of one thread.
    cores
        Cores, and so workers, of each.
    has_gpus
        Whether each has a GPU to give.
    options
        All that dask-jobqueue is told.
    """

    scheduler: str
    jobs: int
    cores: int
    has_gpus: bool
    options: Mapping[str, Any]

    @property
    def n_workers(self) -> int:
        """How many jobs of a sweep are done at a time when all are started."""
        return self.jobs * self.cores

    def job_script(self) -> str:
        """Return what will be handed to the scheduler, but for the address that it has then."""
        job = CLUSTERS[self.scheduler].job_cls(scheduler=NOWHERE, name="wildcell", **self.options)
        return str(job.job_script())

    @contextmanager
    def started(self) -> Iterator[JobQueueCluster]:
        """Ask the scheduler for the jobs, and cancel what is left of them at the end."""
        options = {"scheduler_options": {"dashboard_address": ":0"}}
        with CLUSTERS[self.scheduler](**options, **self.options) as cluster:
            cluster.scale(jobs=self.jobs)
            yield cluster


def read_cluster_file(path: Path, *, is_trusted: bool = False) -> ClusterFile:
    """Read what a scheduler is asked for.

    Parameters
    ----------
    path
        The file.
    is_trusted
        Whether it may name programs and lines for the shell of jobs.

    Raises
    ------
    UnknownNameError
        There is no such file.
    DataError
        It is no TOML, or too large.
    OptionError
        It lacks something, has a key that dask-jobqueue does not take, or a value that a shell
        would run.
    """
    if not path.is_file():
        raise UnknownNameError(f"There is no cluster file {path}.")
    try:
        words = parse_toml(read_text(path), f"Cluster file {path}")
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"Cluster file {path} cannot be read as UTF-8 text: {error}.") from error
    if lacking := [key for key in NEEDED if key not in words]:
        raise OptionError(f"Cluster file {path} lacks {', '.join(lacking)}.")
    kind = words["scheduler"]
    if kind not in CLUSTERS:
        raise OptionError(
            f"Cluster file {path}: scheduler is {kind!r}; it must be one of {', '.join(CLUSTERS)}."
        )
    for key in ("jobs", "cores"):
        if not isinstance(words[key], int) or words[key] < 1:
            raise OptionError(f"Cluster file {path}: {key} must be at least 1; got {words[key]!r}.")
    _check_keys(words, kind, path)
    _check_values(words, path, is_trusted=is_trusted)
    given = {key: value for key, value in words.items() if key not in OWN}
    has_gpus = _has_gpus(words, path)
    if has_gpus:
        told = given.get("worker_extra_args", [])
        given["worker_extra_args"] = [*told, "--resources", f"{GPU}=1"]
    options = {"processes": words["cores"], **given}
    return ClusterFile(kind, words["jobs"], words["cores"], has_gpus, options)


def _has_gpus(words: Mapping[str, Any], path: Path) -> bool:
    """Whether each job of the scheduler has a GPU, which one worker alone may use."""
    n_gpus = words.get("gpus", 0)
    if n_gpus not in {0, 1} or (n_gpus and words["cores"] != 1):
        raise OptionError(
            f"Cluster file {path}: gpus is {n_gpus!r} with cores = {words['cores']}; it must be 0, "
            "or 1 with cores = 1: workers of one job would take the same GPU. Raise jobs instead."
        )
    return bool(n_gpus)


def _check_keys(words: Mapping[str, Any], kind: str, path: Path) -> None:
    job: type[Job] = CLUSTERS[kind].job_cls
    taken = {
        name
        for made in (job, Job)
        for name in inspect.signature(made.__init__).parameters
        if name not in {"self", "scheduler", "name", "kwargs", "base_class_kwargs"}
    }
    for key in words:
        if key not in {*OWN, *taken}:
            raise OptionError(
                f"Cluster file {path} has an unknown key {key!r}. "
                f"{did_you_mean(key, {*OWN, *taken})}"
            )


def _check_values(words: Mapping[str, Any], path: Path, *, is_trusted: bool) -> None:
    """Refuse what would leave its line in a script, and without trust, what a shell would run."""
    for key, text in _texts(words):
        if not text.isprintable():
            raise OptionError(
                f"Cluster file {path}: {key} has {text!r}; ends of lines and other signs that are "
                "not printed have no place in it."
            )
        if is_trusted:
            continue
        calls = key in DIRECTIVES and any(word in CALLS for word in re.split(r"[\s=]+", text))
        if key in COMMANDS or calls:
            raise OptionError(
                f"Cluster file {path} has {key}, {text!r}, which jobs would run. Look at it, and "
                "add --trust if that is what you want."
            )
        if key in IN_COMMAND and not WORDS.fullmatch(text):
            raise OptionError(
                f"Cluster file {path}: {key} has {text!r}, which a shell could take for something "
                "else. Write it without such signs, or add --trust if it is to be so."
            )


def _texts(words: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield all texts by their key, in lists, too."""
    for key, value in words.items():
        if isinstance(value, dict):
            yield from ((key, text) for _, text in _texts(value))
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str):
                yield key, one
