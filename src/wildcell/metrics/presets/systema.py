"""Systema's centroid accuracy."""

from wildcell.arrays import Floats
from wildcell.metrics.evidence import Evidence
from wildcell.metrics.nearest import own_place, profile_distances
from wildcell.metrics.preset import PRESETS, Preset, PresetMetric


def centroid_accuracy(evidence: Evidence) -> Floats:
    """Share of the other perturbations' centroids that are farther from the predicted one."""
    distances = profile_distances(evidence.prediction.mean, evidence.truth.mean, "l2")
    n_others = max(evidence.truth.n - 1, 1)
    return 1 - own_place(distances, ties="last") / n_others


PRESETS.add(
    "systema",
    Preset(
        name="systema",
        mirrors="Systema, as published",
        summary="Systema's retrieval of the own perturbation by its mean profile.",
        controls="truth",
        target_sum=10_000.0,
        metrics=(
            PresetMetric(
                "centroid_accuracy",
                centroid_accuracy,
                "high",
                null=0.5,
            ),
        ),
    ),
)
