"""Differences between all models at once, with the chance of any false one held at its level.

Signs of the blocks are flipped, which leaves differences as they are distributed where models are
exchangeable, and the largest studentised difference over all pairs is what a difference must
exceed (max-T; Westfall and Young, Resampling-Based Multiple Testing, 1993). Below six blocks there
are too few signs to flip, and Holm's procedure on t-tests holds the level (Holm, Scand J Stat,
1979).
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import special

from wildcell.arrays import Codes, Floats
from wildcell.results.board import Board
from wildcell.results.stats import CONFIDENCE

BLOCKS_TO_FLIP = 6
MOST_EXACT = 11
"""Signs of so many blocks are gone through one by one; of more, some are drawn."""

N_DRAWS = 2_000
PAIRS_AT_ONCE = 512
TINY = 1e-12
MAX_T, HOLM = "max-T", "Holm"


@dataclass(frozen=True)
class Differences:
    """Paired differences of all pairs of models of a board, more is better.

    Attributes
    ----------
    first, second
        Columns of the board, each of shape (n_pairs,).
    mean, error
        Of first less second.
    p, adjusted
        Two-sided, of one pair alone, and with the level held over all pairs; NaN without error.
    reach
        By how many errors the simultaneous interval reaches to either side.
    method
        How the level is held.
    """

    first: Codes
    second: Codes
    mean: Floats
    error: Floats
    p: Floats
    adjusted: Floats
    reach: float
    method: str

    @property
    def low(self) -> Floats:
        """Lower ends of the simultaneous intervals."""
        return self.mean - self.reach * self.error

    @property
    def high(self) -> Floats:
        """Upper ends of the simultaneous intervals."""
        return self.mean + self.reach * self.error


def differences(board: Board, rng: np.random.Generator) -> Differences:
    """Compare all pairs of models.

    Parameters
    ----------
    board
        The models at one metric.
    rng
        Draws the signs where there are too many to go through.

    Examples
    --------
    >>> from wildcell.results.board import board
    >>> from wildcell.results.stats import Sample
    >>> rng, unknown = np.random.default_rng(1), np.full(8, np.nan)
    >>> contexts, drug = np.array(list("abcdefgh"), dtype=object), np.full(8, "d", dtype=object)
    >>> scores = {"bad": 0.0, "bad, too": 0.0, "good": 0.5}
    >>> laid = board({name: Sample(contexts, drug, rng.normal(mean, 0.1, 8), unknown, unknown)
    ...               for name, mean in scores.items()}, "pearson_delta")
    >>> found = differences(laid, rng)
    >>> found.method, (found.adjusted < 0.05).tolist()
    ('max-T', [False, True, True])
    """
    pairs = np.array(list(combinations(range(len(board.models)), 2)), dtype=np.intp).reshape(-1, 2)
    first, second = pairs.T
    mean, n = board.mean[first] - board.mean[second], board.n_blocks
    if n < 2:
        nothing = np.full(len(pairs), np.nan)
        return Differences(first, second, mean, nothing, nothing, nothing, np.nan, "")
    error = board.error()[first, second]
    statistic = _studentised(mean, error)
    p = 2 * special.stdtr(n - 1, -np.abs(statistic))
    if n < BLOCKS_TO_FLIP:
        tail = 1 - (1 - CONFIDENCE) / 2 / max(len(pairs), 1)
        reach = float(special.stdtrit(n - 1, tail))
        return Differences(first, second, mean, error, p, holm(p), reach, HOLM)
    largest = largest_flipped(board, flipped_sums(board, rng), first, second)
    adjusted = np.array([(largest >= abs(t) - TINY).mean() for t in statistic])
    reach = float(np.quantile(largest, CONFIDENCE, method="higher"))
    return Differences(first, second, mean, error, p, adjusted, reach, MAX_T)


def holm(p: Floats) -> Floats:
    """Return p-values by Holm's procedure, the level held over all of them.

    Examples
    --------
    >>> holm(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p, kind="stable")
    steps = np.minimum(p[order] * np.arange(len(p), 0, -1), 1.0)
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(steps)
    return adjusted


def _studentised(mean: Floats, error: Floats) -> Floats:
    """Return means over their errors; where there is no error, 0 or beyond all."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = mean / error
    return np.where(error > 0, found, np.where(np.abs(mean) > 0, np.copysign(np.inf, mean), 0.0))


def flipped_sums(board: Board, rng: np.random.Generator) -> Floats:
    """Return the means of models with signs of blocks flipped, (n_choices, n_models)."""
    return _signs(board.n_blocks, rng) @ (board.influence + board.mean / board.n_blocks)


def largest_flipped(board: Board, sums: Floats, first: Codes, second: Codes) -> Floats:
    """Return the largest studentised difference of some pairs for each choice of signs.

    Parameters
    ----------
    board
        The models.
    sums
        What `flipped_sums` returned, so that each pair is a difference of two columns.
    first, second
        Columns of the board, of each pair.
    """
    n = board.n_blocks
    squares = (board.error()[first, second] ** 2) * (n - 1) / n
    squares += (board.mean[first] - board.mean[second]) ** 2 / n
    largest = np.zeros(len(sums))
    for start in range(0, len(first), PAIRS_AT_ONCE):
        some = slice(start, start + PAIRS_AT_ONCE)
        away = np.abs(sums[:, first[some]] - sums[:, second[some]])
        rest = np.maximum(squares[some] - away**2 / n, 0.0)
        t = np.divide(away, np.sqrt(n / (n - 1) * rest), out=np.zeros_like(away), where=rest > 0)
        t[(rest <= 0) & (away > TINY)] = np.inf
        largest = np.maximum(largest, t.max(axis=1))
    return np.asarray(largest, dtype=np.float64)


def _signs(n: int, rng: np.random.Generator) -> Floats:
    """Return choices of signs, (n_choices, n): all of them, up to one for all, or some."""
    if n <= MOST_EXACT:
        bits = (np.arange(2 ** (n - 1))[:, None] >> np.arange(n)) & 1
        return np.asarray(1.0 - 2.0 * bits, dtype=np.float64)
    drawn = rng.integers(0, 2, size=(N_DRAWS - 1, n)) * 2.0 - 1.0
    return np.vstack([np.ones(n), drawn])
