"""Principal components as scikit-learn approximates them: for presets that rest on its draws."""

import numpy as np

from wildcell.metrics.components import Components, fit_components
from wildcell.metrics.pairwise import Cells

LARGEST_DENSE = 2**31


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

    Another seed gives other components. The cells are made dense; see `fit_components` for an exact
    solution without either.

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

    dense = cells if isinstance(cells, np.ndarray) else cells.toarray()
    solver = PCA(min(n_components, *dense.shape), random_state=seed)
    solver.fit(dense.astype(np.float64))
    return Components(solver.mean_, solver.components_.T, solver.explained_variance_)
