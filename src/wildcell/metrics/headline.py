"""The few metrics that a user sees first, and the fewer that models are ranked by."""

HEADLINE = (
    "effect_r2",
    "pearson_delta",
    "pearson_specific",
    "retrieval_cosine",
    "de_auprc",
    "de_direction",
    "amplitude",
    "energy_distance_pca",
)
"""Size, shape, what is specific, identity, genes, direction, amplitude and spread."""

RANKED = ("effect_r2", "pearson_specific", "retrieval_cosine", "de_auprc")
"""The headline metrics by which models are ranked over all; the others say why."""
