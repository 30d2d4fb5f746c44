"""Cells of one side that are, in truth, cells of the other: copied, or copied and thinned.

How it is made sure that chance accuses nobody: see `Suspicion`.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial import cKDTree
from scipy.special import gammaln, xlogy

from wildcell.arrays import Booleans, Codes, Floats
from wildcell.scenarios.rows import LARGEST_COUNT, Array, Rows

LOWEST_SHARE = 0.6
"""A copy at 70 % of the depth has more than this share of the counts: three deviations at 200."""

FALSE_ALARMS = 1e-6
"""Pairs of unrelated cells that may be accused, in expectation, in one audit."""

CLOSENESS = 1e-3
"""Rows without counts are near each other where they differ by less than this share."""

BIT_SET_BYTES = 2**26
LEAST_VARIANCE = 0.5
N_DIRECTIONS = 4

N_TESTS = 3
"""How often each pair is held against each other: as equals, and either as the other's copy."""


class Pile(NamedTuple):
    """Some of the rows that are held."""

    rows: Rows
    index: Codes  # type: ignore[assignment]  # a field, not the method of tuples


class Suspicion(NamedTuple):
    """How much evidence a pair of rows must show, and which genes bear evidence.

    The evidence of a pair is the log of a ratio: how likely it is if one is a thinned copy of the
    other, over the most that it could be if they were unrelated and differed by the noise of
    counting, whatever each expresses. For a rare gene of the copy, that most is the greatest
    probability that any Poisson gives the original's count; for other genes, it is that of the way
    in which the sum of both counts is shared out, at the share that fits best. Among unrelated
    cells the expectation of such a ratio is at most 1, so the chance that it exceeds t is at most
    1 / t (Markov's inequality), and all pairs of an audit share `FALSE_ALARMS`. Counts that vary
    more than Poisson, and cells of different types, only make chance less likely to accuse.

    Attributes
    ----------
    needed
        Evidence in nats.
    means
        Mean of each gene, shape (n_genes,).
    is_telling
        Genes that vary at least half as much as counting would have it; others, such as constant
        ones, could agree for reasons of their own.
    """

    needed: float
    means: Floats
    is_telling: Booleans

    @property
    def least(self) -> float:
        """Evidence that equal rows must bear whatever cells express, for chance to be at odds.

        From there on, less than one of all pairs that are equal by chance is expected even if
        every cell expressed what makes that likeliest; that there are but 1e-6 is then judged by
        how frequent the genes are.
        """
        return float(self.needed + np.log(FALSE_ALARMS / N_TESTS))


class Suspects(NamedTuple):
    """Rows with what is known of each.

    Attributes
    ----------
    pile
        The rows.
    hashes
        Of their content, shape (n_rows,).
    depths
        Their sums, shape (n_rows,).
    evidence
        The evidence that each bears at most, whatever unrelated cells express, shape (n_rows,).
    is_telling
        Whether a row that is equal to it is a copy of it and no chance twin, shape (n_rows,).
    """

    pile: Pile
    hashes: NDArray[np.uint64]
    depths: Floats
    evidence: Floats
    is_telling: Booleans

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.pile.index)


class Copies(NamedTuple):
    """Pairs of rows, one of which is a copy of the other; each judged row at most once.

    Attributes
    ----------
    judged, seen
        Positions in the piles, shape (n_pairs,).
    shares
        Sum of the smaller row over that of the larger, shape (n_pairs,).
    is_exact
        Whether the two are equal, shape (n_pairs,).
    """

    judged: Codes
    seen: Codes
    shares: Floats
    is_exact: Booleans


def suspect(piles: Mapping[str, Pile], *, n_pairs: float) -> tuple[Suspicion, dict[str, Suspects]]:
    """Look over all rows once: how much evidence is needed, and how much each row can bear.

    Parameters
    ----------
    piles
        Rows by what they are called, of the same genes.
    n_pairs
        How many pairs of rows will be held against each other.
    """
    every = list({id(pile.rows): pile.rows for pile in piles.values()}.values())
    means, is_telling = _survey(every)
    needed = float(np.log(N_TESTS * max(n_pairs, 1.0) / FALSE_ALARMS))
    suspicion = Suspicion(needed, means, is_telling)
    known = {id(rows): describe(rows, suspicion) for rows in every}
    return suspicion, {
        name: Suspects(pile, *(column[pile.index] for column in known[id(pile.rows)]))
        for name, pile in piles.items()
    }


def find_copies(judged: Suspects, seen: Suspects, suspicion: Suspicion) -> Copies:
    """Find the judged rows that are copies of rows that were seen, or the other way round.

    Counts are searched for thinned copies, of which all are found that bear enough evidence;
    other values for rows that are close to equal.
    """
    exact = _exact_pairs(judged, seen)
    if not judged.n or not seen.n:
        return exact
    find = _thinned_pairs if judged.pile.rows.are_counts else _close_pairs
    pairs = find(judged, seen, suspicion)
    pairs = pairs[~np.isin(pairs[:, 0], exact.judged)]
    pairs = pairs[np.unique(pairs[:, 0], return_index=True)[1]]
    depths = np.column_stack([judged.depths[pairs[:, 0]], seen.depths[pairs[:, 1]]])
    return Copies(
        np.append(exact.judged, pairs[:, 0]),
        np.append(exact.seen, pairs[:, 1]),
        np.append(exact.shares, depths.min(axis=1) / depths.max(axis=1)),
        np.append(exact.is_exact, np.zeros(len(pairs), dtype=bool)),
    )


def _survey(every: Iterable[Rows]) -> tuple[Floats, Booleans]:
    """Return the mean of each gene and whether it tells cells apart."""
    n, total, squares = 0, np.zeros(1), np.zeros(1)
    are_counts = True
    for rows in every:
        are_counts = rows.are_counts
        n += rows.n
        total = total + rows.sum_genes(lambda _, values: values.astype(np.float64))
        squares = squares + rows.sum_genes(lambda _, values: values.astype(np.float64) ** 2)
    mean = total / max(n, 1)
    variance = squares / max(n, 1) - mean**2
    least = LEAST_VARIANCE * mean if are_counts else 1e-6 * mean**2
    return mean, np.asarray((variance > least) & (mean != 0))


def describe(rows: Rows, suspicion: Suspicion) -> tuple[Array, Array, Array, Array]:
    """Return the columns of `Suspects` but the pile, of rows of the genes that were surveyed."""
    is_telling = suspicion.is_telling
    keys = np.random.default_rng(0).integers(2**64, size=rows.n_genes, dtype=np.uint64)
    as_bits = np.uint16 if rows.are_counts else np.uint32
    surprise = _surprises()

    def hashed(genes: Array, values: Array) -> Array:
        return _mixed(values.view(as_bits).astype(np.uint64)) * (keys[genes] | np.uint64(1))

    def told(genes: Array, values: Array) -> Array:
        return is_telling[genes] * (surprise[values] if rows.are_counts else 1.0)

    evidence = rows.sum_rows(told)
    is_known = evidence >= suspicion.needed
    if rows.are_counts:
        identity = _identity_evidence(rows, suspicion)
        is_known |= (evidence >= suspicion.least) & (identity >= suspicion.needed)
    return (
        rows.sum_rows(hashed, np.uint64),
        rows.sum_rows(lambda _, values: values),
        evidence,
        is_known,
    )


def _identity_evidence(rows: Rows, suspicion: Suspicion) -> Floats:
    """Return minus the log of how likely an unrelated cell of a row's depth is to be equal to it.

    Its counts are Poisson at the mean shares of the genes: genes that are not seen tell, too.
    """
    means = np.where(suspicion.is_telling, suspicion.means, 0.0)
    log_shares = np.log(np.maximum(means, np.finfo(float).tiny) / max(means.sum(), 1e-300))
    log_factorials = gammaln(np.arange(LARGEST_COUNT + 1.0) + 1)

    def told(genes: Array, values: Array) -> Array:
        surprise = log_factorials[values] - values * log_shares[genes]
        return np.where(suspicion.is_telling[genes], surprise, 0.0)

    depths = rows.sum_rows(lambda genes, values: values * suspicion.is_telling[genes])
    return np.asarray(rows.sum_rows(told) + depths - xlogy(depths, depths))


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scramble integers (the finaliser of SplitMix64)."""
    bits = (bits + np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def _surprises() -> Floats:
    """Return minus the log of the most that any Poisson gives each count."""
    counts = np.arange(LARGEST_COUNT + 1.0)
    return gammaln(counts + 1) + counts - xlogy(counts, counts)


def _exact_pairs(judged: Suspects, seen: Suspects) -> Copies:
    asked = np.flatnonzero(judged.is_telling)
    order = np.argsort(seen.hashes, kind="stable")
    place = np.searchsorted(seen.hashes[order], judged.hashes[asked])
    place = np.minimum(place, max(seen.n - 1, 0))
    is_found = (
        seen.hashes[order][place] == judged.hashes[asked] if seen.n else np.zeros(len(asked), bool)
    )
    found = asked[is_found]
    of = order[place[is_found]] if seen.n else np.zeros(0, dtype=np.intp)
    return Copies(found, of, np.ones(len(found)), np.ones(len(found), dtype=bool))


def _thinned_pairs(judged: Suspects, seen: Suspects, suspicion: Suspicion) -> Codes:
    """Return pairs of a judged row and a seen one, either a thinned copy of the other."""
    forth = originals_of(judged, seen, suspicion)
    back = originals_of(seen, judged, suspicion)
    is_forth, is_back = forth >= 0, back >= 0
    return np.concatenate(
        [
            np.column_stack([np.flatnonzero(is_forth), forth[is_forth]]),
            np.column_stack([back[is_back], np.flatnonzero(is_back)]),
        ]
    )


def originals_of(copies: Suspects, originals: Suspects, suspicion: Suspicion) -> Codes:
    """Return the original of each copy, -1 where there is none, shape (n_copies,)."""
    # Numba takes long to import, and the registries import every module of this package.
    from wildcell.scenarios.search import dominance  # noqa: PLC0415

    found = np.where(copies.evidence >= suspicion.needed, -1, -2)
    order = np.argsort(originals.depths, kind="stable")
    suspected = dominance.Table(_arrays(copies), copies.pile.index, copies.depths)
    others = dominance.Table(
        _arrays(originals), originals.pile.index[order], originals.depths[order]
    )
    bound = dominance.Bound(*suspicion, LOWEST_SHARE)
    thresholds = dominance.rare_thresholds(others, originals.pile.rows.n_genes)
    n_bits = 8 * BIT_SET_BYTES // max(len(thresholds.frequency), 1)
    height = max(64, n_bits // 64 * 64)
    for start in range(0, len(order), height):
        rows = slice(start, start + height)
        some = others._replace(rows=others.rows[rows], depths=others.depths[rows])
        block = (start, dominance.bit_sets(some, thresholds), thresholds)
        dominance.find_originals(suspected, some, block, bound, found)
    return np.where(found >= 0, order[np.maximum(found, 0)], -1)


def _arrays(suspects: Suspects) -> tuple[Array, Array, Array]:
    rows = suspects.pile.rows
    return rows.indptr, rows.genes, rows.values


def _close_pairs(judged: Suspects, seen: Suspects, suspicion: Suspicion) -> Codes:
    """Return pairs of rows that are close to equal, whose projections must be close, too."""
    directions = np.random.default_rng(0).normal(size=(N_DIRECTIONS, judged.pile.rows.n_genes))
    directions = np.linalg.qr(directions.T)[0]
    asked = np.flatnonzero(judged.evidence >= suspicion.needed)
    values, others = _matrix(judged)[asked], _matrix(seen)
    reach = CLOSENESS * sparse.linalg.norm(values, axis=1)
    near = cKDTree(others @ directions).query_ball_point(values @ directions, reach)
    pairs = [
        (asked[row], other)
        for row, candidates in enumerate(near)
        for other in candidates
        if sparse.linalg.norm(values[row] - others[other]) <= reach[row]
    ]
    return np.array(pairs, dtype=np.intp).reshape(-1, 2)


def _matrix(suspects: Suspects) -> sparse.csr_matrix:
    rows = suspects.pile.rows
    shape = (rows.n, rows.n_genes)
    return sparse.csr_matrix((rows.values, rows.genes, rows.indptr), shape=shape)[
        suspects.pile.index
    ]
