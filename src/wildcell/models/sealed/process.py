"""A command in processes of its own: watched, limited, and gone when it ends."""

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from wildcell.errors import OptionError
from wildcell.models.sealed.launch import CUT, OPEN
from wildcell.models.sealed.surroundings import RUNNING, passed_on
from wildcell.models.sealed.terms import Terms
from wildcell.store.provenance import Cost

PROC = Path("/proc")
KIT = Path(__file__).with_name("kit")
"""The folder of `wildcell_task`, which scripts in Python may import and need not."""

HAS_PROC = sys.platform == "linux"
LONGEST_NAP_S = 0.1

LAUNCHER = Path(__file__).with_name("launch.py")

MOST_FILE_BYTES = 2**36
"""The largest file that a model may write."""

SPIKE = 2
SPIKE_BYTES = 2**31
"""A process that takes more at once than twice the limit of memory and this fails to, for what is
looked at every tenth of a second may be late."""


class Ended(NamedTuple):
    """How a command ended.

    Attributes
    ----------
    code
        Its exit code; negative, the signal that killed it.
    stopped
        Why it was stopped, "" if it ended by itself.
    cost
        What all its processes took.
    """

    code: int
    stopped: str
    cost: Cost


def run_apart(
    command: Sequence[str], *, folder: Path, python: Path, log: Path, terms: Terms
) -> Ended:
    """Run a command in a session of its own, and leave none of its processes behind.

    Parameters
    ----------
    command
        Program and arguments.
    folder
        Where it works; its home and its temporary files are there, too.
    python
        The interpreter of its environment, whose programs come first on its path.
    log
        File for all that it prints.
    terms
        What it may take.

    Raises
    ------
    OptionError
        Memory is limited on a system where it cannot be watched.
    OSError
        The program cannot be started.
    """
    if terms.max_memory is not None and not HAS_PROC:
        raise OptionError("--max-memory needs Linux, where the memory of processes can be watched.")
    surroundings = _environment(folder, python)
    if shutil.which(command[0], path=surroundings["PATH"]) is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), command[0])
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [*_launcher(terms), *command],
            cwd=folder,
            env=surroundings,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    watch = _Watch(process.pid, terms)
    try:
        return watch.until_the_end()
    finally:
        process.returncode = watch.kill()  # reaped by the watch, not by Popen


def _launcher(terms: Terms) -> list[str]:
    """Return what sets limits and becomes the command that follows it."""
    network = CUT if not terms.has_network and can_cut_network() else OPEN
    data = 0 if terms.max_memory is None else int(SPIKE * terms.max_memory * 2**30) + SPIKE_BYTES
    return _launched(network, data)


def _launched(network: str, data: int) -> list[str]:
    limits = [str(MOST_FILE_BYTES), str(data)]
    return [sys.executable, "-I", "-S", str(LAUNCHER), network, *limits]


@cache
def can_cut_network() -> bool:
    """Whether this system lets a user start processes without the network."""
    asked = subprocess.run(_launched(CUT, 0), capture_output=True, check=False)
    return asked.returncode == 0


def _environment(folder: Path, python: Path) -> dict[str, str]:
    passed = passed_on(RUNNING)
    return {
        **passed,
        "PATH": f"{python.parent}{os.pathsep}{passed.get('PATH', os.defpath)}",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(KIT),
        "PYTHONNOUSERSITE": "1",
        "PYTHONUNBUFFERED": "1",
    }


@dataclass
class _Watch:
    """The processes of a session, from the start of the first to the end of all.

    The memory is resident memory summed over them, looked at every tenth of a second.
    """

    leader: int
    terms: Terms
    code: int | None = None
    peak_bytes: int = 0
    network: str = ""

    def until_the_end(self) -> Ended:
        """Wait for the leader to end, or stop all when a limit is passed."""
        started = time.monotonic()
        while True:
            pid, status, usage = os.wait4(self.leader, os.WNOHANG)
            passed = time.monotonic() - started
            if pid:
                return self._ended(status, usage, passed)
            if stopped := self._over_limit(passed):
                _kill(self.leader)
                _, status, usage = os.wait4(self.leader, 0)
                return self._ended(status, usage, passed, stopped)
            time.sleep(min(LONGEST_NAP_S, 0.005 + passed / 20))

    def _ended(
        self, status: int, usage: resource.struct_rusage, wall_s: float, stopped: str = ""
    ) -> Ended:
        self.code = os.waitstatus_to_exitcode(status)
        peak_mb = self.peak_bytes / 2**20 if self.peak_bytes else float("nan")
        return Ended(self.code, stopped, Cost(wall_s, usage.ru_utime + usage.ru_stime, peak_mb))

    def _over_limit(self, passed: float) -> str:
        self.network = _own_network(self.leader) or self.network
        now = sum(map(_resident_bytes, _session(self.leader, self.network)))
        self.peak_bytes = max(self.peak_bytes, now)
        seconds, memory = self.terms.max_seconds, self.terms.max_memory
        if seconds is not None and passed > seconds:
            return f"after {passed:.0f} s (--max-seconds {seconds:g})"
        if memory is not None and now > memory * 2**30:
            return f"at {now / 2**30:.2f} GiB of memory (--max-memory {memory:g})"
        return ""

    def kill(self) -> int:
        """Kill what is left of the session, and return the code of its leader."""
        if self.code is None:  # we were interrupted
            _kill(self.leader)
            self.code = os.waitstatus_to_exitcode(os.waitpid(self.leader, 0)[1])
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.leader, signal.SIGKILL)
        # Those that made groups or sessions of their own.
        while left := list(_session(self.leader, self.network)):
            for pid in left:
                _kill(pid)
        return self.code


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _session(leader: int, network: str) -> Iterator[int]:
    """Yield the processes of a session, or of a network: none where the system does not tell."""
    if not HAS_PROC:
        return
    for entry in PROC.iterdir():
        if not entry.name.isdecimal():
            continue
        session = _session_of(entry)
        if session == leader or (session >= 0 and network and _network_of(entry) == network):
            yield int(entry.name)


def _own_network(leader: int) -> str:
    """Return the network of a process, "" while it is ours, too, or is not told."""
    found = _network_of(PROC / str(leader))
    return "" if found == _network_of(PROC / "self") else found


def _network_of(entry: Path) -> str:
    try:
        return str((entry / "ns" / "net").readlink())
    except OSError:
        return ""


def _session_of(entry: Path) -> int:
    try:
        # The name of the program, in brackets, may hold anything.
        fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return -1
    is_zombie = fields[0] == "Z"
    return -1 if is_zombie else int(fields[3])


def _resident_bytes(pid: int) -> int:
    """Return what a process holds, its part alone of what it shares with those it was forked of."""
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
