"""Both distances of cells, beside scipy and geomloss: `python benchmarks/distances.py`.

Energy distance and Sinkhorn divergence of 100 perturbations x 100 cells and 1,000 controls, which
are compared with controls, x 2,000 genes. The peer, condition by condition in the same process:
scipy's `cdist` and geomloss's `SamplesLoss`. Needs torch and geomloss; prints seconds, the ratio,
and the largest relative difference. Runs are interleaved and the median is taken.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse
from scipy.spatial.distance import cdist

from wildcell.arrays import Floats, Matrix
from wildcell.metrics.clouds import Cloud, Comparison, compare, describe
from wildcell.metrics.conditions import over_conditions

try:
    import torch
    from geomloss import SamplesLoss
except ModuleNotFoundError as error:
    sys.exit(
        f"The peer of this benchmark needs torch and geomloss, and {error.name} is not installed: "
        "pip install torch geomloss"
    )

N_GENES = 2000
N_PERTURBATIONS = 100
N_CELLS = 100
N_CONTROLS = 1000


def draw_cells(rng: np.random.Generator, n: int, profile: Floats) -> Matrix:
    """Draw log-normalised cells with a density near 0.4."""
    counts = rng.poisson(profile * rng.lognormal(0, 0.3, n)[:, None])
    lognorm = np.log1p(counts * (1e4 / counts.sum(axis=1, keepdims=True)))
    return sparse.csr_matrix(lognorm.astype(np.float32))


def draw_screen(rng: np.random.Generator) -> list[Matrix]:
    profile = rng.gamma(0.7, 1.0, N_GENES)
    shifts = np.exp(rng.normal(0, 0.2, (N_PERTURBATIONS, N_GENES)))
    return [
        draw_cells(rng, N_CONTROLS, profile),
        *(draw_cells(rng, N_CELLS, profile * shift) for shift in shifts),
    ]


def peer_energy(truth: Matrix, prediction: Matrix) -> float:
    x, y = truth.toarray(), prediction.toarray()

    def within(cells: Floats) -> float:
        return cdist(cells, cells).sum() / (len(cells) * (len(cells) - 1))

    return 2 * cdist(x, y).mean() - within(x) - within(y)


def peer_sinkhorn(truth: Matrix, prediction: Matrix) -> float:
    loss = SamplesLoss("sinkhorn", p=2, blur=0.05, scaling=0.9)
    return loss(torch.as_tensor(truth.toarray()), torch.as_tensor(prediction.toarray())).item()


def peer(truth: list[Matrix], prediction: list[Matrix]) -> list[tuple[float, float]]:
    return [
        (peer_energy(x, y), peer_sinkhorn(x, y)) for x, y in zip(truth, prediction, strict=True)
    ]


def ours(truth: list[Matrix], prediction: list[Matrix]) -> list[Comparison]:
    return over_conditions(compare, truth, prediction)


def ours_again(
    truth: list[Matrix], prediction: list[Matrix], known: list[Cloud]
) -> list[Comparison]:
    def against(first: Matrix, second: Matrix, of_first: Cloud) -> Comparison:
        return compare(first, second, of_first=of_first)

    return over_conditions(against, truth, prediction, known)


def timed(function: Callable[..., Any], *arguments: Any) -> tuple[float, Floats]:
    start = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - start, np.array(result)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    rng = np.random.default_rng(0)
    truth, prediction = draw_screen(rng), draw_screen(rng)

    first = [cells[:20] for cells in truth[:2]]
    cold, _ = timed(ours, first, first)  # compiles, or loads what was compiled before
    known = over_conditions(describe, truth)
    seconds = {"scipy + geomloss": [], "ours": [], "ours, truth known": []}
    for _ in range(repeats):
        taken, expected = timed(peer, truth, prediction)
        seconds["scipy + geomloss"].append(taken)
        taken, found = timed(ours, truth, prediction)
        seconds["ours"].append(taken)
        taken, again = timed(ours_again, truth, prediction, known)
        seconds["ours, truth known"].append(taken)

    medians = {name: statistics.median(times) for name, times in seconds.items()}
    slowest = medians["scipy + geomloss"]
    for name, taken in medians.items():
        print(f"{name:20} {taken:7.2f} s   {slowest / taken:5.1f} x")
    print(f"{'first call':20} {cold:7.2f} s")
    for result, label in ((found, "ours"), (again, "truth known")):
        energy, sinkhorn = np.abs(result / expected - 1).max(axis=0)
        print(f"largest relative difference, {label}: energy {energy:.1e}, Sinkhorn {sinkhorn:.1e}")


if __name__ == "__main__":
    main()
