"""cell-eval2 0.20, of whose measures the Virtual Cell Challenge 2026 scores six."""

from functools import partial
from typing import Literal

from wildcell.metrics import competition_direction as direction
from wildcell.metrics import competition_genes as genes
from wildcell.metrics import competition_profiles as profiles
from wildcell.metrics.preset import PRESETS, Best, Compute, Preset, PresetMetric
from wildcell.names import Need

OF_BOTH: tuple[tuple[str, Literal["truth", "prediction"]], ...] = (
    ("overlap", "truth"),
    ("precision", "prediction"),
)
COUNTS = frozenset({Need.CELLS, Need.LFC})
TOPS = (None, 50, 100, 200, 500)


def _of_genes(
    name: str, compute: Compute, best: Best = "high", null: float | None = None
) -> PresetMetric:
    return PresetMetric(f"de_wilcoxon_{name}", compute, best, null, COUNTS)


def _of_profiles(
    name: str, compute: Compute, best: Best = "low", null: float | None = None
) -> PresetMetric:
    return PresetMetric(name, compute, best, null, COUNTS)


PRESETS.add(
    "vcc2026",
    Preset(
        name="vcc2026",
        mirrors="cell-eval2 0.20.0",
        summary="Arc Institute's cell-eval2 on counts, profile full; the challenge scores six.",
        controls="truth",
        target_sum=genes.MILLION,
        needs_counts=True,
        of_cells=(genes.tested, profiles.profiles, profiles.noise),
        metrics=(
            *(
                _of_genes(
                    name + (f"_top{k}" if k else ""), partial(genes.top_share, k=k, of=of), null=0.0
                )
                for name, of in OF_BOTH
                for k in TOPS
            ),
            _of_genes("nsig_counts_real", partial(genes.n_significant, of="truth"), "neither"),
            _of_genes("nsig_counts_pred", partial(genes.n_significant, of="prediction"), "neither"),
            _of_genes("nsig_spearman", genes.number_correlation, null=-1.0),
            _of_genes("sig_recall", genes.recall, null=0.0),
            _of_genes("direction_match", direction.direction_match, null=0.0),
            _of_genes("model_direction_match", direction.predicted_direction_match, null=0.0),
            _of_genes("lfc_spearman", partial(genes.lfc_spearman, which="all"), null=-1.0),
            _of_genes("lfc_spearman_pos", partial(genes.lfc_spearman, which="up"), null=-1.0),
            _of_genes("lfc_spearman_neg", partial(genes.lfc_spearman, which="down"), null=-1.0),
            _of_genes("lfc_nmae", genes.lfc_error, "low", null=1.0),
            _of_genes("pr_auc", genes.pr_auc, null=0.0),
            _of_genes("roc_auc", genes.roc, null=0.5),
            _of_genes("overlap_adjusted", genes.top_agreement, null=0.0),
            _of_genes(
                "precision_adjusted", partial(genes.agreement, measure="markedness"), null=-1
            ),
            _of_genes(
                "sig_recall_adjusted", partial(genes.agreement, measure="informedness"), null=0.0
            ),
            _of_genes("sig_mcc", partial(genes.agreement, measure="mcc"), null=-1.0),
            _of_genes("direction_precision", direction.direction_precision, null=0.0),
            _of_genes(
                "direction_sensitivity", partial(direction.sensitivity, all_genes=False), null=0.0
            ),
            _of_genes(
                "direction_sensitivity_universe",
                partial(direction.sensitivity, all_genes=True),
                null=0.0,
            ),
            _of_genes("direction_fidelity", direction.fidelity, null=0.0),
            _of_genes("direction_fidelity_raw", direction.fidelity_raw, null=0.5),
            _of_genes("direction_coverage", direction.coverage, null=0.0),
            _of_genes("direction_yield", direction.direction_yield, null=0.0),
            _of_genes("direction_yield_raw", direction.yield_raw, null=0.0),
            _of_genes("direction_fidelity_yield", direction.fidelity_yield, null=0.0),
            _of_genes("direction_fidelity_yield_raw", direction.fidelity_yield_raw, null=0.0),
            *(
                _of_genes(
                    f"direction_reach{'_unbounded' * everywhere}{'_raw' * (not corrected)}",
                    partial(direction.reach, all_genes=everywhere, corrected=corrected),
                    null=0.0,
                )
                for everywhere in (False, True)
                for corrected in (True, False)
            ),
            _of_genes("sig_jaccard", genes.jaccard, null=0.0),
            _of_profiles("expr_mae", profiles.absolute),
            *(
                _of_profiles(
                    f"pds_{measure}", partial(profiles.retrieval, measure=measure), "high", null=0.5
                )
                for measure in ("l1", "l2", "cosine")
            ),
            _of_profiles("delta_pearson", profiles.pearson_delta, "high", null=0.0),
            _of_profiles("expr_mse", profiles.squared),
            _of_profiles("expr_mse_unbiased", profiles.unbiased),
            _of_profiles("expr_mse_unbiased_capped", profiles.capped),
            _of_profiles("expr_distance_unbiased", profiles.effect, "neither"),
            _of_profiles("expr_mse_unbiased_capped_norm", profiles.normalised, null=1.0),
            _of_profiles("expr_real_mass_ratio", profiles.mass, "neither"),
            _of_profiles("delta_mse", profiles.squared),
            _of_profiles("delta_mae", profiles.absolute),
        ),
    ),
)
