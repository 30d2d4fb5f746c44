"""Distances of every prediction to every truth, and the place of the own one: for retrieval.

Arrays of profiles are of shape (n, n_genes), distances (n, n) with predictions in rows, own truths
on the diagonal.
"""

from typing import Literal, TypeAlias

import numpy as np
from scipy.spatial.distance import cdist

from wildcell.arrays import Booleans, Codes, Floats
from wildcell.metrics.retrieval import cosine_matrix

Measure: TypeAlias = Literal["l1", "l2", "cosine"]


def profile_distances(prediction: Floats, truth: Floats, measure: Measure) -> Floats:
    """Return the distance of every prediction to every truth; squared for l2, which ranks alike.

    The cosine distance to or from a profile of zeros is 1.

    Examples
    --------
    >>> import numpy as np
    >>> profile_distances(np.array([[1.0, 0.0]]), np.array([[1.0, 2.0], [0.0, 3.0]]), "l1").tolist()
    [[2.0, 4.0]]
    """
    if measure == "l1":
        return np.asarray(cdist(prediction, truth, "cityblock"))
    if measure == "l2":
        return np.asarray(cdist(prediction, truth, "sqeuclidean"))
    return 1 - np.nan_to_num(cosine_matrix(prediction, truth))


def distances_without_own_gene(
    prediction: Floats, truth: Floats, own_gene: Codes, measure: Measure
) -> Floats:
    """Return `profile_distances` with one gene of each prediction left out of its own row.

    Parameters
    ----------
    prediction, truth
        Profiles.
    own_gene
        Column that is left out, shape (n,); -1 leaves out none.
    measure
        As in `profile_distances`.
    """
    has_own = (own_gene >= 0)[:, None]
    mine = np.where(has_own[:, 0], prediction[np.arange(len(prediction)), own_gene], 0.0)[:, None]
    theirs = np.where(has_own, truth[:, own_gene].T, 0.0)
    if measure == "l1":
        return profile_distances(prediction, truth, measure) - np.abs(mine - theirs)
    if measure == "l2":
        return profile_distances(prediction, truth, measure) - (mine - theirs) ** 2
    dot = prediction @ truth.T - mine * theirs
    squares = np.einsum("pg,pg->p", prediction, prediction)[:, None] - mine**2
    their_squares = np.einsum("pg,pg->p", truth, truth)[None, :] - theirs**2
    lengths = np.sqrt(np.maximum(squares, 0) * np.maximum(their_squares, 0))
    return 1 - np.divide(dot, lengths, out=np.zeros_like(dot), where=lengths > 0)


def own_place(distances: Floats, *, ties: Literal["half", "first", "last", "order"]) -> Floats:
    """Return how many truths are nearer to each prediction than its own, shape (n,).

    Parameters
    ----------
    distances
        Shape (n, n). Transposed, it is how many predictions are nearer to each truth.
    ties
        Whether a truth at the distance of the own one counts half, not at all (`first`), as nearer
        (`last`), or as nearer if it stands before it (`order`).

    Examples
    --------
    >>> import numpy as np
    >>> own_place(np.array([[2.0, 1.0], [3.0, 3.0]]), ties="half").tolist()
    [1.0, 0.5]
    """
    own = np.diag(distances)[:, None]
    nearer = (distances < own).sum(axis=1)
    tied = distances == own
    np.fill_diagonal(tied, val=False)
    return nearer + _counted(tied, ties)


def _counted(tied: Booleans, ties: str) -> Floats:
    if ties == "order":
        tied = np.tril(tied)
    return tied.sum(axis=1) * {"half": 0.5, "first": 0.0, "last": 1.0, "order": 1.0}[ties]
