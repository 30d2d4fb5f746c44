"""Whether models differ at all, by their ranks in contexts or data sets, and who stands together.

Blocks are contexts or data sets, never conditions: those of one context share its controls, and the
test then rejects two thirds of the time or more where nothing differs. The F form keeps its level
in few blocks where Friedman's chi-squared does not (Iman and Davenport, Commun Stat, 1980);
critical differences are Nemenyi's (Demsar, JMLR 2006). A critical difference depends on which other
models are there (Benavoli, Corani and Mangili, JMLR 2016): it is for the diagram, and pairs are
told apart by `wildcell.results.simultaneous`.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import special, stats

from wildcell.arrays import Floats
from wildcell.results.board import Board
from wildcell.results.stats import CONFIDENCE, CONTEXTS_TO_GENERALISE

LEAST_MODELS = 3


class Friedman(NamedTuple):
    """Ranks in blocks.

    Attributes
    ----------
    models
        From the best mean rank to the worst.
    mean_ranks
        1 best, shape (n_models,).
    n_blocks
        Contexts or data sets.
    p
        Of no difference at all, by the F form.
    critical_difference
        Mean ranks further apart than this differ.
    groups
        First and last place of each run of models that do not differ, none within another.
    """

    models: tuple[str, ...]
    mean_ranks: Floats
    n_blocks: int
    p: float
    critical_difference: float
    groups: tuple[tuple[int, int], ...]


def friedman(scores: Floats, models: tuple[str, ...]) -> Friedman | None:
    """Test ranks in blocks.

    Parameters
    ----------
    scores
        More is better, shape (n_blocks, n_models).
    models
        Their names.

    Returns
    -------
    None with fewer than five blocks or three models.

    Examples
    --------
    >>> scores = np.array([[0.9, 0.5, 0.1]] * 6) + np.arange(6)[:, None]
    >>> found = friedman(scores, ("best", "middle", "worst"))
    >>> found.mean_ranks.tolist(), found.p < 0.001, found.groups
    ([1.0, 2.0, 3.0], True, ((0, 1), (1, 2)))
    """
    n, k = scores.shape
    if n < CONTEXTS_TO_GENERALISE or k < LEAST_MODELS:
        return None
    ranks = stats.rankdata(-scores.round(12), axis=1)
    mean = ranks.mean(axis=0)
    order = np.argsort(mean, kind="stable")
    critical = float(stats.studentized_range.ppf(CONFIDENCE, k, np.inf)) / np.sqrt(2)
    critical *= np.sqrt(k * (k + 1) / (6 * n))
    return Friedman(
        tuple(models[i] for i in order),
        mean[order],
        n,
        _f_test(ranks),
        critical,
        groups_of(mean[order], critical),
    )


def groups_of(mean: Floats, critical: float) -> tuple[tuple[int, int], ...]:
    """Return the first and last place of the longest runs that lie within a critical difference.

    Parameters
    ----------
    mean
        Mean ranks, ascending, shape (n_models,).
    critical
        The critical difference.

    Examples
    --------
    >>> groups_of(np.array([1.0, 1.5, 2.2, 4.0]), 1.0)
    ((0, 1), (1, 2))
    """
    last = np.searchsorted(mean, mean + critical, side="right") - 1
    starts = [0, *(i for i, (one, other) in enumerate(pairwise(last), 1) if other > one)]
    return tuple((int(i), int(last[i])) for i in starts if last[i] > i)


def context_scores(board: Board) -> Floats:
    """Return the mean of each model in each context, more is better, (n_contexts, n_models).

    Of ratios of sums, those within the context.
    """
    codes = pd.factorize(board.contexts, sort=True)[0]
    return np.column_stack([_context_means(board, name, codes) for name in board.models])


def _context_means(board: Board, model: str, codes: Floats) -> Floats:
    sample = board.samples[model]
    if not sample.is_ratio:
        return np.asarray(np.bincount(codes, sample.value) / np.bincount(codes))
    below = np.bincount(codes, sample.denominator)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.bincount(codes, sample.numerator) / below
        return np.asarray(-np.abs(np.log(np.maximum(ratio, 1e-3))) if sample.is_log else ratio)


def _f_test(ranks: Floats) -> float:
    """Return the p-value of Iman and Davenport's F, ties and all.

    It is no smaller than that of blocks that all agree: one order of the models in each but the
    first.
    """
    n, k = ranks.shape
    between = n * ((ranks.mean(axis=0) - (k + 1) / 2) ** 2).sum()
    total = ((ranks - (k + 1) / 2) ** 2).sum()
    within = total - between
    if total == 0:
        return 1.0
    least = float(np.exp(-(n - 1) * special.gammaln(k + 1)))
    if within <= 1e-12:
        return least
    f = (n - 1) * between / within
    return max(float(special.fdtrc(k - 1, (k - 1) * (n - 1), f)), least)
