"""cell-eval 0.8, the scores of its full profile."""

from functools import partial

from wildcell.metrics import cell_eval_scores as scores
from wildcell.metrics.preset import PRESETS, Preset, PresetMetric
from wildcell.names import Need

CELLS, DELTA = frozenset({Need.CELLS, Need.DELTA}), frozenset({Need.DELTA})
TOPS = (None, 50, 100, 200, 500)

PRESETS.add(
    "cell-eval-0.8",
    Preset(
        name="cell-eval-0.8",
        mirrors="cell-eval 0.8.2",
        summary="Arc Institute's cell-eval, profile full, without its clustering agreement.",
        controls="prediction",
        of_cells=(scores.tested, scores.energies),
        metrics=(
            *(
                PresetMetric(
                    f"{name}_at_{k or 'N'}",
                    partial(compute, k=k),
                    "high",
                    null=0.0,
                    needs=CELLS,
                )
                for name, compute in (("overlap", scores.overlap), ("precision", scores.precision))
                for k in TOPS
            ),
            PresetMetric(
                "de_spearman_sig", scores.number_correlation, "high", null=0.0, needs=CELLS
            ),
            PresetMetric(
                "de_direction_match", scores.direction_match, "high", null=0.5, needs=CELLS
            ),
            PresetMetric("de_spearman_lfc_sig", scores.lfc_spearman, "high", null=0.0, needs=CELLS),
            PresetMetric("de_sig_genes_recall", scores.recall, "high", null=0.0, needs=CELLS),
            PresetMetric("de_nsig_counts_real", scores.n_true, "neither", needs=CELLS),
            PresetMetric("de_nsig_counts_pred", scores.n_predicted, "neither", needs=CELLS),
            PresetMetric("pr_auc", scores.pr_auc, "high", null=0.0, needs=CELLS),
            PresetMetric("roc_auc", scores.roc, "high", null=0.5, needs=CELLS),
            PresetMetric("pearson_delta", scores.pearson_delta, "high", null=0.0, needs=DELTA),
            PresetMetric("mse", scores.squared, "low"),
            PresetMetric("mae", scores.absolute, "low"),
            PresetMetric("mse_delta", scores.squared_delta, "low", needs=DELTA),
            PresetMetric("mae_delta", scores.absolute_delta, "low", needs=DELTA),
            PresetMetric(
                "discrimination_score_l1",
                partial(scores.discrimination, measure="l1"),
                "high",
                null=0.5,
                needs=DELTA,
            ),
            PresetMetric(
                "discrimination_score_l2",
                partial(scores.discrimination, measure="l2"),
                "high",
                null=0.5,
                needs=DELTA,
            ),
            PresetMetric(
                "discrimination_score_cosine",
                partial(scores.discrimination, measure="cosine"),
                "high",
                null=0.5,
                needs=DELTA,
            ),
            PresetMetric(
                "pearson_edistance", scores.pearson_edistance, "high", null=0.0, needs=CELLS
            ),
        ),
    ),
)
