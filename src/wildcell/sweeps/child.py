"""Processes that are forked of one that has what they need, watched, limited, and gone at the end.

A child leads a session of its own. Where the system can do that (on Linux) it is killed when its
parent dies, and is the first to go when memory is short.
"""

import ctypes
import gc
import json
import math
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from wildcell.models.sealed.process import HAS_PROC, PROC
from wildcell.models.sealed.terms import Terms
from wildcell.store.provenance import BYTES_PER_UNIT, Cost

GRACE_S = 3.0
"""How long a child may take to clean up after it is asked to end."""

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
PAGE = resource.getpagesize()
FIRST_TO_GO = 800
"""The `oom_score_adj` of a child: the higher, the sooner the system kills it for memory."""

LONGEST_SAID = 2**12
"""Characters of what a child printed last that are kept of it."""

Work = Callable[[], Mapping[str, Any]]


@dataclass(frozen=True)
class End:
    """How a child ended.

    Attributes
    ----------
    said
        What its work returned, None if it did not come so far.
    code
        Its exit code; negative, the signal that killed it.
    stopped
        Why it was stopped, "" if it ended by itself.
    cost
        What it took.
    printed
        The last that it printed.
    """

    said: Mapping[str, Any] | None
    code: int
    stopped: str
    cost: Cost
    printed: str


@dataclass
class Child:
    """A forked process at work."""

    pid: int
    pipe: int
    started: float
    terms: Terms
    printed: Path
    peak_bytes: int = 0
    stopped: str = ""
    kill_at: float = math.inf

    def watch(self) -> End | None:
        """Return how it ended, None while it runs; stop it where it passes a limit."""
        pid, status, usage = os.wait4(self.pid, os.WNOHANG)
        if pid:
            return self._ended(os.waitstatus_to_exitcode(status), usage)
        self._limit(time.monotonic() - self.started)
        return None

    def begin(self, terms: Terms) -> None:
        """Count time and memory from now on, by these terms."""
        self.started, self.terms, self.peak_bytes = time.monotonic(), terms, 0

    def stop(self, why: str, *, grace_s: float = GRACE_S) -> None:
        """Ask it to end, as a user would by Ctrl-C; `watch` kills it if it does not in time."""
        if not self.stopped:
            self.stopped, self.kill_at = why, time.monotonic() + grace_s
            _signal(self.pid, signal.SIGINT)

    def _limit(self, passed: float) -> None:
        if self.stopped:
            if time.monotonic() > self.kill_at:
                _signal(self.pid, signal.SIGKILL)
            return
        seconds, memory = self.terms.max_seconds, self.terms.max_memory
        if seconds is not None and passed > seconds:
            self.stop(f"after {passed:.0f} s (--max-seconds {seconds:g})")
        if memory is not None:
            held = sum(map(_resident_bytes, [self.pid, *descendants(self.pid)]))
            self.peak_bytes = max(self.peak_bytes, held)
            if held > memory * 2**30:
                self.stop(f"at {held / 2**30:.2f} GiB of memory (--max-memory {memory:g})")
                _signal(self.pid, signal.SIGKILL)  # it may take all that there is meanwhile

    def _ended(self, code: int, usage: resource.struct_rusage) -> End:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        said = _read_all(self.pipe)
        os.close(self.pipe)
        peak = max(self.peak_bytes, usage.ru_maxrss * BYTES_PER_UNIT) / 2**20
        wall_s = time.monotonic() - self.started
        cost = Cost(wall_s, usage.ru_utime + usage.ru_stime, peak)
        printed = _last_of(self.printed)
        self.printed.unlink(missing_ok=True)
        return End(said, code, self.stopped, cost, printed)


def fork(work: Work, *, printed: Path, terms: Terms | None = None) -> Child:
    """Do some work in a process of its own, which has all that this one has.

    Parameters
    ----------
    work
        What it returns is sent back as JSON, in at most some 60 KB.
    printed
        File for all that the child prints, deleted when it has ended.
    terms
        What it may take.
    """
    gc.freeze()  # lest collecting garbage copies what is shared
    reading, writing = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _live(work, writing, printed, parent)
    os.close(writing)
    os.set_blocking(reading, False)
    return Child(pid, reading, time.monotonic(), terms or Terms(), printed)


def _live(work: Work, pipe: int, printed: Path, parent: int) -> NoReturn:
    """Be the child, from its first line to its last."""
    code = 1
    try:
        os.setsid()
        die_with(parent)
        _be_first_to_go()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _print_to(printed)
        os.write(pipe, json.dumps(work(), default=str).encode())
        code = 0
    except KeyboardInterrupt:
        code = 130
    except BaseException:  # noqa: BLE001  whatever it is, no line of the parent's may be run
        sys.excepthook(*sys.exc_info())
    finally:
        with suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def die_with(parent: int) -> None:
    """Be killed when the parent dies, where the system can do that."""
    if not HAS_PROC:
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _be_first_to_go() -> None:
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(FIRST_TO_GO))


def _print_to(file: Path) -> None:
    sys.stdout.flush()
    stream = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(stream, 1)
    os.dup2(stream, 2)
    os.close(stream)


def adopt_orphans() -> None:
    """Become the parent of what children leave behind, where the system can do that."""
    if HAS_PROC:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def kill_orphans(known: Container[int]) -> None:
    """Kill the children of this process that it did not fork itself, and all that they started."""
    for orphan in _children(os.getpid()):
        if orphan not in known:
            for pid in [*descendants(orphan), orphan]:
                _signal(pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(orphan, 0)


def descendants(pid: int) -> Iterator[int]:
    """Yield the children of a process, and theirs: none where the system does not tell."""
    for child in _children(pid):
        yield child
        yield from descendants(child)


def _children(pid: int) -> list[int]:
    try:
        tasks = list((PROC / str(pid) / "task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []


def _resident_bytes(pid: int) -> int:
    """Return what a process holds that lies in no file.

    What it shares with the process that it was forked of counts in full, so that it does not matter
    how many others do.
    """
    try:
        _, held, in_files, *_ = map(int, (PROC / str(pid) / "statm").read_text().split())
        return (held - in_files) * PAGE
    except OSError:
        return 0


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _read_all(pipe: int) -> Mapping[str, Any] | None:
    content = b""
    with suppress(BlockingIOError):  # a process that it left may still have the other end
        while part := os.read(pipe, 2**16):
            content += part
    try:
        return dict(json.loads(content))
    except ValueError:
        return None


def _last_of(file: Path) -> str:
    try:
        return file.read_text(errors="replace")[-LONGEST_SAID:].strip()
    except OSError:
        return ""
