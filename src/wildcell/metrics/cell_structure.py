"""Whether predicted cells vary as true cells do: how much, with what zeros, how deep, together."""

from collections.abc import Callable

import numpy as np

from wildcell.arrays import Floats
from wildcell.metrics import structure
from wildcell.metrics.grouped import drawn
from wildcell.metrics.metric import metric
from wildcell.metrics.pairwise import Cells
from wildcell.metrics.response import Response
from wildcell.metrics.spaces import over_clouds, predicted_clouds, true_clouds
from wildcell.names import Need, Status


@metric(
    "variance_ratio",
    best="zero",
    family="structure",
    formula=(
        "mean over genes of log((v + e) / (V + e)), V and v the variances over true and predicted "
        "cells, e a hundredth of the mean of V"
    ),
    range="any",
    needs=(Need.CELLS,),
    undefined=Status.TOO_FEW_CELLS,
)
def variance_ratio(truth: Response, prediction: Response) -> Floats:
    """Log of how much predicted cells vary, over how much true cells do; below 0 they collapse."""
    return _over_cells(structure.log_variance_ratio, truth, prediction)


@metric(
    "mean_variance",
    best="low",
    family="structure",
    formula=(
        "mean over genes of |log(v + e) - f(p) - log(V + e) + f(t)|, f a parabola fitted to the "
        "truth's log(V + e) over t"
    ),
    range="0 and above",
    needs=(Need.CELLS,),
    undefined=Status.TOO_FEW_CELLS,
)
def mean_variance(truth: Response, prediction: Response) -> Floats:
    """Error of the log variances beyond what the predicted means make them, mean over genes."""
    return _over_cells(structure.mean_variance_error, truth, prediction)


@metric(
    "zero_fraction",
    best="high",
    family="structure",
    formula="1 - mean over genes of the absolute difference in the share of cells that are zero",
    range="0 to 1",
    needs=(Need.CELLS,),
    undefined=Status.TOO_FEW_CELLS,
)
def zero_fraction(truth: Response, prediction: Response) -> Floats:
    """Agreement on how many cells do not show a gene, mean over genes."""
    return _over_cells(structure.zero_fraction_agreement, truth, prediction)


@metric(
    "library_size",
    best="low",
    family="structure",
    formula="area between the distribution functions of log2 total counts of both sides' cells",
    range="0 and above",
    needs=(Need.CELLS, Need.COUNTS),
    undefined=Status.TOO_FEW_CELLS,
)
def library_size(truth: Response, prediction: Response) -> Floats:
    """Wasserstein distance of the log2 library sizes of predicted and true cells; 1 is twofold."""
    return np.array(
        [
            structure.library_size_distance(first, second)
            for first, second in zip(_sizes(truth), _sizes(prediction), strict=True)
        ]
    )


@metric(
    "gene_correlations",
    best="high",
    family="structure",
    formula=(
        "correlation of the true and predicted correlations over cells of all pairs of the 200 "
        "genes of largest V"
    ),
    range="-1 to 1",
    needs=(Need.CELLS,),
    undefined=Status.TOO_FEW_CELLS,
)
def gene_correlations(truth: Response, prediction: Response) -> Floats:
    """Correlation of the gene-gene correlations of predicted and true cells."""
    return _over_cells(structure.correlation_agreement, truth, prediction)


@metric(
    "top_eigenvalue",
    best="zero",
    family="structure",
    formula=(
        "log of the largest eigenvalue of the predicted covariance of the 200 genes of largest V, "
        "over that of the true"
    ),
    range="at least -6.9",
    needs=(Need.CELLS,),
    undefined=Status.TOO_FEW_CELLS,
)
def top_eigenvalue(truth: Response, prediction: Response) -> Floats:
    """Log of the largest covariance eigenvalue of predicted cells, over that of true cells."""
    return _over_cells(structure.log_eigenvalue_ratio, truth, prediction)


def _over_cells(measure: Callable[[Cells, Cells], float], *both: Response) -> Floats:
    """Return a measure of the cells that distances look at, on the genes that count."""
    truth, prediction = both
    cells = true_clouds(truth, "genes"), predicted_clouds(prediction, truth, "genes")
    return over_clouds(measure, *cells)


def _sizes(response: Response) -> list[Floats]:
    """Return the library sizes of the cells that distances look at."""
    assert response.library_sizes is not None
    most = response.convention.max_cells
    named = zip(response.library_sizes, response.perturbations, strict=True)
    return [sizes[drawn(len(sizes), most, name)] for sizes, name in named]
