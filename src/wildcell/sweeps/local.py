"""The jobs of a sweep on this machine, so many at a time."""

import select
import time
from collections import Counter, deque
from collections.abc import Callable, Container, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from wildcell.sweeps.channel import Channel
from wildcell.sweeps.layout import Question, State
from wildcell.sweeps.stem_process import StemDiedError, StemProcess

REST_S = 0.5
"""How long a job that another process is at is left alone."""

LONGEST_WAIT_S = 1.0

MOST_DEATHS = 2
"""A question whose process died so often is given up, or the job that was at work each time."""


@dataclass(frozen=True)
class Ended:
    """How a job ended.

    Attributes
    ----------
    question, model
        Which it was.
    status, reason
        Those of its run, "" if there is none.
    is_new
        Whether it was finished now.
    failure
        Why there is no run, "" if there is one.
    """

    question: Question
    model: str
    status: str = ""
    reason: str = ""
    is_new: bool = False
    failure: str = ""


OnEnd = Callable[[Ended], object]


@dataclass(eq=False)
class Asked:
    """A question, and how far its jobs are."""

    stem: StemProcess
    index: int
    question: Question
    waiting: deque[str]
    working: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)
    blamed: Counter[str] = field(default_factory=Counter)
    channel: Channel | None = None
    is_ready: bool = False
    deaths: int = 0
    rests_until: float = 0.0

    @classmethod
    def of(cls, stem: StemProcess, index: int, question: Question) -> "Asked":
        """Return a question with its open jobs waiting."""
        names = deque(job.model for job in question.jobs if job.state is State.OPEN)
        return cls(stem, index, question, names)

    @property
    def is_done(self) -> bool:
        """Whether no job is left."""
        return not self.waiting and not self.working

    def take(self, is_possible: Callable[[str], bool]) -> str | None:
        """Return the next job that is possible now, None where all that are left must wait.

        Those that another process is at come last, after those at work when their question died,
        which are run one at a time, with none beside them.
        """
        if self.blamed.keys() & self.working:
            return None
        possible = [filter(is_possible, self.waiting) for _ in range(3)]
        free = (name for name in possible[0] if name not in self.held | self.blamed.keys())
        chosen = next(free, None)
        if chosen is None and not self.working:
            chosen = next((name for name in possible[1] if name not in self.held), None)
            if chosen is None and time.monotonic() >= self.rests_until:
                chosen = next(possible[2], None)
        if chosen is not None:
            self.waiting.remove(chosen)
        return chosen


class Crew:
    """So many jobs at a time, those of a question after each other where that will do.

    Parameters
    ----------
    asked
        Questions, in the order in which they are opened.
    n_workers
        Jobs at a time; a question that is being prepared counts as one.
    on_end
        Called with each job that ended.
    gpu_models
        Models, by the names of their runs without options, that are run one at a time.
    keeps_screens
        Whether the processes of screens are left to be asked again.
    check
        Called about once a second; what it raises stops the jobs at work.
    """

    def __init__(
        self,
        asked: Sequence[Asked],
        *,
        n_workers: int,
        on_end: OnEnd,
        gpu_models: Container[str] = (),
        keeps_screens: bool = False,
        check: Callable[[], object] = bool,
    ) -> None:
        self.coming = deque(one for one in asked if not one.is_done)
        self.opened: list[Asked] = []
        self.left = Counter(one.stem for one in self.coming)
        self.n_workers = n_workers
        self.on_end = on_end
        self.gpu_models = gpu_models
        self.keeps_screens = keeps_screens
        self.check = check

    def work(self) -> None:
        """Run all jobs; when it is interrupted, stop those at work."""
        try:
            while self.coming or self.opened:
                self.check()
                self._fill()
                self._listen()
                self._put_away()
        finally:
            for one in self.opened:
                self._close(one)

    def _n_free(self) -> int:
        at_work = (len(one.working) if one.is_ready else 1 for one in self.opened)
        return self.n_workers - sum(at_work)

    def _fill(self) -> None:
        """Give what is free the next jobs of open questions, and open others."""
        for one in self.opened:
            while one.is_ready and self._n_free() > 0 and (name := self._next(one)) is not None:
                one.working.add(name)
                self._tell(one, {"job": name})
        while self.coming and self._n_free() > 0 and len(self.opened) < self.n_workers:
            self._open(self.coming.popleft())

    def _next(self, one: Asked) -> str | None:
        is_taken = any(self._is_on_gpu(name) for other in self.opened for name in other.working)
        return one.take(lambda name: not (is_taken and self._is_on_gpu(name)))

    def _is_on_gpu(self, name: str) -> bool:
        return name.partition("[")[0] in self.gpu_models

    def _open(self, one: Asked) -> None:
        self.opened.append(one)
        try:
            one.channel = one.stem.open(one.index)
        except StemDiedError as error:
            self._lose(one, str(error))

    def _tell(self, one: Asked, words: dict[str, Any]) -> None:
        assert one.channel is not None
        with suppress(OSError):  # it died, which is seen when it is listened to
            one.channel.send(words)

    def _listen(self) -> None:
        channels = {one.channel: one for one in self.opened if one.channel is not None}
        if any(one.held and not one.working for one in channels.values()):
            wait = REST_S
        else:
            wait = LONGEST_WAIT_S
        ready, _, _ = select.select(list(channels), [], [], wait if channels else 0)
        for channel in ready:
            self._hear(channels[channel], channel)

    def _hear(self, one: Asked, channel: Channel) -> None:
        """Take in all that a question says."""
        while True:
            words = channel.receive()
            if words is None:
                self._lose(one, "the process of its question died")
                return
            self._take_in(one, words)
            if not channel.has_more or one.channel is None:
                return

    def _take_in(self, one: Asked, words: dict[str, Any]) -> None:
        if "ready" in words:
            one.is_ready = True
        elif "problem" in words:
            self._give_up(one, words["problem"])
        else:
            name = words.pop("ended")
            one.working.discard(name)
            one.held.discard(name)
            if words.get("held"):
                one.held.add(name)
                one.waiting.append(name)
                one.rests_until = time.monotonic() + REST_S
            else:
                self.on_end(Ended(one.question, name, **words))

    def _lose(self, one: Asked, reason: str) -> None:
        """Have another go at a question whose process died, and at the jobs at work then.

        What was at work twice is given up; where nothing was, the question is.
        """
        self._close(one)
        reason = f"{reason} {MOST_DEATHS} times: the system may be short of memory"
        if not one.working:
            one.deaths += 1
            if one.deaths >= MOST_DEATHS:
                self._give_up(one, reason)
        one.blamed.update(one.working)
        for name in sorted(one.working):
            if one.blamed[name] < MOST_DEATHS:
                one.waiting.append(name)
            else:
                self.on_end(Ended(one.question, name, failure=reason))
        one.working.clear()

    def _give_up(self, one: Asked, reason: str) -> None:
        for name in one.waiting:
            self.on_end(Ended(one.question, name, failure=reason))
        one.waiting.clear()
        self._close(one)

    def _close(self, one: Asked) -> None:
        if one.channel is not None:
            one.channel.close()
        one.channel, one.is_ready = None, False

    def _put_away(self) -> None:
        """Close what is done, and the screens that nothing is asked of any more."""
        for one in [one for one in self.opened if one.is_done]:
            self._close(one)
            self.opened.remove(one)
            self.left[one.stem] -= 1
            if not self.left[one.stem] and not self.keeps_screens:
                one.stem.close()
        lost = [one for one in self.opened if one.channel is None]
        self.coming.extendleft(lost)
        self.opened = [one for one in self.opened if one.channel is not None]
