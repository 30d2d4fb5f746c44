"""How far apart the clouds of predicted and true cells are."""

import numpy as np

from wildcell.arrays import Floats
from wildcell.metrics.metric import metric
from wildcell.metrics.pairwise import mean_distance_between
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
    assert truth.cells is not None
    assert prediction.cells is not None
    between = np.array(
        [
            mean_distance_between(x.toarray(), y.toarray())
            for x, y in zip(truth.cells, prediction.cells, strict=True)
        ]
    )
    return 2 * between - truth.within_distance - prediction.within_distance
