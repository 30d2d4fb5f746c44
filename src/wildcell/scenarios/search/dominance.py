"""Compiled search for rows of counts that could be thinned copies of other rows.

A thinned copy is nowhere above its original. So whatever threshold a gene of the copy reaches, the
original reaches too: bit sets of who reaches a rare threshold, intersected, leave few candidates
and miss none.
"""

import math
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

STEPS = np.array(
    [1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64, 91, 128, 181, 256, 512, 1024, 4096], dtype=np.int64
)
"""Thresholds of a gene's count that have a bit set."""

COMMON_SHARE = 0.5
"""A threshold that more than this share of the rows reach tells too little to have a bit set."""

N_FEATURES = 12
"""The rarest thresholds of a row that are intersected."""

NO_ROW, ONE = np.uint64(0), np.uint64(1)

RARE_MEAN = 1.0
"""Genes of fewer counts a cell on average are rare."""

N_BINS = 9
"""Bins of the summed counts of a gene, each four times as high as the one before."""

TINY, HUGE = 1e-15, 1e300

KEPT_SHARES = np.append(np.linspace(0.68, 0.98, 16), 1.0)
"""Depths of a copy, relative to its original, that a pair is held against."""

Array: TypeAlias = NDArray[Any]


class Thresholds(NamedTuple):
    """The thresholds of genes that have a bit set.

    Attributes
    ----------
    first_step
        The lowest step of each gene that is rare enough, shape (n_genes,).
    first
        The number of its bit set; those of higher steps follow, shape (n_genes,).
    frequency
        How many rows reach each threshold, shape (n_thresholds,).
    """

    first_step: Array
    first: Array
    frequency: Array


class Table(NamedTuple):
    """Rows of counts, and which of them are looked at.

    Attributes
    ----------
    arrays
        The rows as (indptr, genes, counts).
    rows
        The rows that are looked at.
    depths
        Their sums.
    """

    arrays: tuple[Array, Array, Array]
    rows: Array
    depths: Array


class Bound(NamedTuple):
    """What a pair must show.

    Attributes
    ----------
    needed
        Evidence in nats.
    means, is_telling
        Mean of each gene, and whether it bears evidence, shape (n_genes,).
    lowest_share
        The smallest share of the depth that a copy may have.
    """

    needed: float
    means: Array
    is_telling: Array
    lowest_share: float


def rare_thresholds(table: Table, n_genes: int) -> Thresholds:
    """Return the thresholds of genes that at most half of the rows reach."""
    reached = _reached(table.arrays, table.rows, n_genes)
    is_rare = reached <= COMMON_SHARE * len(table.rows)
    first_step = np.where(is_rare.any(axis=1), is_rare.argmax(axis=1), len(STEPS))
    # One step that nobody reaches is enough: no row that does can be a copy.
    last_step = np.minimum((reached > 0).sum(axis=1), len(STEPS) - 1)
    n_steps = np.maximum(last_step - first_step + 1, 0)
    first = np.concatenate([[0], np.cumsum(n_steps)[:-1]])
    gene = np.repeat(np.arange(n_genes), n_steps)
    step = np.arange(len(gene)) - np.repeat(first - first_step, n_steps)
    return Thresholds(first_step, first, reached[gene, step])


@njit(cache=True)
def _reached(arrays: Any, rows: Array, n_genes: int) -> Array:  # pragma: no cover
    """Count the rows that reach each step, shape (n_genes, n_steps)."""
    indptr, genes, counts = arrays
    reached = np.zeros((n_genes, len(STEPS)), dtype=np.int64)
    for row in rows:
        for at in range(indptr[row], indptr[row + 1]):
            step = 0
            while step < len(STEPS) and counts[at] >= STEPS[step]:
                reached[genes[at], step] += 1
                step += 1
    return reached


def bit_sets(table: Table, thresholds: Thresholds) -> Array:
    """Mark which rows reach which thresholds, shape (n_thresholds, n_words) of 64 rows each."""
    n_words = (len(table.rows) + 63) // 64
    bits = np.zeros((len(thresholds.frequency), n_words), dtype=np.uint64)
    _fill(bits, table.arrays, table.rows, thresholds)
    return bits


@njit(cache=True)
def _fill(bits: Array, arrays: Any, rows: Array, thresholds: Any) -> None:  # pragma: no cover
    indptr, genes, counts = arrays
    for place in range(len(rows)):
        row = rows[place]
        mark = np.uint64(1) << np.uint64(place & 63)
        for at in range(indptr[row], indptr[row + 1]):
            gene = genes[at]
            first_step = thresholds.first_step[gene]
            step = first_step
            while step < len(STEPS) and counts[at] >= STEPS[step]:
                bits[thresholds.first[gene] + step - first_step, place >> 6] |= mark
                step += 1


@njit(cache=True)
def find_originals(  # pragma: no cover
    copies: Any, originals: Any, block: Any, bound: Any, found: Array
) -> None:
    """Write the place of the original of each copy into `found`, where there is one.

    Parameters
    ----------
    copies, originals
        Tables; the originals in ascending order of depth.
    block
        The place of the first of these originals, their bit sets and the thresholds.
    bound
        What a pair must show.
    found
        Shape (n_copies,); copies whose entry is not -1 are passed over.
    """
    chosen = np.empty(N_FEATURES, dtype=np.int64)
    for place in range(len(copies.rows)):
        if found[place] != -1:
            continue
        depth = copies.depths[place]
        low = np.searchsorted(originals.depths, depth)
        high = np.searchsorted(originals.depths, depth / bound.lowest_share, side="right")
        if low < high:
            n_chosen = _rarest(copies.arrays, copies.rows[place], block[2], chosen)
            row = copies.rows[place]
            at = _first_original(
                copies.arrays, row, originals, (low, high, block[1], chosen[:n_chosen]), bound
            )
            if at >= 0:
                found[place] = block[0] + at


@njit(cache=True)
def _first_original(  # pragma: no cover
    copies: Any, copy: int, originals: Any, where: Any, bound: Any
) -> int:
    """Return the place of the first original of a row between two places, or -1."""
    low, high, bits, chosen = where
    for word in range(low >> 6, ((high - 1) >> 6) + 1):
        left = ~NO_ROW
        for threshold in chosen:
            left &= bits[threshold, word]
            if left == NO_ROW:
                break
        at = word * 64
        while left != NO_ROW:
            is_candidate = left & ONE and low <= at < high
            if is_candidate and _is_copy(copies, copy, originals.arrays, originals.rows[at], bound):
                return at
            left >>= ONE
            at += 1
    return -1


@njit(cache=True)
def _rarest(  # pragma: no cover
    copies: Any, row: int, thresholds: Any, chosen: Array
) -> int:
    """Write the rarest thresholds that a row reaches, rarest first; return how many."""
    indptr, genes, counts = copies
    first_step, first, frequency = thresholds
    n = 0
    for at in range(indptr[row], indptr[row + 1]):
        gene = genes[at]
        step = first_step[gene]
        if step >= len(STEPS) or counts[at] < STEPS[step]:
            continue
        while step + 1 < len(STEPS) and counts[at] >= STEPS[step + 1]:
            step += 1
        end = first[gene + 1] if gene + 1 < len(first) else len(frequency)
        threshold = min(first[gene] + step - first_step[gene], end - 1)
        if n == len(chosen) and frequency[threshold] >= frequency[chosen[n - 1]]:
            continue
        n = min(n + 1, len(chosen))
        place = n - 1
        while place > 0 and frequency[chosen[place - 1]] > frequency[threshold]:
            chosen[place] = chosen[place - 1]
            place -= 1
        chosen[place] = threshold
    return n


@njit(cache=True)
def _is_copy(  # pragma: no cover
    copies: Any, copy: int, originals: Any, original: int, bound: Any
) -> bool:
    """Whether a row is nowhere above another, and the evidence that it is a copy is enough."""
    if not _is_below(copies, copy, originals, original):
        return False
    evidence = _evidence(copies, copy, originals, original, bound)
    return evidence.max() - math.log(len(KEPT_SHARES)) >= bound.needed


@njit(cache=True)
def _is_below(copies: Any, copy: int, originals: Any, original: int) -> bool:  # pragma: no cover
    indptr, genes, counts = copies
    other_indptr, other_genes, other_counts = originals
    other, end = other_indptr[original], other_indptr[original + 1]
    for at in range(indptr[copy], indptr[copy + 1]):
        while other < end and other_genes[other] < genes[at]:
            other += 1
        if other == end or other_genes[other] != genes[at] or other_counts[other] < counts[at]:
            return False
    return True


@njit(cache=True)
def _evidence(  # pragma: no cover
    copies: Any, copy: int, originals: Any, original: int, bound: Any
) -> Array:
    """Return the evidence in nats for a copy at each share, shape (n_shares,).

    Genes that are rare over all cells are judged by what the original has given the copy; the
    others by how their sum is shared out, whose null has a free share in each bin of sums.
    """
    indptr, genes, counts = copies
    other_indptr, other_genes, other_counts = originals
    evidence = np.zeros(len(KEPT_SHARES))
    kept_in, sums_in = np.zeros(N_BINS), np.zeros(N_BINS)
    at, end = indptr[copy], indptr[copy + 1]
    for other in range(other_indptr[original], other_indptr[original + 1]):
        gene, whole = other_genes[other], np.int64(other_counts[other])
        kept, mean = np.int64(0), bound.means[gene]
        if at < end and genes[at] == gene:
            kept = np.int64(counts[at])
            at += 1
        if not bound.is_telling[gene] or (mean < RARE_MEAN and kept == 0):
            continue
        if mean < RARE_MEAN:
            evidence += math.lgamma(whole + 1.0) + whole - whole * math.log(whole)
            for number in range(len(KEPT_SHARES)):
                evidence[number] += _log_lost(
                    int(whole - kept), int(kept), KEPT_SHARES[number], mean
                )
        else:
            total = kept + whole
            place = min(int(math.log2(total) / 2), N_BINS - 1)
            kept_in[place] += kept
            sums_in[place] += total
            evidence += math.lgamma(kept + 1.0) + math.lgamma(whole + 1.0)
            evidence -= math.lgamma(total + 1.0)
            for number in range(len(KEPT_SHARES)):
                evidence[number] += _log_shared(int(kept), int(whole), KEPT_SHARES[number])
    for place in range(N_BINS):
        if kept_in[place] > 0:
            rest = sums_in[place] - kept_in[place]
            evidence -= kept_in[place] * math.log(kept_in[place] / sums_in[place])
            evidence -= rest * math.log(rest / sums_in[place])
    return evidence


@njit(cache=True)
def _log_lost(lost: int, kept: int, share: float, mean: float) -> float:  # pragma: no cover
    """Return the log probability that a copy lost so many counts, given how many it kept.

    The gene's rate in the original is exponential about its mean over all cells, before the copy
    is seen: the lost counts are negative binomial.
    """
    if share >= 1.0:
        return 0.0 if lost == 0 else -np.inf
    rate = 1.0 / mean
    shape = kept + 1.0
    return (
        math.lgamma(lost + shape)
        - math.lgamma(shape)
        - math.lgamma(lost + 1.0)
        + shape * math.log((rate + share) / (rate + 1.0))
        + lost * math.log((1.0 - share) / (rate + 1.0))
    )


@njit(cache=True)
def _log_shared(kept: int, whole: int, share: float) -> float:  # pragma: no cover
    """Return the log probability that a copy has so many counts, given those of both together.

    What was kept and what was lost are Poisson, at a rate that fits the sum; the probability is
    had from its ratio to those of all other ways to share the sum out.
    """
    if share >= 1.0:
        return 0.0 if kept == whole else -np.inf
    total = kept + whole
    odds = share * (1.0 + share) / ((1.0 - share) ** 2 * total)
    every = 1.0
    ratio, at = 1.0, kept
    while 2 * at + 2 <= total and TINY < ratio < HUGE:
        lost = total - 2 * at
        ratio *= odds * lost * (lost - 1) / (at + 1)
        every += ratio
        at += 1
    ratio, at = 1.0, kept
    while at > 0 and TINY < ratio < HUGE:
        lost = total - 2 * at
        ratio *= at / (odds * (lost + 2) * (lost + 1))
        every += ratio
        at -= 1
    return -math.log(every)
