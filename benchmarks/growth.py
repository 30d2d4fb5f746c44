"""How the cost of `wildcell score` grows: `python benchmarks/growth.py`.

Two sparse h5ad files of 2,000 genes, of which a cell has 150 or so, are scored on means and
differential expression (metrics effect_r2, pearson_delta, de_auprc, de_direction): first with more
and more cells of 100 perturbations, then with more and more perturbations of 20 cells. Each row is
a whole process with compiled code at hand: wall and CPU seconds, peak memory, and how many times
reading the stored values of both files once with h5py, the least that any scorer needs, goes into
the CPU seconds that are more than those of two tiny files (`at rest`); `-` where none are. No peak
is seen below that of this process, with which a child's begins: files are drawn in another. Below
each table stands the power by which CPU seconds grow from the second row to the last, 1 if linear.
`--cells` and `--perturbations` name the sizes; the limit that is printed is that of 1,000,000
cells.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import anndata as ad
import h5py
import numpy as np
import pandas as pd
from apart import apart
from scipy import sparse

from wildcell.arrays import Floats, Matrix

N_GENES = 2_000
CELLS = (10_000, 30_000, 100_000, 300_000, 1_000_000)
PERTURBATIONS = (10, 100, 1_000, 5_000)
CELLS_A_PERTURBATION = 20
MEAN_COUNTS = 0.1
AT_ONCE = 20_000
METRICS = "effect_r2,pearson_delta,de_auprc,de_direction"
LIMIT_GIB = 1.5


class Size(NamedTuple):
    """Of both files."""

    n_perturbations: int
    n_cells: int

    @property
    def n_controls(self) -> int:
        return max(400, self.n_cells // 10)


class Row(NamedTuple):
    """What scoring took, and reading."""

    wall_s: float
    cpu_s: float
    peak_gib: float
    read_s: float


def labels_of(size: Size) -> np.ndarray:
    """Return the perturbation of each cell, in no order."""
    names = np.array([f"P{i:04d}" for i in range(size.n_perturbations)], dtype=object)
    labels = np.resize(names, size.n_cells)
    labels[: size.n_controls] = "control"
    return np.random.default_rng(0).permutation(labels)


def blocks(size: Size, profile: Floats, seed: int) -> Iterator[Matrix]:
    """Draw cells, some at a time. What was done to them does not matter to the clock."""
    rng = np.random.default_rng(seed)
    pool = sparse.csr_matrix(rng.poisson(profile, (AT_ONCE, N_GENES)).astype(np.float32))
    for start in range(0, size.n_cells, AT_ONCE):
        n = min(AT_ONCE, size.n_cells - start)
        yield pool[rng.integers(0, AT_ONCE, n)]


def write(path: Path, size: Size, seed: int) -> None:
    """Write counts as h5ad, a block of cells at a time."""
    profile = np.random.default_rng(0).gamma(0.5, 2 * MEAN_COUNTS, N_GENES)
    obs = pd.DataFrame({"perturbation": labels_of(size)}).astype("category")
    obs.index = obs.index.astype(str)
    var = pd.DataFrame(index=[f"gene{i:04d}" for i in range(N_GENES)])
    parts = blocks(size, profile, seed)
    empty = sparse.csr_matrix((size.n_cells, N_GENES), dtype=np.float32)
    ad.AnnData(empty, obs=obs, var=var, uns={"wildcell": {"expression": "counts"}}).write_h5ad(path)
    with h5py.File(path, "r+") as file:
        X = file["X"]
        del X["data"], X["indices"]
        values = X.create_dataset("data", (0,), np.float32, maxshape=(None,), chunks=(2**18,))
        genes = X.create_dataset("indices", (0,), np.int32, maxshape=(None,), chunks=(2**18,))
        bounds = [np.zeros(1, np.int64)]
        for part in parts:
            start = int(bounds[-1][-1])
            values.resize((start + part.nnz,))
            genes.resize((start + part.nnz,))
            values[start:], genes[start:] = part.data, part.indices
            bounds.append(start + part.indptr[1:].astype(np.int64))
        del X["indptr"]
        X["indptr"] = np.concatenate(bounds)


def read_seconds(paths: Sequence[Path]) -> float:
    """Return the CPU seconds that it takes to read all stored values once."""
    start = time.process_time()
    for path in paths:
        with h5py.File(path) as file:
            for name in ("data", "indices"):
                stored = file[f"X/{name}"]
                for first in range(0, len(stored), 2**22):
                    stored[first : first + 2**22]
    return time.process_time() - start


def measure(size: Size) -> Row:
    """Write two files and score one against the other."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        paths = [folder / "prediction.h5ad", folder / "truth.h5ad"]
        for seed, path in enumerate(paths):
            apart(write, path, size, seed)
        read_s = read_seconds(paths)
        command = [
            *(sys.executable, "-m", "wildcell.cli.main", "score", *paths),
            *("--metrics", METRICS, "--no-cache", "--out", folder / "scores.parquet"),
        ]
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - start
    if status != 0:
        raise SystemExit(f"scoring {size} failed")
    return Row(wall_s, cpu_of(usage), usage.ru_maxrss / 2**20, read_s)


def cpu_of(usage: resource.struct_rusage) -> float:
    return usage.ru_utime + usage.ru_stime


def reads(row: Row, rest_s: float) -> str:
    """Say how many readings of the files the CPU seconds beyond those at rest are."""
    beyond = row.cpu_s - rest_s
    return f"{beyond / row.read_s:.0f}x" if beyond > 0 else "-"


def table(title: str, sizes: Sequence[Size], rest_s: float) -> None:
    """Print a row a size, and the power by which CPU seconds grow beyond those at rest."""
    print(title)
    print(f"{'perturbations':>14}{'cells':>11}{'wall s':>9}{'CPU s':>9}{'GiB':>7}{'reads':>8}")
    rows = []
    for size in sizes:
        row = measure(size)
        rows.append(row)
        print(
            f"{size.n_perturbations:14,}{size.n_cells:11,}{row.wall_s:9.1f}{row.cpu_s:9.1f}"
            f"{row.peak_gib:7.2f}{reads(row, rest_s):>8}",
            flush=True,
        )
    if len(sizes) > 2 and rows[-1].cpu_s > rest_s:
        growth = (rows[-1].cpu_s - rest_s) / max(rows[1].cpu_s - rest_s, 0.1)
        by = sizes[-1].n_cells / sizes[1].n_cells
        print(f"CPU seconds grow with power {np.log(growth) / np.log(by):.2f} of the cells")
    if sizes[-1].n_cells >= 1_000_000:
        is_within = rows[-1].peak_gib < LIMIT_GIB
        print(f"{rows[-1].peak_gib:.2f} GiB, {'within' if is_within else 'ABOVE'} {LIMIT_GIB} GiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cells", type=int, nargs="*", default=CELLS)
    parser.add_argument("--perturbations", type=int, nargs="*", default=PERTURBATIONS)
    options = parser.parse_args()
    tiny = Size(10, 1_000)
    measure(tiny)  # compiles what is not compiled yet
    rest_s = measure(tiny).cpu_s
    print(f"at rest: {rest_s:.1f} CPU s")
    if options.cells:
        table("more cells of 100 perturbations", [Size(100, n) for n in options.cells], rest_s)
    if options.perturbations:
        sizes = [Size(n, CELLS_A_PERTURBATION * n + 400) for n in options.perturbations]
        table(f"more perturbations of {CELLS_A_PERTURBATION} cells", sizes, rest_s)


if __name__ == "__main__":
    main()
