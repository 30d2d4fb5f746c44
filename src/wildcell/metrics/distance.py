"""How far apart the clouds of predicted and true cells are."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from wildcell.arrays import Floats
from wildcell.metrics import pairwise
from wildcell.metrics.conditions import over_conditions
from wildcell.metrics.metric import metric
from wildcell.metrics.pairwise import Cells
from wildcell.metrics.response import Response
from wildcell.names import Need, Status

Clouds: TypeAlias = Sequence[Cells]


@metric(
    "energy_distance",
    best="low",
    family="distance",
    formula=(
        "2 E|x - y| - E|x - x'| - E|y - y'| over predicted and true cells, Euclidean in "
        "log values, no cell paired with itself"
    ),
    range="about 0 and above",
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
    return _energies(truth.sample, prediction.sample, truth.within_distance)


@metric(
    "energy_distance_pca",
    best="low",
    family="distance",
    formula="energy_distance in 50 principal components of the true cells and kept controls",
    range="about 0 and above",
    needs=(Need.CELLS,),
    ceiling=0.0,
    undefined=Status.TOO_FEW_CELLS,
    cite="Szekely & Rizzo, J Stat Plan Inference 143:1249 (2013)",
)
def energy_distance_pca(truth: Response, prediction: Response) -> Floats:
    """Energy distance of the cell clouds in the principal components of the truth.

    The components are those of the true cells and kept controls; what a perturbation's own target
    genes add to them is left out of its cells, on both sides.
    """
    true, predicted = truth.coordinates, prediction.coordinates_in(truth.components)
    if true is None or predicted is None:
        return np.full(len(truth.perturbations), np.nan)
    return _energies(true, predicted, truth.within_distance_in_components)


def _energies(truth: Clouds, prediction: Clouds, within_truth: Floats) -> Floats:
    def of_condition(first: Cells, second: Cells, within_first: float) -> float:
        return pairwise.energy_distance(first, second, within_first=within_first)

    return np.array(over_conditions(of_condition, truth, prediction, within_truth))
