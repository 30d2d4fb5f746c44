"""How fast networks are trained, and in how much memory: `python benchmarks/training.py`.

For the additive networks, cells a second of our loop, and of loops of the usual kind on the same
network, optimiser and batch size: a `Dataset` whose `__getitem__` makes one pair (a row made dense,
its condition looked up, a control drawn from those of its group, perturbation and context one-hot)
behind a `DataLoader`; it takes rows of an AnnData (`adata[i]`), or of its bare matrix. All take
turns in one process on one thread; ratios are of medians, of whole steps and of loading alone.
`gather share` is the part of our step that is not the network's. With `--memory`, a sparse file of
500,000 cells is written and trained on in a process of its own, and its peak memory is printed
beside that of the cells alone.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import torch
from apart import apart
from scipy import sparse
from torch.utils.data import DataLoader, Dataset

from wildcell.models.model import MODELS
from wildcell.models.neural.batch import Batch
from wildcell.models.neural.material import Material, prepare
from wildcell.models.neural.neural_model import NeuralModel, shape_of
from wildcell.models.neural.trainer import Mover
from wildcell.names import CONTROL, Expression
from wildcell.scenarios.task import Cells, Query, Task

N_GENES, N_CONTEXTS, N_PERTURBATIONS = 2000, 4, 50
BATCH, STEPS, ROUNDS = 128, 30, 5


def made_task(n_cells: int, density: float = 0.2, seed: int = 0) -> Task:
    """Return a task of random sparse cells, a tenth of them controls, made in blocks."""
    rng = np.random.default_rng(seed)
    blocks = [
        sparse.random_array(
            (min(10_000, n_cells - start), N_GENES),
            density=density,
            format="csr",
            dtype=np.float32,
            rng=rng,
        )
        for start in range(0, n_cells, 10_000)
    ]
    X = sparse.csr_matrix(sparse.vstack(blocks, format="csr"))
    keys = np.array([f"p{i}" for i in range(N_PERTURBATIONS)], dtype=object)
    context = np.array([f"c{i}" for i in rng.integers(N_CONTEXTS, size=n_cells)], dtype=object)
    is_control = rng.random(n_cells) < 0.1
    perturbation = np.where(is_control, CONTROL, keys[rng.integers(len(keys), size=n_cells)])
    obs = pd.DataFrame({"context": context, "perturbation": perturbation, "control_group": context})
    genes = np.array([f"g{i}" for i in range(N_GENES)], dtype=object)
    train = Cells(X, genes, obs, Expression.LOGNORM)
    few = np.arange(n_cells) < 2000
    components = pd.DataFrame(
        {"perturbation": keys, "component": keys, "dose": np.nan, "unit": "", "time": np.nan}
    )
    controls = train.select(few & train.is_control)
    asked = pd.DataFrame({"context": ["c0"], "perturbation": ["p0"], "control_group": ["c0"]})
    return Task(train, train.select(few), Query(asked, controls, components))


UNNAMED = np.full(BATCH, "", dtype=object)


class Pairs(Dataset[dict[str, Any]]):
    """One pair an item, as such data sets are usually written."""

    def __init__(self, cells: Cells, *, is_anndata: bool) -> None:
        self.adata = ad.AnnData(cells.X, obs=cells.obs.set_axis(cells.obs.index.astype(str)))
        self.is_anndata, self.rng = is_anndata, np.random.default_rng(0)
        self.X, self.obs = cells.X, cells.obs
        self.rows = np.flatnonzero(~cells.is_control)
        groups = cells.obs["control_group"].to_numpy()
        self.controls = {
            name: np.flatnonzero(cells.is_control & (groups == name)) for name in set(groups)
        }
        perturbed = self.obs.iloc[self.rows]
        self.perturbations = sorted(perturbed["perturbation"].unique())
        self.contexts = sorted(perturbed["context"].unique())

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, item: int) -> dict[str, Any]:
        row = self.rows[item]
        labels = self.adata[row].obs.iloc[0] if self.is_anndata else self.obs.iloc[row]
        control = self.rng.choice(self.controls[labels["control_group"]])
        perturbation = torch.zeros(len(self.perturbations) + 1)
        perturbation[self.perturbations.index(labels["perturbation"])] = 1.0
        context = torch.zeros(len(self.contexts))
        context[self.contexts.index(labels["context"])] = 1.0
        return {
            "perturbed": self._dense(row),
            "control": self._dense(control),
            "perturbation": perturbation,
            "context": context,
        }

    def _dense(self, row: int) -> torch.Tensor:
        taken = self.adata[row].X if self.is_anndata else self.X[row]
        return torch.from_numpy(taken.toarray().ravel())


class Usual:
    """The usual loop: items one by one, collated; the network is the very same."""

    def __init__(self, model: NeuralModel, cells: Cells, *, is_anndata: bool) -> None:
        self.model, self.mover = model, mover_of(model)
        self.loader = DataLoader(
            Pairs(cells, is_anndata=is_anndata), batch_size=BATCH, shuffle=True
        )
        self.batches = iter(self.loader)
        self.gathering = 0.0

    def step(self) -> None:
        started = time.perf_counter()
        found = next(self.batches)
        if len(found["perturbed"]) < BATCH:
            self.batches = iter(self.loader)
            found = next(self.batches)
        rows = torch.arange(BATCH)
        control, perturbed = found["control"], found["perturbed"]
        batch = Batch(
            control, control, perturbed, perturbed, found["perturbation"], torch.eye(BATCH),
            rows, found["context"], rows.numpy(), UNNAMED,
        )  # fmt: skip
        self.gathering += time.perf_counter() - started
        self.mover.move(batch, torch.enable_grad())


class Ours:
    def __init__(self, model: NeuralModel, material: Material, seed: int = 0) -> None:
        self.model, self.mover = model, mover_of(model)
        self.examples, self.rng = material.train.examples, np.random.default_rng(seed)
        self.gathering = 0.0

    def step(self) -> None:
        started = time.perf_counter()
        batch = self.model.draw_batch(self.examples, self.rng)
        self.gathering += time.perf_counter() - started
        self.mover.move(batch, torch.enable_grad())


def mover_of(model: NeuralModel) -> Mover:
    return Mover(model.players()[0], model, 10**6)


def built(name: str, material: Material) -> NeuralModel:
    model = MODELS.get(name).make(seed=0, batch_size=BATCH)
    model.place, model.is_positive = torch.device("cpu"), True
    model.start(material)
    model.net = torch.nn.ModuleDict(dict(model.build(shape_of(material))))
    return model


def seconds(loop: "Ours | Usual", n_steps: int) -> float:
    started = time.perf_counter()
    for _ in range(n_steps):
        loop.step()
    return time.perf_counter() - started


def compare(name: str, task: Task) -> None:
    material = prepare(task, np.random.default_rng(0))
    loops = {
        "ours": Ours(built(name, material), material),
        "AnnData": Usual(built(name, material), task.train, is_anndata=True),
        "matrix": Usual(built(name, material), task.train, is_anndata=False),
    }
    for loop in loops.values():
        seconds(loop, 3)
        loop.gathering = 0.0
    times = {key: [] for key in loops}
    for _ in range(ROUNDS):
        for key, loop in loops.items():
            times[key].append(seconds(loop, STEPS))
    whole = {key: median(found) for key, found in times.items()}
    share = loops["ours"].gathering / sum(times["ours"])
    n_parameters = sum(p.numel() for p in loops["ours"].model.net.parameters())
    print(
        f"{name:16} {n_parameters / 1e6:.1f} M parameters, ours "
        f"{STEPS * BATCH / whole['ours']:.0f} cells/s, gather share {share:.1%}"
    )
    for key in ("AnnData", "matrix"):
        loading = loops[key].gathering / loops["ours"].gathering
        print(
            f"    rows of {key:8} {STEPS * BATCH / whole[key]:6.0f} cells/s   ratio "
            f"{whole[key] / whole['ours']:.1f}, of loading alone {loading:.0f}"
        )


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def train_on_file(path: str) -> None:
    X = sparse.load_npz(path)
    task = made_task(2000)
    rng = np.random.default_rng(0)
    n = X.shape[0]
    rows = rng.integers(task.train.n, size=n)
    cells = Cells(
        sparse.csr_matrix(X), task.train.genes, task.train.obs.iloc[rows].reset_index(drop=True),
        Expression.LOGNORM,
    )  # fmt: skip
    held = (X.data.nbytes + X.indices.nbytes + X.indptr.nbytes) / 2**20
    before = peak_mb()
    model = MODELS.get("latent-additive").make(seed=0, max_steps=50)
    model.fit(Task(cells, task.val, task.query))
    print(
        f"{n} cells: {held:.0f} MB of sparse values, {before:.0f} MB when read, "
        f"{peak_mb():.0f} MB at the peak of training"
    )


def write_cells(path: Path, n_cells: int) -> None:
    sparse.save_npz(path, made_task(n_cells, density=0.05).train.X, compressed=False)


def measure_memory(n_cells: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cells.npz"
        apart(write_cells, path, n_cells)
        subprocess.run([sys.executable, __file__, "--file", str(path)], check=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=20_000)
    parser.add_argument("--memory", type=int, nargs="?", const=500_000)
    parser.add_argument("--file")
    given = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    if given.file:
        train_on_file(given.file)
    elif given.memory:
        measure_memory(given.memory)
    else:
        screen = made_task(given.cells)
        for network in ("linear-additive", "latent-additive", "decoder-only"):
            compare(network, screen)
