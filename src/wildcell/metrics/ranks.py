"""Rank sums of sparse values by gene, compiled: every value is sorted once, for all groups.

Values become unsigned integers whose order is that of the values ("keys"), so that a radix sort
serves every width. Zeros are never stored: a gene's zeros are one block of ties.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

Kernel = TypeVar("Kernel", bound=Callable[..., Any])

CONTROL = -1  # label of the cells that all groups are compared with
FEW = (
    2000  # values of one gene; fewer are sorted by smaller digits, whose tables are sooner cleared
)


def compiled(function: Kernel) -> Kernel:
    """Return `function` compiled at its first call, kept on disk, running beside other threads."""
    return cast("Kernel", numba.njit(cache=True, nogil=True)(function))


@compiled
def count_by_gene(
    indptr: NDArray[np.int64], indices: NDArray[Any], rows: NDArray[np.int64], counts: NDArray[Any]
) -> None:
    """Add the stored values of some rows of a CSR matrix to `counts`, shape (n_genes,)."""
    for row in rows:
        for i in range(indptr[row], indptr[row + 1]):
            counts[indices[i]] += 1


@compiled
def _first_at_least(indices: NDArray[Any], start: int, stop: int, gene: int) -> int:
    while start < stop:
        middle = (start + stop) // 2
        if indices[middle] < gene:
            start = middle + 1
        else:
            stop = middle
    return start


@compiled
def gather(  # noqa: PLR0917 - compiled functions are called by position
    indptr: NDArray[np.int64],
    indices: NDArray[Any],
    bits: NDArray[Any],
    rows: NDArray[np.int64],
    row_labels: NDArray[np.int32],
    low: int,
    high: int,
    sign: Any,
    ends: NDArray[np.int64],
    keys: NDArray[Any],
    labels: NDArray[np.int32],
) -> None:
    """Append the nonzeros of genes `low` to `high` to their genes' keys and labels.

    Parameters
    ----------
    indptr, indices, bits
        A CSR matrix with sorted indices; its floats viewed as unsigned integers.
    rows, row_labels
        The rows to take, in this order, and the label of each.
    low, high
        The first gene, and the one after the last.
    sign
        The bit that is set in negative numbers, of the type of `bits`.
    ends
        Where the next value of each gene goes, shape (high - low,); moved on.
    keys, labels
        Receive the values.
    """
    for k in range(len(rows)):
        stop = indptr[rows[k] + 1]
        i = _first_at_least(indices, indptr[rows[k]], stop, low)
        while i < stop and indices[i] < high:
            value = bits[i]
            if value != 0 and value != sign:  # noqa: PLR1714 - tuples are slow in compiled loops
                gene = indices[i] - low
                keys[ends[gene]] = ~value if value & sign else value | sign
                labels[ends[gene]] = row_labels[k]
                ends[gene] += 1
            i += 1


@compiled
def _sort(
    keys: NDArray[Any],
    labels: NDArray[np.int32],
    spare_keys: NDArray[Any],
    spare_labels: NDArray[np.int32],
    tables: NDArray[np.int64],
) -> bool:
    """Sort by key, equal keys staying in order; say whether the result is in the spare arrays."""
    n = len(keys)
    digit_bits = 8 if n < FEW else 11
    size = 1 << digit_bits
    n_digits = (keys.itemsize * 8 + digit_bits - 1) // digit_bits
    tables[:n_digits, :size] = 0
    for i in range(n):
        rest = np.uint64(keys[i])
        for digit in range(n_digits):
            tables[digit, np.int64(rest & np.uint64(size - 1))] += 1
            rest >>= np.uint64(digit_bits)
    is_in_spare = False
    for digit in range(n_digits):
        shift = np.uint64(digit * digit_bits)
        mask = np.uint64(size - 1)
        table = tables[digit]
        if table[np.int64((np.uint64(keys[0]) >> shift) & mask)] == n:
            continue  # all keys share this digit
        position = 0
        for value in range(size):
            count = table[value]
            table[value] = position
            position += count
        for i in range(n):
            place = np.int64((np.uint64(keys[i]) >> shift) & mask)
            spare_keys[table[place]] = keys[i]
            spare_labels[table[place]] = labels[i]
            table[place] += 1
        keys, spare_keys = spare_keys, keys
        labels, spare_labels = spare_labels, labels
        is_in_spare = not is_in_spare
    return is_in_spare


@compiled
def _tie_term(count: int) -> int:
    return count * count * count - count


@compiled
def _sweep(  # noqa: PLR0917 - compiled functions are called by position
    keys: NDArray[Any],
    labels: NDArray[np.int32],
    sign: Any,
    n_zeros: int,
    sizes: NDArray[np.int64],
    is_pooled: bool,  # noqa: FBT001 - as above
    twice_u: NDArray[np.int64],
    ties: NDArray[np.int64],
    n_nonzeros: NDArray[np.int64],
) -> None:
    """Walk up one gene's sorted values, block of ties by block, and count what lies below."""
    n = len(keys)
    below = 0  # reference cells below the block
    below_zero = -1  # reference cells below zero, once passed
    shared_ties = 0  # of the reference alone
    start = 0
    while start < n:
        key = keys[start]
        if below_zero < 0 and key > sign:
            below_zero = below
            below += n_zeros
        stop = start + 1
        while stop < n and keys[stop] == key:
            stop += 1
        i = start
        while i < stop and labels[i] == CONTROL:
            i += 1
        n_equal = stop - start if is_pooled else i - start
        shared_ties += _tie_term(n_equal)
        while i < stop:  # the sort is stable: each group's cells stand together
            group = labels[i]
            first = i
            while i < stop and labels[i] == group:
                i += 1
            count = i - first
            twice_u[group] += count * (2 * below + n_equal)
            n_nonzeros[group] += count
            if not is_pooled:
                ties[group] += _tie_term(n_equal + count) - _tie_term(n_equal)
        below += n_equal
        start = stop
    if below_zero < 0:
        below_zero = below
    for group in range(len(sizes)):
        own_zeros = sizes[group] - n_nonzeros[group]
        twice_u[group] += own_zeros * (2 * below_zero + n_zeros)
        ties[group] += shared_ties + _tie_term(n_zeros if is_pooled else n_zeros + own_zeros)


@compiled
def rank_genes(  # noqa: PLR0917 - compiled functions are called by position
    keys: NDArray[Any],
    labels: NDArray[np.int32],
    sign: Any,
    starts: NDArray[np.int64],
    control_ends: NDArray[np.int64],
    ends: NDArray[np.int64],
    sizes: NDArray[np.int64],
    n_reference: int,
    is_pooled: bool,  # noqa: FBT001 - as above
    twice_u: NDArray[np.int64],
    ties: NDArray[np.int64],
) -> None:
    """Count, for each gene and group, the reference cells below each of the group's cells.

    Parameters
    ----------
    keys, labels
        Nonzeros of the genes one after another, controls before groups; are reordered.
    sign
        The key of zero.
    starts, control_ends, ends
        Where each gene's nonzeros start, where its controls end and where all end.
    sizes
        Cells of each group, shape (n_groups,).
    n_reference
        Cells of the reference: controls, or all cells of all groups if `is_pooled`.
    is_pooled
        Whether the reference is the cells of all groups, the own among them.
    twice_u
        Receives reference cells below, twice, plus those equal: shape (n_genes, n_groups), zeros.
    ties
        Receives the sum of t^3 - t over the blocks of t equal values in group and reference
        together: the same shape, zeros.
    """
    longest = 1
    for gene in range(len(starts)):
        longest = max(longest, ends[gene] - starts[gene])
    spare_keys = np.empty(longest, keys.dtype)
    spare_labels = np.empty(longest, labels.dtype)
    tables = np.empty((keys.itemsize, 2048), np.int64)
    for gene in range(len(starts)):
        start, end = starts[gene], ends[gene]
        n = end - start
        n_zeros = n_reference - (n if is_pooled else control_ends[gene] - start)
        sorted_keys, sorted_labels = keys[start:end], labels[start:end]
        if n > 1 and _sort(sorted_keys, sorted_labels, spare_keys[:n], spare_labels[:n], tables):
            sorted_keys, sorted_labels = spare_keys[:n], spare_labels[:n]
        n_nonzeros = np.zeros(len(sizes), np.int64)
        _sweep(
            sorted_keys,
            sorted_labels,
            sign,
            n_zeros,
            sizes,
            is_pooled,
            twice_u[gene],
            ties[gene],
            n_nonzeros,
        )
