"""Which ranks a model may have, given how surely its mean is known.

A model's rank is at least one more than the number of models that are surely better, and at most
that of all less those surely worse; "surely" by intervals of its differences to all others that
hold together. Such ranks cover the true one at least as often as they say, ties included, which
percentiles of bootstrapped ranks do not (Mogstad, Romano, Shaikh and Wilhelm, Rev Econ Stud 2024).
"""

from typing import NamedTuple

import numpy as np
from scipy import special

from wildcell.arrays import Codes, Floats
from wildcell.results.board import Board
from wildcell.results.simultaneous import BLOCKS_TO_FLIP, TINY, flipped_sums, largest_flipped
from wildcell.results.stats import CONFIDENCE


class RankInterval(NamedTuple):
    """Ranks of the models of a board, 1 best, each of shape (n_models,)."""

    rank: Floats
    low: Codes
    high: Codes


def rank_intervals(board: Board, rng: np.random.Generator) -> RankInterval:
    """Return the ranks of models with their 95 % intervals.

    What a difference must exceed comes of flipping the signs of blocks, from six on, and below
    of t-tests at a level shared by the pairs.

    Parameters
    ----------
    board
        The models at one metric.
    rng
        Draws signs.

    Returns
    -------
    Ties share the least rank. With one block alone, any rank may be.

    Examples
    --------
    >>> from wildcell.results.board import board
    >>> from wildcell.results.stats import Sample
    >>> rng, unknown = np.random.default_rng(1), np.full(8, np.nan)
    >>> contexts, drug = np.array(list("abcdefgh"), dtype=object), np.full(8, "d", dtype=object)
    >>> scores = {"bad": 0.0, "good": 0.9, "good, too": 0.9}
    >>> laid = board({name: Sample(contexts, drug, rng.normal(mean, 0.1, 8), unknown, unknown)
    ...               for name, mean in scores.items()}, "pearson_delta")
    >>> found = rank_intervals(laid, rng)
    >>> found.low.tolist(), found.high.tolist()
    ([3, 1, 1], [3, 2, 2])
    """
    n, n_models = board.n_blocks, len(board.models)
    rounded = board.mean.round(9)
    rank = 1.0 + (rounded[None, :] > rounded[:, None]).sum(axis=1)
    if n < 2 or n_models < 2:
        return RankInterval(rank, np.ones(n_models, np.intp), np.full(n_models, n_models, np.intp))
    gap, error = board.mean[None, :] - board.mean[:, None], board.error()
    sure = np.where(
        error > TINY,
        np.abs(gap) > _reaches(board, rng)[:, None] * error,
        rounded[None, :] != rounded[:, None],
    )
    better, worse = (gap > 0) & sure, (gap < 0) & sure
    return RankInterval(rank, 1 + better.sum(axis=1), n_models - worse.sum(axis=1))


def _reaches(board: Board, rng: np.random.Generator) -> Floats:
    """Return, for each model, how many errors its differences to all others stay within."""
    n, n_models = board.n_blocks, len(board.models)
    if n < BLOCKS_TO_FLIP:
        tail = 1 - (1 - CONFIDENCE) / 2 / (n_models - 1)
        return np.full(n_models, special.stdtrit(n - 1, tail))
    sums, every = flipped_sums(board, rng), np.arange(n_models)
    largest = [
        largest_flipped(board, sums, np.full(n_models - 1, one), every[every != one])
        for one in every
    ]
    return np.quantile(largest, CONFIDENCE, axis=1, method="higher")
