"""The Mann-Whitney U test of many groups of cells and all genes, on sparse values.

A gene's values are sorted once, controls and all groups together, and one walk up the sorted
values counts for every group: the work grows with the nonzeros, not with the number of tests.
"""

from collections.abc import Callable, Iterator, Sequence
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
from wildcell.metrics.ranks import NONE, Plan, count_by_gene, gather, rank_genes

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

    def take(self, groups: Codes) -> "RankTest":
        """Return the tests of some groups, in order; those of all groups are not copied."""
        if np.array_equal(groups, np.arange(len(self.statistic))):
            return self
        return RankTest(self.statistic[groups], self.p_value[groups])


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
    rows = np.flatnonzero(codes >= 0)
    sizes = np.bincount(codes[rows], minlength=n_groups).astype(np.int64)
    gathered = [_Cells.of(values, rows, codes[rows])]
    if reference is not None:
        every = np.arange(reference.shape[0])
        gathered.append(_Cells.of(reference, every, np.full(len(every), n_groups)))
    plan = against_all(sizes) if reference is None else against_controls(sizes, reference.shape[0])
    refuse_too_many(plan)
    threads = n_threads or vars(numba.config)["NUMBA_NUM_THREADS"]
    counts = np.zeros(values.shape[1], np.int64)
    for cells in gathered:
        cells.count_into(counts)

    def read(genes: slice) -> SortableGenes:
        return _gathered(gathered, genes, counts[genes])

    return rank_test(
        read, counts, plan, continuity=continuity, n_threads=threads, max_bytes=max_bytes
    )


def against_controls(sizes: NDArray[np.int64], n_controls: int) -> Plan:
    """Compare groups labelled 0 to n - 1 with the cells labelled n."""
    n = len(sizes)
    return Plan(
        groups=np.append(np.arange(n), NONE)[:, None],
        reference=np.append(np.full(n, NONE), 0),
        compared_with=np.zeros(n, np.intp),
        sizes=sizes,
        reference_sizes=np.array([n_controls]),
        is_own=False,
    )


def against_all(sizes: NDArray[np.int64]) -> Plan:
    """Compare groups labelled 0 to n - 1 with the cells of all of them."""
    n = len(sizes)
    return Plan(
        groups=np.arange(n)[:, None],
        reference=np.zeros(n, np.intp),
        compared_with=np.zeros(n, np.intp),
        sizes=sizes,
        reference_sizes=np.array([sizes.sum()]),
        is_own=True,
    )


class SortableGenes(NamedTuple):
    """Nonzeros of some genes, one gene after another.

    Attributes
    ----------
    bounds
        Where each gene begins, shape (n_genes + 1,).
    labels
        Label of each value's cell.
    keys
        Unsigned integers in the order of the values.
    """

    bounds: NDArray[np.int64]
    labels: NDArray[Any]
    keys: NDArray[Any]


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
        sign = sign_of(self.bits.dtype)
        count_by_gene(self.indptr, self.indices, self.bits, self.rows, sign, counts)

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
            sign_of(self.bits.dtype),
            ends,
            keys,
            labels,
        )


def _gathered(gathered: Sequence[_Cells], genes: slice, counts: NDArray[np.int64]) -> SortableGenes:
    bounds = np.concatenate([[0], np.cumsum(counts)])
    keys = np.empty(bounds[-1], gathered[0].bits.dtype)
    labels = np.empty(bounds[-1], np.int32)
    ends = bounds[:-1].copy()
    for cells in gathered:
        cells.gather(genes, ends, keys, labels)
    return SortableGenes(bounds, labels, keys)


def rank_test(
    read: Callable[[slice], SortableGenes],
    counts: NDArray[np.int64],
    plan: Plan,
    *,
    continuity: bool,
    n_threads: int,
    max_bytes: int = MAX_BYTES,
) -> RankTest:
    """Test every gene of every group, some neighbouring genes at a time.

    Parameters
    ----------
    read
        Returns the nonzeros of some genes; called by several threads at once.
    counts
        Stored values of each gene, shape (n_genes,).
    plan
        Who is compared with whom.
    continuity, n_threads, max_bytes
        As in `mann_whitney`.
    """
    shape = (len(plan.sizes), len(counts))
    result = RankTest(np.full(shape, np.nan), np.full(shape, np.nan))

    def test(genes: slice) -> None:
        bounds, labels, keys = read(genes)
        twice_u = np.zeros((genes.stop - genes.start, shape[0]), np.int64)
        ties = np.zeros_like(twice_u)
        rank_genes(keys, labels, sign_of(keys.dtype), bounds, plan, twice_u, ties)
        if plan.is_own:
            twice_u -= plan.sizes**2  # half of the pairs within a group, twice
        result.statistic[:, genes] = (twice_u / 2).T
        result.p_value[:, genes] = _p_value(twice_u, ties, plan, continuity=continuity).T

    with ThreadPoolExecutor(n_threads) as pool:
        for _ in pool.map(test, _slices(counts, n_threads=n_threads, max_bytes=max_bytes)):
            pass
    empty = (plan.sizes == 0) | (_n_others(plan) == 0)
    result.statistic[empty] = result.p_value[empty] = np.nan
    return result


def _n_others(plan: Plan) -> NDArray[np.int64]:
    """Cells that each group is compared with, shape (n_groups,)."""
    own = plan.sizes if plan.is_own else np.zeros_like(plan.sizes)
    return np.asarray(plan.reference_sizes[plan.compared_with] - own)


def _p_value(
    twice_u: NDArray[np.int64], ties: NDArray[np.int64], plan: Plan, *, continuity: bool
) -> Floats:
    n, others = plan.sizes, _n_others(plan)
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


def sign_of(dtype: np.dtype[Any]) -> Any:
    """Return the bit that is set in negative numbers: the key of zero."""
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


def refuse_too_many(plan: Plan) -> None:
    """Raise `OptionError` if a group and its reference are more cells than can be ranked."""
    largest = int((plan.sizes + _n_others(plan)).max(initial=0))
    if largest > MAX_CELLS:
        raise OptionError(
            f"a group and its reference have {largest} cells; "
            f"rank tests take at most {MAX_CELLS}: draw a sample of the reference"
        )
