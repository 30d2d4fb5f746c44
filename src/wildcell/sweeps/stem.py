"""The process of one screen: it loads the cells, says what is asked, and forks the questions."""

import os
import select
import socket
import sys
import time
from pathlib import Path

from wildcell.run import Fold
from wildcell.sweeps.channel import Channel
from wildcell.sweeps.child import GRACE_S, Child, fork
from wildcell.sweeps.layout import Problem, lay_out
from wildcell.sweeps.question import serve_question
from wildcell.sweeps.rehearsal import rehearse
from wildcell.sweeps.setting import Setting
from wildcell.sweeps.sweep_file import Screen, Sweep

LONGEST_NAP_S, SHORTEST_NAP_S = 1.0, 0.005


def main() -> None:
    """Serve the channel whose descriptor is the first argument, with the second as scratch."""
    end, scratch = int(sys.argv[1]), Path(sys.argv[2])
    channel = Channel(socket.socket(fileno=end))
    words = channel.receive()
    if words is None:
        return
    setting = Setting.of(words["setting"])
    sweep = Sweep.of(words["sweep"])
    folds, layout = lay_out(sweep, Screen(**words["screen"]), setting)
    channel.send(
        {
            "questions": [question.words() for question in layout.questions],
            "problems": [Problem._asdict(problem) for problem in layout.problems],
        }
    )
    _serve(sweep, folds, setting, channel, scratch)


def _serve(
    sweep: Sweep, folds: list[Fold], setting: Setting, channel: Channel, scratch: Path
) -> None:
    """Fork a process for each question that the channel asks to open, until it is closed."""
    children: list[Child] = []
    is_rehearsed = False
    while True:
        ready, _, _ = select.select([channel], [], [], LONGEST_NAP_S if children else None)
        children = [child for child in children if child.watch() is None]
        if not ready:
            continue
        words = channel.receive()
        if words is None:
            break
        if not is_rehearsed:
            rehearse(sweep, scratch)
            is_rehearsed = True
        index, handed = int(words["open"]), channel.handed()
        printed = scratch / f"question-{os.getpid()}-{index}.txt"
        children.append(
            fork(lambda: _open(folds[index], setting, channel, handed, scratch), printed=printed)  # noqa: B023
        )
        handed.close()
    for child in children:
        child.stop("with the sweep", grace_s=2 * GRACE_S)
    while children:
        children = [child for child in children if child.watch() is None]
        time.sleep(SHORTEST_NAP_S)


def _open(
    fold: Fold, setting: Setting, channel: Channel, handed: socket.socket, scratch: Path
) -> dict[str, str]:
    channel.close()
    serve_question(fold, setting, Channel(handed), scratch)
    return {}
