"""How long `wildcell score` takes, beside other packages: `python benchmarks/scoring.py`.

Every row is a whole process that reads two h5ad files and writes scores: wall seconds, CPU seconds
(user and system), peak memory, and how many times ours the others take. `cold` compiles everything
first, `warm` finds the compiled code on disk; the best of `--repeats` warm runs is shown and is
what ratios are taken of. Peers run in the Python that `--peer-python` names, which needs cell-eval
0.8.2 and cell-eval2 0.20.0; without it only ours are shown. No peak is seen below that of this
process, which a child begins with: the files are drawn in another. On a machine that does other
work, too, go by CPU seconds.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import anndata as ad
import numpy as np
import pandas as pd
from apart import apart
from scipy import sparse

from wildcell.arrays import Floats, Matrix, log_normalise

CONTROL = "non-targeting"
DENSITY = 0.3

CELL_EVAL = """
import os, sys, warnings
warnings.simplefilter("ignore")
import anndata
from cell_eval import MetricsEvaluator
prediction, truth = map(anndata.read_h5ad, sys.argv[1:3])
evaluator = MetricsEvaluator(
    adata_pred=prediction, adata_real=truth, control_pert="non-targeting", pert_col="target",
    num_threads=os.cpu_count(), outdir=sys.argv[3],
)
evaluator.compute(profile="full", skip_metrics=["clustering_agreement"])
"""


class Screen(NamedTuple):
    """Sizes of the two files."""

    n_perturbations: int
    n_cells: int
    n_controls: int
    n_genes: int

    def __str__(self) -> str:
        return (
            f"{self.n_perturbations:,} perturbations x {self.n_cells:,} cells + "
            f"{self.n_controls:,} controls x {self.n_genes:,} genes"
        )


class Suite(NamedTuple):
    """One table: our options, the files' scale, and who is run beside us."""

    screen: Screen
    scale: str
    options: Sequence[str]
    peers: Sequence[str] = ()


LARGE, SMALL = Screen(200, 100, 2_000, 5_000), Screen(100, 100, 1_000, 2_000)
CELL_EVAL_NAME, CELL_EVAL2_NAME = "cell-eval 0.8.2", "cell-eval2 0.20.0"
BOTH = (CELL_EVAL_NAME, CELL_EVAL2_NAME)
SUITES = {
    "cell-eval-0.8": Suite(LARGE, "log1p", ["--preset", "cell-eval-0.8"], BOTH),
    "vcc2026": Suite(LARGE, "counts", ["--preset", "vcc2026"], [CELL_EVAL2_NAME]),
    "headline": Suite(LARGE, "counts", ["--no-cache"], BOTH),
    "vcbench": Suite(SMALL, "log1p", ["--preset", "vcbench"]),
}


class Cost(NamedTuple):
    """What a process took."""

    wall_s: float
    cpu_s: float
    peak_bytes: int


def draw_side(screen: Screen, effects: Floats, profile: Floats, seed: int) -> Matrix:
    """Draw the counts of all cells, controls last."""
    rng = np.random.default_rng(seed)
    groups = [*((profile * effect, screen.n_cells) for effect in effects)]
    groups.append((profile, screen.n_controls))
    blocks = []
    for mean, n in groups:
        depth = rng.lognormal(0, 0.3, n)[:, None]
        blocks.append(sparse.csr_matrix(rng.poisson(mean * depth).astype(np.float32)))
    return sparse.vstack(blocks, format="csr")


def write_files(screen: Screen, folder: Path) -> None:
    """Write prediction and truth as counts and as log1p values of 10,000 counts a cell."""
    rng = np.random.default_rng(0)
    profile = rng.gamma(0.5, 1.2, screen.n_genes)
    shape = (screen.n_perturbations, screen.n_genes)
    effects = np.exp(np.where(rng.random(shape) < 0.05, rng.normal(0, 1, shape), 0))
    predicted = 0.5 * effects + 0.3 + 0.2 * effects.mean(axis=0)
    names = [f"gene{i:05d}" for i in range(screen.n_genes)]
    labels = np.repeat(names[: screen.n_perturbations], screen.n_cells)
    labels = [*labels, *[CONTROL] * screen.n_controls]
    for side, of_side, seed in (("truth", effects, 1), ("prediction", predicted, 2)):
        counts = draw_side(screen, of_side, profile, seed)
        obs = pd.DataFrame({"target": labels}, index=[f"cell{i}" for i in range(len(labels))])
        cells = ad.AnnData(counts, obs=obs, var=pd.DataFrame(index=names))
        cells.write_h5ad(folder / f"{side}_counts.h5ad")
        cells.X = log_normalise(counts, np.asarray(counts.sum(axis=1)).ravel(), 1e4)
        cells.write_h5ad(folder / f"{side}_log1p.h5ad")
    share = counts.nnz / np.prod(counts.shape)
    print(f"{screen}: {share:.0%} of the values are not zero")


def cost_of(command: Sequence[str | Path], environment: Mapping[str, str]) -> Cost:
    """Run a process to its end; its children's costs are its own."""
    start = time.perf_counter()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - start
        if status != 0:
            log.seek(0)
            raise SystemExit(f"{command[0]} failed:\n{log.read().decode()[-2000:]}")
    return Cost(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def ours(suite: Suite, folder: Path, repeats: int) -> dict[str, Cost]:
    """Score with compiled code absent (cold), then with what that left (warm)."""
    files = [folder / f"{side}_{suite.scale}.h5ad" for side in ("prediction", "truth")]
    command = [
        *(sys.executable, "-m", "wildcell.cli.main", "score", *files),
        *("--perturbation-column", "target", "--control", CONTROL),
        *("--out", folder / "scores.parquet", *suite.options),
    ]
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {"NUMBA_CACHE_DIR": cache}
        cold = cost_of(command, environment)
        warm = [cost_of(command, environment) for _ in range(repeats)]
    return {"ours, cold": cold, "ours, warm": min(warm, key=lambda cost: cost.cpu_s)}


def peers(names: Collection[str], folder: Path, python: Path) -> dict[str, Cost]:
    """Run other packages once each: all their scores but cell-eval's clustering agreement."""
    logs, counts = (
        [folder / f"{side}_{scale}.h5ad" for side in ("prediction", "truth")]
        for scale in ("log1p", "counts")
    )
    commands = {
        CELL_EVAL_NAME: [python, "-c", CELL_EVAL, *logs, folder / "cell-eval"],
        CELL_EVAL2_NAME: [
            *(python.with_name("cell-eval2"), "run", "-ap", counts[0], "-ar", counts[1]),
            *("-o", folder / "cell-eval2"),
        ],
    }
    return {name: cost_of(commands[name], os.environ) for name in BOTH if name in names}


def show(name: str, costs: Mapping[str, Cost]) -> None:
    """Print the table of one suite."""
    print(f"{name:20}{'wall s':>9}{'CPU s':>9}{'GiB':>7}{'wall ratio':>12}{'CPU ratio':>11}")
    own = costs["ours, warm"]
    for who, cost in costs.items():
        print(
            f"  {who:18}{cost.wall_s:9.1f}{cost.cpu_s:9.1f}{cost.peak_bytes / 2**30:7.2f}"
            f"{cost.wall_s / own.wall_s:11.1f}x{cost.cpu_s / own.cpu_s:10.1f}x",
            flush=True,
        )


def compare(screen: Screen, names: Sequence[str], python: Path | None, repeats: int) -> None:
    """Score one pair of files in all ways."""
    suites = {name: SUITES[name] for name in names if SUITES[name].screen == screen}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        apart(write_files, screen, folder)
        wanted = {peer for suite in suites.values() for peer in suite.peers}
        theirs = peers(wanted, folder, python) if python else {}
        for name, suite in suites.items():
            costs = ours(suite, folder, repeats)
            show(name, costs | {peer: theirs[peer] for peer in suite.peers if peer in theirs})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"of {', '.join(SUITES)}")
    parser.add_argument("--peer-python", type=Path, help="a Python with cell-eval and cell-eval2")
    parser.add_argument("--repeats", type=int, default=2, help="warm runs of ours")
    options = parser.parse_args()
    names = options.suites or list(SUITES)
    if unknown := set(names) - set(SUITES):
        parser.error(f"there is no {', '.join(unknown)}; known: {', '.join(SUITES)}")
    for screen in dict.fromkeys(SUITES[name].screen for name in names):
        compare(screen, names, options.peer_python, options.repeats)


if __name__ == "__main__":
    main()
