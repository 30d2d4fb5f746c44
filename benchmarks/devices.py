"""How much faster a GPU trains: `python benchmarks/devices.py [--steps N] [--batch N] [MODEL ...]`.

Every network takes the same steps on the same random sparse cells of 2,000 genes, on the CPU and on
the GPU in float32 and in bfloat16, in one process, in the batches of its preset or of `--batch`
pairs. Printed are cells a second, the ratio to the CPU, the share of a step that is gathering the
batch, and the peak memory of the device. `--preset paper` takes the published sizes.
"""

import argparse
import time
from typing import Any

import numpy as np
import torch
from training import made_task

from wildcell.models.model import MODELS
from wildcell.models.neural.backend import (
    device_peak_memory_mb,
    find_device,
    mixed_precision,
    seeded,
)
from wildcell.models.neural.material import Material, prepare
from wildcell.models.neural.neural_model import NeuralModel, shape_of
from wildcell.models.neural.trainer import Mover

NETWORKS = [name for name in MODELS.names() if MODELS.get(name).extra == "torch"]
N_CELLS = 20_000


def built(name: str, device: str, material: Material, **options: Any) -> NeuralModel:
    model = MODELS.get(name).make(seed=0, device=device, **options)
    model.place = find_device(device)
    model.encoding, model.contexts, model.is_positive = material.encoding, material.contexts, True
    with seeded(0):
        model.start(material)
        parts = dict(model.build(shape_of(material)))
        model.net = torch.nn.ModuleDict(parts).to(model.place)
    return model


def wait(device: Any) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def timed(
    model: NeuralModel, material: Material, precision: str, steps: int
) -> tuple[float, float]:
    """Return seconds a step, and of these the seconds that gathering the batch takes."""
    rng, movers = np.random.default_rng(0), [Mover(p, model, 10**6) for p in model.players()]
    context = mixed_precision(precision, model.place)
    gathering = 0.0
    for step in range(steps + 3):
        if step == 3:
            wait(model.place)
            started, gathering = time.perf_counter(), 0.0
        before = time.perf_counter()
        batch = model.draw_batch(material.train.examples, rng)
        gathering += time.perf_counter() - before
        for mover in movers:
            mover.move(batch, context)
    wait(model.place)
    return (time.perf_counter() - started) / steps, gathering / steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=NETWORKS)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--preset", default="default")
    parser.add_argument("--batch", type=int)
    chosen = parser.parse_args()
    options: dict[str, Any] = {"preset": chosen.preset}
    if chosen.batch:
        options["batch_size"] = chosen.batch
    material = prepare(made_task(N_CELLS), np.random.default_rng(0))
    gpu = "cuda" if torch.cuda.is_available() else "mps"
    settings = [("cpu", "float32"), (gpu, "float32"), (gpu, "bfloat16")]
    if not (torch.cuda.is_available() or torch.backends.mps.is_available()):
        settings = settings[:1]
    print(f"{'model':<16} {'device':<6} {'precision':<9} {'cells/s':>9} {'ratio':>6} "
          f"{'gather':>7} {'MB':>6}")  # fmt: skip
    for name in chosen.models:
        slowest = 0.0
        for device, precision in settings:
            model = built(name, device, material, **options)
            seconds, gathering = timed(model, material, precision, chosen.steps)
            slowest = slowest or seconds
            print(f"{name:<16} {device:<6} {precision:<9} {model.batch_size / seconds:>9,.0f} "
                  f"{slowest / seconds:>6.1f} {gathering / seconds:>7.0%} "
                  f"{device_peak_memory_mb(model.place):>6.0f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
