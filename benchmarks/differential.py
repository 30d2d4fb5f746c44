"""How long differential expression takes: `python benchmarks/differential.py`.

Times our Mann-Whitney tests of simulated screens (first call, with compiled code already on disk or
not as `cold` says, and later calls), scipy on some of the groups and genes scaled to all, and, in
the Python given by `--peer-python`, illico on the same file. Prints seconds, the ratio to ours and
the largest relative difference of p-values.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
from scipy import sparse, stats

SCREENS = {  # groups, cells a group, controls, genes; a gene is found in 30 % of cells
    "100 x 200 cells, 2,000 controls, 2,000 genes": (100, 200, 2000, 2000),
    "200 x 100 cells, 2,000 controls, 5,000 genes": (200, 100, 2000, 5000),
}
REPEATS = 5
SCIPY_GROUPS, SCIPY_GENES = 3, 100

OURS = """
import json, sys, time
start = time.perf_counter()
import anndata, numpy as np
from wildcell.metrics.differential import benjamini_hochberg
from wildcell.metrics.mann_whitney import mann_whitney
imported = time.perf_counter() - start
cells = anndata.read_h5ad(sys.argv[1])
codes = cells.obs["group"].to_numpy()
X, control = cells.X[codes >= 0], cells.X[codes < 0]
codes, seconds = codes[codes >= 0], []
for _ in range(int(sys.argv[3])):
    start = time.perf_counter()
    test = mann_whitney(X, codes, codes.max() + 1, control)
    benjamini_hochberg(test.p_value)
    seconds.append(time.perf_counter() - start)
np.save(sys.argv[2], test.p_value)
print(json.dumps([imported, *seconds]))
"""

ILLICO = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
start = time.perf_counter()
import anndata, numba, numpy as np
from illico import asymptotic_wilcoxon
imported = time.perf_counter() - start
cells = anndata.read_h5ad(sys.argv[1])
codes = cells.obs["group"].to_numpy()
cells.obs["group"] = cells.obs["group"].astype(str)
seconds = []
for _ in range(int(sys.argv[3])):
    start = time.perf_counter()
    table = asymptotic_wilcoxon(cells, is_log1p=True, group_keys="group", reference="-1",
                                n_threads=numba.config.NUMBA_NUM_THREADS)
    seconds.append(time.perf_counter() - start)
wide = table["p_value"].unstack()
np.save(sys.argv[2], wide.loc[[str(i) for i in range(codes.max() + 1)], cells.var_names].to_numpy())
print(json.dumps([imported, *seconds]))
"""


def simulate(groups: int, cells: int, controls: int, genes: int) -> ad.AnnData:
    rng = np.random.default_rng(0)
    n = groups * cells + controls
    X = sparse.random(n, genes, density=0.3, format="csr", dtype=np.float32, random_state=rng)
    depth = rng.lognormal(0, 0.3, n)
    X.data = np.log1p(np.ceil(5 * X.data) / np.repeat(depth, np.diff(X.indptr))).astype(np.float32)
    group = rng.permutation(np.repeat(np.arange(-1, groups), [controls] + [cells] * groups))
    obs = pd.DataFrame({"group": group}, index=[f"cell{i}" for i in range(n)])
    return ad.AnnData(X, obs=obs, var=pd.DataFrame(index=[f"gene{i:05d}" for i in range(genes)]))


def run(
    python: str, code: str, screen: Path, repeats: int, cache: str | None = None
) -> tuple[float, list[float], np.ndarray]:
    answer = screen.with_name("answer.npy")
    environment = os.environ | ({"NUMBA_CACHE_DIR": cache} if cache else {})
    done = subprocess.run(
        [python, "-c", code, screen, answer, str(repeats)],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    imported, *seconds = json.loads(done.stdout.splitlines()[-1])
    return imported, seconds, np.load(answer)


def scipy_seconds(cells: ad.AnnData, ours: np.ndarray) -> tuple[float, float]:
    """Seconds for all tests, from those for some, and the largest difference among these."""
    group = cells.obs["group"].to_numpy()
    control = cells.X[group < 0][:, :SCIPY_GENES].toarray().astype(np.float64)
    spent, difference = 0.0, 0.0
    for i in range(SCIPY_GROUPS):
        own = cells.X[group == i][:, :SCIPY_GENES].toarray().astype(np.float64)
        start = time.perf_counter()
        p_value = stats.mannwhitneyu(own, control, method="asymptotic", axis=0).pvalue
        spent += time.perf_counter() - start
        difference = max(difference, largest_difference(ours[i, :SCIPY_GENES], p_value))
    return spent * ours.size / (SCIPY_GROUPS * SCIPY_GENES), difference


def largest_difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.nanmax(np.abs(ours - theirs) / theirs))


def compare(cells: ad.AnnData, peer_python: Path | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        screen = Path(folder) / "screen.h5ad"
        cells.write_h5ad(screen)
        _, cold, _ = run(sys.executable, OURS, screen, 1, cache=folder)
        imported, seconds, ours = run(sys.executable, OURS, screen, REPEATS)
        warm = min(seconds[1:])
        print(f"  import               {imported:9.2f} s")
        print(f"  ours, compiling      {cold[0]:9.2f} s")
        print(f"  ours, first call     {seconds[0]:9.2f} s")
        print(f"  ours, later calls    {warm:9.3f} s")
        spent, difference = scipy_seconds(cells, ours)
        print(f"  scipy, scaled        {spent:9.1f} s  {spent / warm:7.0f} x  {difference:.0e}")
        if peer_python is not None and peer_python.exists():
            _, seconds, theirs = run(str(peer_python), ILLICO, screen, REPEATS)
            spent, difference = min(seconds[1:]), largest_difference(ours, theirs)
            print(f"  illico, first call   {seconds[0]:9.2f} s")
            print(f"  illico, later calls  {spent:9.3f} s  {spent / warm:7.1f} x  {difference:.0e}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--peer-python", type=Path, help="a Python that can import illico")
    options = parser.parse_args()
    for name, sizes in SCREENS.items():
        print(f"{name} ({os.cpu_count()} cores)")
        compare(simulate(*sizes), options.peer_python)


if __name__ == "__main__":
    main()
