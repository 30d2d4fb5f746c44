"""How similar each predicted delta is to each true one: what retrieval ranks.

Shape (n_perturbations, n_perturbations), predictions in rows and truths in columns, each pair on
the genes that are no perturbation's target.
"""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

import numpy as np

from wildcell.arrays import Floats
from wildcell.metrics.nearest import profile_distances
from wildcell.metrics.response import Response
from wildcell.metrics.retrieval import cosine_matrix

Measure: TypeAlias = Literal["cosine", "pearson", "l1", "l2"]

DISTANCES: Final[Mapping[Measure, Literal["l1", "l2"]]] = {"l1": "l1", "l2": "l2"}


def similarity_of_deltas(truth: Response, prediction: Response, measure: Measure) -> Floats:
    """Return cosines, correlations or negative distances of all pairs of deltas.

    NaN in the row of a missing answer and in the column of a missing truth; cosines and
    correlations are NaN with a delta that is flat, too.
    """
    genes = truth.kept_genes.all(axis=0)
    predicted, true = prediction.delta[:, genes], truth.delta[:, genes]
    if measure in DISTANCES:
        return -profile_distances(predicted, true, DISTANCES[measure])
    if measure == "pearson":
        predicted, true = (rows - rows.mean(axis=1, keepdims=True) for rows in (predicted, true))
    return cosine_matrix(predicted, true)


def column_retrieval(similarity: Floats) -> Floats:
    """Return 1 - rank / (N - 1) of each truth's own prediction among all, mid-ranks on ties.

    An answer that is missing or says nothing counts as a tie for the others, so that nothing is
    to be won by keeping silent.

    Parameters
    ----------
    similarity
        Of predictions (rows) with truths (columns), shape (n, n).

    Returns
    -------
    Shape (n,): 1 is best, 0.5 is chance; NaN for fewer than two truths, and where the own answer
    or truth is undefined.

    Examples
    --------
    >>> import numpy as np
    >>> column_retrieval(np.array([[0.9, 0.7], [0.8, 0.1]])).tolist()
    [1.0, 0.0]
    """
    measured = np.flatnonzero(~np.isnan(similarity).all(axis=0))
    result = np.full(len(similarity), np.nan)
    if len(measured) < 2:
        return result
    among = similarity[np.ix_(measured, measured)]
    own = np.diag(among)
    beaten = (among < own).sum(axis=0)
    ties = ((among == own) | np.isnan(among)).sum(axis=0) - 1
    value = (beaten + ties / 2) / (len(measured) - 1)
    result[measured] = np.where(np.isnan(own), np.nan, value)
    return result


def is_among_nearest(similarity: Floats, n: int) -> Floats:
    """Return whether each own truth is among the `n` most similar, or by what chance on ties.

    Returns
    -------
    Shape (n_perturbations,): 1 is best; NaN where there are no more than `n` truths to choose
    from, and where the own answer or truth is undefined.

    Examples
    --------
    >>> import numpy as np
    >>> is_among_nearest(np.array([[0.9, 0.1], [0.4, 0.4]]), 1).tolist()
    [1.0, 0.5]
    """
    is_measured = ~np.isnan(similarity).all(axis=0)
    if is_measured.sum() <= n:
        return np.full(len(similarity), np.nan)
    own = np.diag(similarity)[:, None]
    nearer = (similarity[:, is_measured] > own).sum(axis=1)
    alike = np.maximum((similarity[:, is_measured] == own).sum(axis=1), 1)
    return np.where(np.isnan(own[:, 0]), np.nan, np.clip((n - nearer) / alike, 0, 1))
