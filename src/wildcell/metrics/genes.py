"""Agreement on the genes that respond most, and on the direction in which they do."""

import numpy as np

from wildcell.arrays import Booleans, Floats
from wildcell.metrics.metric import metric
from wildcell.metrics.response import Response
from wildcell.names import Need


def top_genes(values: Floats, n: int) -> Booleans:
    """Mark the `n` largest positive values of each row, shape (n_rows, n_genes).

    Fewer are marked where fewer are positive; of equal values the earlier genes are taken.
    """
    order = np.argsort(-values, axis=1, kind="stable")[:, :n]
    marked = np.zeros(values.shape, dtype=bool)
    np.put_along_axis(marked, order, values=True, axis=1)
    return marked & (values > 0)


def _top_by_size(response: Response, kept: Booleans) -> Booleans:
    size = np.where(kept, np.abs(response.delta), 0.0)
    return top_genes(np.nan_to_num(size), response.convention.n_top_genes)


def _share(hits: Booleans | Floats, among: Booleans, *responses: Response) -> Floats:
    """Return the share of hits in each row; NaN where a response is missing or none is among."""
    n = among.sum(axis=1)
    is_known = ~np.any([response.is_missing for response in responses], axis=0)
    return np.where(among, hits, 0).sum(axis=1) / np.where((n > 0) & is_known, n, np.nan)


def agreement(predicted: Floats, true: Floats) -> Floats:
    """Return 1 where signs agree, 0 where they are opposite, and 0.5 where nothing is predicted."""
    return (1 + np.sign(predicted) * np.sign(true)) / 2


@metric(
    "top_de_overlap",
    best="high",
    family="genes",
    formula="genes in T and among the 50 of largest |d|, over genes in either",
    range="0 to 1",
    needs=(Need.DELTA,),
    null=0.0,
)
def top_de_overlap(truth: Response, prediction: Response) -> Floats:
    """Intersection over union of the true and the predicted top genes by size of delta."""
    true = _top_by_size(truth, truth.kept_genes)
    predicted = _top_by_size(prediction, truth.kept_genes)
    return _share(true & predicted, true | predicted, truth, prediction)


@metric(
    "top_de_precision",
    best="high",
    family="genes",
    formula="share of the 50 genes of largest |d| that are in T",
    range="0 to 1",
    needs=(Need.DELTA,),
    null=0.0,
    alias_of="top_de_overlap",
)
def top_de_precision(truth: Response, prediction: Response) -> Floats:
    """Share of the predicted top genes by size of delta that are true ones."""
    predicted = _top_by_size(prediction, truth.kept_genes)
    return _share(_top_by_size(truth, truth.kept_genes), predicted, truth, prediction)


@metric(
    "opposite_direction",
    best="low",
    family="genes",
    formula="share of T where d and D have opposite signs; d = 0 counts half",
    range="0 to 1",
    needs=(Need.DELTA,),
    null=0.5,
)
def opposite_direction(truth: Response, prediction: Response) -> Floats:
    """Share of the true top genes whose predicted delta has the other sign; 0 counts half."""
    is_opposite = 1 - agreement(prediction.delta, truth.delta)
    return _share(is_opposite, _top_by_size(truth, truth.kept_genes), truth, prediction)


@metric(
    "up_accuracy",
    best="high",
    family="genes",
    formula="share of the (at most 50) genes of largest D > 0 where d > 0; d = 0 counts half",
    range="0 to 1",
    needs=(Need.DELTA,),
    null=0.5,
)
def up_accuracy(truth: Response, prediction: Response) -> Floats:
    """Share of the true top genes that rise whose predicted delta rises; 0 counts half."""
    true = top_genes(np.where(truth.kept_genes, truth.delta, 0.0), truth.convention.n_top_genes)
    return _share(agreement(prediction.delta, truth.delta), true, truth, prediction)


@metric(
    "down_accuracy",
    best="high",
    family="genes",
    formula=("share of the (at most 50) genes of most negative D where d < 0; d = 0 counts half"),
    range="0 to 1",
    needs=(Need.DELTA,),
    null=0.5,
)
def down_accuracy(truth: Response, prediction: Response) -> Floats:
    """Share of the true top genes that fall whose predicted delta falls; 0 counts half."""
    true = top_genes(np.where(truth.kept_genes, -truth.delta, 0.0), truth.convention.n_top_genes)
    return _share(agreement(prediction.delta, truth.delta), true, truth, prediction)
