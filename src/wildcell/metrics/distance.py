"""How far apart the clouds of predicted and true cells are."""

import numpy as np

from wildcell.arrays import Floats, Matrix
from wildcell.metrics import pairwise
from wildcell.metrics.conditions import over_conditions
from wildcell.metrics.metric import metric
from wildcell.metrics.response import Response
from wildcell.names import Need, Status


@metric(
    "energy_distance",
    best="low",
    family="distance",
    needs=(Need.CELLS,),
    ceiling=0.0,
    undefined=Status.TOO_FEW_CELLS,
    cite="Szekely & Rizzo, J Stat Plan Inference 143:1249 (2013)",
)
def energy_distance(truth: Response, prediction: Response) -> Floats:
    """Energy distance of the cell clouds in all genes: 2 E d(X,Y) - E d(X,X') - E d(Y,Y').

    Euclidean on log values, unbiased (pairs of a cell with itself are left out), so that two
    samples of one distribution are at 0 on average.
    """
    assert truth.sample is not None
    assert prediction.sample is not None

    def of_condition(first: Matrix, second: Matrix, within_first: float) -> float:
        return pairwise.energy_distance(first, second, within_first=within_first)

    scores = over_conditions(of_condition, truth.sample, prediction.sample, truth.within_distance)
    return np.array(scores)
