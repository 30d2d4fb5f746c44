"""One loop for all networks: draw, step, look at validation, keep what is not worse."""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from math import inf
from typing import Any

import numpy as np
from scipy.special import stdtrit

from wildcell.arrays import Floats
from wildcell.models.neural.backend import Module, Tensor, torch
from wildcell.models.neural.batch import Batch
from wildcell.models.neural.checkpoint import Checkpoint
from wildcell.models.neural.schedule import Schedule

log = logging.getLogger("wildcell.training")

TIMES_LR = 10.0
"""The largest rate of the cycle, over `lr`."""

LEVEL = 0.05
"""Of the one-sided test by which validation tells that a network got worse."""


@dataclass
class Player:
    """Parameters that are moved to lower a loss; most networks are one player, a game is two.

    Attributes
    ----------
    parameters
        What it moves.
    loss
        A number for a batch.
    every
        It moves in every so many steps.
    """

    parameters: Sequence[Tensor]
    loss: Callable[[Batch], Tensor]
    every: int = 1


@dataclass
class History:
    """What training came to.

    Attributes
    ----------
    step, n_steps
        Steps taken, of how many at most.
    losses
        Training loss of the first player at each look.
    validation
        Validation loss at each look: the mean of its errors.
    best
        The least of those that count.
    best_errors
        The errors that `best` is the mean of.
    n_looks_since
        Looks since the network that is kept.
    seconds
        What it took, over all its parts where it was resumed.
    ended
        Why it ended.
    """

    n_steps: int
    step: int = 0
    losses: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    best: float = inf
    best_errors: list[float] = field(default_factory=list)
    n_looks_since: int = 0
    seconds: float = 0.0
    ended: str = ""


class Mover:
    """A player with its optimiser and the schedule of its rate."""

    def __init__(self, player: Player, schedule: Schedule, n_steps: int) -> None:
        self.player, self.max_norm = player, schedule.max_norm
        self.parameters = [p for p in player.parameters if p.requires_grad]
        self.optimiser = torch.optim.Adam(
            self.parameters, lr=schedule.lr, weight_decay=schedule.weight_decay, fused=True
        )
        self.rate = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, max_lr=TIMES_LR * schedule.lr, total_steps=n_steps + 1
        )

    def move(self, batch: Batch, precision: AbstractContextManager[Any]) -> Tensor:
        """Take one step down the loss, and return it."""
        with precision:
            loss = self.player.loss(batch)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward(inputs=self.parameters)
        torch.nn.utils.clip_grad_norm_(self.parameters, self.max_norm)
        self.optimiser.step()
        return loss.detach()


def train(
    net: Module,
    players: Iterable[Player],
    *,
    draw: Callable[[], Batch],
    look: Callable[[], Floats],
    schedule: Schedule,
    n_steps: int,
    precision: AbstractContextManager[Any],
    checkpoint: Checkpoint,
    tell: Callable[[float], None] = lambda _: None,
    kept_from: float = 0.0,
) -> History:
    """Train a network, and leave it as it last was before validation told that it got worse.

    Validation tells so when the errors of a look are above those of the best look by a one-sided
    paired t-test at 5 %: of the few perturbations that are set aside, one that the others do not
    follow would else leave a network that has hardly learned. Of a single one, any rise counts.

    Parameters
    ----------
    net
        The network; all players move parts of it.
    players
        Who moves what, in their order in each step.
    draw
        Returns the next batch.
    look
        Returns the validation errors, one a perturbation.
    schedule
        Rates, and when to stop.
    n_steps
        Steps at most.
    precision
        The context in which losses are computed.
    checkpoint
        Where progress is kept, and found again after a kill.
    tell
        Is told before each step what share of the steps is behind.
    kept_from
        Share of the steps before which no look counts, unless it is the last.
    """
    movers = [Mover(player, schedule, n_steps) for player in players]
    history, best = History(n_steps), _copy(net)
    parts = {"net": net, **_parts(movers)}
    if (found := checkpoint.load(parts)) is not None:
        history, best = History(**found["history"]), found["best"]
    every = max(1, n_steps // schedule.n_checks)
    started = time.perf_counter() - history.seconds
    while not history.ended:
        batch = draw()
        net.train()
        tell(history.step / n_steps)
        losses = [
            mover.move(batch, precision)
            for mover in movers
            if history.step % mover.player.every == 0
        ]
        for mover in movers:
            mover.rate.step()
        history.step += 1
        history.seconds = time.perf_counter() - started
        is_last = history.step == n_steps or history.seconds > schedule.max_seconds
        if history.step % every == 0 or is_last:
            net.eval()
            counts = is_last or history.step >= kept_from * n_steps
            if _note(history, float(losses[0]), look(), counts=counts):
                best = _copy(net)
            history.ended = _end(history, schedule)
            checkpoint.save(parts, history=vars(history), best=best)
    net.load_state_dict(best)
    net.eval()
    checkpoint.remove()
    return history


def _note(history: History, loss: float, errors: Floats, *, counts: bool) -> bool:
    """Note a look at validation, and return whether the network is kept as it is."""
    validation = float(np.mean(errors))
    history.losses.append(loss)
    history.validation.append(validation)
    if counts and validation < history.best:
        history.best, history.best_errors = validation, errors.tolist()
    has_best = bool(history.best_errors)
    is_kept = counts and has_best and not _is_worse(errors, history.best_errors)
    history.n_looks_since = 0 if is_kept or not counts else history.n_looks_since + 1
    log.info(
        "step %d of %d, loss %.5g, validation %.5g, best %.5g, %.0f s",
        history.step,
        history.n_steps,
        loss,
        validation,
        history.best,
        history.seconds,
    )
    return is_kept


def _is_worse(errors: Floats, best: Sequence[float]) -> bool:
    """Return whether errors are above the best, by a paired t-test where there are several."""
    above = errors - np.asarray(best)
    if len(above) == 1:
        return bool(above[0] > 0)
    margin = stdtrit(len(above) - 1, 1 - LEVEL) * above.std(ddof=1) / np.sqrt(len(above))
    return bool(above.mean() > margin)


def _end(history: History, schedule: Schedule) -> str:
    if history.step >= history.n_steps:
        return "all steps"
    if history.n_looks_since >= schedule.patience:
        return "no progress"
    return "out of time" if history.seconds > schedule.max_seconds else ""


def _parts(movers: Sequence[Mover]) -> dict[str, Any]:
    """Return what of the movers has a state, by name."""
    parts = {}
    for number, mover in enumerate(movers):
        parts[f"optimiser-{number}"] = mover.optimiser
        parts[f"rate-{number}"] = mover.rate
    return parts


def _copy(net: Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in net.state_dict().items()}
