"""What ranking a large table costs: `python benchmarks/ranking.py [--models N] [--conditions N]`.

A table of scores of 50 models by 20 metrics on 1,000 conditions in 20 contexts, a million rows in
all, is read from a Parquet file and ranked (`rank`), and all pairs of models are compared with
2,000 choices of signs a metric (`compare`), each in a process of its own. Printed are wall and CPU
seconds and the peak of memory, reading and imports included.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from apart import apart

from wildcell.metrics.metric import METRICS
from wildcell.names import SCORE_COLUMNS
from wildcell.results.compare import compare_models
from wildcell.results.rank import rank
from wildcell.store.provenance import measured

REFERENCE = "no-change"


def write_scores(path: Path, n_models: int, n_metrics: int, n_conditions: int) -> None:
    rng = np.random.default_rng(0)
    names = [name for name in METRICS.names() if METRICS.get(name).twin_of is None]
    models = [REFERENCE, *(f"model-{i:02d}" for i in range(1, n_models))]
    shape = (n_models, n_metrics, n_conditions)
    quality = rng.normal(0.5, 0.05, (n_models, 1, 1))
    value = (
        quality + 0.1 * rng.standard_normal((1, 1, n_conditions)) + 0.1 * rng.standard_normal(shape)
    )
    codes = np.indices(shape).reshape(3, -1)
    order = np.arange(n_conditions)
    table = pd.DataFrame(
        {
            "scenario": "unseen-context", "dataset": "made", "arm": "cluster", "seed": 0, "fold": 0,
            "preset": "wildcell", "level": "condition", "category": "single",
            "model": np.array(models, dtype=object)[codes[0]],
            "metric": np.array(names[:n_metrics], dtype=object)[codes[1]],
            "context": np.array([f"c{i % 20}" for i in order], dtype=object)[codes[2]],
            "perturbation": np.array([f"p{i // 20}" for i in order], dtype=object)[codes[2]],
            "value": value.ravel(), "numerator": np.nan, "denominator": np.nan, "null": 0.0,
            "n_truth": 100, "n_prediction": 100, "status": "ok",
        }
    )  # fmt: skip
    table[SCORE_COLUMNS].to_parquet(path)


def timed(what: str, path: Path) -> str:
    with measured() as cost:
        scores = pd.read_parquet(path)
        if what == "rank":
            rank(scores, {"unseen-context": REFERENCE})
        else:
            compare_models(scores)
    return (
        f"{what:8} {len(scores):9,} rows  {cost.wall_s:5.1f} s wall  {cost.cpu_s:5.1f} CPU s  "
        f"{cost.peak_memory_mb / 2**10:.2f} GiB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", type=int, default=50)
    parser.add_argument("--metrics", type=int, default=20)
    parser.add_argument("--conditions", type=int, default=1_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scores.parquet"
        apart(write_scores, path, given.models, given.metrics, given.conditions)
        start = time.perf_counter()
        for what in ("rank", "compare"):
            print(apart(timed, what, path), flush=True)
        print(f"both, with processes: {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
