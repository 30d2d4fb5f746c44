"""Scores in which genes weigh by how specific their response is to the perturbation.

The weights come of one half of the true cells and the error is taken on the other, both ways: on
the same cells, genes that stand out by noise would weigh most where the truth is furthest off.
"""

from collections.abc import Callable

import numpy as np

from wildcell.arrays import Floats, Moments
from wildcell.metrics.differential import t_test
from wildcell.metrics.metric import metric
from wildcell.metrics.recovery import divided
from wildcell.metrics.response import Response
from wildcell.metrics.specificity import specificity_weights, weighted_r2, weighted_squared_error
from wildcell.metrics.tested import Means
from wildcell.names import Need

DIVERSITY = "Mejia et al. 2025, Diversity by design, arXiv:2506.22641"


def weights_of(half: Means, truth: Response) -> Floats:
    """Return weights by the square of each gene's t against all other perturbed cells.

    Genes that are targeted directly weigh nothing, shape (n_perturbations, n_genes).
    """
    own = half.moments
    known = Moments(own.n, np.nan_to_num(own.total), np.nan_to_num(own.total_squares))
    others = Moments(
        known.n.sum() - known.n,
        known.total.sum(axis=0) - known.total,
        known.total_squares.sum(axis=0) - known.total_squares,
    )
    statistic = np.where(truth.kept_genes, t_test(known, others).statistic, np.nan)
    weights = np.where(truth.kept_genes, specificity_weights(statistic), 0.0)
    return weights / weights.sum(axis=1, keepdims=True)


def _both_ways(truth: Response, of_half: Callable[[Means, Floats], Floats]) -> Floats:
    """Return the mean of a score on either half with the other's weights."""
    assert truth.halves is not None
    first, second = truth.halves
    scores = of_half(second, weights_of(first, truth)), of_half(first, weights_of(second, truth))
    return np.mean(scores, axis=0)


@metric(
    "weighted_mse",
    best="low",
    family="profile",
    needs=(Need.HALVES,),
    formula=(
        "sum over genes of w ((p - t')^2 - noise of t'): t' of one half of the cells (D' against "
        "the controls), w by squares of t against all other perturbed cells of the other half"
    ),
    range="about 0 and above",
    cite=DIVERSITY,
)
def weighted_mse(truth: Response, prediction: Response) -> Floats:
    """Squared error of the profile, genes weighed by how specific they are, noise taken out."""

    def error(half: Means, weights: Floats) -> Floats:
        noise = np.einsum("pg,pg->p", weights, half.squared_error)
        return weighted_squared_error(half.mean, prediction.mean, weights) - noise

    return _both_ways(truth, error)


@metric(
    "weighted_r2_delta",
    best="high",
    family="correlation",
    needs=(Need.DELTA, Need.HALVES),
    null=0.0,
    formula="1 - sum of w (d - D')^2, over that of w (D' - mean D')^2; w, D' as in weighted_mse",
    range="at most 1",
    cite=DIVERSITY,
)
def weighted_r2_delta(truth: Response, prediction: Response) -> Floats:
    """Share of the delta's variance that is explained, genes weighed by how specific they are."""
    return _both_ways(
        truth,
        lambda half, weights: weighted_r2(half.mean - truth.control, prediction.delta, weights),
    )


@metric(
    "weighted_pearson_delta",
    best="high",
    family="correlation",
    needs=(Need.DELTA, Need.HALVES),
    null=0.0,
    formula="correlation of d and D' with the weights w; w, D' as in weighted_mse",
    range="-1 to 1",
    slack=0.01,
    cite=DIVERSITY,
)
def weighted_pearson_delta(truth: Response, prediction: Response) -> Floats:
    """Pearson correlation of the deltas, genes weighed by how specific they are."""
    return _both_ways(
        truth,
        lambda half, weights: weighted_pearson(
            prediction.delta, half.mean - truth.control, weights
        ),
    )


def weighted_pearson(first: Floats, second: Floats, weights: Floats) -> Floats:
    """Return the weighted correlation of each pair of rows; NaN where either is constant.

    Examples
    --------
    >>> import numpy as np
    >>> first, second = np.array([[1.0, 2.0, 9.0]]), np.array([[3.0, 4.0, 0.0]])
    >>> weighted_pearson(first, second, np.array([[0.5, 0.5, 0.0]])).round(6).tolist()
    [1.0]
    """
    first, second = (
        rows - np.einsum("pg,pg->p", weights, rows)[:, None] for rows in (first, second)
    )
    products = np.einsum("pg,pg,pg->p", weights, first, second)
    squares = [np.einsum("pg,pg,pg->p", weights, rows, rows) for rows in (first, second)]
    return np.clip(divided(products, np.sqrt(squares[0] * squares[1])), -1, 1)
