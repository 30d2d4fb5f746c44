"""Processes that do short jobs one after the other, for a fork is dear where jobs are not.

What could be told by what was there before is left to processes of their own: jobs of models whose
code is not of this package, or that need a library that keeps a state of its own.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wildcell.models.sealed.terms import Terms
from wildcell.run import Fold
from wildcell.store.provenance import forget_peak_memory
from wildcell.sweeps.channel import Channel, Words, channels
from wildcell.sweeps.child import Child, fork

OLDEST_S = 5.0
"""A process that is older is given no other job: longer jobs have processes of their own."""

PACKAGE = __name__.partition(".")[0]

Do = Callable[[str], Words]


def may_share(fold: Fold, name: str) -> bool:
    """Whether a job may be done where others were: by this package's own code, in its process."""
    if name not in fold.plan.entries:
        return True  # the replicate and the ceiling
    card = fold.plan.entries[name].card
    home = getattr(card.make, "__module__", "").partition(".")[0]
    return home == PACKAGE and not (card.is_sealed or card.extra or card.version)


@dataclass(eq=False)
class Hand:
    """A process that does the jobs that it is told.

    Attributes
    ----------
    child
        The process.
    channel
        Tells it {"job": name} or {"rest": true}, and hears what the job came to.
    born
        When it was forked.
    job
        What it is at, None if nothing.
    n_done
        Jobs that it did before.
    is_heard
        Whether more may be heard of it.
    """

    child: Child
    channel: Channel
    born: float
    job: str | None = None
    n_done: int = 0
    is_heard: bool = True

    @property
    def is_free(self) -> bool:
        """Whether it waits for a job."""
        return self.job is None and self.is_heard and not self.child.stopped

    def give(self, name: str, terms: Terms) -> None:
        """Have it do a job on these terms."""
        self.job = name
        self.child.begin(terms)
        self._tell({"job": name})

    def hear(self) -> tuple[str, Words] | None:
        """Return the job that it has done and what that came to, None if it says no more."""
        words, name = self.channel.receive(), self.job
        if words is None or name is None:
            self.is_heard = False
            return None
        self.job = None
        self.n_done += 1
        self.child.begin(Terms())
        if time.monotonic() - self.born > OLDEST_S:
            self.dismiss()
        return name, words

    def dismiss(self) -> None:
        """Let it end."""
        self.is_heard = False
        self._tell({"rest": True})

    def _tell(self, words: dict[str, Any]) -> None:
        try:
            self.channel.send(words)
        except OSError:  # it died, which is seen when it is watched
            self.is_heard = False


def new_hand(do: Do, *, printed: Path, others: Iterable[Channel]) -> Hand:
    """Fork a process for jobs.

    Parameters
    ----------
    do
        Does the job of a name.
    printed
        File for what it prints.
    others
        Channels of this process that it closes.
    """
    ours, theirs = channels()
    child = fork(lambda: _work(do, theirs, [ours, *others]), printed=printed)
    theirs.close()
    return Hand(child, ours, time.monotonic())


def _work(do: Do, channel: Channel, others: Iterable[Channel]) -> Words:
    """Be the process."""
    for other in others:
        other.close()
    while (words := channel.receive()) is not None and "job" in words:
        forget_peak_memory()
        channel.send(do(str(words["job"])))
    return {}
