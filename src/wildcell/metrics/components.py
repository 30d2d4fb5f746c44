"""Principal components of true cells: the space in which clouds of both sides are compared."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh
from scipy.linalg.blas import dsyrk
from scipy.sparse.linalg import LinearOperator, svds

from wildcell.arrays import Booleans, Floats
from wildcell.errors import OptionError
from wildcell.metrics.pairwise import Cells

AT_ONCE = 256  # rows or genes that are dense
LARGEST_MATRIX = 5000  # genes or cells, whose covariance is held and solved exactly
FEWEST_DENSE = 1 / 8  # of the values; with fewer, a dense product takes longer than a sparse one


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

    def transform(self, cells: Cells, *, kept: Booleans | None = None) -> Floats:
        """Return the scores of cells, shape (n_cells, n_components).

        Parameters
        ----------
        cells
            Log values, shape (n_cells, n_genes); of sparse ones a few rows at a time are dense.
        kept
            The genes that are looked at, shape (n_genes,); all if None.
        """
        centre = self.centre if kept is None else np.where(kept, self.centre, 0.0)
        return self._projected(cells, kept) - centre @ self.loadings

    def _projected(self, cells: Cells, kept: Booleans | None) -> Floats:
        if kept is not None and kept.all():
            kept = None
        if not isinstance(cells, np.ndarray) and cells.nnz < FEWEST_DENSE * np.prod(cells.shape):
            loadings = self.loadings if kept is None else np.where(kept[:, None], self.loadings, 0)
            return np.asarray(cells @ loadings)
        scores = np.empty((cells.shape[0], self.loadings.shape[1]))
        for start in range(0, cells.shape[0], AT_ONCE):
            some = slice(start, start + AT_ONCE)
            rows = _dense(cells[some])
            if kept is not None:
                rows[:, ~kept] = 0
            np.matmul(rows, self.loadings, out=scores[some])
        return scores


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
    covariance = _square_of(len(centre))
    for start in range(0, cells.shape[0], AT_ONCE):
        rows = _dense(cells[start : start + AT_ONCE]) - centre
        covariance = _add_products(covariance, rows.T)
    return _largest(covariance, n_components, cells.shape[0] - 1)


def _from_cells(cells: Cells, centre: Floats, n_components: int) -> tuple[Floats, Floats]:
    n = cells.shape[0]
    products = _square_of(n)
    for start in range(0, cells.shape[1], AT_ONCE):
        genes = slice(start, start + AT_ONCE)
        products = _add_products(products, _dense(cells[:, genes]) - centre[genes])
    variances, scores = _largest(products, n_components, n - 1)
    loadings = np.asarray(cells.T @ scores) - np.outer(centre, scores.sum(axis=0))
    return variances, np.linalg.qr(loadings)[0]


def _square_of(size: int) -> Floats:
    return np.zeros((size, size), order="F")


def _add_products(products: Floats, rows: Floats) -> Floats:
    """Add the inner products of rows, in place and below the diagonal alone."""
    is_turned = rows.flags.c_contiguous
    added = dsyrk(
        1.0,
        rows.T if is_turned else rows,
        beta=1.0,
        c=products,
        trans=is_turned,
        lower=True,
        overwrite_c=True,
    )
    return np.asarray(added)


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


def _largest(lower: Floats, n: int, n_others: int) -> tuple[Floats, Floats]:
    """Return the largest variances of a matrix of products over `n_others`, and their vectors."""
    size = len(lower)
    lower /= n_others
    wanted = (size - n, size - 1)
    values, vectors = eigh(
        lower, lower=True, subset_by_index=wanted, overwrite_a=True, check_finite=False
    )
    return values[::-1], vectors[:, ::-1].copy()


def _dense(block: Cells) -> Floats:
    rows = block if isinstance(block, np.ndarray) else block.toarray()
    return rows.astype(np.float64)
