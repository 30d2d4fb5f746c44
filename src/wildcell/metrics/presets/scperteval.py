"""scPertEval 0.2, its protocols at the sizes k = 10 components and 20 genes."""

from functools import partial

from wildcell.metrics import scperteval_protocols as protocols
from wildcell.metrics.preset import PRESETS, Preset, PresetMetric
from wildcell.names import Need

MIN_CELLS = 30
CELLS = frozenset({Need.CELLS})

PRESETS.add(
    "scperteval",
    Preset(
        name="scperteval",
        mirrors="scPertEval 0.2.0",
        summary="scPertEval's protocols at the sizes k = 10 components and 20 genes.",
        controls="truth",
        target_sum=10_000.0,
        min_cells=MIN_CELLS,
        metrics=(
            PresetMetric("mse", protocols.squared, "low"),
            PresetMetric("pearson", partial(protocols.pearson, centre="zero"), "high"),
            PresetMetric(
                "pearson_ctrl", partial(protocols.pearson, centre="controls"), "high", null=0.0
            ),
            PresetMetric(
                "pearson_pert", partial(protocols.pearson, centre="others"), "high", null=0.0
            ),
            *(
                PresetMetric(f"wmse_exp{e}", partial(protocols.weighted_squared, exponent=e), "low")
                for e in (1, 2, 4)
            ),
            PresetMetric(
                "r2_ctrl", partial(protocols.explained, centre="controls"), "high", null=0.0
            ),
            PresetMetric(
                "r2_pert", partial(protocols.explained, centre="others"), "high", null=0.0
            ),
            PresetMetric(
                "weighted_r2_pert_exp2",
                partial(protocols.weighted_explained, centre="others", exponent=2),
                "high",
                null=0.0,
            ),
            PresetMetric("rank", protocols.column_rank, "low", null=0.5),
            PresetMetric("transpose_rank", protocols.row_rank, "low", null=0.5),
            PresetMetric("nir", protocols.inverse_rank, "high", null=0.5),
            PresetMetric(
                "energy_distance_pca_k=10", partial(protocols.energy, k=10), "low", needs=CELLS
            ),
            PresetMetric(
                "unbiased_mmd_median_pca_k=10",
                partial(protocols.discrepancy, k=10),
                "low",
                needs=CELLS,
            ),
            PresetMetric("de_auprc", protocols.auprc, "high", null=0.0, needs=CELLS),
            PresetMetric("de_auroc", protocols.auroc, "high", null=0.5, needs=CELLS),
            PresetMetric(
                "de_overlap_k=20", partial(protocols.top_overlap, k=20), "high", needs=CELLS
            ),
        ),
    ),
)
