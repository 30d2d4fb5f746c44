"""Energy distances of many clouds to one reference, such as the controls."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from wildcell.arrays import Codes, Floats
from wildcell.metrics.conditions import over_conditions
from wildcell.metrics.pairwise import Cells, mean_distance_within

BLOCK_BYTES = 2**26

Singles: TypeAlias = NDArray[np.float32]


def energies_to_reference(cells: Cells, codes: Codes, n_groups: int, reference: Cells) -> Floats:
    """Return 2 E d(X,Y) - E d(X,X') - E d(Y,Y') of each group of cells and one reference.

    V-statistics: pairs of a cell with itself count. Equal to `energy_distance(..., unbiased=False)`
    to single precision, with the reference's own pairs measured once.

    Parameters
    ----------
    cells, reference
        Shapes (n_cells, n_genes) and (n_reference, n_genes).
    codes
        Group of each cell, shape (n_cells,); cells with a negative code are passed over.
    n_groups
        Number of groups.

    Returns
    -------
    Shape (n_groups,); NaN for a group without cells.

    Examples
    --------
    >>> import numpy as np
    >>> cells = np.random.default_rng(0).normal(size=(50, 4))
    >>> energies_to_reference(cells + 10, np.zeros(50, int), 1, cells).round(1).tolist()
    [35.1]
    """
    centre = np.asarray(reference.mean(axis=0), dtype=np.float32).ravel()
    is_member = codes >= 0
    n_cells = np.bincount(codes[is_member], minlength=n_groups)
    sums = np.bincount(
        codes[is_member],
        mean_distances(cells, reference, centre)[is_member],
        minlength=n_groups,
    )
    within = over_conditions(
        lambda group: mean_distance_within(cells[np.flatnonzero(codes == group)], unbiased=False),
        range(n_groups),
    )
    of_reference = float(mean_distances(reference, reference, centre).mean())
    between = sums / np.where(n_cells > 0, n_cells, np.nan)
    return np.asarray(2 * between - np.array(within) - of_reference)


def mean_distances(cells: Cells, reference: Cells, centre: Singles) -> Floats:
    """Return the mean distance of each cell to the cells of a reference, shape (n_cells,).

    In single precision, around `centre`, a block of cells at a time.
    """
    total = np.zeros(cells.shape[0])
    rows = max(1, BLOCK_BYTES // (4 * cells.shape[1]))
    for start in range(0, reference.shape[0], rows):
        others = _centred(reference[start : start + rows], centre)
        their_squares = np.einsum("ng,ng->n", others, others)
        for first in range(0, cells.shape[0], rows):
            mine = _centred(cells[first : first + rows], centre)
            squared = mine @ others.T
            squared *= -2
            squared += np.einsum("ng,ng->n", mine, mine)[:, None]
            squared += their_squares
            np.maximum(squared, 0, out=squared)
            total[first : first + rows] += np.sqrt(squared, out=squared).sum(axis=1, dtype=float)
    return total / reference.shape[0]


def _centred(cells: Cells, centre: Singles) -> Singles:
    rows = cells if isinstance(cells, np.ndarray) else cells.toarray()
    return rows.astype(np.float32) - centre
