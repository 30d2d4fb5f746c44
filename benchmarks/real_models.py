"""All networks and naive models on small real screens: `python benchmarks/real_models.py`.

Contexts are left out one by one (Kang, Zhao), perturbations and combinations in folds (Papalexi,
Norman), for one seed. Genes that were never perturbed are described by the Reactome pathways they
are in; where all components are trained on, each is only named (one-hot). The files are
looked for in the folder `data` of `WILDCELL_TEST_DATA` (`../shared` by default). Finished runs are
kept under `--out`, so that a second start continues; questions are asked in `--jobs` processes of
one thread each. What models share and what is best of each form of answer is scored too, for
`wildcell findings` and `wildcell calibrate`. Prints a row a model: the mean with its 95 %
interval, the paired difference to the scenario's reference, how many conditions were scored of
all, the CPU seconds it took, and the naive models that it loses to (the paired interval lies on
their side) or is behind (the mean does).
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

from wildcell.datasets.load import load_dataset
from wildcell.models.model import MODELS
from wildcell.results.rank import EVERY_CATEGORY, rank
from wildcell.results.table import rank_runs
from wildcell.run import run_scenario
from wildcell.scenarios.gene_sets import membership_of, read_gene_sets, reduce_membership
from wildcell.scenarios.scenario import load_scenario
from wildcell.store.runs import read_scores

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
SCORED = ("headline", "shared_r2")
TINY = 1e-6
UNSEEN = "unseen-perturbation"
NAIVE = ("additive", "context-transfer", "matching-mean", "no-change", "perturbed-mean")


def pathways() -> pd.DataFrame:
    membership = membership_of(read_gene_sets(FOLDER / PATHWAYS), min_size=5, max_size=500)
    return reduce_membership(membership, n_dimensions=50).table


def names_alone(scenario: str) -> pd.DataFrame:
    """Return a column a component of the scenario's screen."""
    components = load_dataset(load_scenario(scenario).dataset).components["component"]
    names = sorted(set(components))
    return pd.DataFrame(np.eye(len(names)), index=names)


def features_of(scenario: str, out: Path) -> pd.DataFrame:
    """Describe the components of a scenario, once: a second start reads the same bits."""
    file = out / f"{scenario}-features.parquet"
    if not file.exists():
        table = pathways() if scenario.endswith(UNSEEN) else names_alone(scenario)
        table.rename(columns=str).to_parquet(file)
    return pd.read_parquet(file)


def losses(scores: pd.DataFrame) -> pd.DataFrame:
    """Return what each model's paired difference to each naive model says against it.

    Columns scenario, model, metric and words.
    """
    rows = []
    for naive in NAIVE:
        table = rank(scores, dict.fromkeys(scores["scenario"].unique(), naive))
        table = table[table["category"] == EVERY_CATEGORY].dropna(subset="difference")
        sign = np.where(table["metric"].isin(ERRORS), -1.0, 1.0)
        ends = table[["difference_low", "difference_high"]].mul(sign, axis=0).max(axis=1)
        words = np.where(ends < 0, f"loses to {naive}", f"behind {naive}")
        table = table.assign(words=words)[sign * table["difference"] < -TINY]
        rows.append(table[~table["model"].isin(NAIVE)])
    told = pd.concat(rows)
    return told.groupby(["scenario", "metric", "model"])["words"].agg(", ".join)


def seconds_of(runs: Path) -> pd.Series:
    """Return the CPU time of each scenario and model, over all folds."""
    costs = pd.DataFrame(
        [
            {**json.loads((file.parent / "run.json").read_text()), **pd.read_parquet(file).iloc[0]}
            for file in runs.rglob("costs.parquet")
        ]
    )
    return costs.groupby(["scenario", "model"])["cpu_s"].sum()


def print_question(name: str, ranks: pd.DataFrame, seconds: pd.Series, lost: pd.Series) -> None:
    asked = ranks["scenario"].str.partition("[")[0]
    own = ranks[(asked == name) & (ranks["category"] == EVERY_CATEGORY)]
    for metric in METRICS:
        print(f"\n{name}, {metric}")
        for _, row in own[own["metric"] == metric].sort_values(["rank", "model"]).iterrows():
            told = f"{span(row, 'mean'):38}{span(row, 'difference'):38}"
            took = seconds.get((row["scenario"], row["model"]), np.nan)
            words = [lost.get((row["scenario"], metric, row["model"]), ""), row["unscored"]]
            print(
                f"  {row['model']:18}{told}{row['scored']}/{row['expected']} {took:6.0f} s  "
                f"{'; '.join(filter(None, words))}"
            )


def ask(question: tuple[str, str], *, models: Sequence[str], out: Path, seed: int) -> None:
    """Ask all models one question."""
    name, arm = question
    features = features_of(name, out)
    for model in models:
        began = time.perf_counter()
        run_scenario(
            name, arm=arm, models=[model], runs=out / "runs", seeds=[seed], features=features,
            metrics=SCORED, oracles=True,
        )  # fmt: skip
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
    ask_all(given.models, given.out, given.seed, given.jobs)
    ranks, seconds = rank_runs(given.out / "runs"), seconds_of(given.out / "runs")
    lost = losses(read_scores(given.out / "runs"))
    for name, _ in QUESTIONS:
        print_question(name, ranks, seconds, lost)
    print(f"\n{time.perf_counter() - start:.0f} s, {seconds.sum():.0f} CPU s of models")


if __name__ == "__main__":
    main()
