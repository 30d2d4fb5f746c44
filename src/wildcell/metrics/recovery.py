"""How well genes that respond are found again: sets, rankings and directions, row by row.

All arrays are of shape (n_perturbations, n_genes), results of shape (n_perturbations,); NaN where a
row leaves nothing to count.
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wildcell.arrays import Booleans, Codes, Floats
from wildcell.metrics.average_ranks import average_ranks
from wildcell.metrics.correlation import row_pearson

Numbers: TypeAlias = NDArray[np.number[Any]]


def positions(size: Floats, among: Booleans) -> Floats:
    """Return the place of each gene among the marked ones, the largest first; inf for the others.

    Equal sizes keep the order of the genes.

    Examples
    --------
    >>> import numpy as np
    >>> positions(np.array([[1.0, 3.0, 2.0]]), np.array([[True, False, True]])).tolist()
    [[1.0, inf, 0.0]]
    """
    order = np.lexsort((-size, ~among), axis=1)
    places = np.empty(size.shape)
    np.put_along_axis(places, order, np.arange(size.shape[1], dtype=float)[None, :], axis=1)
    return np.where(among, places, np.inf)


def share(hits: Booleans, among: Booleans) -> Floats:
    """Return the share of the marked genes that are hits; NaN for a row without marks."""
    return divided((hits & among).sum(axis=1), among.sum(axis=1))


def divided(numerator: Numbers, denominator: Numbers) -> Floats:
    """Return a ratio, NaN where the denominator is 0."""
    shape = np.broadcast_shapes(np.shape(numerator), np.shape(denominator))
    return np.divide(
        numerator, denominator, out=np.full(shape, np.nan), where=np.asarray(denominator) != 0
    )


def average_precision(labels: Booleans, scores: Floats) -> Floats:
    """Return the average precision of ranking by falling score; NaN where there is one class.

    Equal to `sklearn.metrics.average_precision_score`: equal scores count as one threshold.

    Examples
    --------
    >>> import numpy as np
    >>> labels = np.array([[True, False, True, False]])
    >>> average_precision(labels, np.array([[4.0, 3.0, 2.0, 1.0]])).round(4).tolist()
    [0.8333]
    """
    order = np.argsort(-scores, axis=1, kind="stable")
    ranked = np.take_along_axis(labels, order, axis=1)
    hits, ends = _hits_at_thresholds(ranked, np.take_along_axis(scores, order, axis=1))
    precision = hits / (ends + 1)
    n_positive = labels.sum(axis=1)
    total = np.where(ranked, precision, 0.0)
    return _two_classes(divided(total.sum(axis=1), n_positive), labels)


def roc_auc(labels: Booleans, scores: Floats) -> Floats:
    """Return the area under the ROC curve, ties half; NaN where there is one class.

    Examples
    --------
    >>> import numpy as np
    >>> labels = np.array([[True, False, True, False]])
    >>> roc_auc(labels, np.array([[4.0, 3.0, 2.0, 1.0]])).tolist()
    [0.75]
    """
    ranks = average_ranks(scores)
    n_positive = labels.sum(axis=1)
    n_negative = labels.shape[1] - n_positive
    above = np.where(labels, ranks, 0.0).sum(axis=1) - n_positive * (n_positive + 1) / 2
    return _two_classes(divided(above, n_positive * n_negative), labels)


def spearman_among(first: Floats, second: Floats, among: Booleans) -> Floats:
    """Return the rank correlation of each pair of rows over the marked genes.

    NaN for fewer than two genes and where a side is constant; infinite values rank as the largest.
    """
    return np.array(
        [spearman(a[keep], b[keep]) for a, b, keep in zip(first, second, among, strict=True)]
    )


def spearman(first: Floats, second: Floats) -> float:
    """Return the rank correlation of two lists of numbers, shape (n,); NaN where one is constant.

    Examples
    --------
    >>> import numpy as np
    >>> round(spearman(np.array([1.0, 2.0, 9.0]), np.array([3.0, 4.0, 5.0])), 6)
    1.0
    """
    if len(first) < 2:
        return float("nan")
    ranks = average_ranks(np.vstack([first, second]))
    return float(row_pearson(ranks[:1], ranks[1:], np.ones((1, len(first)), dtype=bool))[0])


def _hits_at_thresholds(labels: Booleans, scores: Floats) -> tuple[Codes, Codes]:
    """Return, of genes by falling score, hits up to the last gene of that score and its place."""
    n_genes = scores.shape[1]
    is_end = np.ones(scores.shape, dtype=bool)
    is_end[:, :-1] = scores[:, 1:] != scores[:, :-1]
    places = np.where(is_end, np.arange(n_genes), n_genes)
    ends = np.minimum.accumulate(places[:, ::-1], axis=1)[:, ::-1]
    hits = np.cumsum(labels, axis=1, dtype=np.intp)
    return np.take_along_axis(hits, ends, axis=1), ends


def _two_classes(values: Floats, labels: Booleans) -> Floats:
    n_positive = labels.sum(axis=1)
    return np.where((n_positive > 0) & (n_positive < labels.shape[1]), values, np.nan)
