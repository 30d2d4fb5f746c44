"""Rank sums of sparse values by gene, compiled: every value is sorted once, for all groups.

Values become unsigned integers whose order is that of the values ("keys"), so that a radix sort
serves every width. Zeros are never stored: a gene's zeros are one block of ties.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wildcell.arrays import Codes
from wildcell.parallel import compiled

NONE = -1  # of a label that stands for no group, or for no reference
FEW = (
    2000  # values of one gene; fewer are sorted by smaller digits, whose tables are sooner cleared
)


class Plan(NamedTuple):
    """Which groups of cells are compared with which reference.

    Cells have labels. A label may belong to several groups, such as a condition and a half of it,
    and to one reference.

    Attributes
    ----------
    groups
        Groups of each label, shape (n_labels, n_tiers); `NONE` where there is none.
    reference
        Reference to which each label's cells belong, shape (n_labels,); or `NONE`.
    compared_with
        Reference of each group, shape (n_groups,).
    sizes, reference_sizes
        Cells of each group and of each reference.
    is_own
        Whether the groups' cells are among those of their references.
    """

    groups: Codes
    reference: Codes
    compared_with: Codes
    sizes: NDArray[np.int64]
    reference_sizes: NDArray[np.int64]
    is_own: bool


@compiled
def count_by_gene(  # noqa: PLR0917 - compiled functions are called by position
    indptr: NDArray[np.int64],
    indices: NDArray[Any],
    bits: NDArray[Any],
    rows: NDArray[np.int64],
    sign: Any,
    counts: NDArray[Any],
) -> None:
    """Add the nonzeros of some rows of a CSR matrix to `counts`, shape (n_genes,)."""
    for row in rows:
        for i in range(indptr[row], indptr[row + 1]):
            if bits[i] != 0 and bits[i] != sign:
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
def _sweep(  # noqa: C901, PLR0912, PLR0917 - as above; and calls would cost more than the work
    keys: NDArray[Any],
    labels: NDArray[Any],
    sign: Any,
    plan: Plan,
    zeros: NDArray[np.int64],
    tallies: tuple[NDArray[np.int64], ...],
    twice_u: NDArray[np.int64],
    ties: NDArray[np.int64],
) -> None:
    """Walk up one gene's sorted values, block of ties by block, and count what lies below.

    The tallies, which come as zeros and are left so: of each reference the cells below the block,
    those in it, and its tie terms; of each group the cells in the block and those that were met.
    """
    groups, reference_of, compared_with = plan.groups, plan.reference, plan.compared_with
    is_own, n_tiers = plan.is_own, plan.groups.shape[1]
    below, n_equal, shared_ties, n_own, n_nonzeros = tallies
    n, n_groups = len(keys), len(plan.sizes)
    below_zero, is_above_zero, start = below.copy(), False, 0
    while start < n:
        key = keys[start]
        if not is_above_zero and key > sign:
            is_above_zero = True
            below_zero[:] = below
            below += zeros
        stop = start + 1
        while stop < n and keys[stop] == key:
            stop += 1
        for i in range(start, stop):  # count the block
            label = labels[i]
            reference = reference_of[label]
            if reference >= 0:
                n_equal[reference] += 1
            for tier in range(n_tiers):
                group = groups[label, tier]
                if group >= 0:
                    n_own[group] += 1
        for i in range(start, stop):  # compare its groups with their references
            label = labels[i]
            for tier in range(n_tiers):
                group = groups[label, tier]
                if group >= 0 and n_own[group] > 0:
                    own, reference = n_own[group], compared_with[group]
                    equal = n_equal[reference]
                    twice_u[group] += own * (2 * below[reference] + equal)
                    if not is_own:
                        ties[group] += _tie_term(equal + own) - _tie_term(equal)
                    n_nonzeros[group] += own
                    n_own[group] = 0
        for i in range(start, stop):  # and pass it
            reference = reference_of[labels[i]]
            if reference >= 0 and n_equal[reference] > 0:
                shared_ties[reference] += _tie_term(n_equal[reference])
                below[reference] += n_equal[reference]
                n_equal[reference] = 0
        start = stop
    if not is_above_zero:
        below_zero[:] = below
    for group in range(n_groups):
        reference = compared_with[group]
        own_zeros = plan.sizes[group] - n_nonzeros[group]
        twice_u[group] += own_zeros * (2 * below_zero[reference] + zeros[reference])
        n_tied = zeros[reference] + (0 if is_own else own_zeros)
        ties[group] += shared_ties[reference] + _tie_term(n_tied)
    for tally in tallies:
        tally[:] = 0


@compiled
def rank_genes(  # noqa: PLR0917 - compiled functions are called by position
    keys: NDArray[Any],
    labels: NDArray[Any],
    sign: Any,
    bounds: NDArray[np.int64],
    plan: Plan,
    twice_u: NDArray[np.int64],
    ties: NDArray[np.int64],
) -> None:
    """Count, for each gene and group, the reference cells below each of the group's cells.

    Parameters
    ----------
    keys, labels
        Nonzeros of the genes one after another, in any order of cells; are reordered.
    sign
        The key of zero.
    bounds
        Where each gene's nonzeros begin, shape (n_genes + 1,).
    plan
        Who is compared with whom.
    twice_u
        Receives reference cells below, twice, plus those equal: shape (n_genes, n_groups), zeros.
    ties
        Receives the sum of t^3 - t over the blocks of t equal values in group and reference
        together: the same shape, zeros.
    """
    longest = 1
    for gene in range(len(bounds) - 1):
        longest = max(longest, bounds[gene + 1] - bounds[gene])
    spare_keys = np.empty(longest, keys.dtype)
    spare_labels = np.empty(longest, labels.dtype)
    tables = np.empty((keys.itemsize, 2048), np.int64)
    n_groups, n_references = len(plan.sizes), len(plan.reference_sizes)
    tallies = (
        np.zeros(n_references, np.int64),
        np.zeros(n_references, np.int64),
        np.zeros(n_references, np.int64),
        np.zeros(n_groups, np.int64),
        np.zeros(n_groups, np.int64),
    )
    for gene in range(len(bounds) - 1):
        start, end = bounds[gene], bounds[gene + 1]
        n = end - start
        zeros = plan.reference_sizes.copy()
        for i in range(start, end):
            reference = plan.reference[labels[i]]
            if reference >= 0:
                zeros[reference] -= 1
        sorted_keys, sorted_labels = keys[start:end], labels[start:end]
        if n > 1 and _sort(sorted_keys, sorted_labels, spare_keys[:n], spare_labels[:n], tables):
            sorted_keys, sorted_labels = spare_keys[:n], spare_labels[:n]
        _sweep(sorted_keys, sorted_labels, sign, plan, zeros, tallies, twice_u[gene], ties[gene])
