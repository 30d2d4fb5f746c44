"""The process of one question: it prepares what all need, and forks a process a job."""

import os
import select
import signal
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from wildcell.names import REPLICATE
from wildcell.run import Fold, fail_one, keep_halves, prepare, run_folder, run_one
from wildcell.store.runs import is_held
from wildcell.sweeps.channel import Channel, Words
from wildcell.sweeps.child import Child, End, adopt_orphans, fork, kill_orphans
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
    """The jobs of a question that are at work."""

    def __init__(self, fold: Fold, setting: Setting, channel: Channel, scratch: Path) -> None:
        self.fold, self.setting, self.channel, self.scratch = fold, setting, channel, scratch
        self.working: dict[str, Child] = {}
        self.recording: set[str] = set()
        self.kills: Counter[str] = Counter()

    def serve(self) -> None:
        """Start and watch jobs until the channel is closed."""
        while True:
            pipes = [child.pipe for child in self.working.values()]
            heard = self.channel.fileno()
            ready, _, _ = select.select([heard, *pipes], [], [], self._nap())
            if heard in ready or self.channel.has_more:
                words = self.channel.receive()
                if words is None:
                    return
                self._start(str(words["job"]))
            for name, child in list(self.working.items()):
                if (end := child.watch()) is not None:
                    self._ended(name, end)

    def _nap(self) -> float | None:
        if not self.working:
            return None
        youngest = min(time.monotonic() - child.started for child in self.working.values())
        return min(LONGEST_NAP_S, SHORTEST_NAP_S + youngest / 20)

    def _start(self, name: str) -> None:
        work = partial(_run, self.fold, name, self.setting, self.channel)
        self._fork(name, work, self.setting)

    def _fork(self, name: str, work: Any, setting: Setting) -> None:
        printed = self.scratch / f"{os.getpid()}-{abs(hash(name))}.txt"
        self.working[name] = fork(work, printed=printed, terms=setting.terms)

    def _ended(self, name: str, end: End) -> None:
        del self.working[name]
        kill_orphans({child.pid for child in self.working.values()})
        is_recorded = name in self.recording
        self.recording.discard(name)
        if end.said is not None:
            self.channel.send({"ended": name, **end.said})
        elif end.code == -signal.SIGKILL and not end.stopped and self._has_another_go(name):
            self._start(name)
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
        self.channel.close()
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
        for child in self.working.values():
            child.stop("with the sweep")
        while self.working:
            for name, child in list(self.working.items()):
                if child.watch() is not None:
                    del self.working[name]
            time.sleep(SHORTEST_NAP_S)
        kill_orphans(())


def _run(fold: Fold, name: str, setting: Setting, channel: Channel) -> Words:
    """Run a job, unless another process is at it."""
    channel.close()
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
