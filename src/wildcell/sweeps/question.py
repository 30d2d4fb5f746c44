"""The process of one question: it prepares what all need, and forks those that do its jobs."""

import os
import select
import signal
import time
from collections import Counter
from functools import partial
from pathlib import Path

from wildcell.names import REPLICATE
from wildcell.run import Fold, fail_one, keep_halves, prepare, run_folder, run_one
from wildcell.store.runs import is_held
from wildcell.sweeps.channel import Channel, Words
from wildcell.sweeps.child import Child, End, Work, adopt_orphans, fork, kill_orphans
from wildcell.sweeps.hand import Hand, may_share, new_hand
from wildcell.sweeps.setting import Setting

LONGEST_NAP_S, SHORTEST_NAP_S = 0.1, 0.005
LONGEST_REASON = 2**11

MOST_KILLS = 2
"""A job that is killed from outside, as the system does that is short of memory, has another go."""


def serve_question(fold: Fold, setting: Setting, channel: Channel, scratch: Path) -> None:
    """Prepare a question, then run the jobs that the channel names until it is closed.

    Parameters
    ----------
    fold, setting
        What is asked, and on what terms it is answered.
    channel
        Hears {"job": name}; is told {"ready": true} or {"problem": reason}, and of each job
        {"ended": name, ...} with `status`, `reason` and `is_new`, with `failure`, or with `held`.
    scratch
        Folder for what jobs print.
    """
    adopt_orphans()
    try:
        prepare(fold, setting.runs)
    except Exception as error:  # noqa: BLE001  told to whoever asked for it
        channel.send({"problem": _said(error)})
        return
    channel.send({"ready": True})
    bench = _Bench(fold, setting, channel, scratch)
    try:
        bench.serve()
    finally:
        bench.stop()


class _Bench:
    """The jobs of a question that are at work: in shared processes, or in some of their own."""

    def __init__(self, fold: Fold, setting: Setting, channel: Channel, scratch: Path) -> None:
        self.fold, self.setting, self.channel, self.scratch = fold, setting, channel, scratch
        self.alone: dict[str, Child] = {}
        self.hands: list[Hand] = []
        self.recording: set[str] = set()
        self.kills: Counter[str] = Counter()

    def serve(self) -> None:
        """Start and watch jobs until the channel is closed."""
        while True:
            heard = [self.channel, *(hand.channel for hand in self.hands if hand.is_heard)]
            pipes = [child.pipe for child in self.alone.values()]
            looked_at: list[Channel | int] = [*heard, *pipes]
            ready, _, _ = select.select(looked_at, [], [], self._nap())
            if self.channel in ready or self.channel.has_more:
                words = self.channel.receive()
                if words is None:
                    return
                self._start(str(words["job"]))
            for hand in list(self.hands):
                self._attend(hand, has_said=hand.channel in ready)
            for name, child in list(self.alone.items()):
                if (end := child.watch()) is not None:
                    del self.alone[name]
                    self._kill_orphans()
                    self._ended(name, end)

    def _nap(self) -> float | None:
        """Return how long nobody need be looked at."""
        if self.channel.has_more:
            return 0
        at_work = [hand.child for hand in self.hands if not hand.is_free]
        at_work += self.alone.values()
        if not at_work:
            return None
        youngest = min(time.monotonic() - child.started for child in at_work)
        return min(LONGEST_NAP_S, SHORTEST_NAP_S + youngest / 20)

    def _start(self, name: str) -> None:
        if not may_share(self.fold, name):
            self._start_alone(name)
            return
        hand = next((hand for hand in self.hands if hand.is_free), None) or self._new_hand()
        hand.give(name, self.setting.terms)

    def _new_hand(self) -> Hand:
        hand = new_hand(
            partial(_run, self.fold, setting=self.setting),
            printed=self._printed(f"hand {time.monotonic_ns()}"),
            others=self._channels(),
        )
        self.hands.append(hand)
        return hand

    def _attend(self, hand: Hand, *, has_said: bool) -> None:
        """Take in what a hand has done, and see to its job where it died."""
        end = hand.child.watch()
        if hand.is_heard and (has_said or end is not None) and (done := hand.hear()) is not None:
            name, words = done
            self.channel.send({"ended": name, **words})
        if end is None:
            return
        self.hands.remove(hand)
        hand.channel.close()
        self._kill_orphans()
        if hand.job is None:
            return
        if hand.n_done:  # it may be due to what was there before
            self._start_alone(hand.job)
        else:
            self._ended(hand.job, end)

    def _start_alone(self, name: str) -> None:
        self._fork(name, partial(_run, self.fold, name, setting=self.setting), self.setting)

    def _fork(self, name: str, work: Work, setting: Setting) -> None:
        def work_apart() -> Words:
            for channel in others:
                channel.close()
            return work()

        others = self._channels()
        self.alone[name] = fork(work_apart, printed=self._printed(name), terms=setting.terms)

    def _channels(self) -> list[Channel]:
        return [self.channel, *(hand.channel for hand in self.hands)]

    def _printed(self, what: str) -> Path:
        return self.scratch / f"{os.getpid()}-{abs(hash(what))}.txt"

    def _kill_orphans(self) -> None:
        children = [*self.alone.values(), *(hand.child for hand in self.hands)]
        kill_orphans({child.pid for child in children})

    def _ended(self, name: str, end: End) -> None:
        """Tell how a process ended that did this job alone, unless it has another go."""
        is_recorded = name in self.recording
        self.recording.discard(name)
        if end.said is not None:
            self.channel.send({"ended": name, **end.said})
        elif end.code == -signal.SIGKILL and not end.stopped and self._has_another_go(name):
            self._start_alone(name)
        elif name in self.fold.plan.entries and not is_recorded:
            self.recording.add(name)
            self._fork(name, partial(self._fail, name, end), Setting(self.setting.runs))
        else:
            self.channel.send({"ended": name, "failure": _how(end)})

    def _has_another_go(self, name: str) -> bool:
        self.kills[name] += 1
        return self.kills[name] < MOST_KILLS

    def _fail(self, name: str, end: End) -> Words:
        """Keep the run of a model whose process died."""
        fail_one(
            self.fold,
            name,
            self.setting.runs,
            reason=_how(end),
            log=end.printed,
            cost=end.cost,
            retry=self.setting.retry,
        )
        return {"status": "error", "reason": _how(end), "is_new": True}

    def stop(self) -> None:
        """Stop the jobs that are at work."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        left = [*self.alone.values(), *(hand.child for hand in self.hands)]
        for child in left:
            child.stop("with the sweep")
        while left:
            left = [child for child in left if child.watch() is None]
            time.sleep(SHORTEST_NAP_S)
        kill_orphans(())


def _run(fold: Fold, name: str, setting: Setting) -> Words:
    """Run a job, unless another process is at it."""
    try:
        folder = run_folder(fold, name, setting.runs)
        if is_held(folder):
            return {"held": True}
        outcome = run_one(fold, name, setting.runs, retry=setting.retry)
        if name == REPLICATE:
            keep_halves(fold, folder)
    except Exception as error:  # noqa: BLE001  a model's is a result: this one is ours, or the disk's
        return {"failure": _said(error)}
    record = outcome.record
    reason = str(record["reason"])[:LONGEST_REASON]
    return {"status": record["status"], "reason": reason, "is_new": outcome.is_new}


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:LONGEST_REASON]


def _how(end: End) -> str:
    """Say how a process ended that did not come to the end of its work."""
    if end.stopped:
        return f"was stopped {end.stopped}"
    if end.code == -signal.SIGKILL:
        return "its process was killed twice (signal 9): the system may have run out of memory"
    if end.code < 0:
        return f"its process was killed by signal {-end.code} ({signal.Signals(-end.code).name})"
    return f"its process ended with code {end.code}"
