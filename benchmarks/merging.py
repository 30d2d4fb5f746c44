"""What foreign data do, where the truth is known: `python benchmarks/merging.py [N_SCREENS]`.

Each of N_SCREENS (8) simulated targets, seeds 1 to N, is asked the shipped scenario
`cross-data-set` with foreign screens beside it: another experiment on the same biology, at the
target's depth, deeper or shallower; the same perturbations of another biology; contexts that are
alike or not. Printed are differences of arms, paired by condition (the tested cells, their
controls and the judged genes are the same), with 95 % intervals over screens, Student's t.

Chosen before these seeds were looked at, on seeds 100 and 101: `SPARSE`, about 0.25 counts a gene
and 400 foreign cells a condition, as droplet data have them; `RICH`, about one count a gene and 60
foreign cells; a depth shift of 20. No other was tried on seeds 1 to N.
"""

import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from wildcell.arrays import Floats
from wildcell.datasets.dataset import Dataset
from wildcell.datasets.simulated import simulated
from wildcell.models.effects import group_means
from wildcell.models.model import model
from wildcell.results.arms import compare_arms
from wildcell.run import run_scenario
from wildcell.scenarios.prediction import Prediction, predicted_means
from wildcell.scenarios.scenario import load_scenario
from wildcell.scenarios.task import Query, Task
from wildcell.store.runs import read_scores

SHIFT = 20
SCREEN = {
    "n_contexts": 1,
    "n_perturbations": 20,
    "n_combinations": 0,
    "n_genes": 400,
    "n_controls": 400,
    "interaction_strength": 0.0,
    "null_share": 0.0,
}
SPARSE = {"depth": 100.0, "target_cells": 100, "foreign_cells": 400}
RICH = {"depth": 400.0, "target_cells": 60, "foreign_cells": 60}
CLUSTERED = {"n_contexts": 5, "n_context_clusters": 2, "cluster_spread": 0.4,
             "context_spread": 0.1, "cluster_interaction_strength": 0.3}  # fmt: skip

MODELS = ["perturbed-mean", "context-transfer", "ridge", "absolute-transfer"]
METRICS = ("effect_r2", "pearson_delta")


class AbsoluteTransfer:
    """Answers with the mean profile of the perturbation's cells, wherever they are from.

    As a network does that decodes a profile from the perturbation alone, with no look at controls.
    """

    means: Floats
    names: pd.Index

    def __init__(self, *, seed: int = 0) -> None:
        """Draw nothing."""

    def fit(self, task: Task) -> None:
        """Average the profiles of each perturbation, and of all."""
        conditions, perturbed = task.train.condition_moments()
        self.names, means = group_means(perturbed.mean, conditions["perturbation"])
        self.means = np.vstack([means, perturbed.mean.mean(axis=0)])

    def predict(self, query: Query) -> Prediction:
        """Return the mean of each perturbation, of one never seen the mean of all."""
        rows = self.names.get_indexer(query.conditions["perturbation"])
        return predicted_means(query, self.means[rows])


class Leg(NamedTuple):
    """Some arms of the scenario beside one foreign screen."""

    name: str
    foreign: Mapping[str, Any]
    arms: Sequence[str]


LEGS = [
    Leg(
        "level",
        {},
        ["single", "merge-before", "merge-after", "target-panel-foreign", "target-panel-shuffled",
         "target-panel-twice", "pooled-panel", "unmeasured", "amount-10", "amount-50"],
    ),
    Leg(
        "deep",
        {"depth": SHIFT},
        ["merge-before", "merge-before-scaled", "merge-after", "merge-after-scaled", "pooled-panel",
         "pooled-panel-scaled"],
    ),
    Leg("shallow", {"depth": 1 / SHIFT}, ["merge-before", "merge-before-scaled"]),
    Leg("other", {"response_seed": 5_000}, ["target-panel-foreign", "merge-before-scaled"]),
]  # fmt: skip

CLAIMS = [
    ("a depth shift hurts merge-before unscaled", "deep/merge-before", "level/merge-before"),
    ("scaling repairs it", "deep/merge-before-scaled", "deep/merge-before"),
    ("as good as without a shift", "deep/merge-before-scaled", "level/merge-before"),
    ("by the genes alone: shift", "deep/pooled-panel", "level/pooled-panel"),
    ("by the genes alone: scaling", "deep/pooled-panel-scaled", "deep/pooled-panel"),
    ("merge-after: shift", "deep/merge-after", "level/merge-after"),
    ("merge-after: scaling", "deep/merge-after-scaled", "deep/merge-after"),
    ("shallower foreign data: shift", "shallow/merge-before", "level/merge-before"),
    ("shallower: scaling cannot", "shallow/merge-before-scaled", "shallow/merge-before"),
    ("the same biology helps", "level/target-panel-foreign", "level/single"),
    ("its other perturbations alone", "level/unmeasured", "level/single"),
    ("the same under shuffled labels", "level/target-panel-shuffled", "level/single"),
    ("the target twice", "level/target-panel-twice", "level/single"),
    ("another biology hurts", "other/target-panel-foreign", "level/single"),
    ("a tenth of the conditions", "level/amount-10", "level/single"),
    ("half of them, over a tenth", "level/amount-50", "level/amount-10"),
]


def screen(name: str, seed: int, **options: Any) -> Dataset:
    return Dataset(name, simulated(**{**SCREEN, "seed": seed, **options}).cells)


def scores_beside(
    target: Dataset, foreign: Dataset, leg: str, arms: Sequence[str], runs: Path
) -> list[pd.DataFrame]:
    words = replace(load_scenario("cross-data-set"), genes="hvg:100", metrics=METRICS)
    found = []
    for arm in arms:
        folder = runs / leg / arm
        run_scenario(
            words,
            data=target,
            foreign=[foreign],
            models=MODELS,
            runs=folder,
            arm=arm,
            seeds=[0],
        )
        found.append(read_scores(folder).assign(scenario="merging", arm=f"{leg}/{arm}"))
    return found


def scores_of(seed: int, setting: Mapping[str, Any], legs: Sequence[Leg]) -> pd.DataFrame:
    depth = setting["depth"]
    target = screen("target", seed, depth=depth, n_cells=setting["target_cells"])
    tables = []
    with tempfile.TemporaryDirectory() as runs:
        for leg in legs:
            options = {**leg.foreign, "depth": depth * leg.foreign.get("depth", 1)}
            foreign = screen(
                "foreign",
                seed,
                cell_seed=1_000 + seed,
                n_cells=setting["foreign_cells"],
                **options,
            )
            tables += scores_beside(target, foreign, leg.name, leg.arms, Path(runs))
    return pd.concat(tables).assign(context=f"screen-{seed}")


def scores_by_similarity(seed: int) -> pd.DataFrame:
    """Score with the nearest and the farthest fourth of foreign conditions, of five contexts.

    The target is the first context of one screen; the foreign ones are the others of another
    experiment on it, two of the target's cluster and two of another.
    """
    options = {**CLUSTERED, "depth": RICH["depth"], "n_cells": RICH["foreign_cells"]}
    own, others = (
        screen("target", seed, **options),
        screen("foreign", seed, cell_seed=1_000 + seed, **options),
    )
    is_first = (own.cells.obs["context"] == "context-1").to_numpy()
    target = Dataset("target", own.cells[is_first].copy())
    foreign = Dataset("foreign", others.cells[~is_first].copy())
    arms = ["single", "nearest-contexts", "farthest-contexts"]
    with tempfile.TemporaryDirectory() as runs:
        tables = scores_beside(target, foreign, "clustered", arms, Path(runs))
    return pd.concat(tables).assign(context=f"screen-{seed}")


def print_claims(title: str, scores: pd.DataFrame, claims: Sequence[tuple[str, str, str]]) -> None:
    print(
        f"\n{title}\n{'':42}{'model':20}{'metric':15}difference (95 % interval)  screens agreeing"
    )
    for base in dict.fromkeys(base for _, _, base in claims):
        table = compare_arms(scores, {"merging": ""}, base=base)
        for claim, arm, other in claims:
            if other == base:
                print_rows(claim, table[table["arm"] == arm], scores, arm, base)


def print_rows(claim: str, rows: pd.DataFrame, scores: pd.DataFrame, arm: str, base: str) -> None:
    for metric in METRICS:
        for name in MODELS:
            row = rows[(rows["metric"] == metric) & (rows["model"] == name)].iloc[0]
            gap = f"{row['difference']:+.3f} ({row['difference_low']:+.3f} to "
            gap += f"{row['difference_high']:+.3f})"
            signs = [
                np.sign(one["difference"])
                for _, of_screen in scores[scores["model"] == name].groupby("context")
                for _, one in compare_arms(
                    of_screen[of_screen["arm"].isin([arm, base])],
                    {"merging": ""},
                    base=base,
                    metrics=[metric],
                )
                .query("arm == @arm")
                .iterrows()
            ]
            n_agree = sum(sign == np.sign(row["difference"]) for sign in signs)
            print(f"{claim:42}{name:20}{metric:15}{gap:28}{n_agree}/{len(signs)}")
            claim = ""


def main() -> None:
    model("absolute-transfer")(AbsoluteTransfer)
    seeds = range(1, 1 + (int(sys.argv[1]) if len(sys.argv) > 1 else 8))
    start = time.perf_counter()
    for title, setting in (("SPARSE", SPARSE), ("RICH, milder", RICH)):
        scores = pd.concat([scores_of(seed, setting, LEGS) for seed in seeds])
        print_claims(f"{title}: {setting}, shift {SHIFT}", scores, CLAIMS)
        sys.stdout.flush()
    alike = pd.concat([scores_by_similarity(seed) for seed in seeds])
    claims = [
        ("the nearest contexts", "clustered/nearest-contexts", "clustered/single"),
        ("the farthest contexts", "clustered/farthest-contexts", "clustered/single"),
        ("nearest over farthest", "clustered/nearest-contexts", "clustered/farthest-contexts"),
    ]
    print_claims(f"RICH, contexts in two clusters: {CLUSTERED}", alike, claims)
    print(f"\n{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
