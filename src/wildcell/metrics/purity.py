"""How deep a ranking of genes keeps to the right direction.

All arrays are of shape (n_perturbations, n_genes).
"""

from typing import NamedTuple

import numpy as np

from wildcell.arrays import Booleans, Codes, Floats


class Ranking(NamedTuple):
    """Genes in the order in which a prediction commits itself.

    Attributes
    ----------
    order
        Columns of the genes, the surest first.
    has_direction
        Which genes, in their own columns, have a true direction.
    is_right
        Which of these are predicted to go in it.
    """

    order: Codes
    has_direction: Booleans
    is_right: Booleans


def depth_of_purity(ranking: Ranking, among: Booleans, purity: Floats | float) -> Floats:
    """Return how many genes the longest prefix of a ranking holds that is at least so pure.

    Parameters
    ----------
    ranking
        Of all genes.
    among
        Genes that are looked at.
    purity
        Share of genes in the right direction that a prefix must have: a number, or one a
        perturbation.

    Returns
    -------
    Shape (n_perturbations,), genes without a true direction not counted; 0 where no prefix is.

    Examples
    --------
    >>> import numpy as np
    >>> right = np.array([[True, True, False]])
    >>> ranking = Ranking(np.array([[0, 1, 2]]), np.ones((1, 3), bool), right)
    >>> depth_of_purity(ranking, np.ones((1, 3), bool), 0.9).tolist()
    [2.0]
    """
    counted = np.take_along_axis(ranking.has_direction & among, ranking.order, axis=1)
    right = np.take_along_axis(ranking.is_right & among, ranking.order, axis=1)
    depth, hits = np.cumsum(counted, axis=1), np.cumsum(right, axis=1)
    threshold = np.broadcast_to(np.asarray(purity, dtype=float), (len(depth),))[:, None]
    share = hits / np.where(depth > 0, depth, np.nan)
    return np.where(share >= threshold, depth, 0).max(axis=1, initial=0).astype(float)
