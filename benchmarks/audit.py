"""How long an audit takes and how much memory: `python benchmarks/audit.py [N_CELLS]`.

Writes a screen of that many cells (1,000,000 by default) to a temporary file, plants copies of
test cells, audits it in a process of its own, and prints cells, seconds, peak memory and recall.
No peak is seen below that of this process, with which the audit's begins: the screen is drawn in
another.
"""

import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from anndata.io import write_elem
from apart import apart
from scipy import sparse

N_GENES = 2_000
DEPTH = 300
N_PERTURBATIONS = 500
N_PLANTED = 1_000
CHUNK = 20_000

COMMAND = """
import sys
from pathlib import Path
from wildcell.cli.audit import audit
audit(Path(sys.argv[1]), data=sys.argv[2])
"""


def counts(n_cells: int, rng: np.random.Generator) -> sparse.csr_matrix:
    """Draw cells of one type, gamma-Poisson, as alike as cells come."""
    shares = np.exp(1.5 * np.random.default_rng(0).normal(size=N_GENES))
    depths = DEPTH * np.exp(0.3 * rng.normal(size=n_cells))
    spread = rng.standard_gamma(5.0, size=(n_cells, N_GENES), dtype=np.float32) / 5
    spread *= (shares / shares.sum()).astype(np.float32)
    spread *= depths[:, None].astype(np.float32)
    return sparse.csr_matrix(rng.poisson(spread).astype(np.float32))


def write_screen(path: Path, n_cells: int) -> None:
    rng = np.random.default_rng(0)
    lengths, end = [np.zeros(1, dtype=np.int64)], 0
    with h5py.File(path, "w") as file:
        X = file.create_group("X")
        X.attrs["encoding-type"], X.attrs["encoding-version"] = "csr_matrix", "0.1.0"
        options = {"shape": (0,), "maxshape": (None,), "chunks": (2**20,)}
        data = X.create_dataset("data", dtype=np.float32, **options)
        indices = X.create_dataset("indices", dtype=np.int32, **options)
        for start in range(0, n_cells, CHUNK):
            matrix = counts(min(CHUNK, n_cells - start), rng)
            if start == 0:
                first = matrix[:N_PLANTED].copy()
            if start + CHUNK >= n_cells:
                first.data = rng.binomial(first.data.astype(int), 0.7).astype(np.float32)
                first.eliminate_zeros()
                matrix = sparse.vstack([matrix[:-N_PLANTED], first], format="csr")
            for place, values in ((data, matrix.data), (indices, matrix.indices)):
                place.resize((end + matrix.nnz,))
                place[end:] = values
            end += matrix.nnz
            lengths.append(np.diff(matrix.indptr))
        X["indptr"] = np.cumsum(np.concatenate(lengths))
        X.attrs["shape"] = (n_cells, N_GENES)
        write_labels(file, n_cells)
    print(f"{n_cells:,} cells, {N_GENES:,} genes, {end:,} values above zero")


def write_labels(file: h5py.File, n_cells: int) -> None:
    names = [f"P{number:04}" for number in range(N_PERTURBATIONS)]
    of_cell = np.arange(n_cells) * N_PERTURBATIONS // n_cells
    obs = pd.DataFrame(
        {"context": "c", "perturbation": pd.Categorical.from_codes(of_cell, names)},
        index=np.arange(n_cells).astype(str),
    ).astype("category")
    parts = {"perturbation": names, "component": names, "dose": np.nan, "unit": "", "time": np.nan}
    uns = {"wildcell": {"expression": "counts", "components": pd.DataFrame(parts)}}
    var = pd.DataFrame(index=[f"G{number:04}" for number in range(N_GENES)])
    for name, element in (("obs", obs), ("var", var), ("uns", uns)):
        write_elem(file, name, element)


def write_split(path: Path) -> None:
    """Test the first 30 % of the perturbations, of which the planted cells are copies."""
    roles = ["test"] * (3 * N_PERTURBATIONS // 10)
    roles += ["train"] * (N_PERTURBATIONS - len(roles))
    names = [f"P{number:04}" for number in range(N_PERTURBATIONS)]
    pd.DataFrame({"context": "c", "perturbation": names, "role": roles}).to_csv(path, index=False)


def main() -> None:
    n_cells = int(sys.argv[1].replace(",", "")) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        data, split = Path(folder) / "screen.h5ad", Path(folder) / "split.csv"
        apart(write_screen, data, n_cells)
        write_split(split)
        command = [sys.executable, "-c", COMMAND, str(split), str(data)]
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - start
    print(done.stdout, done.stderr[-2000:], sep="")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    found = re.search(r"LEAK: (\d+) test cells are thinned", done.stdout)
    n_found = int(found[1]) if found else 0
    print(f"{seconds:.0f} s, peak {peak:.2f} GiB, {n_found} of {N_PLANTED} planted copies found")


if __name__ == "__main__":
    main()
