"""A stem as it is seen from outside: started, asked, ended."""

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from wildcell.errors import BenchmarkError
from wildcell.parallel import THREADS
from wildcell.sweeps.channel import Channel, channels
from wildcell.sweeps.layout import Layout, Problem, Question
from wildcell.sweeps.setting import Setting
from wildcell.sweeps.sweep_file import Screen, Sweep

ONE_THREAD = (
    THREADS,
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
"""Environment variables that are 1 in all processes of a sweep."""

NO_THREADS_BEHIND = {"ARROW_DEFAULT_MEMORY_POOL": "system"}
"""Lest Arrow's own allocator has a thread at work when a process is forked."""

START = "import sys; sys.path[:] = sys.argv[3:]; from wildcell.sweeps.stem import main; main()"
"""What a stem runs, with its channel, its scratch folder and our paths of modules."""

PATIENCE_S = 10.0
LONGEST_SAID = 1000


class StemDiedError(BenchmarkError):
    """The process of a screen ended before it was to."""


class StemProcess:
    """The process that holds a screen.

    Parameters
    ----------
    sweep, screen, setting
        What is asked of which screen, and how.
    scratch
        Folder for what it prints.
    """

    def __init__(self, sweep: Sweep, screen: Screen, setting: Setting, scratch: Path) -> None:
        self._sweep, self._screen, self._setting = sweep, screen, setting
        self._scratch = scratch
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None

    @property
    def name(self) -> str:
        """What its screen is called in the sweep."""
        return self._screen.name or "the scenarios' own data"

    @property
    def is_running(self) -> bool:
        """Whether it was started and not closed."""
        return self._channel is not None

    def lay_out(self) -> Layout:
        """Start it, and return what it says is to be run.

        Raises
        ------
        StemDiedError
            It died.
        """
        log = self._scratch / f"screen-{id(self)}.txt"
        ours, theirs = channels()
        with log.open("wb") as printed:
            place = [str(theirs.fileno()), str(self._scratch), *sys.path]
            self._process = subprocess.Popen(
                [sys.executable, "-c", START, *place],
                pass_fds=[theirs.fileno()],
                env={**os.environ, **dict.fromkeys(ONE_THREAD, "1"), **NO_THREADS_BEHIND},
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        theirs.close()
        self._channel = ours
        self._tell({"setting": self._setting.words(), "sweep": self._sweep.words()})
        words = ours.receive()
        if words is None:
            self.close()
            raise StemDiedError(_last_of(log) or "its process died")
        return Layout(
            tuple(Question.of(one) for one in words["questions"]),
            tuple(Problem(**one) for one in words["problems"]),
        )

    def open(self, index: int) -> Channel:
        """Return the channel of a new process of a question, started anew if need be.

        Raises
        ------
        StemDiedError
            It died.
        """
        if self._process is not None and self._process.poll() is not None:
            self.close()
        if self._channel is None:
            self.lay_out()
        ours, theirs = channels()
        try:
            assert self._channel is not None
            self._channel.send({"open": index}, handing=theirs.end)
        except OSError as error:
            self.close()
            raise StemDiedError("the process of its screen died") from error
        finally:
            theirs.close()
        return ours

    def close(self) -> None:
        """Let it end, and all that it started; kill it if it does not."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._process is not None:
            try:
                self._process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def _tell(self, words: Mapping[str, object]) -> None:
        assert self._channel is not None
        screen = {"name": self._screen.name, "options": dict(self._screen.options)}
        with suppress(OSError):  # it died, which is seen when it is listened to
            self._channel.send({**words, "screen": screen})


def _last_of(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1][:LONGEST_SAID] if lines else ""
