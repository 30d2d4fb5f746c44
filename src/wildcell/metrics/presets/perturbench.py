"""PerturBench, its mean-profile scores and their ranks."""

from functools import partial

from wildcell.metrics.aggregates import MAX_CELLS, agreement, column_rank, energy
from wildcell.metrics.preset import PRESETS, Preset, PresetMetric
from wildcell.names import Need

RANKS_AT = partial(column_rank, counts_itself=False)

PRESETS.add(
    "perturbench",
    Preset(
        name="perturbench",
        mirrors="PerturBench 2025, from its formulas",
        summary="PerturBench's scores of means and of log fold changes, and their ranks.",
        controls="truth",
        target_sum=10_000.0,
        metrics=(
            PresetMetric("rmse_average", partial(agreement, view="average", measure="rmse"), "low"),
            PresetMetric(
                "rmse_rank_average",
                partial(RANKS_AT, view="average", measure="rmse"),
                "low",
                null=0.5,
            ),
            PresetMetric(
                "cosine_logfc",
                partial(agreement, view="logfc", measure="cosine"),
                "high",
                null=0.0,
                needs=frozenset({Need.DELTA}),
            ),
            PresetMetric(
                "cosine_rank_logfc",
                partial(RANKS_AT, view="logfc", measure="cosine"),
                "low",
                null=0.5,
                needs=frozenset({Need.DELTA}),
            ),
            PresetMetric("mmd", energy, "low", needs=frozenset({Need.CELLS}), max_cells=MAX_CELLS),
        ),
    ),
)
