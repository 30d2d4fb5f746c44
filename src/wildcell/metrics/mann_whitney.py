"""The Mann-Whitney U test of many groups of cells and all genes, on sparse values.

A gene's values are sorted once, controls and all groups together, and one walk up the sorted
values counts for every group: the work grows with the nonzeros, not with the number of tests.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import sparse, special

from wildcell.arrays import Codes, Floats
from wildcell.errors import DataError, OptionError
from wildcell.metrics.ranks import CONTROL, count_by_gene, gather, rank_genes

MAX_CELLS = 2_000_000  # their cube is the largest that a 64-bit integer holds
MAX_BYTES = 2**28
WIDEST_SLICE = 128
SLICES_PER_THREAD = 4


class RankTest(NamedTuple):
    """Outcome of a rank test, arrays of shape (n_groups, n_genes).

    Attributes
    ----------
    statistic
        U: pairs of a group's cell and a reference cell in which the former is higher, ties half.
    p_value
        Two-sided.
    """

    statistic: Floats
    p_value: Floats


def mann_whitney(
    X: Any,
    codes: Codes,
    n_groups: int,
    control: Any = None,
    *,
    continuity: bool = True,
    n_threads: int | None = None,
    max_bytes: int = MAX_BYTES,
) -> RankTest:
    """Test every gene of every group of cells against the controls, or against all other groups.

    Asymptotic and two-sided, corrected for ties: equal to `scipy.stats.mannwhitneyu` with
    `method="asymptotic"`. Values are compared exactly as given, in their own precision. The result
    of a group does not depend on which other groups share the call (with controls), nor any result
    on the number of threads.

    Parameters
    ----------
    X
        Values of the cells, shape (n_cells, n_genes): CSR is fastest, other sparse formats and
        dense arrays are converted. All values finite, of any sign.
    codes
        Group of each cell, shape (n_cells,); cells with a negative code are passed over.
    n_groups
        Number of groups.
    control
        Values of the controls, shape (n_controls, n_genes); None compares each group with all the
        cells of all other groups.
    continuity
        Whether to correct for continuity, by half a pair.
    n_threads
        Threads to use; by default all that numba may use (`NUMBA_NUM_THREADS`).
    max_bytes
        Memory for values being sorted, over all threads; a single gene may need more.

    Returns
    -------
    `p_value` is 1 where all cells have one value, as scipy has it with continuity, and NaN for
    a group without cells or with nothing to compare with.

    Raises
    ------
    DataError
        If the values are no finite real numbers, or shapes do not fit each other.
    OptionError
        If a group and its reference are more than 2,000,000 cells together.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[5.0, 0.0], [6.0, 1.0], [7.0, 0.0]])
    >>> test = mann_whitney(X, np.array([0, 0, 0]), 1, np.array([[1.0, 0.0], [2.0, 1.0]]))
    >>> test.statistic.tolist(), test.p_value.round(4).tolist()
    ([[6.0, 2.5]], [[0.1489, 1.0]])
    """
    values, reference = _comparable(X, control)
    if values.shape[0] != len(codes):
        raise DataError(f"{values.shape[0]} cells have {len(codes)} group codes; give one a cell")
    if len(codes) and codes.max() >= n_groups:
        raise DataError(f"found group code {codes.max()}; codes must be below {n_groups}")
    rows = np.argsort(codes, kind="stable")[np.count_nonzero(codes < 0) :]
    sizes = np.bincount(codes[rows], minlength=n_groups).astype(np.int64)
    cells = _Cells.of(values, rows, codes[rows])
    n_controls = 0 if reference is None else reference.shape[0]
    controls = None
    if reference is not None:
        controls = _Cells.of(reference, np.arange(n_controls), np.full(n_controls, CONTROL))
    n_reference = len(rows) if reference is None else n_controls
    ranking = _Ranking(values.shape[1], cells, controls, sizes, n_reference)
    _refuse_too_many(ranking)
    return _test(
        ranking, continuity, n_threads or vars(numba.config)["NUMBA_NUM_THREADS"], max_bytes
    )


@dataclass(frozen=True)
class _Cells:
    """Rows of a CSR matrix in the order they are taken, with a label each."""

    indptr: NDArray[np.int64]
    indices: NDArray[Any]
    bits: NDArray[Any]
    rows: NDArray[np.int64]
    labels: NDArray[np.int32]

    @classmethod
    def of(cls, matrix: Any, rows: NDArray[Any], labels: NDArray[Any]) -> "_Cells":
        return cls(
            matrix.indptr.astype(np.int64),
            matrix.indices,
            matrix.data.view(f"u{matrix.data.itemsize}"),
            rows.astype(np.int64),
            labels.astype(np.int32),
        )

    def count_into(self, counts: NDArray[np.int64]) -> None:
        count_by_gene(self.indptr, self.indices, self.rows, counts)

    def gather(
        self, genes: slice, ends: NDArray[np.int64], keys: NDArray[Any], labels: NDArray[np.int32]
    ) -> None:
        gather(
            self.indptr,
            self.indices,
            self.bits,
            self.rows,
            self.labels,
            genes.start,
            genes.stop,
            _sign(self.bits.dtype),
            ends,
            keys,
            labels,
        )


@dataclass(frozen=True)
class _Ranking:
    """Groups of cells and what they are ranked among."""

    n_genes: int
    cells: _Cells
    controls: _Cells | None
    sizes: NDArray[np.int64]
    n_reference: int

    @property
    def n_others(self) -> NDArray[np.int64]:
        """Cells that each group is compared with, shape (n_groups,)."""
        own = self.sizes if self.controls is None else np.zeros_like(self.sizes)
        return np.asarray(self.n_reference - own)

    def count(self) -> NDArray[np.int64]:
        """Stored values of each gene."""
        counts = np.zeros(self.n_genes, np.int64)
        self.cells.count_into(counts)
        if self.controls is not None:
            self.controls.count_into(counts)
        return counts

    def rank(
        self, genes: slice, n_values: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Twice U and the tie terms of some genes, each of shape (n_genes, n_groups)."""
        bounds = np.concatenate([[0], np.cumsum(n_values[genes])])
        keys = np.empty(bounds[-1], self.cells.bits.dtype)
        labels = np.empty(bounds[-1], np.int32)
        starts, ends = bounds[:-1], bounds[:-1].copy()
        if self.controls is not None:
            self.controls.gather(genes, ends, keys, labels)
        control_ends = ends.copy()
        self.cells.gather(genes, ends, keys, labels)
        twice_u = np.zeros((len(starts), len(self.sizes)), np.int64)
        ties = np.zeros_like(twice_u)
        rank_genes(
            keys,
            labels,
            _sign(keys.dtype),
            starts,
            control_ends,
            ends,
            self.sizes,
            self.n_reference,
            self.controls is None,
            twice_u,
            ties,
        )
        if self.controls is None:
            twice_u -= self.sizes**2  # half of the pairs within a group, twice
        return twice_u, ties


def _test(ranking: _Ranking, continuity: bool, n_threads: int, max_bytes: int) -> RankTest:  # noqa: FBT001
    shape = (len(ranking.sizes), ranking.n_genes)
    result = RankTest(np.full(shape, np.nan), np.full(shape, np.nan))
    n_values = ranking.count()

    def test(genes: slice) -> None:
        twice_u, ties = ranking.rank(genes, n_values)
        result.statistic[:, genes] = (twice_u / 2).T
        result.p_value[:, genes] = _p_value(twice_u, ties, ranking, continuity=continuity).T

    with ThreadPoolExecutor(n_threads) as pool:
        for _ in pool.map(test, _slices(n_values, n_threads=n_threads, max_bytes=max_bytes)):
            pass
    empty = (ranking.sizes == 0) | (ranking.n_others == 0)
    result.statistic[empty] = result.p_value[empty] = np.nan
    return result


def _p_value(
    twice_u: NDArray[np.int64], ties: NDArray[np.int64], ranking: _Ranking, *, continuity: bool
) -> Floats:
    n, others = ranking.sizes, ranking.n_others
    total = n + others
    untied = (total**3 - total) - ties  # exact, and zero where all values are one
    distance = np.abs(twice_u - n * others) / 2 - (0.5 if continuity else 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        deviation = np.sqrt(n * others / 12 * (untied / (total * (total - 1))))
        p_value = np.minimum(2 * special.ndtr(-distance / deviation), 1.0)
    return np.where(untied == 0, 1.0, p_value)


def _slices(n_values: NDArray[np.int64], *, n_threads: int, max_bytes: int) -> Iterator[slice]:
    """Cut genes into neighbours that fit a thread's memory and leave work for every thread."""
    wanted = -(-len(n_values) // (SLICES_PER_THREAD * n_threads))
    widest = min(WIDEST_SLICE, max(wanted, 1))
    most = max_bytes // (12 * n_threads)  # a key of up to 8 bytes and a label of 4
    cuts, held = [0], 0
    for gene, n in enumerate(n_values.tolist()):
        if gene > cuts[-1] and (gene - cuts[-1] == widest or held + n > most):
            cuts.append(gene)
            held = 0
        held += n
    for low, high in pairwise([*cuts, len(n_values)]):
        yield slice(low, high)


def _sign(dtype: np.dtype[Any]) -> Any:
    return dtype.type(1 << (8 * dtype.itemsize - 1))


def _comparable(X: Any, control: Any) -> tuple[Any, Any]:
    """Both as CSR with sorted indices, in one precision that loses nothing."""
    if control is None:
        values = sorted_rows(X)
        return values.astype(_exact_type(values.data), copy=False), None
    if X.shape[1] != control.shape[1]:
        raise DataError(
            f"cells have {X.shape[1]} genes, controls {control.shape[1]}; give both the same genes"
        )
    values, reference = sorted_rows(X), sorted_rows(control)
    dtype = np.promote_types(_exact_type(values.data), _exact_type(reference.data))
    return values.astype(dtype, copy=False), reference.astype(dtype, copy=False)


def sorted_rows(matrix: Any) -> Any:
    """Return a matrix of any kind as CSR with sorted indices and each value once, in its own type.

    A CSR matrix that is so already is returned as it is. Complex numbers, objects and floats beyond
    64 bits are a `DataError`.
    """
    kind, size = matrix.dtype.kind, matrix.dtype.itemsize
    if kind not in "fiub" or size > 8:
        raise DataError(f"values are {matrix.dtype}; give real numbers of at most 64 bits")
    if matrix.dtype == np.float16:
        matrix = matrix.astype(np.float32)  # scipy has no sparse matrices of float16
    elif not matrix.dtype.isnative:
        matrix = matrix.astype(matrix.dtype.newbyteorder("="))  # nor of other byte orders
    rows = sparse.csr_matrix(matrix)
    if not rows.has_canonical_format:
        rows = rows.copy()
        rows.sum_duplicates()
    return rows


def _exact_type(values: NDArray[Any]) -> Any:
    """Return the float type that holds the values as they are."""
    kind, size = values.dtype.kind, values.dtype.itemsize
    if kind == "f":
        if not np.isfinite(values).all():
            n = np.count_nonzero(~np.isfinite(values))
            raise DataError(f"{n} values are NaN or infinite; ranks need finite values")
        return np.float32 if size <= 4 else np.float64
    if size == 8 and len(values) and max(abs(int(values.min())), int(values.max())) > 2**53:
        raise DataError("integers beyond 2^53 cannot be ranked exactly; give floats")
    return np.float32 if size <= 2 else np.float64


def _refuse_too_many(ranking: _Ranking) -> None:
    largest = int((ranking.sizes + ranking.n_others).max(initial=0))
    if largest > MAX_CELLS:
        raise OptionError(
            f"a group and its reference have {largest} cells; "
            f"rank tests take at most {MAX_CELLS}: draw a sample of the reference"
        )
