"""What a worker of a cluster does: some jobs of one question, one after the other, each apart."""

import atexit
import shutil
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

from wildcell.errors import BenchmarkError, StoreError
from wildcell.store.fingerprint import fingerprint
from wildcell.store.keeping import check_software
from wildcell.sweeps.layout import Question
from wildcell.sweeps.local import Asked, Crew, Ended
from wildcell.sweeps.setting import Setting
from wildcell.sweeps.stem_process import StemProcess
from wildcell.sweeps.sweep_file import Sweep


class Errand(NamedTuple):
    """Some jobs of a question, in words that can be sent to another machine.

    Attributes
    ----------
    sweep, screen, setting
        What is swept, the place of the screen in it, and how jobs are run.
    question, models
        Which of its jobs are to be run.
    software
        Fingerprint of the package that sent it.
    token
        A file among the runs that both sides must see.
    """

    sweep: Mapping[str, Any]
    screen: int
    setting: Mapping[str, Any]
    question: Mapping[str, Any]
    models: Sequence[str]
    software: str
    token: str


class _Held(NamedTuple):
    """The screen that a thread of a worker holds."""

    key: str
    stem: StemProcess
    questions: tuple[Question, ...]


_thread = threading.local()


def run_errand(errand: Errand, check: Callable[[], object]) -> list[dict[str, Any]]:
    """Run jobs, and return how each ended, without its question.

    Parameters
    ----------
    errand
        Which.
    check
        Raises when they are not wanted any more.

    Raises
    ------
    StoreError
        This machine does not see the folder of runs, or has other software.
    """
    _check_place(errand)
    held = _hold(errand)
    asked_for = Question.of(errand.question)
    index = next(
        (at for at, question in enumerate(held.questions) if question.name == asked_for.name), None
    )
    if index is None:
        raise BenchmarkError(f"{asked_for.name} is not asked here: the data differ.")
    ended: list[Ended] = []
    asked = Asked(held.stem, index, asked_for, deque(errand.models))
    Crew([asked], n_workers=1, on_end=ended.append, keeps_screens=True, check=check).work()
    return [{**asdict(end), "question": None} for end in ended]


def _check_place(errand: Errand) -> None:
    check_software(errand.software)
    if not Path(errand.token).is_file():
        raise StoreError(
            f"A worker of the cluster does not see {errand.setting['runs']}: name a folder that "
            "all machines share under the same path."
        )


def _hold(errand: Errand) -> _Held:
    """Return the screen of an errand, which is kept for the next one."""
    key = fingerprint(errand.sweep, errand.screen, errand.setting)
    held: _Held | None = getattr(_thread, "held", None)
    if held is None or held.key != key:
        if held is not None:
            held.stem.close()
        _thread.held = held = _held(errand, key)
    return held


def _held(errand: Errand, key: str) -> _Held:
    sweep = Sweep.of(errand.sweep)
    scratch = Path(mkdtemp(prefix="wildcell-"))
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    setting = Setting.of(errand.setting)
    stem = StemProcess(sweep, sweep.data[errand.screen], setting, scratch)
    return _Held(key, stem, stem.lay_out().questions)
