"""How long a split of 100,000 conditions takes: `python benchmarks/splitting.py`.

Every splitter on screens of one gene and two cells a condition whose shape fits it: 2,000
perturbations x 50 contexts, 500 compounds x 4 doses x 50 contexts, and 400 singles with 1,600
pairs x 50 contexts. Prints medians of some rounds in seconds: the splitter itself, all its folds
together, and what `make_splits` and the fingerprint add to each fold; then the tree of growing
numbers of components. `--n` sets the number of conditions.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import anndata as ad
import numpy as np
import pandas as pd
from scipy import sparse

from wildcell.datasets.dataset import COMPONENT_COLUMNS, Component, Dataset, perturbation_key
from wildcell.laws.splitter import split_case
from wildcell.names import CONTROL, UNS
from wildcell.scenarios.feature_clusters import cluster_by_features
from wildcell.scenarios.scenario import load_scenario
from wildcell.scenarios.split import SPLITTERS, make_splits

N_CONTEXTS = 50
N_CONTROLS = 10
N_CELLS = 2
N_FEATURES = 50
LIMIT_S = 2.0

SHAPES = {"unseen-combination": "pairs", "unseen-dose": "doses"}
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "unseen-combination": {"unseen_component_share": 0.25, "val_component_share": 0.07},
    "unseen-perturbation": {"n_folds": 1},
    "perturbation-clusters": {"n_folds": 1},
}


def perturbations_of(shape: str, n: int, rng: np.random.Generator) -> list[list[Component]]:
    if shape == "doses":
        doses = (1.0, 10.0, 100.0, 1000.0)
        return [[Component(f"D{row}", dose, "nM")] for row in range(n // 4) for dose in doses]
    if shape == "pairs":
        n_singles = n // 5
        singles = [[Component(f"G{row}")] for row in range(n_singles)]
        first, second = np.triu_indices(n_singles, 1)
        rows = rng.choice(len(first), n - n_singles, replace=False)
        return singles + [singles[first[row]] + singles[second[row]] for row in rows]
    return [[Component(f"G{row}")] for row in range(n)]


def screen_of(shape: str, n_conditions: int) -> Dataset:
    """Return a screen of one gene."""
    rng = np.random.default_rng(0)
    parts = perturbations_of(shape, n_conditions // N_CONTEXTS, rng)
    keys = {perturbation_key(both): both for both in parts}
    contexts = np.array([f"context-{number:03d}" for number in range(N_CONTEXTS)])
    labels = np.array([*list(keys) * N_CELLS, *[CONTROL] * N_CONTROLS], dtype=object)
    context = np.repeat(contexts, len(labels))
    obs = pd.DataFrame(
        {
            "context": context,
            "perturbation": np.tile(labels, N_CONTEXTS),
            "control_group": context,
            "modality": "crispri",
            "batch": "",
            "replicate": "",
            "total_counts": 1.0,
        },
        index=[f"cell-{row}" for row in range(len(context))],
    )
    components = [(key, *part) for key, both in keys.items() for part in both]
    table = pd.DataFrame(components, columns=COMPONENT_COLUMNS).astype({"dose": float})
    names = sorted(set(table["component"]))
    features = pd.DataFrame(rng.normal(size=(len(names), N_FEATURES)), index=names)
    X = sparse.csr_matrix(rng.poisson(3.0, (len(obs), 1)).astype(np.float32))
    uns = {UNS: {"expression": "counts", "components": table, "features": features}}
    return Dataset(shape, ad.AnnData(X, obs=obs, var=pd.DataFrame(index=["gene"]), uns=uns))


def median_seconds(call: Callable[[int], object], rounds: int) -> float:
    took = []
    for seed in range(rounds):
        start = time.perf_counter()
        call(seed)
        took.append(time.perf_counter() - start)
    return statistics.median(took)


class Timing(NamedTuple):
    """Seconds that a splitter took, and that each fold took beside it."""

    n_folds: int
    split: float
    fold: float


def time_splitter(name: str, screen: Dataset, rounds: int) -> Timing:
    rule, options = SPLITTERS.get(name), dict(OPTIONS.get(name, {}))
    words = replace(
        load_scenario("iid"), splitter=name, arms={"timed": options}, default_arm="timed"
    )
    case = split_case(rule, screen, seed=0, **options)
    folds = make_splits(words, screen, seed=0)
    split = median_seconds(lambda seed: replace(case, seed=seed).folds(), rounds)
    whole = median_seconds(
        lambda seed: [one.fingerprint for one in make_splits(words, screen, seed=seed)], 1
    )
    return Timing(len(folds), split, max(whole - split, 0.0) / len(folds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--n", type=int, default=100_000, help="conditions")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    screens = {shape: screen_of(shape, arguments.n) for shape in ("singles", "doses", "pairs")}
    print(f"{'splitter':<24}{'conditions':>12}{'folds':>7}{'split s':>9}{'fold s':>9}")
    all_folds, one_fold = 0.0, 0.0
    for name in SPLITTERS.names():
        screen = screens[SHAPES.get(name, "singles")]
        took = time_splitter(name, screen, arguments.rounds)
        all_folds = max(all_folds, took.split)
        one_fold = max(one_fold, took.split / took.n_folds + took.fold)
        n = len(screen.conditions)
        print(f"{name:<24}{n:>12,}{took.n_folds:>7}{took.split:>9.2f}{took.fold:>9.2f}", flush=True)
    print(f"slowest splitter, all its folds: {all_folds:.2f} s; limit {LIMIT_S:g} s")
    print(f"slowest single split, made ready for a run: {one_fold:.2f} s")
    for n in (2_000, 5_000, 10_000):
        features = pd.DataFrame(np.random.default_rng(0).normal(size=(n, N_FEATURES)))
        took_tree = median_seconds(lambda _, table=features: cluster_by_features(table), 1)
        print(f"tree of {n:,} components: {took_tree:.2f} s")


if __name__ == "__main__":
    main()
