"""Whether the shared response is known: the reference baseline trained on either half of the cells.

What is split off as shared, and what is left as specific, depends on the delta that the reference
baseline predicts. Where two halves of the training cells do not agree on it, neither part says
anything.
"""

from dataclasses import replace

import numpy as np

from wildcell.arrays import Booleans
from wildcell.judge import Judge
from wildcell.metrics.correlation import row_pearson
from wildcell.models.answer import answer
from wildcell.models.model import ModelCard
from wildcell.names import CONDITION, SHAM
from wildcell.scenarios.controls import halve
from wildcell.scenarios.task import Task

TINY = 1e-6


def shared_reliability(
    judge: Judge,
    task: Task,
    card: ModelCard,
    is_applicable: Booleans,
    seed: int,
) -> float:
    """Return the correlation between what the reference predicts from disjoint halves of cells.

    Cells are halved within conditions and control groups. The median over the conditions asked
    about; NaN where it predicts no change, or nothing.

    Parameters
    ----------
    judge
        Who knows the given controls and the genes that count.
    task
        What the reference is trained on.
    card
        The reference baseline.
    is_applicable
        Which conditions of the query it can answer.
    seed
        Of the split; draws the halves.
    """
    strata = task.train.obs[[*CONDITION, "control_group"]].agg("\x1f".join, axis=1)
    first = halve(strata.to_numpy(object), np.random.default_rng(seed))
    deltas = [
        judge.delta_of(
            answer(card, replace(task, train=task.train.select(half)), is_applicable, seed, {})
        )
        for half in (first, ~first)
    ]
    found = row_pearson(*deltas, ~judge.truth.is_target)
    is_change = np.all([np.abs(delta).max(axis=1) > TINY for delta in deltas], axis=0)
    asked = (judge.truth.conditions["category"] != SHAM).to_numpy()
    known = found[asked & is_change & np.isfinite(found)]
    return float(np.median(known)) if len(known) else np.nan
