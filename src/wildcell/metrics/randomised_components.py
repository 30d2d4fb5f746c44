"""Principal components as scikit-learn approximates them: for presets that rest on its draws."""

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from wildcell.arrays import Floats
from wildcell.metrics.components import Components, fit_components
from wildcell.metrics.pairwise import Cells

LARGEST_DENSE = 2**31
ROWS_AT_ONCE = 1024


def fit_published_components(cells: Cells, n_components: int = 50, *, seed: int) -> Components:
    """Find components as `fit_randomised_components` does, or exact ones of more than 2 GiB.

    Parameters
    ----------
    cells, n_components, seed
        As there.
    """
    if 8 * cells.shape[0] * cells.shape[1] > LARGEST_DENSE:
        return fit_components(cells, n_components)
    return fit_randomised_components(cells, n_components, seed=seed)


def fit_randomised_components(cells: Cells, n_components: int = 50, *, seed: int) -> Components:
    """Find components as `sklearn.decomposition.PCA` does, which randomises for many cells.

    Another seed gives other components. One copy of the cells is made dense, in double precision;
    see `fit_components` for an exact solution without either. One thread solves: the products are
    too narrow for several, which would wait for one another.

    Parameters
    ----------
    cells
        Log values, shape (n_cells, n_genes).
    n_components
        At most the smaller side of `cells`.
    seed
        Of the randomised solver.
    """
    from sklearn.decomposition import PCA  # noqa: PLC0415 - takes long to load, and few need it

    dense = _dense(cells)
    solver = PCA(min(n_components, *dense.shape), copy=False, random_state=seed)
    with threadpool_limits(1, user_api="blas"):
        solver.fit(dense)
    return Components(solver.mean_, solver.components_.T, solver.explained_variance_)


def _dense(cells: Cells) -> Floats:
    """Return cells in double precision, in memory of their own and nothing beside it."""
    dense = np.empty(cells.shape)
    for start in range(0, len(dense), ROWS_AT_ONCE):
        rows = cells[start : start + ROWS_AT_ONCE]
        dense[start : start + ROWS_AT_ONCE] = (
            rows if isinstance(rows, np.ndarray) else rows.toarray()
        )
    return dense
