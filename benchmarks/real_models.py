"""All networks and naive models on small real screens: `python benchmarks/real_models.py`.

Contexts are left out one by one (Kang, Zhao), perturbations and combinations in folds (Papalexi,
Norman), for one seed. Genes are described by the Reactome pathways they are in. The files are
looked for in the folder `data` of `WILDCELL_TEST_DATA` (`../shared` by default). Finished runs are
kept under `--out`, so that a second start continues; questions are asked in `--jobs` processes of
one thread each. Prints a row a model: the mean with its 95 %
interval, the paired difference to the scenario's reference, how many conditions were scored of
all, the naive models that it is worse than, and what it took.
"""

import argparse
import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
from real_screens import FOLDER, curated, span

from wildcell.models.model import MODELS
from wildcell.results.rank import EVERY_CATEGORY
from wildcell.results.table import rank_runs
from wildcell.run import run_scenario
from wildcell.scenarios.gene_sets import membership_of, read_gene_sets, reduce_membership

QUESTIONS = (
    ("kang2018-pbmc-unseen-context", "leave-one-out"),
    ("zhao2021-unseen-context", "leave-one-out"),
    ("papalexi2021-unseen-perturbation", "random"),
    ("norman2019-small-unseen-perturbation", "random"),
    ("norman2019-small-unseen-combination", "k-fold"),
)
METRICS = ("effect_r2", "pearson_delta", "pearson_specific", "energy_distance_pca")
ERRORS = ("energy_distance_pca",)
PATHWAYS = "reactome_2023.2.gmt"
FEATURES = "features.parquet"
NAIVE = ("additive", "context-transfer", "matching-mean", "no-change", "perturbed-mean")


def describe_genes(file: Path) -> None:
    """Write the genes' pathways in few dimensions, once: a second start reads the same bits."""
    if not file.exists():
        membership = membership_of(read_gene_sets(FOLDER / PATHWAYS), min_size=5, max_size=500)
        reduce_membership(membership, n_dimensions=50).table.to_parquet(file)


def worse_than(model: str, means: pd.Series, *, is_error: bool) -> str:
    sign = -1 if is_error else 1
    better = [name for name in NAIVE if name in means and sign * (means[name] - means[model]) > 0]
    return "worse than " + ", ".join(better) if better and model not in NAIVE else ""


def seconds_of(runs: Path) -> pd.Series:
    """Return the CPU time of each scenario and model, over all folds."""
    costs = pd.DataFrame(
        [
            {**json.loads((file.parent / "run.json").read_text()), **pd.read_parquet(file).iloc[0]}
            for file in runs.rglob("costs.parquet")
        ]
    )
    return costs.groupby(["scenario", "model"])["cpu_s"].sum()


def print_question(name: str, ranks: pd.DataFrame, seconds: pd.Series) -> None:
    asked = ranks["scenario"].str.partition("[")[0]
    own = ranks[(asked == name) & (ranks["category"] == EVERY_CATEGORY)]
    for metric in METRICS:
        rows = own[own["metric"] == metric].sort_values(["rank", "model"])
        means = rows.set_index("model")["mean"]
        print(f"\n{name}, {metric}")
        for _, row in rows.iterrows():
            told = f"{span(row, 'mean'):38}{span(row, 'difference'):38}"
            took = seconds.get((row["scenario"], row["model"]), np.nan)
            print(
                f"  {row['model']:18}{told}{row['scored']}/{row['expected']} {took:6.0f} s  "
                f"{worse_than(row['model'], means, is_error=metric in ERRORS)}{row['unscored']}"
            )


def ask(question: tuple[str, str], *, models: Sequence[str], out: Path, seed: int) -> None:
    """Ask all models one question."""
    name, arm = question
    is_new_gene = "perturbation" in name or "combination" in name
    features = pd.read_parquet(out / FEATURES) if is_new_gene else None
    for model in models:
        began = time.perf_counter()
        run_scenario(
            name, arm=arm, models=[model], runs=out / "runs", seeds=[seed], features=features
        )
        print(f"{name} / {model}: {time.perf_counter() - began:.0f} s", flush=True)


def ask_all(models: Sequence[str], out: Path, seed: int, n_jobs: int) -> None:
    """Ask the questions, some at once: they share no folder of runs."""
    os.environ["OMP_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(n_jobs, mp_context=get_context("spawn")) as pool:
        list(pool.map(partial(ask, models=models, out=out, seed=seed), QUESTIONS))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("models", nargs="*", default=MODELS.names())
    parser.add_argument("--out", type=Path, default=Path("real-models"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    given = parser.parse_args()
    start = time.perf_counter()
    curated(given.out)
    describe_genes(given.out / FEATURES)
    ask_all(given.models, given.out, given.seed, given.jobs)
    ranks, seconds = rank_runs(given.out / "runs"), seconds_of(given.out / "runs")
    for name, _ in QUESTIONS:
        print_question(name, ranks, seconds)
    print(f"\n{time.perf_counter() - start:.0f} s, {seconds.sum():.0f} CPU s of models")


if __name__ == "__main__":
    main()
