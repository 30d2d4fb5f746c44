"""How far apart the clouds of predicted and true cells are, by the distances of pairs of cells."""

import numpy as np

from wildcell.arrays import Floats
from wildcell.metrics import pairwise
from wildcell.metrics.kernel import discrepancy, own_scale
from wildcell.metrics.metric import metric
from wildcell.metrics.pairwise import Cells, mean_distance_within
from wildcell.metrics.remembered import remembered
from wildcell.metrics.response import Response
from wildcell.metrics.spaces import (
    Place,
    Space,
    of_clouds,
    over_clouds,
    over_places,
    predicted_clouds,
    true_clouds,
)
from wildcell.names import Need, Status
from wildcell.store.keeping import Arrays


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
    return _energies(truth, prediction, "genes")


@metric(
    "energy_distance_pca",
    best="low",
    family="distance",
    formula=(
        "mean over both halves of the true cells of their energy_distance in 50 principal "
        "components of the other half and of the kept controls"
    ),
    range="about 0 and above",
    needs=(Need.CELLS,),
    ceiling=0.0,
    undefined=Status.TOO_FEW_CELLS,
    cite="Szekely & Rizzo, J Stat Plan Inference 143:1249 (2013)",
)
def energy_distance_pca(truth: Response, prediction: Response) -> Floats:
    """Energy distance of the cell clouds in the principal components of the truth.

    Half of each perturbation's true cells are compared, with all that are predicted, in the
    components of the other half and of the kept controls, and the other way round: cells spread
    more along components that were fitted to them, and a replicate would be far above 0 (0.42 of 20
    cells a condition in a simulation, where it now is at 0.00 +- 0.01). Of fewer than
    four cells all are compared, in components of the others' and of controls. What a perturbation's
    own target genes add to the components is left out of its cells, on both sides.
    """
    return _energies(truth, prediction, "components")


@metric(
    "mmd",
    best="low",
    family="distance",
    formula=(
        "E k(x, x') + E k(y, y') - 2 E k(x, y), k = exp(-|x - y|^2 / (2 w^2)), w the median "
        "distance of two true cells, no cell paired with itself"
    ),
    range="about 0 to 2",
    needs=(Need.CELLS,),
    ceiling=0.0,
    undefined=Status.TOO_FEW_CELLS,
    cite="Gretton et al., J Mach Learn Res 13:723 (2012)",
)
def mmd(truth: Response, prediction: Response) -> Floats:
    """Squared maximum mean discrepancy of the cell clouds in all genes, unbiased.

    Under one Gaussian kernel whose width is the truth's, so that no prediction can choose the scale
    that it is looked at.
    """
    return _discrepancies(truth, prediction, "genes")


@metric(
    "mmd_pca",
    best="low",
    family="distance",
    formula=(
        "mean over both halves of the true cells of their mmd in 50 principal components of the "
        "other half and of the kept controls"
    ),
    range="about 0 to 2",
    needs=(Need.CELLS,),
    ceiling=0.0,
    undefined=Status.TOO_FEW_CELLS,
    cite="Gretton et al., J Mach Learn Res 13:723 (2012)",
)
def mmd_pca(truth: Response, prediction: Response) -> Floats:
    """Squared maximum mean discrepancy in the principal components of the truth, unbiased.

    In the components of `energy_distance_pca`, and as there: either half of the true cells in those
    of the other half, with all predicted cells.
    """
    return _discrepancies(truth, prediction, "components")


def _energies(truth: Response, prediction: Response, space: Space) -> Floats:
    def of_condition(first: Cells, second: Cells, within_first: float) -> float:
        return pairwise.energy_distance(first, second, within_first=within_first)

    def at(place: Place) -> Floats:
        both = true_clouds(truth, place), predicted_clouds(prediction, truth, place)
        return over_clouds(of_condition, *both, _within_distance(truth, place))

    return over_places(at, space)


def _discrepancies(truth: Response, prediction: Response, space: Space) -> Floats:
    def at(place: Place) -> Floats:
        both = true_clouds(truth, place), predicted_clouds(prediction, truth, place)
        width, within = _kernel_scale(truth, place).T
        return over_clouds(discrepancy, *both, within, width)

    return over_places(at, space)


@remembered
def _within_distance(truth: Response, place: Place) -> Floats:
    """Return the mean distance of two cells of each perturbation, shape (n_perturbations,)."""

    def measured() -> Arrays:
        return {"mean": of_clouds(mean_distance_within, true_clouds(truth, place))}

    return truth.keep(f"within-distance-{place}", measured)["mean"]


@remembered
def _kernel_scale(truth: Response, place: Place) -> Floats:
    """Return width and mean kernel of each perturbation's cells, shape (n_perturbations, 2)."""

    def measured() -> Arrays:
        return {"scale": np.reshape(of_clouds(own_scale, true_clouds(truth, place)), (-1, 2))}

    return truth.keep(f"kernel-scale-{place}", measured)["scale"]
