"""What answers come to that are judged by one half of the test cells: replicate and reference.

The replicate is half the size of what models are judged by. Beside it stands the reference baseline
judged by the same halves, so that the two differ in the answer alone.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from wildcell.arrays import Booleans, Floats
from wildcell.evidence import Answer
from wildcell.judge import Judge, Makers
from wildcell.names import HALVES, ORACLES, REFERENCE, REPLICATE
from wildcell.oracles import oracles
from wildcell.results.calibrate import both_ways
from wildcell.scenarios.prediction import Prediction
from wildcell.scenarios.task import Task


class Reference(NamedTuple):
    """What the reference baseline answers, and which conditions of the query it can answer."""

    prediction: Prediction
    is_applicable: Booleans


def judged_by_halves(
    judge: Judge,
    task: Task,
    reference: Reference | None,
    rng: np.random.Generator,
    *,
    has_oracles: bool = False,
) -> pd.DataFrame:
    """Score the replicate, the reference and the oracles by either half of the test cells.

    Parameters
    ----------
    judge
        Who scores.
    task
        What models are given.
    reference
        The reference baseline's answer, None where it has none.
    rng
        Draws the halves, as in `Judge.replicate`.
    has_oracles
        Whether oracles are scored, too.

    Returns
    -------
    The columns of `Judge.score`, `model` and `half`, the half that judges: rows of the replicate,
    the reference, the ceiling and the oracles.
    """
    ways = judge.by_halves(_makers(judge, task, reference, has_oracles=has_oracles), rng)
    return pd.concat(
        [
            _excused(judge, table, name, reference).assign(model=name, half=half)
            for half, tables in zip(HALVES, ways, strict=True)
            for name, table in tables.items()
        ],
        ignore_index=True,
    )


def replicate_of_halves(halves: pd.DataFrame) -> pd.DataFrame:
    """Return the scores of the replicate, both ways averaged, as `Judge.replicate` does.

    Parameters
    ----------
    halves
        From `judged_by_halves`.
    """
    own = halves[halves["model"] == REPLICATE].drop(columns="model")
    first, second = (
        own[own["half"] == half].drop(columns="half").reset_index(drop=True) for half in HALVES
    )
    return both_ways(first, second)


def _makers(judge: Judge, task: Task, reference: Reference | None, *, has_oracles: bool) -> Makers:
    makers: Makers = {REPLICATE: lambda half: half}
    if has_oracles:
        makers = {**makers, **oracles(judge, task, _shared(judge, reference))}
    if reference is None:
        return makers
    answer = judge.answered(reference.prediction)
    return {**makers, REFERENCE: partial(_whatever_the_half, answer)}


def _shared(judge: Judge, reference: Reference | None) -> Floats:
    if reference is None:
        return np.full(judge.given.mean.shape, np.nan)
    return judge.delta_of(reference.prediction)


def _whatever_the_half(answer: Answer, _: Answer) -> Answer:
    return answer


def _excused(
    judge: Judge, table: pd.DataFrame, name: str, reference: Reference | None
) -> pd.DataFrame:
    """Return scores without those that the reference is not asked for."""
    if reference is None or name not in (REFERENCE, ORACLES[0]):
        return table
    return judge.excuse(table, reference.is_applicable)
