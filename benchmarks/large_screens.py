"""What a screen of millions of cells costs: `python benchmarks/large_screens.py`.

Screens of counts of 2,000 genes, about a twentieth of them in a cell, in 8 contexts of 100
perturbations each, cells in random order, are drawn a block at a time into zarr. Then `wildcell
run unseen-context` reads, checks, splits and audits them, trains every naive model, and scores
what it answers, in a process of its own. A row is one such process: wall and CPU seconds, wall
seconds per million cells, and the peaks of its memory: all that it held, and what of that the
system could not take back, which is what a process needs. Below stand the powers by which seconds
grow with cells, 1 if linear.

`--cells` names the sizes, `--place` where screens and runs are made (12 GiB for 2,000,000 cells;
they are deleted), `--shards N` makes a folder of N h5ad files of each in the place of a zarr file.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import zarr
from apart import apart
from scipy import sparse

from wildcell.arrays import Floats, Matrix

N_GENES = 2_000
N_CONTEXTS = 8
N_PERTURBATIONS = 100
CONTROL_SHARE = 0.1
MEAN_DEPTH = 130
AT_ONCE = 20_000
CELLS = (250_000, 500_000, 1_000_000, 2_000_000)
MODELS = (
    *("no-change", "perturbed-mean", "context-transfer", "matching-mean"),
    *("additive", "shuffled", "random"),
)
PARTS = {"data": np.float32, "indices": np.int32, "indptr": np.int64}


class Row(NamedTuple):
    """What a process took."""

    n_cells: int
    wall_s: float
    cpu_s: float
    peak_gib: float
    own_gib: float


def profiles() -> Floats:
    """Return the expected share of each gene, shape (n_contexts, 1 + n_perturbations, n_genes)."""
    rng = np.random.default_rng(0)
    base = rng.normal(0.0, 1.0, N_GENES) + rng.normal(0.0, 0.3, (N_CONTEXTS, 1, N_GENES))
    touched = rng.random((N_PERTURBATIONS, N_GENES)) < 0.05
    effects = np.where(touched, rng.normal(0.0, 0.7, touched.shape), 0.0)
    rates = np.exp(base + np.concatenate([np.zeros((1, N_GENES)), effects]))
    return rates / rates.sum(axis=2, keepdims=True)


def labels_of(n_cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Return context and perturbation of each cell as numbers, 0 the control, in no order."""
    rng = np.random.default_rng(1)
    perturbation = np.resize(np.arange(1, N_PERTURBATIONS + 1), n_cells)
    perturbation[: int(CONTROL_SHARE * n_cells)] = 0
    return rng.integers(N_CONTEXTS, size=n_cells), rng.permutation(perturbation)


def table_of(contexts: np.ndarray, perturbations: np.ndarray, depths: Floats) -> pd.DataFrame:
    """Return the curated labels of cells."""
    words = pd.Index(["control", *(f"P{i:03d}" for i in range(N_PERTURBATIONS))])
    places = pd.Index([f"context-{i}" for i in range(N_CONTEXTS)])
    named = {
        "perturbation": pd.Categorical.from_codes(perturbations, words),
        "context": pd.Categorical.from_codes(contexts, places),
        "control_group": pd.Categorical.from_codes(contexts, places),
    }
    same = dict.fromkeys(("dataset", "modality", "batch", "replicate"), "")
    same |= {"dataset": "large", "modality": "crispri"}
    zeros = np.zeros(len(contexts), dtype=np.int8)
    named |= {name: pd.Categorical.from_codes(zeros, [word]) for name, word in same.items()}
    return pd.DataFrame(named).assign(total_counts=depths)


def metadata() -> dict[str, object]:
    """Return the house's own metadata of the screen."""
    names = [f"P{i:03d}" for i in range(N_PERTURBATIONS)]
    parts = {"perturbation": names, "component": names, "dose": np.nan, "unit": "", "time": np.nan}
    return {
        "schema_version": 1,
        "expression": "counts",
        "gene_subset": False,
        "source": "simulated",
        "sha256": "",
        "licence": "CC0-1.0",
        "citation": "simulated",
        "recipe_version": 1,
        "components": pd.DataFrame(parts),
    }


def blocks(contexts: np.ndarray, perturbations: np.ndarray) -> Iterator[Matrix]:
    """Draw the counts of cells, some at a time: each count is of a gene by its share."""
    rng = np.random.default_rng(2)
    edges = np.cumsum(profiles().reshape(-1, N_GENES), axis=1)
    codes = contexts * (1 + N_PERTURBATIONS) + perturbations
    ladder = (edges / edges[:, -1:] + np.arange(len(edges))[:, None]).ravel()
    for start in range(0, len(codes), AT_ONCE):
        code = codes[start : start + AT_ONCE]
        depths = 1 + rng.poisson(MEAN_DEPTH * np.exp(rng.normal(0.0, 0.3, len(code))))
        cell = np.repeat(np.arange(len(code)), depths)
        at = np.searchsorted(ladder, rng.random(len(cell)) + code[cell], side="right")
        gene = np.minimum(at - code[cell] * N_GENES, N_GENES - 1)
        ones = np.ones(len(cell), dtype=np.float32)
        yield sparse.csr_matrix((ones, (cell, gene)), shape=(len(code), N_GENES))


def write(path: Path, n_cells: int, n_shards: int) -> None:
    """Draw a screen into a zarr file, or into h5ad files in a folder."""
    contexts, perturbations = labels_of(n_cells)
    drawn = blocks(contexts, perturbations)
    if not n_shards:
        write_part(path, contexts, perturbations, drawn, first=0)
        return
    path.mkdir()
    height = -(-n_cells // (n_shards * AT_ONCE)) * AT_ONCE
    for number, start in enumerate(range(0, n_cells, height)):
        rows = slice(start, start + height)
        n_blocks = -(-len(contexts[rows]) // AT_ONCE)
        some = (next(drawn) for _ in range(n_blocks))
        part = path / f"part-{number:03d}.h5ad"
        write_part(part, contexts[rows], perturbations[rows], some, first=start)


def write_part(
    path: Path,
    contexts: np.ndarray,
    perturbations: np.ndarray,
    drawn: Iterator[Matrix],
    *,
    first: int,
) -> None:
    """Write cells as zarr or h5ad, their counts a block at a time."""
    empty = sparse.csr_matrix((len(contexts), N_GENES), dtype=np.float32)
    obs = table_of(contexts, perturbations, np.zeros(len(contexts)))
    obs.index = "cell-" + (first + pd.RangeIndex(len(obs))).astype(str)
    var = pd.DataFrame(index=[f"gene{i:04d}" for i in range(N_GENES)])
    cells = ad.AnnData(empty, obs=obs, var=var, uns={"wildcell": metadata()})
    if path.suffix == ".zarr":
        cells.write_zarr(path)
        file = zarr.open_group(path, mode="r+", use_consolidated=False)
    else:
        cells.write_h5ad(path)
        file = h5py.File(path, "r+")
    X, depths, bounds = file["X"], [], [np.zeros(1, np.int64)]
    for name, dtype in PARTS.items():
        del X[name]
        if path.suffix == ".zarr":
            X.create_array(name, shape=(0,), dtype=dtype, chunks=(2**20,))
        else:
            X.create_dataset(name, (0,), dtype, maxshape=(None,), chunks=(2**18,))
    for rows in drawn:
        start = int(bounds[-1][-1])
        for name, values in (("data", rows.data), ("indices", rows.indices)):
            X[name].resize((start + rows.nnz,))
            X[name][start:] = values
        bounds.append(start + rows.indptr[1:].astype(np.int64))
        depths.append(np.asarray(rows.sum(axis=1)).ravel())
    indptr = np.concatenate(bounds)
    X["indptr"].resize(indptr.shape)
    X["indptr"][:] = indptr
    file["obs/total_counts"][:] = np.concatenate(depths)
    if path.suffix == ".zarr":
        zarr.consolidate_metadata(path)
    if isinstance(file, h5py.File):
        file.close()


def own_gib(pid: int) -> float:
    """Return the memory of a process that the system could not take back, in GiB."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0.0
    held = dict(line.split(":", 1) for line in lines if ":" in line)
    return int(held.get("RssAnon", "0 kB").split()[0]) / 2**20


def measure(n_cells: int, place: Path | None, n_shards: int) -> Row:
    """Draw a screen and run all naive models on it in another process."""
    with tempfile.TemporaryDirectory(dir=place) as name:
        folder = Path(name)
        screen = folder / ("shards" if n_shards else "screen.zarr")
        apart(write, screen, n_cells, n_shards)
        command = [sys.executable, "-m", "wildcell.cli.main", "run", "unseen-context"]
        command += ["--arm", "random"]
        command += ["--data", str(screen), "--seed", "0", "--runs", str(folder / "runs")]
        for model in MODELS:
            command += ["--model", model]
        held, is_over = [0.0], Event()
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)

        def watch() -> None:
            while not is_over.wait(0.1):
                held[0] = max(held[0], own_gib(process.pid))

        watching = Thread(target=watch)
        watching.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - start
        is_over.set()
        watching.join()
    if status != 0:
        raise SystemExit(f"the run of {n_cells:,} cells failed")
    cpu_s = usage.ru_utime + usage.ru_stime
    return Row(n_cells, wall_s, cpu_s, usage.ru_maxrss / 2**20, held[0])


def growth(cells: Sequence[int], seconds: Sequence[float]) -> float:
    """Return the power by which seconds grow with cells: the slope of the logarithms."""
    return float(np.polyfit(np.log(cells), np.log(seconds), 1)[0])


def main() -> None:
    """Print a row a size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, nargs="+", default=CELLS)
    parser.add_argument("--place", type=Path, default=None)
    parser.add_argument("--shards", type=int, default=0)
    options = parser.parse_args()
    print(f"{'cells':>11}{'wall s':>9}{'CPU s':>9}{'s/million':>11}{'GiB':>7}{'own GiB':>9}")
    rows = []
    for n_cells in options.cells:
        row = measure(n_cells, options.place, options.shards)
        rows.append(row)
        print(
            f"{n_cells:11,}{row.wall_s:9.0f}{row.cpu_s:9.0f}{row.wall_s / n_cells * 1e6:11.0f}"
            f"{row.peak_gib:7.2f}{row.own_gib:9.2f}",
            flush=True,
        )
    if len(rows) > 1:
        cells = [row.n_cells for row in rows]
        wall = growth(cells, [row.wall_s for row in rows])
        cpu = growth(cells, [row.cpu_s for row in rows])
        print(f"wall seconds grow with power {wall:.2f} of the cells, CPU seconds with {cpu:.2f}")


if __name__ == "__main__":
    main()
