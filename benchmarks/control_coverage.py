"""Whether intervals hold what controls do to all conditions: `benchmarks/control_coverage.py`.

One context, 40 perturbations and few controls, drawn anew each time; what all perturbations have in
common is the same in every draw. The kept controls are measured once and stand beside all true
cells. A model knows a part of each effect. Printed is how often the 95 % interval of its mean
score, of the difference to a model that knows less, and of `effect_r2` on the scale from that model
to the noise-free effect, holds the mean over all draws: without and with the jackknife over blocks
of the kept controls.
"""

import argparse
import time
from dataclasses import replace

import numpy as np
from scipy import sparse

from wildcell.metrics.control_blocks import shaken_scores, without_blocks
from wildcell.metrics.metric import METRICS
from wildcell.metrics.response import Response
from wildcell.names import SHAKEN, SHAKEN_UNDER
from wildcell.results.score import compute
from wildcell.results.stats import Sample, Shaken, difference, estimate, scaled

N_GENES, N_PERTURBATIONS, N_CELLS = 200, 40, 100
NAMES = ("effect_r2", "pearson_delta")
KNOWN = {"knows more": 0.8, "knows less": 0.5}


COMMON = 0.25 * np.random.default_rng(0).standard_normal(N_GENES)


def drawn(rng: np.random.Generator, n_controls: int) -> dict[str, dict[str, Sample]]:
    """Return the samples of each metric and model of one draw of a context."""
    effects = COMMON + 0.15 * rng.standard_normal((N_PERTURBATIONS, N_GENES))
    own = 0.15 * rng.standard_normal((N_PERTURBATIONS, N_GENES))
    cells = 1.0 + rng.standard_normal((n_controls, N_GENES))
    noise = rng.standard_normal((N_PERTURBATIONS, N_GENES)) / np.sqrt(N_CELLS)
    n = np.full(N_PERTURBATIONS, N_CELLS)
    control = np.broadcast_to(cells.mean(axis=0), effects.shape)
    genes = np.array([f"g{i}" for i in range(N_GENES)], dtype=object)
    perturbations = tuple(f"p{i}" for i in range(N_PERTURBATIONS))
    truth = Response(
        perturbations, genes, 1.0 + effects + noise, control, n,
        np.full(N_PERTURBATIONS, n_controls), np.full(effects.shape, 1 / N_CELLS),
        np.full(effects.shape, cells.var(axis=0, ddof=1) / n_controls),
    )  # fmt: skip
    blocks = without_blocks(sparse.csr_matrix(cells), np.zeros(n_controls, dtype=np.intp), ["c"], 0)
    group = np.zeros(N_PERTURBATIONS, dtype=np.intp)
    zero = np.zeros(effects.shape)
    found: dict[str, dict[str, Sample]] = {name: {} for name in NAMES}
    for model, share in KNOWN.items():
        answer = Response(perturbations, genes, share * effects + (1 - share) * own, zero, n, n)
        metrics = [METRICS.get(name) for name in NAMES]
        moved = shaken_scores(truth, answer, metrics, blocks, group).set_index("metric")
        for metric in metrics:
            value, parts = compute(metric, truth, answer)
            rows = moved.loc[metric.name]
            found[metric.name][model] = Sample(
                np.full(N_PERTURBATIONS, "c", dtype=object),
                np.array(perturbations, dtype=object),
                value, parts.numerator, parts.denominator, metric.is_log,
                Shaken(rows[SHAKEN].to_numpy(float), rows[SHAKEN_UNDER].to_numpy(float)),
            )  # fmt: skip
    return found


def unshaken(sample: Sample) -> Sample:
    return Sample(
        sample.context, sample.perturbation, sample.value, sample.numerator, sample.denominator
    )


def on_the_scale(models: list[Sample], references: list[Sample]) -> list[float]:
    """Return how often the scaled score's interval holds the mean, without and with jackknife."""
    told = []
    for change in (unshaken, lambda sample: sample):
        places = [
            scaled(change(model), change(reference), perfect(model), best="high")
            for model, reference in zip(models, references, strict=True)
        ]
        known = [place for place in places if np.isfinite(place.value)]
        truth = np.mean([place.value for place in known])
        told.append(100 * np.mean([place.low <= truth <= place.high for place in known]))
    return told


def perfect(sample: Sample) -> Sample:
    return replace(sample, value=np.ones(N_PERTURBATIONS))


def print_told(n_controls: int, metric: str, what: str, told: list[float]) -> None:
    print(
        f"{n_controls:4d} controls  {metric:14} {what:11} without {told[0]:5.1f} %  "
        f"with {told[1]:5.1f} %",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--simulations", type=int, default=500)
    given = parser.parse_args()
    start = time.process_time()
    for n_controls in (25, 50, 200):
        rng = np.random.default_rng(n_controls)
        draws = [drawn(rng, n_controls) for _ in range(given.simulations)]
        for metric in NAMES:
            more, less = ([draw[metric][model] for draw in draws] for model in KNOWN)
            gaps = [difference(one, other) for one, other in zip(more, less, strict=True)]
            for what, samples in (("mean", more), ("difference", gaps)):
                truth = float(np.mean([sample.mean() for sample in samples]))
                told = []
                for change in (unshaken, lambda sample: sample):
                    ends = [estimate(change(sample)) for sample in samples]
                    told.append(100 * np.mean([one.low <= truth <= one.high for one in ends]))
                print_told(n_controls, metric, what, told)
            if metric == "effect_r2":
                print_told(n_controls, metric, "scaled", on_the_scale(more, less))
    print(f"{given.simulations} simulations each, {time.process_time() - start:.0f} CPU s")


if __name__ == "__main__":
    main()
