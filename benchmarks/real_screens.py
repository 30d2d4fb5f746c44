"""Every scenario bound to a small real screen, in every arm: `python benchmarks/real_screens.py`.

The files are looked for in the folder `data` of `WILDCELL_TEST_DATA` (`../shared` by default) and
curated by their recipes. All models that need no optional library answer, with the seeds of the
scenario. Arms that need features have them: fingerprints of drugs (with the extra `chem`), pathways
of genes. Finished runs are kept under `--out`, so that a second start continues. Prints a row an
arm and model: the mean with its 95 % interval and what that speaks of, the paired difference to
the scenario's reference, and how many conditions were scored of all; and what cannot be asked.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from wildcell.datasets.dataset import DATASETS
from wildcell.datasets.fetch import fetch
from wildcell.errors import BenchmarkError
from wildcell.models.model import base_models
from wildcell.results.rank import EVERY_CATEGORY
from wildcell.results.table import rank_runs
from wildcell.run import run_scenario
from wildcell.scenarios.features import read_features
from wildcell.scenarios.needed_features import needs_features
from wildcell.scenarios.scenario import Scenario, load_scenario, scenario_names

ROOT = Path(__file__).parents[1]
FOLDER = Path(os.environ.get("WILDCELL_TEST_DATA", ROOT.parent / "shared")) / "data"
FILES = {
    "kang2018-pbmc": "kang2018_pbmc.h5ad",
    "zhao2021": "zhao2021_glioblastoma.h5ad",
    "papalexi2021": "papalexi2021_thp1.h5ad",
    "tggates": "tggates_hepatocytes.h5ad",
    "norman2019-mcfaline2023-small": "norman2019_mcfaline2023_small.h5ad",
    "norman2019-small": "norman2019_mcfaline2023_small.h5ad",
    "mcfaline2023-small": "norman2019_mcfaline2023_small.h5ad",
}
DESCRIBED = {
    "drugs.parquet": [
        "drug", "drug_info.csv.gz", "--name-column", "pert_iname", "--smiles-column",
        "canonical_smiles", "--data", "tggates", "--ignore-case",
    ],
    "pathways.parquet": ["gene-sets", "reactome_2023.2.gmt"],
}  # fmt: skip
METRICS = ("effect_r2", "pearson_delta", "rmse")
MEAN_WIDTH = 9


def bound_scenarios() -> Iterator[Scenario]:
    """Yield the shipped scenarios whose screens are all at hand."""
    for name in scenario_names():
        scenario = load_scenario(name)
        if {scenario.dataset, *scenario.foreign} <= set(FILES):
            yield scenario


def curated(out: Path) -> None:
    """Curate the files that have not been, where named screens are looked for."""
    os.environ["WILDCELL_CACHE"] = str(out / "cache")
    for name, file in FILES.items():
        fetch(name, source=FOLDER / file, cache=out / "cache")


def described(out: Path) -> None:
    """Make features of drugs and genes, where they have not been and can be."""
    for file, (kind, source, *options) in DESCRIBED.items():
        if not (out / file).exists():
            command = [sys.executable, "-m", "wildcell.cli.main", "features", kind]
            command += [str(FOLDER / source), *options, "--out", str(out / file)]
            subprocess.run(command, check=False)


def features_of(scenario: Scenario, arm: str, out: Path) -> pd.DataFrame | None:
    """Return the features that an arm needs, None if it needs none or there are none."""
    file = out / ("drugs.parquet" if scenario.dataset == "tggates" else "pathways.parquet")
    return read_features(file) if needs_features(scenario, arm) and file.exists() else None


def run_arm(scenario: Scenario, arm: str, out: Path, seeds: Sequence[int] | None) -> str:
    """Run an arm of a scenario and return why it cannot be asked, "" if it can."""
    try:
        run_scenario(
            scenario, arm=arm, models=base_models(), runs=out / "runs",
            seeds=seeds or scenario.seeds, features=features_of(scenario, arm, out),
        )  # fmt: skip
    except BenchmarkError as error:
        return str(error).partition("\n")[0]
    return ""


def number(value: float) -> str:
    return f"{value:+.3f}" if np.isfinite(value) else "-"


def span(row: pd.Series, name: str) -> str:
    prefix = "" if name == "mean" else f"{name}_"
    low, high = row[f"{prefix}low"], row[f"{prefix}high"]
    mean = f"{number(row[name]):>{MEAN_WIDTH}}"
    return f"{mean} ({number(low)} to {number(high)})" if np.isfinite(low) else mean


def print_table(ranks: pd.DataFrame) -> None:
    every = ranks[(ranks["category"] == EVERY_CATEGORY) & ranks["metric"].isin(METRICS)]
    for (scenario, arm), of_arm in every.groupby(["scenario", "arm"], sort=True):
        for metric, rows in of_arm.groupby("metric", sort=False):
            print(f"\n{scenario} / {arm}, {metric}")
            for _, row in rows[rows["same_as"] == ""].sort_values(["rank", "model"]).iterrows():
                twins = rows.loc[rows["same_as"] == row["model"], "model"]
                name = " = ".join([row["model"], *twins])
                told = f"{span(row, 'mean'):38}{row['interval']:16}{span(row, 'difference'):38}"
                print(f"  {name[:44]:46}{told}{row['scored']}/{row['expected']} {row['unscored']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("real-screens"))
    parser.add_argument("--seed", type=int, action="append")
    given = parser.parse_args()
    start = time.perf_counter()
    curated(given.out)
    described(given.out)
    refused = []
    for scenario in bound_scenarios():
        for arm in scenario.arms:
            began = time.perf_counter()
            reason = run_arm(scenario, arm, given.out, given.seed)
            print(
                f"{scenario.name} / {arm}: {time.perf_counter() - began:.0f} s {reason}", flush=True
            )
            refused += [(scenario.name, arm, reason)] if reason else []
    print_table(rank_runs(given.out / "runs"))
    print("\nCannot be asked:")
    for name, arm, reason in refused:
        print(f"  {name} / {arm}: {reason}")
    print(f"\n{len(DATASETS.names())} data sets known; {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
