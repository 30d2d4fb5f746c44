"""How often intervals and tests are right: `python benchmarks/interval_coverage.py`.

Benchmarks are simulated whose truth is known: a score is the model's true mean, plus what the
context adds (skewed, so that no normal theory holds exactly), plus noise of the condition, of which
contexts have unequally many. Printed are, with the error of the simulation itself:

- how often the 95 % interval of a mean and of a paired difference covers the truth, by the number
  of contexts, beside that of a percentile bootstrap of contexts and conditions;
- below five contexts, where intervals hold for the contexts at hand alone, how often they cover the
  mean of these, and whether anything is said of new ones;
- how often intervals over the components of perturbations cover the truth;
- under models that do not differ: how often any pair is told apart, how often a rank interval
  misses the tie, how often Friedman's test rejects by contexts and, for contrast, by conditions,
  how often any win rate is told from a half, and how often a model is said to beat each naive one.
"""

import argparse
import time
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from wildcell.arrays import Floats
from wildcell.metrics.metric import METRICS
from wildcell.results.board import Board, board
from wildcell.results.friedman import context_scores, friedman
from wildcell.results.levels import Level, at_levels
from wildcell.results.naive import beyond_naive
from wildcell.results.rank_intervals import rank_intervals
from wildcell.results.simultaneous import differences
from wildcell.results.stats import Sample, Term, estimate, gain
from wildcell.results.wins import win_rates

METRIC = "pearson_delta"
CONTEXTS = (3, 5, 8, 20, 50)
TRUE_MEAN, TRUE_GAIN = 0.5, 0.1
N_MODELS = 11
BOOTSTRAPS = 300
NAIVE = ("no-change", "perturbed-mean")


def skewed(rng: np.random.Generator, n: int) -> Floats:
    """Draw a centred, right-skewed effect of sd 1."""
    return np.asarray((rng.gamma(4.0, 1.0, n) - 4.0) / 2.0)


def labels(rng: np.random.Generator, n_contexts: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the context and perturbation of each condition, 3 to 30 a context."""
    sizes = rng.integers(3, 31, n_contexts)
    context = np.repeat([f"c{i}" for i in range(n_contexts)], sizes).astype(object)
    perturbation = np.concatenate([rng.permutation(40)[:size] for size in sizes])
    return context, np.array([f"p{i}" for i in perturbation], dtype=object)


def sample_of(context: np.ndarray, perturbation: np.ndarray, value: Floats) -> Sample:
    unknown = np.full(len(value), np.nan)
    return Sample(context, perturbation, value, unknown, unknown)


def of_contexts(rng: np.random.Generator, context: np.ndarray, sd: float) -> Floats:
    codes = pd.factorize(context)[0]
    return np.asarray(sd * skewed(rng, codes.max() + 1)[codes])


def bootstrap(rng: np.random.Generator, sample: Sample) -> tuple[float, float]:
    """Return percentiles of means of drawn contexts, conditions drawn within."""
    codes = pd.factorize(sample.context)[0]
    n = codes.max() + 1
    rows = [sample.value[codes == code] for code in range(n)]
    drawn = np.column_stack(
        [row[rng.integers(0, len(row), (BOOTSTRAPS, len(row)))].mean(axis=1) for row in rows]
    )
    # a context that is drawn twice has its conditions drawn once: the percentiles are the same
    chosen = rng.integers(0, n, (BOOTSTRAPS, n))
    low, high = np.quantile(np.take_along_axis(drawn, chosen, axis=1).mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


def share(hits: list[bool]) -> str:
    rate = float(np.mean(hits))
    error = 1.96 * np.sqrt(max(rate * (1 - rate), 1 / len(hits)) / len(hits))
    return f"{100 * rate:5.1f} % +- {100 * error:.1f}"


def over_contexts(rng: np.random.Generator, n: int, times: int) -> Iterator[str]:
    mean, paired, few, naive, told = [], [], [], [], []
    for _ in range(times):
        context, perturbation = labels(rng, n)
        effect = of_contexts(rng, context, 0.1)
        noise = 0.1 * rng.standard_normal((2, len(context)))
        own = of_contexts(rng, context, 0.05)
        model = sample_of(context, perturbation, TRUE_MEAN + TRUE_GAIN + effect + own + noise[0])
        other = sample_of(context, perturbation, TRUE_MEAN + effect + noise[1])
        found = estimate(model)
        low, high = bootstrap(rng, model)
        naive.append(low <= TRUE_MEAN + TRUE_GAIN <= high)
        here = _mean_of_contexts(context, effect + own) + TRUE_MEAN + TRUE_GAIN
        few.append(found.low <= here <= found.high)
        levels = at_levels([Term(1.0, model)])
        told.append(bool(np.isfinite(levels[-1].low)))
        mean.append(found.low <= TRUE_MEAN + TRUE_GAIN <= found.high)
        difference = gain(model, other, best="high")
        paired.append(difference.low <= TRUE_GAIN <= difference.high)
    name = f"{n:2d} contexts: "
    if not any(told):
        yield f"{name}covers the mean of these contexts       {share(few)}"
        yield f"{name}says anything of new contexts           {share(told)}"
    else:
        yield f"{name}covers the mean of new contexts         {share(mean)}"
        yield f"{name}covers a paired difference              {share(paired)}"
    yield f"{name}a percentile bootstrap covers           {share(naive)}"


def _mean_of_contexts(context: np.ndarray, value: Floats) -> float:
    return float(pd.Series(value).groupby(context).mean().mean())


def over_components(rng: np.random.Generator, n: int, times: int) -> Iterator[str]:
    """Let drugs at four doses each, or pairs of genes, share what their components add."""
    for what in ("doses of drugs", "pairs of genes"):
        hits = []
        for _ in range(times):
            own = 0.1 * skewed(rng, n)
            parts = _parts(rng, n, what)
            effect = np.array([own[list(some)].mean() for some in parts])
            value = TRUE_MEAN + effect + 0.05 * rng.standard_normal(len(parts))
            names = np.array([f"p{i}" for i in range(len(parts))], dtype=object)
            sample = sample_of(np.full(len(parts), "c", dtype=object), names, value)
            components = {
                name: frozenset(map(str, some)) for name, some in zip(names, parts, strict=True)
            }
            found = next(
                one
                for one in at_levels([Term(1.0, sample)], components)
                if one.level == Level.PERTURBATIONS
            )
            hits.append(found.low <= TRUE_MEAN <= found.high)
        yield f"{n:2d} components: {what}, covers              {share(hits)}"


def _parts(rng: np.random.Generator, n: int, what: str) -> list[tuple[int, ...]]:
    if what == "doses of drugs":
        return [(i,) for i in range(n) for _ in range(4)]
    return [tuple(rng.choice(n, 2, replace=False)) for _ in range(3 * n)]


def exchangeable(rng: np.random.Generator, n_contexts: int) -> Board:
    """Return models that differ by nothing but noise, two of them named as naive ones."""
    context, perturbation = labels(rng, n_contexts)
    effect = of_contexts(rng, context, 0.1)
    names = [*NAIVE, *(f"m{i}" for i in range(N_MODELS - len(NAIVE)))]
    return board(
        {
            name: sample_of(
                context,
                perturbation,
                effect + of_contexts(rng, context, 0.05) + 0.1 * rng.standard_normal(len(context)),
            )
            for name in names
        },
        METRIC,
    )


def under_no_difference(rng: np.random.Generator, n: int, times: int) -> Iterator[str]:
    claims: dict[str, Callable[[Board], bool]] = {
        "any of 55 pairs told apart": lambda laid: bool(
            (differences(laid, rng).adjusted < 0.05).any()
        ),
        "one pair, alone": lambda laid: bool(differences(laid, rng).p[0] < 0.05),
        "a rank interval misses the tie": _misses,
        "one win rate told from a half": _wins,
        "a model beats each of two naive ones": lambda laid: beyond_naive(laid)[0].beats_each,
        "Friedman over contexts": lambda laid: _rejects(context_scores(laid), laid),
        "Friedman over conditions (not done)": lambda laid: _rejects(laid.merits, laid),
    }
    found: dict[str, list[bool]] = {name: [] for name in claims}
    for _ in range(times):
        laid = exchangeable(rng, n)
        for name, says in claims.items():
            found[name].append(says(laid))
    for name, hits in found.items():
        yield f"{n:2d} contexts, no model differs: {name:38} {share(hits)}"


def _misses(laid: Board) -> bool:
    ranks = rank_intervals(laid, np.random.default_rng(0))
    return bool(ranks.low[0] > 1 or ranks.high[0] < len(laid.models))


def _wins(laid: Board) -> bool:
    rates = win_rates(laid, np.array([0]), np.array([1]))
    return bool(rates.low[0] > 0.5 or rates.high[0] < 0.5)


def _rejects(scores: Floats, laid: Board) -> bool:
    found = friedman(scores, laid.models)
    return found is not None and found.p < 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--simulations", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    METRICS.get(METRIC)
    rng, start = np.random.default_rng(given.seed), time.process_time()
    for n in CONTEXTS:
        for line in over_contexts(rng, n, given.simulations):
            print(line, flush=True)
    for n in (10, 20, 50):
        for line in over_components(rng, n, given.simulations):
            print(line, flush=True)
    for n in (5, 8, 20):
        for line in under_no_difference(rng, n, given.simulations):
            print(line, flush=True)
    print(f"{given.simulations} simulations a line, {time.process_time() - start:.0f} CPU s")


if __name__ == "__main__":
    main()
