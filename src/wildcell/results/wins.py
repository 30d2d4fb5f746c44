"""In what share of conditions one model is better than another."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse, special

from wildcell.arrays import Codes, Floats
from wildcell.results.board import Board
from wildcell.results.stats import CONFIDENCE, NEW_CONTEXTS

TIE = 1e-9


class WinRates(NamedTuple):
    """Of pairs of models, each of shape (n_pairs,)."""

    rate: Floats
    low: Floats
    high: Floats


def win_rates(board: Board, first: Codes, second: Codes) -> WinRates:
    """Return in what share of conditions the first of each pair is better; ties count half.

    Contexts have equal weight, as in means. The 95 % interval is Student's t over the blocks of the
    board, cut at 0 and 1; of a model that always wins, Clopper and Pearson's of as many blocks.

    Parameters
    ----------
    board
        The models at one metric.
    first, second
        Columns of the board.

    Examples
    --------
    >>> from wildcell.results.board import board
    >>> from wildcell.results.stats import Sample
    >>> unknown, drug = np.full(5, np.nan), np.full(5, "drug", dtype=object)
    >>> contexts = np.array(list("abcde"), dtype=object)
    >>> laid = board({name: Sample(contexts, drug, np.array(scores), unknown, unknown)
    ...               for name, scores in {"a": [1, 1, 1, 0, 0.0], "b": [0, 0, 1, 0, 1.0]}.items()},
    ...              "pearson_delta")
    >>> float(win_rates(laid, np.array([0]), np.array([1])).rate[0])
    0.6
    """
    gap = board.merits[:, first] - board.merits[:, second]
    wins = np.where(np.isnan(gap), np.nan, 0.5 * (1 + np.sign(np.where(np.abs(gap) > TIE, gap, 0))))
    rate, parts = _averaged(wins, board)
    n = len(parts)
    if n < 2:
        return WinRates(rate, np.full_like(rate, np.nan), np.full_like(rate, np.nan))
    error = np.sqrt(n / (n - 1) * (parts**2).sum(axis=0))
    reach = special.stdtrit(n - 1, 0.5 + CONFIDENCE / 2) * error
    least = (0.5 - CONFIDENCE / 2) ** (1 / n)
    low = np.where(rate >= 1 - TIE, least, np.maximum(rate - reach, 0.0))
    high = np.where(rate <= TIE, 1 - least, np.minimum(rate + reach, 1.0))
    return WinRates(rate, low, high)


def _averaged(values: Floats, board: Board) -> tuple[Floats, Floats]:
    """Average columns over conditions, contexts with equal weight.

    Returns
    -------
    The means, (n_columns,), and what each block adds to their deviation, (n_blocks, n_columns).
    """
    sample = next(iter(board.samples.values()))
    in_context = _members(sample.context)
    of_context = in_context @ values / np.asarray(in_context.sum(axis=1))
    mean = of_context.mean(axis=0)
    n_contexts = len(of_context)
    if board.level == NEW_CONTEXTS:
        return mean, (of_context - mean) / n_contexts
    codes = _codes(sample.context)
    sizes = np.bincount(codes)[codes][:, None]
    away = (values - of_context[codes]) / sizes / n_contexts
    return mean, _members(sample.perturbation) @ away


def _codes(labels: np.ndarray) -> Codes:
    return pd.factorize(labels)[0]


def _members(labels: np.ndarray) -> sparse.csr_matrix:
    """Return which rows are of which label, (n_labels, n_rows)."""
    codes = _codes(labels)
    return sparse.csr_matrix((np.ones(len(codes)), (codes, np.arange(len(codes)))))
