"""What a leaderboard of 50 models in 5 scenarios costs: the site, and the report of the same runs.

    python benchmarks/leaderboard.py --out FOLDER

Scores are simulated, not cells: models of known quality on conditions of known difficulty. FOLDER
has then `runs`, for `wildcell report`, and `results`, for `wildcell site`; both are made of them in
processes of their own, and their seconds and size are printed.
"""

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd

from wildcell.arrays import Floats
from wildcell.metrics.headline import find_metrics
from wildcell.metrics.metric import Metric
from wildcell.names import CEILING, COST_COLUMNS, REPLICATE, SCORE_COLUMNS, Status
from wildcell.scenarios.scenario import load_scenario
from wildcell.store.atomic import write_json, write_table, write_text
from wildcell.store.fingerprint import fingerprint
from wildcell.store.provenance import hardware, versions
from wildcell.store.runs import RunKey, finish
from wildcell.submitted.card import Card, card_text
from wildcell.submitted.layout import card_path, entry_of
from wildcell.submitted.records import SCHEMA, told_of

SCENARIOS = {
    "unseen-context": "kang2018",
    "unseen-perturbation": "norman2019",
    "unseen-combination": "norman2019",
    "few-shot": "mcfarland2020",
    "iid": "replogle2022-k562",
}
BASELINES = ("no-change", "context-transfer", "perturbed-mean", "additive", "matching-mean")
LICENCES = ("MIT", "BSD-3-Clause", "Apache-2.0", "CC-BY-NC-4.0", "closed")
METRICS = find_metrics(["headline"])
SECONDS, MEGABYTES = 30, 15


def qualities(n_models: int) -> dict[str, float]:
    """Return how good each model is, 0 as no answer and 1 as the truth; some are alike."""
    names = [*BASELINES, *(f"model-{i:02d}" for i in range(n_models - len(BASELINES)))]
    known = {"no-change": 0.0, "context-transfer": 0.5}
    steps = np.linspace(0.2, 0.8, (n_models + 1) // 2)
    return {name: known.get(name, float(steps[i // 2])) for i, name in enumerate(names)}


def question(rng: np.random.Generator, n_conditions: int) -> pd.DataFrame:
    """Return conditions with how hard each is."""
    contexts = [f"context-{i}" for i in range(6)]
    n = -(-n_conditions // len(contexts))
    rows = [(context, f"P{i:04d}") for context in contexts for i in range(n)][:n_conditions]
    table = pd.DataFrame(rows, columns=["context", "perturbation"])
    of_context = dict(zip(contexts, rng.normal(0, 0.1, len(contexts)), strict=True))
    hardness = table["context"].map(of_context) + rng.normal(0, 0.1, len(table))
    return table.assign(hardness=hardness, size=rng.lognormal(1, 0.7, len(table)))


def scores_of(
    conditions: pd.DataFrame, quality: float, rng: np.random.Generator
) -> Iterator[pd.DataFrame]:
    """Yield the scores of an answer by each metric."""
    n = len(conditions)
    for metric in METRICS:
        share = quality - conditions["hardness"].to_numpy() + rng.normal(0, 0.15, n)
        value, numerator, denominator = _value(metric, share, conditions["size"].to_numpy())
        yield conditions[["context", "perturbation"]].assign(
            category="all alike",
            metric=metric.name,
            value=value,
            numerator=numerator,
            denominator=denominator,
            null=np.nan if metric.null is None else metric.null,
            status=str(Status.OK),
        )


def _value(metric: Metric, share: Floats, size: Floats) -> tuple[Floats, Floats, Floats]:
    nothing = np.full(len(share), np.nan)
    if metric.family == "distance":
        return np.maximum(1.0 - share, 0.0), nothing, nothing
    if metric.name.startswith("effect_r2"):
        return share, share * size, size
    if metric.is_log:
        top = np.exp(0.5 * (share - 1)) * size
        return metric.as_value(top / size), top, size
    if metric.range == "0 to 1":
        return np.clip(0.5 + share / 2, 0, 1), nothing, nothing
    return np.clip(share, -1, 1), nothing, nothing


def record_of(key: RunKey, hashes: dict[str, str]) -> dict[str, object]:
    scenario = load_scenario(key.scenario)
    told = {**hashes, "model": ""}
    return {
        **{name: getattr(key, name) for name in ("scenario", "dataset", "arm", "model", "seed")},
        "fold": 0,
        "options": {},
        "status": "ok",
        "reason": "",
        "flags": [],
        "question": scenario.question,
        "reference": scenario.reference,
        "n_folds": 1,
        "genes": "hvg:2000",
        "n_genes": 2000,
        "expression": "counts",
        "target_sum": 1e4,
        "synthetic_cells": False,
        "is_sealed": None if key.model in (CEILING, REPLICATE) else key.model.endswith("3"),
        "judged": hashes["split"],
        "started": "2026-01-01T00:00:00+00:00",
        "sizes": _sizes(),
        "versions": versions(),
        "hardware": hardware(),
        "fingerprints": {**told, "inputs": fingerprint(told)},
    }


def _sizes() -> dict[str, object]:
    of_role = {"cells": 1000, "conditions": 100}
    roles = dict.fromkeys(["train", "val", "test", "unused", "sham"], of_role)
    return {**roles, "controls_given": 500, "controls_kept": 500}


def card_of(name: str, i: int) -> Card:
    return Card(
        name=name,
        version="1.0",
        authors=(f"Author {i}", "Another Author"),
        licence=LICENCES[i % len(LICENCES)],
        trained_on=("norman2019",) if i % 7 == 0 else (),
        sealed=name.endswith("3"),
        summary="A model that was made up to measure what a leaderboard costs.",
        hardware="one CPU",
    )


def make(
    folder: Path,
    *,
    n_models: int,
    n_conditions: int,
    questions: Mapping[str, str] = MappingProxyType(SCENARIOS),
) -> None:
    """Write runs and results of simulated scores, of a data set in each scenario."""
    every = qualities(n_models)
    for i, name in enumerate(every):
        write_text(card_path(folder / "results", name), card_text(card_of(name, i)))
    for place, (scenario, dataset) in enumerate(questions.items()):
        rng = np.random.default_rng(place)
        conditions = question(rng, n_conditions)
        reference = load_scenario(scenario).reference
        models = {reference: 0.5, **every, REPLICATE: 0.9, CEILING: 1.0}
        if reference not in every:
            write_text(card_path(folder / "results", reference), card_text(card_of(reference, 1)))
        hashes = {"dataset": fingerprint(dataset), "split": fingerprint(scenario), "scenario": ""}
        for i, (model, quality) in enumerate(models.items()):
            key = RunKey(scenario, dataset, load_scenario(scenario).default_arm, model, 0, 0)
            table = pd.concat(scores_of(conditions, quality, rng), ignore_index=True)
            _write(folder, key, table, record_of(key, hashes), seconds=3.0 ** (i % 9))


def _write(
    folder: Path, key: RunKey, table: pd.DataFrame, record: dict[str, object], *, seconds: float
) -> None:
    names = ("scenario", "dataset", "arm", "model", "seed", "fold")
    table = table.assign(
        **{name: getattr(key, name) for name in names},
        preset="wildcell",
        level="condition",
        n_truth=100,
        n_prediction=0,
    )
    costs = pd.DataFrame([dict.fromkeys(COST_COLUMNS, np.nan)]).assign(
        wall_s=seconds, cpu_s=seconds, peak_memory_mb=500.0, n_cells=1000.0
    )
    own = key.folder(folder / "runs")
    own.mkdir(parents=True, exist_ok=True)
    finish(own, record, table[SCORE_COLUMNS], costs)
    entry = entry_of(folder / "results", key.scenario, key.model)
    shown = table.assign(**costs.iloc[0].to_dict())[[*SCORE_COLUMNS, *COST_COLUMNS]]
    write_table(entry.scores, shown)
    write_json(entry.records, {"schema": SCHEMA, "runs": [told_of(record)]})


def measure(what: str, command: list[str], out: Path) -> None:
    """Run a command, and print what it took and how large its files are."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = spent.ru_utime + spent.ru_stime - before.ru_utime - before.ru_stime
    files = [path for path in out.rglob("*") if path.is_file()] if out.is_dir() else [out]
    size = sum(path.stat().st_size for path in files) / 1e6
    is_good = seconds < SECONDS and size < MEGABYTES
    print(
        f"{what}: {seconds:.1f} s ({cpu:.1f} s of CPU), {size:.2f} MB in {len(files)} files "
        f"({'within' if is_good else 'ABOVE'} {SECONDS} s and {MEGABYTES} MB)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--models", type=int, default=50)
    parser.add_argument("--conditions", type=int, default=240)
    parser.add_argument("--only", choices=["make", "site", "report"], default=None)
    asked = parser.parse_args()
    runs, results = asked.out / "runs", asked.out / "results"
    if not runs.is_dir():
        start = time.perf_counter()
        make(asked.out, n_models=asked.models, n_conditions=asked.conditions)
        print(f"{asked.models} models were made up in {time.perf_counter() - start:.0f} s")
    wildcell = [sys.executable, "-m", "wildcell.cli.main"]
    if asked.only in (None, "site"):
        out = asked.out / "site"
        measure("site", [*wildcell, "site", str(results), "--out", str(out)], out)
    if asked.only in (None, "report"):
        out = asked.out / "report.html"
        measure("report", [*wildcell, "report", str(runs), "--out", str(out)], out)


if __name__ == "__main__":
    main()
