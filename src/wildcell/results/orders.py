"""Whether metrics put models in the same order, beyond what noise does to any order."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from wildcell.arrays import Floats
from wildcell.parallel import compiled
from wildcell.results.board import Board, board
from wildcell.results.rank import QUESTION, samples_of, without_shams
from wildcell.results.simultaneous import differences
from wildcell.results.stats import CONFIDENCE, NEW_CONTEXTS

N_DRAWS = 1_000
TIE = 1e-9

COLUMNS = [
    *QUESTION,
    "first",
    "second",
    "tau",
    "low",
    "high",
    "tau_again",
    "told_alike",
    "told_apart",
    "flips",
    "n_pairs",
    "n_models",
    "contradictions",
]


def compare_orders(
    scores: pd.DataFrame, *, metrics: Sequence[str] | None = None, seed: int = 0
) -> pd.DataFrame:
    """Compare the orders that each pair of metrics puts models in.

    Parameters
    ----------
    scores
        The long table, of any number of questions.
    metrics
        All of them if None.
    seed
        Of what is drawn.

    Returns
    -------
    A row a question and pair of metrics: `tau`, Kendall's tau-b of the means of the models that
    both compare, with the 95 % of tau that measuring again would give (contexts, or perturbations,
    weighed anew); `tau_again`, what either metric would have with itself measured again, averaged:
    a tau that is no lower is no disagreement. `flips` counts pairs of models in another order,
    `told_apart` those of which both metrics are sure, in opposite ways (named in `contradictions`),
    and `told_alike` those of which both are sure, in the same way. The metrics that may be sure of
    the opposite of one share the level.
    """
    rows = []
    for question, table in without_shams(scores).groupby(QUESTION, sort=True):
        chosen = table if metrics is None else table[table["metric"].isin(metrics)]
        boards = {
            name: laid
            for name, samples in samples_of(chosen).items()
            if len((laid := board(samples, name)).models) > 1 and laid.n_blocks > 1
        }
        level = (1 - CONFIDENCE) / max(len(boards) - 1, 1)
        told = {name: resolved(laid, seed, level=level) for name, laid in boards.items()}
        labels = dict(zip(QUESTION, question, strict=True))
        rows += [{**labels, **row} for row in _pairs(boards, told, seed)]
    return pd.DataFrame(rows, columns=COLUMNS)


def resolved(laid: Board, seed: int, *, level: float = 1 - CONFIDENCE) -> pd.Series:
    """Return the sign of each difference that is sure over all pairs, 0 elsewhere, by models."""
    found = differences(laid, np.random.default_rng(seed))
    sign = np.where(found.adjusted < level, np.sign(found.mean), 0.0)
    names = [
        (laid.models[i], laid.models[j]) for i, j in zip(found.first, found.second, strict=True)
    ]
    return pd.Series(sign, pd.MultiIndex.from_tuples(names))


def _pairs(
    boards: Mapping[str, Board], told: Mapping[str, pd.Series], seed: int
) -> Iterator[dict[str, Any]]:
    again = _Again(boards, seed)
    for first, second in combinations(boards, 2):
        models = tuple(name for name in boards[first].models if name in boards[second].models)
        if len(models) < 2:
            continue
        blocks = tuple(_blocks(boards[first]).union(_blocks(boards[second]), sort=False))
        means = [_chosen(boards[name].mean, boards[name], models) for name in (first, second)]
        drawn = [again.means(name, models, blocks, 0) for name in (first, second)]
        low, high = np.quantile(_taus(*drawn), [0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2])
        same = [again.tau(name, models, blocks) for name in (first, second)]
        index = pd.MultiIndex.from_tuples(list(combinations(models, 2)))
        signs = [told[name].reindex(index).fillna(0.0) for name in (first, second)]
        product = signs[0] * signs[1]
        order = _orders(means[0][None])[0] * _orders(means[1][None])[0]
        yield {
            "first": first,
            "second": second,
            "tau": float(_taus(means[0][None], means[1][None])[0]),
            "low": low,
            "high": high,
            "tau_again": float(np.mean(same)),
            "told_alike": int((product > 0).sum()),
            "told_apart": int((product < 0).sum()),
            "flips": int((order < 0).sum()),
            "n_pairs": len(index),
            "n_models": len(models),
            "contradictions": "; ".join(f"{a} / {b}" for a, b in product.index[product < 0]),
        }


def _chosen(values: Floats, laid: Board, models: Sequence[str]) -> Floats:
    return values[..., [laid.models.index(name) for name in models]]


def _blocks(laid: Board) -> pd.Index:
    """Return the name of each block, in the order of the board's influences."""
    sample = next(iter(laid.samples.values()))
    names = sample.context if laid.level == NEW_CONTEXTS else sample.perturbation
    return pd.Index(pd.unique(names))


class _Again:
    """Means and taus of boards that are measured again, each computed once."""

    def __init__(self, boards: Mapping[str, Board], seed: int) -> None:
        self.boards = boards
        self.seed = seed
        self.means = cache(self._means)
        self.tau = cache(self._tau)

    def _means(
        self, name: str, models: tuple[str, ...], blocks: tuple[str, ...], turn: int
    ) -> Floats:
        """Return means, (n_draws, n_models): in a turn, blocks weigh the same for all boards."""
        laid = self.boards[name]
        rng = np.random.default_rng(self.seed + turn)
        weights = rng.standard_normal((N_DRAWS, len(blocks)))
        n, place = laid.n_blocks, pd.Index(blocks).get_indexer(_blocks(laid))
        own = weights[:, place] - weights[:, place].mean(axis=1, keepdims=True)
        moved = np.sqrt(n / (n - 1)) * own @ _chosen(laid.influence, laid, models)
        return np.asarray(_chosen(laid.mean, laid, models) + moved)

    def _tau(self, name: str, models: tuple[str, ...], blocks: tuple[str, ...]) -> float:
        """Return the mean tau of a board with itself, measured again."""
        one, other = (self.means(name, models, blocks, turn) for turn in (0, 1))
        return float(_taus(one, other).mean())


def _orders(means: Floats) -> Floats:
    """Return the sign of each pair's difference, (n_draws, n_pairs); 0 for a tie."""
    first, second = np.triu_indices(means.shape[1], k=1)
    gap = means[:, first] - means[:, second]
    return np.asarray(np.where(np.abs(gap) > TIE, np.sign(gap), 0.0))


@compiled
def _taus(first: Floats, second: Floats) -> Floats:
    """Return Kendall's tau-b of each row, (n_draws,); 0 where one has ties alone."""
    n_draws, n = first.shape
    found = np.zeros(n_draws)
    for draw in range(n_draws):
        together = known = other_known = 0
        for i in range(n):
            for j in range(i):
                gap = first[draw, i] - first[draw, j]
                other_gap = second[draw, i] - second[draw, j]
                order = int(gap > TIE) - int(gap < -TIE)
                other = int(other_gap > TIE) - int(other_gap < -TIE)
                together += order * other
                known += order * order
                other_known += other * other
        if known > 0 and other_known > 0:
            found[draw] = together / np.sqrt(float(known) * float(other_known))
    return found
