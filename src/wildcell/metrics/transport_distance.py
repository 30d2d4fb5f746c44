"""How far apart the clouds of predicted and true cells are, by what it takes to move one there."""

from collections.abc import Sequence

import numpy as np

from wildcell.arrays import Floats
from wildcell.metrics.conditions import over_conditions
from wildcell.metrics.metric import metric
from wildcell.metrics.pairwise import Cells, pair
from wildcell.metrics.remembered import remembered
from wildcell.metrics.response import Response
from wildcell.metrics.sinkhorn import reusable_self_cost, sinkhorn_divergence
from wildcell.metrics.spaces import (
    Place,
    Space,
    over_clouds,
    over_places,
    predicted_folds,
    true_clouds,
)
from wildcell.metrics.transport import wasserstein_by_gene
from wildcell.names import Need, Status
from wildcell.store.keeping import Arrays


@metric(
    "sinkhorn",
    best="low",
    family="distance",
    formula=(
        "W(x, y) - (W(x, x) + W(y, y)) / 2, W the entropic cost of moving one cloud onto the other "
        "at |x - y|^2 / 2 a cell and blur 0.05"
    ),
    range="0 and above",
    needs=(Need.CELLS,),
    undefined=Status.TOO_FEW_CELLS,
    cite="Feydy et al., AISTATS (2019)",
)
def sinkhorn(truth: Response, prediction: Response) -> Floats:
    """Sinkhorn divergence of the cell clouds in all genes, near half of the squared distance W2.

    Another sample of the truth is far above 0 where there are many genes, and copies of the mean
    can be nearer than it: a supplement.
    """
    return _divergences(truth, prediction, "genes")


@metric(
    "sinkhorn_pca",
    best="low",
    family="distance",
    formula=(
        "mean over both halves of the true cells of their sinkhorn to one half of the predicted, "
        "in 50 principal components of the other true half and of the kept controls"
    ),
    range="0 and above",
    needs=(Need.CELLS,),
    undefined=Status.TOO_FEW_CELLS,
    cite="Feydy et al., AISTATS (2019)",
)
def sinkhorn_pca(truth: Response, prediction: Response) -> Floats:
    """Sinkhorn divergence of the cell clouds in the principal components of the truth.

    In the components of `energy_distance_pca`. The more cells, the smaller it is: predicted cells
    are dealt to two halves as the true ones are, so that the truth is at 0.
    """
    return _divergences(truth, prediction, "components")


@metric(
    "wasserstein",
    best="low",
    family="distance",
    formula="mean over genes of the area between the distribution functions of x and y",
    range="0 and above",
    needs=(Need.CELLS,),
    undefined=Status.TOO_FEW_CELLS,
)
def wasserstein(truth: Response, prediction: Response) -> Floats:
    """Mean over genes of the Wasserstein distance of a gene's values in predicted and true cells.

    In log units, as `mae` is, and never below it: what it has more is the shape of each gene.
    """
    return _areas(truth, prediction, "genes")


@metric(
    "wasserstein_pca",
    best="low",
    family="distance",
    formula=(
        "mean over both halves of the true cells of their wasserstein to one half of the "
        "predicted, along 50 principal components of the other true half and of the kept controls"
    ),
    range="0 and above",
    needs=(Need.CELLS,),
    undefined=Status.TOO_FEW_CELLS,
)
def wasserstein_pca(truth: Response, prediction: Response) -> Floats:
    """Mean over the principal components of the truth of the Wasserstein distance along each.

    Halves are compared as in `sinkhorn_pca`.
    """
    return _areas(truth, prediction, "components")


def _divergences(truth: Response, prediction: Response, space: Space) -> Floats:
    def of_condition(first: Cells, second: Cells, self_cost: float | None) -> float:
        return sinkhorn_divergence(first, second, self_cost_first=self_cost)

    def at(place: Place) -> Floats:
        both = true_clouds(truth, place), predicted_folds(prediction, truth, place)
        return over_clouds(of_condition, *both, _self_costs(truth, place))

    return over_places(at, space)


@remembered
def _self_costs(truth: Response, place: Place) -> Sequence[float | None]:
    """Return what it costs to move each perturbation's cells onto themselves, where it is known."""
    cells = true_clouds(truth, place)

    def of_condition(row: int) -> float | None:
        return reusable_self_cost(pair(cells[row])) if cells[row].shape[0] else None

    def measured() -> Arrays:
        return {"cost": np.array(over_conditions(of_condition, range(len(cells))), dtype=float)}

    costs = truth.keep(f"self-costs-{place}", measured)["cost"]
    return [None if np.isnan(cost) else float(cost) for cost in costs]


def _areas(truth: Response, prediction: Response, space: Space) -> Floats:
    def at(place: Place) -> Floats:
        both = true_clouds(truth, place), predicted_folds(prediction, truth, place)
        return over_clouds(_mean_area, *both)

    return over_places(at, space)


def _mean_area(first: Cells, second: Cells) -> float:
    areas = wasserstein_by_gene(first, second)
    return float(np.mean(areas)) if len(areas) else float("nan")
