"""What lies between nothing and everything: the means that an answer's score is read beside."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from wildcell.metrics.metric import Metric
from wildcell.names import CEILING, NAIVE_MODELS, ORACLES, REFERENCE, REPLICATE
from wildcell.results.rank import samples_of
from wildcell.results.stats import UNKNOWN, Sample, estimate

Samples = Mapping[str, Sample]

BY_ALL = {"reference": "", "ceiling": CEILING}
"""Columns of what is judged by all test cells, and its model; the reference has its own name."""

BY_HALVES = {
    "half_reference": REFERENCE,
    **{name.replace("-", "_"): name for name in ORACLES},
    "replicate": REPLICATE,
    "half_ceiling": CEILING,
}
"""Columns of what is judged by one half of the test cells, and its model."""

RUNGS = ("worst_naive", "best_naive", *BY_ALL, "sham_reference", *BY_HALVES, "sham_replicate")
"""Each has a mean and its interval: columns RUNG_mean, RUNG_low and RUNG_high."""

RUNG_COLUMNS = [
    "worst_naive",
    "best_naive",
    *(f"{rung}_{part}" for rung in RUNGS for part in ("mean", "low", "high")),
]

ROW = ["scenario", "dataset", "arm", "seed", "fold", "context", "perturbation", "metric", "model"]


def samples_by_halves(halves: pd.DataFrame) -> dict[str, dict[str, Sample]]:
    """Return a sample a metric and model of scores by halves, both ways averaged.

    A condition that either way leaves undefined is so. The replicate never abstains: where it says
    nothing there are too few cells.

    Parameters
    ----------
    halves
        From `wildcell.store.runs.read_halves`, of one question.
    """
    if halves.empty:
        return {}
    is_replicate = halves["model"] == REPLICATE
    halves = halves.assign(null=halves["null"].mask(is_replicate))
    by = [halves[name] for name in ROW]
    is_silent = halves["value"].isna() & halves["null"].isna()
    is_undefined = is_silent.groupby(by).transform("any")
    parts = ["value", "numerator", "denominator", "null"]
    return samples_of(halves.assign(**{name: halves[name].mask(is_undefined) for name in parts}))


def rungs(
    samples: Samples,
    by_halves: Samples,
    shams: tuple[Samples, Samples],
    reference: str,
    metric: Metric,
) -> dict[str, Any]:
    """Return the means of one metric in a question, with their intervals: `RUNG_COLUMNS`.

    Parameters
    ----------
    samples, by_halves
        Of each model, judged by all test cells, and by halves of them.
    shams
        The same of conditions in which nothing was done.
    reference
        Name of the reference baseline.
    metric
        The metric.
    """
    found = {rung: samples.get(name or reference) for rung, name in BY_ALL.items()}
    found |= {rung: by_halves.get(name) for rung, name in BY_HALVES.items()}
    if "replicate" in found and found["replicate"] is None:
        found["replicate"] = samples.get(REPLICATE)
    found["sham_reference"] = shams[0].get(reference)
    found["sham_replicate"] = shams[1].get(REPLICATE, shams[0].get(REPLICATE))
    names = _extremes(samples, metric)
    found |= {rung: samples.get(name) for rung, name in names.items()}
    return names | dict(_described(found))


def _described(found: Mapping[str, Sample | None]) -> Iterator[tuple[str, float]]:
    for rung, sample in found.items():
        told = UNKNOWN if sample is None else estimate(sample)
        for part in ("mean", "low", "high"):
            yield f"{rung}_{part}", getattr(told, part)


def _extremes(samples: Samples, metric: Metric) -> dict[str, str]:
    """Return the names of the worst and the best naive model by the mean."""
    means = {name: estimate(samples[name]).mean for name in NAIVE_MODELS if name in samples}
    merits = {
        name: float(metric.goodness(np.array(mean)))
        for name, mean in means.items()
        if np.isfinite(mean)
    }
    if not merits:
        return {"worst_naive": "", "best_naive": ""}
    return {
        "worst_naive": min(merits, key=lambda name: merits[name]),
        "best_naive": max(merits, key=lambda name: merits[name]),
    }
