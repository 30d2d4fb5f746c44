"""Whether the gap between near and far that is measured is the one that was planted.

Screens are simulated whose contexts lie in clusters that respond alike (`similar`), or whose
clusters are alike in their controls alone, so that it does not matter who is trained on
(`exchangeable`). Each context is tested with relatives in training and without, by the scenario
context-relatives; the model is context-transfer, the mean of the training deltas.

- measured: the difference of the arms by a metric, with its 95 % interval over clusters, as
  `wildcell arms --base far` gives it;
- planted: the same difference, of the same splits and by the same formula, of the noise-free
  effects: the mean of the log fold changes that were planted in the training conditions, scored
  against those of the tested ones. Log fold changes are brought to counts of one total, as the
  judged log values are; the screens are deep, so that log1p is the logarithm.
- expected: the mean of planted over all seeds, the gap of clusters at large.

An interval should contain planted, and 0 where contexts are exchangeable.

Run: python benchmarks/planted_gap.py
"""

import argparse
from typing import NamedTuple

import numpy as np
import pandas as pd

from wildcell.arrays import Floats
from wildcell.datasets.dataset import Dataset
from wildcell.datasets.load import load_dataset
from wildcell.datasets.simulated import true_effects
from wildcell.judge import Judge, find_metrics
from wildcell.models.means import ContextTransfer
from wildcell.names import CONDITION, Role
from wildcell.results.arms import compare_arms
from wildcell.results.score import label
from wildcell.scenarios.panel import control_cells
from wildcell.scenarios.pose import pose
from wildcell.scenarios.scenario import load_scenario
from wildcell.scenarios.split import Split, make_splits

METRICS = ("effect_r2", "pearson_delta")
SCREEN = {
    "n_contexts": 24,
    "n_context_clusters": 8,
    "n_perturbations": 12,
    "n_combinations": 0,
    "n_genes": 150,
    "n_cells": 30,
    "n_controls": 120,
    "baseline_spread": 0.5,
    "cluster_spread": 0.4,
    "interaction_strength": 0.15,
    "target_strength": 0.0,
    "null_share": 0.0,
    "depth": 20_000.0,
    "n_batches": 1,
}
STRENGTHS = {"similar": 0.2, "exchangeable": 0.0}
"""What the contexts of a cluster share in their responses, beside what is each one's own."""


class Gap(NamedTuple):
    """A measured gap with its interval, what it speaks of, and the planted one."""

    metric: str
    measured: float
    low: float
    high: float
    level: str
    planted: float
    placebo: float
    placebo_low: float
    placebo_high: float


def splits_of(screen: Dataset, seed: int) -> dict[str, list[Split]]:
    words = load_scenario("context-relatives")
    return {arm: make_splits(words, screen, seed=seed, arm=arm) for arm in words.arms}


def scores_of(screen: Dataset, split: Split) -> pd.DataFrame:
    """Score context-transfer on one fold, through task, prediction and judge."""
    words = load_scenario("context-relatives")
    task, truth = pose(screen, split, words)
    model = ContextTransfer(seed=0)
    model.fit(task)
    scores = Judge(truth, find_metrics(METRICS)).score(model.predict(task.query))
    names = {"scenario": words.name, "dataset": "simulated", "model": "context-transfer"}
    return label(scores, **names, arm=split.arm, seed=split.seed, fold=split.fold)


def normalised_effects(screen: Dataset) -> Floats:
    """Return the planted log fold changes at one total count, shape (n_conditions, n_genes)."""
    truth, controls = true_effects(screen), control_cells(screen)
    counts = pd.DataFrame(controls.X.toarray()).groupby(controls.obs["context"].to_numpy()).sum()
    shares = counts.div(counts.sum(axis=1), axis=0).loc[truth.conditions["context"]].to_numpy()
    total = (shares * np.exp(truth.effects)).sum(axis=1, keepdims=True)
    return truth.effects - np.log(total)


def planted_scores(effects: Floats, split: Split) -> pd.DataFrame:
    """Score the mean of the planted effects that are trained on, condition by condition."""
    table = split.conditions.assign(row=np.arange(len(split.conditions)))
    is_seen = table["role"].isin([Role.TRAIN, Role.VAL])
    rows = []
    for perturbation, tested in table[table["role"] == Role.TEST].groupby("perturbation"):
        seen = table.loc[is_seen & (table["perturbation"] == perturbation), "row"]
        predicted = effects[seen].mean(axis=0)
        for context, row in zip(tested["context"], tested["row"], strict=True):
            true = effects[row]
            explained, size = 2 * predicted @ true - predicted @ predicted, true @ true
            correlation = np.corrcoef(predicted, true)[0, 1]
            rows.append((context, perturbation, explained, size, correlation))
    return pd.DataFrame(rows, columns=[*CONDITION, "numerator", "denominator", "correlation"])


def planted_means(effects: Floats, splits: list[Split]) -> dict[str, float]:
    scores = pd.concat([planted_scores(effects, split) for split in splits])
    return {
        "effect_r2": scores["numerator"].sum() / scores["denominator"].sum(),
        "pearson_delta": scores.groupby("context")["correlation"].mean().mean(),
    }


def gaps_of(screen: Dataset, *, seed: int) -> list[Gap]:
    """Measure the gap of one screen by each metric, and look up the planted one."""
    splits, effects = splits_of(screen, seed), normalised_effects(screen)
    near, far = (planted_means(effects, splits[arm]) for arm in ("near", "far"))
    clusters = splits["far"][0].tables["clusters"].set_index("context")["cluster"].to_dict()
    scores = pd.concat([scores_of(screen, split) for folds in splits.values() for split in folds])
    key = ("context-relatives", "simulated")
    found = [
        compare_arms(scores, {}, base=base, clusters={key: clusters}).set_index(["metric", "arm"])
        for base in ("far", "placebo-far")
    ]
    gaps = []
    for metric in METRICS:
        gap, placebo = found[0].loc[(metric, "near")], found[1].loc[(metric, "placebo-near")]
        gaps.append(
            Gap(
                metric,
                gap["difference"],
                gap["difference_low"],
                gap["difference_high"],
                gap["difference_interval"],
                near[metric] - far[metric],
                placebo["difference"],
                placebo["difference_low"],
                placebo["difference_high"],
            )
        )
    return gaps


def gaps_by_seed(strength: float, seeds: range, **options: float) -> pd.DataFrame:
    """Measure and look up the gaps of screens of one strength, a row a seed and metric."""
    tables = []
    for seed in seeds:
        words = {**SCREEN, "cluster_interaction_strength": strength, **options}
        screen = load_dataset("simulated", **words, seed=seed)
        tables.append(pd.DataFrame(gaps_of(screen, seed=0)).assign(seed=seed))
    return pd.concat(tables, ignore_index=True)


def contains(
    table: pd.DataFrame, value: "pd.Series[float] | float", name: str = ""
) -> "pd.Series[bool]":
    low, high = (f"{name}_low", f"{name}_high") if name else ("low", "high")
    return (table[low] <= value) & (table[high] >= value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--cells", type=int, default=SCREEN["n_cells"])
    parser.add_argument("--clusters", type=int, default=SCREEN["n_context_clusters"])
    given = parser.parse_args()
    n, sizes = given.seeds, {"n_cells": given.cells, "n_context_clusters": given.clusters}
    for name, strength in STRENGTHS.items():
        every = gaps_by_seed(strength, range(n), n_contexts=3 * given.clusters, **sizes)
        for metric, table in every.groupby("metric"):
            print(
                f"\n{name}, {metric}: gap of near over far, 95 % interval over "
                f"{table['level'].iloc[0]}"
            )
            for row in table.itertuples():
                is_in = "in" if row.low <= row.planted <= row.high else "OUT"
                print(
                    f"  seed {row.seed:2d}: measured {row.measured:+.4f} ({row.low:+.4f} to "
                    f"{row.high:+.4f}), planted {row.planted:+.4f} {is_in}; placebo "
                    f"{row.placebo:+.4f} ({row.placebo_low:+.4f} to {row.placebo_high:+.4f})"
                )
            expected = table["planted"].mean()
            error = (table["measured"] - table["planted"]).std(ddof=1)
            half = (table["high"] - table["low"]).mean() / 2
            print(
                f"  contains planted {contains(table, table['planted']).sum()} of {n}, expected "
                f"({expected:+.4f}) {contains(table, expected).sum()}, "
                f"0 {contains(table, 0).sum()}; "
                f"placebo contains 0 {contains(table, 0, 'placebo').sum()}; mean half-width "
                f"{half:.4f}, sd of measured - planted {error:.4f}, mean "
                f"{(table['measured'] - table['planted']).mean():+.4f}"
            )


if __name__ == "__main__":
    main()
