"""Principal components of true cells: the space in which clouds of both sides are compared."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import eigh
from scipy.sparse.linalg import LinearOperator, svds

from wildcell.arrays import Booleans, Floats
from wildcell.errors import OptionError
from wildcell.metrics.pairwise import Cells

ROWS_AT_ONCE = 1024
LARGEST_MATRIX = 5000  # genes or cells, whose covariance is held and solved exactly


@dataclass(frozen=True)
class Components:
    """A linear map from genes to principal components.

    Attributes
    ----------
    centre
        Mean of the cells that it was fitted to, shape (n_genes,).
    loadings
        Orthonormal columns, the largest entry of each positive, shape (n_genes, n_components).
    variances
        Variance along each component, falling, shape (n_components,).
    """

    centre: Floats
    loadings: Floats
    variances: Floats

    def transform(self, cells: Cells) -> Floats:
        """Return the scores of cells, shape (n_cells, n_components); sparse cells stay sparse."""
        return np.asarray(cells @ self.loadings) - self.centre @ self.loadings

    def without(self, genes: Booleans) -> "Components":
        """Return the map that does not look at some genes, marked in an array (n_genes,)."""
        return replace(self, loadings=np.where(genes[:, None], 0.0, self.loadings))


def fit_components(cells: Cells, n_components: int = 50) -> Components:
    """Find the principal components of a cloud, in double precision, without a dense copy of it.

    Exact and deterministic: from the covariance of the genes, or from the inner products of the
    cells where they are fewer; by Lanczos iterations to machine precision where both are more than
    5,000.

    Parameters
    ----------
    cells
        Log values, shape (n_cells, n_genes), of at least two cells.
    n_components
        At most one fewer than there are cells, and as many as genes, are returned.

    Raises
    ------
    OptionError
        For fewer than two cells or no components.

    Examples
    --------
    >>> import numpy as np
    >>> line = np.outer(np.arange(5.0), [0.6, 0.8])
    >>> fit_components(line, 1).loadings.round(3).ravel().tolist()
    [0.6, 0.8]
    """
    n_cells, n_genes = cells.shape
    if n_cells < 2 or n_components < 1:
        raise OptionError(
            f"components need at least 2 cells and 1 component, got {n_cells} and {n_components}"
        )
    n_components = min(n_components, n_cells - 1, n_genes)
    centre = np.asarray(cells.mean(axis=0, dtype=np.float64)).ravel()
    if min(n_cells, n_genes) > LARGEST_MATRIX:
        fit = _by_lanczos
    else:
        fit = _from_genes if n_genes <= n_cells else _from_cells
    variances, loadings = fit(cells, centre, n_components)
    largest = np.abs(loadings).argmax(axis=0)
    loadings *= np.where(loadings[largest, np.arange(n_components)] < 0, -1.0, 1.0)
    return Components(centre, loadings, np.maximum(variances, 0))


def _from_genes(cells: Cells, centre: Floats, n_components: int) -> tuple[Floats, Floats]:
    covariance = np.zeros((len(centre), len(centre)))
    for start in range(0, cells.shape[0], ROWS_AT_ONCE):
        rows = _dense(cells[start : start + ROWS_AT_ONCE]) - centre
        covariance += rows.T @ rows
    return _largest(covariance / (cells.shape[0] - 1), n_components)


def _from_cells(cells: Cells, centre: Floats, n_components: int) -> tuple[Floats, Floats]:
    n = cells.shape[0]
    products = np.zeros((n, n))
    for start in range(0, cells.shape[1], ROWS_AT_ONCE):
        genes = slice(start, start + ROWS_AT_ONCE)
        block = _dense(cells[:, genes]) - centre[genes]
        products += block @ block.T
    variances, scores = _largest(products / (n - 1), n_components)
    loadings = np.asarray(cells.T @ scores) - np.outer(centre, scores.sum(axis=0))
    return variances, np.linalg.qr(loadings)[0]


def _by_lanczos(cells: Cells, centre: Floats, n_components: int) -> tuple[Floats, Floats]:
    centred = LinearOperator(
        cells.shape,
        matvec=lambda x: cells @ x.ravel() - centre @ x.ravel(),
        rmatvec=lambda y: cells.T @ y.ravel() - centre * y.sum(),
        dtype=np.float64,
    )
    start = np.ones(min(cells.shape))
    _, singular, loadings = svds(centred, n_components, v0=start, return_singular_vectors="vh")
    return singular[::-1] ** 2 / (cells.shape[0] - 1), loadings[::-1].T.copy()


def _largest(symmetric: Floats, n: int) -> tuple[Floats, Floats]:
    size = len(symmetric)
    values, vectors = eigh(symmetric, subset_by_index=(size - n, size - 1), overwrite_a=True)
    return values[::-1], vectors[:, ::-1].copy()


def _dense(block: Cells) -> Floats:
    rows = block if isinstance(block, np.ndarray) else block.toarray()
    return rows.astype(np.float64)
