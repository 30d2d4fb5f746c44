"""Which metrics say anything on small real screens: `python benchmarks/calibration.py`.

Naive models are asked one question of each screen at hand, with the seeds 0 and 1, and oracles are
scored besides. The files are looked for in the folder `data` of `WILDCELL_TEST_DATA` (`../shared`
by default). Finished runs are kept under `--out`, so that a second start continues. Prints, as the
page on calibration shows them: a row a metric and a column a question, with the mark, how often the
replicate is better than the reference, and the interval; and for some metrics what lies between
the reference and the noise-free effect. All numbers are in `OUT/calibration.csv`.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from real_screens import curated

from wildcell.metrics.headline import HEADLINE
from wildcell.metrics.metric import METRICS
from wildcell.names import NAIVE_MODELS
from wildcell.results.rungs import BY_HALVES
from wildcell.results.table import calibrate_runs
from wildcell.results.usable import Usable
from wildcell.run import run_scenario
from wildcell.store.atomic import write_table

QUESTIONS = {
    ("kang2018-pbmc-unseen-context", "leave-one-out"): "Kang, cell types",
    ("zhao2021-unseen-context", "leave-one-out"): "Zhao, tumours",
    ("papalexi2021-unseen-perturbation", "random"): "Papalexi, genes",
    ("norman2019-small-unseen-perturbation", "random"): "Norman, genes",
    ("norman2019-small-unseen-combination", "k-fold"): "Norman, pairs",
    ("mcfaline2023-small-few-shot", "shots-0"): "McFaline, cell lines",
    ("tggates-unseen-drug", "random"): "TG-GATEs, drugs",
}
SEEDS = (0, 1)
LADDER = ("effect_r2", "pearson_delta", "pearson_specific", "retrieval_cosine", "de_auprc")
MARKS = {Usable.YES: "**usable**", Usable.NO: "not usable", Usable.UNTOLD: "untold"}


def asked(out: Path, metrics: str) -> pd.DataFrame:
    """Ask naive models all questions, unless they were; return the calibration."""
    for (scenario, arm), title in QUESTIONS.items():
        began = time.perf_counter()
        run_scenario(
            scenario, arm=arm, models=list(NAIVE_MODELS), runs=out / "runs", seeds=SEEDS,
            metrics=[metrics], oracles=True,
        )  # fmt: skip
        print(f"{title}: {time.perf_counter() - began:.0f} s", flush=True)
    table = calibrate_runs(out / "runs")
    bare = table["scenario"].str.partition("[")[0]
    titles = [QUESTIONS[key] for key in zip(bare, table["arm"], strict=True)]
    return table.assign(question=titles)


def number(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "-"


def cell(row: pd.Series) -> str:
    """Return a mark with what says so, or why there is none."""
    if not np.isfinite(row["wins_low"]):
        return row["reason"].replace("_", " ")
    told = f"{number(row['wins'])} ({number(row['wins_low'])} to {number(row['wins_high'])})"
    return f"{MARKS[Usable(row['usable'])]} {told}"


def print_rows(head: list[str], rows: list[list[str]]) -> None:
    for row in (head, ["---"] * len(head), *rows):
        print(f"| {' | '.join(row)} |")


def print_marks(table: pd.DataFrame, metrics: list[str]) -> None:
    sizes = table.groupby("question")["n_conditions"].max()
    titles = list(QUESTIONS.values())
    cells = {(row["metric"], row["question"]): cell(row) for _, row in table.iterrows()}
    head = ["metric", *(f"{title} ({sizes.get(title, 0)})" for title in titles)]
    print_rows(
        head,
        [[f"`{name}`", *(cells.get((name, title), "-") for title in titles)] for name in metrics],
    )


def print_ladders(table: pd.DataFrame) -> None:
    rungs = list(BY_HALVES)
    for name in LADDER:
        print(f"\n`{name}`\n")
        rows = table[table["metric"] == name].set_index("question")
        known = [title for title in QUESTIONS.values() if title in rows.index]
        shown = [[title, *(number(rows.loc[title, f"{rung}_mean"]) for rung in rungs)]
                 for title in known]  # fmt: skip
        print_rows(["question", *(rung.replace("_", " ") for rung in rungs)], shown)


def print_counts(table: pd.DataFrame) -> None:
    """Print how many metrics have each mark, those on the second panel left out."""
    is_twin = table["metric"].map(lambda name: METRICS.get(name).twin_of is not None)
    own = table[~is_twin]
    counts = pd.crosstab(own["question"], own["usable"])
    print(f"\n{counts.to_string()}")
    never = own.groupby("metric")["usable"].agg(lambda marks: Usable.YES not in set(marks))
    print(f"\nUsable nowhere: {', '.join(never.index[never])}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("calibration"))
    parser.add_argument("--metrics", default="headline", help="headline, or all")
    given = parser.parse_args()
    start = time.perf_counter()
    curated(given.out)
    table = asked(given.out, given.metrics)
    write_table(given.out / "calibration.csv", table)
    print_marks(table, list(HEADLINE))
    print_ladders(table)
    print_counts(table)
    print(f"\n{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
