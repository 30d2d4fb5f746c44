"""Recipes of genetic screens."""

import anndata as ad
import numpy as np

from wildcell.datasets.curate_options import CurateOptions
from wildcell.datasets.labels import as_text
from wildcell.datasets.recipe import (
    CAUTIOUS_QC,
    SCPERTURB,
    SCPERTURB_CITATION,
    SCPERTURB_LICENCE,
    UNASSIGNED,
    Counts,
    Recipe,
    have_label,
    missing_columns,
    register,
)
from wildcell.names import CONTROL, Modality
from wildcell.store.repository import ZenodoFile

ADAMSON_CITATION = (
    f"Adamson et al. 2016, Cell, doi:10.1016/j.cell.2016.11.048; {SCPERTURB_CITATION}"
)


def split_guides(cells: ad.AnnData) -> tuple[ad.AnnData, list[str]]:
    """Tell apart gene and guide in labels such as `GENE_pDS258`.

    Adds the columns `gene`, with the control label for non-targeting guides, and `guide` to obs.
    Cells labelled `*`, or not at all, are dropped.

    Parameters
    ----------
    cells
        The source; `obs` has `perturbation`. Non-targeting guides have `(mod)` in their names.

    Raises
    ------
    DataError
        There is no such column.
    """
    missing_columns(cells, ["perturbation"])
    done: list[str] = []
    is_labelled = have_label(cells, "perturbation", UNASSIGNED, done)
    labels = as_text(cells.obs["perturbation"])
    parts = labels.str.partition("_")
    is_control = np.asarray(labels.str.contains("(mod)", regex=False))
    cells.obs["gene"] = parts[0].where(~is_control, CONTROL).to_numpy()
    cells.obs["guide"] = parts[2].to_numpy()
    n_guides = labels[is_labelled].nunique()
    n_genes = cells.obs.loc[is_labelled & ~is_control, "gene"].nunique()
    done.append(f"Took {n_guides} guides for those of {n_genes} genes and the control.")
    return (cells if is_labelled.all() else cells[is_labelled]), done


NORMAN = register(
    Recipe(
        name="norman2019",
        summary="CRISPRa of 105 genes, alone and in 131 pairs, in K562 (Norman 2019).",
        file=ZenodoFile(SCPERTURB, "NormanWeissman2019_filtered.h5ad"),
        options=CurateOptions(
            perturbation_column="perturbation",
            combination_separator="_",
            context="K562",
            modality=Modality.CRISPRA,
            drop=tuple(f"perturbation={word}" for word in UNASSIGNED),
            licence=SCPERTURB_LICENCE,
            citation=f"Norman et al. 2019, Science, doi:10.1126/science.aax4438; "
            f"{SCPERTURB_CITATION}",
            **CAUTIOUS_QC,
        ),
        expected=Counts(cells=111_445, genes=33_694, perturbations=236),
        batch_columns=("gemgroup", "batch"),
        replicate_columns=("guide_id",),
    )
)

REPLOGLE = register(
    Recipe(
        name="replogle2022-k562",
        summary="CRISPRi of essential genes in K562, the 500 with most cells (Replogle 2022).",
        file=ZenodoFile(SCPERTURB, "ReplogleWeissman2022_K562_essential.h5ad"),
        options=CurateOptions(
            perturbation_column="perturbation",
            context="K562",
            modality=Modality.CRISPRI,
            drop=tuple(f"perturbation={word}" for word in UNASSIGNED),
            max_perturbations=500,
            licence=SCPERTURB_LICENCE,
            citation=f"Replogle et al. 2022, Cell, doi:10.1016/j.cell.2022.05.013; "
            f"{SCPERTURB_CITATION}",
            **CAUTIOUS_QC,
        ),
        expected=Counts(cells=310_385, genes=8_563, perturbations=2_057),
        batch_columns=("gemgroup", "gem_group", "batch"),
    )
)


def _adamson(name: str, summary: str, file: str, expected: Counts) -> Recipe:
    return Recipe(
        name=name,
        summary=summary,
        file=ZenodoFile(SCPERTURB, file),
        options=CurateOptions(
            perturbation_column="gene",
            context="K562",
            modality=Modality.CRISPRI,
            replicate_column="guide",
            licence=SCPERTURB_LICENCE,
            citation=ADAMSON_CITATION,
            **CAUTIOUS_QC,
        ),
        expected=expected,
        prepare=split_guides,
    )


ADAMSON_PILOT = register(
    _adamson(
        "adamson2016-10x001",
        "CRISPRi of 7 transcription factors in K562, the pilot (Adamson 2016).",
        "AdamsonWeissman2016_GSM2406675_10X001.h5ad",
        Counts(cells=5_768, genes=35_635, perturbations=7),
    )
)

ADAMSON_SCREEN = register(
    _adamson(
        "adamson2016-10x010",
        "CRISPRi of genes of the unfolded protein response in K562 (Adamson 2016).",
        "AdamsonWeissman2016_GSM2406681_10X010.h5ad",
        Counts(cells=65_337, genes=32_738),
    )
)


def _small_screens(
    name: str, summary: str, expected: Counts, where: tuple[str, ...] = ()
) -> Recipe:
    return Recipe(
        name=name,
        summary=summary,
        file=None,
        options=CurateOptions(
            perturbation_column="perturbation",
            combination_separator="+",
            context_column="context",
            modality_column="perturbation_type",
            counts_layer="counts",
            total_counts_column="ncounts",
            where=where,
            licence="BSD-3-Clause",
            citation="Norman et al. 2019, Science, doi:10.1126/science.aax4438 (GSE133344); "
            "McFaline-Figueroa et al. (GSE225775); file: PerturBench",
        ),
        expected=expected,
    )


SMALL_SOURCE = Counts(cells=5_961, genes=500, perturbations=33)

NORMAN_SMALL = register(
    _small_screens(
        "norman2019-mcfaline2023-small",
        "Parts of two screens: CRISPRa in K562, CRISPRi in three glioblastoma lines.",
        SMALL_SOURCE,
    )
)

NORMAN_ALONE = register(
    _small_screens(
        "norman2019-small",
        "CRISPRa in K562, of the file of parts of two screens (Norman 2019).",
        SMALL_SOURCE,
        where=("source_dataset=norman19",),
    )
)

MCFALINE_ALONE = register(
    _small_screens(
        "mcfaline2023-small",
        "CRISPRi in three glioblastoma lines, of the file of parts of two screens (McFaline).",
        SMALL_SOURCE,
        where=("source_dataset=mcfaline23",),
    )
)

PAPALEXI = register(
    Recipe(
        name="papalexi2021",
        summary="CRISPR knock-outs of 25 genes in THP-1, 299 genes measured (Papalexi 2021).",
        file=None,
        options=CurateOptions(
            perturbation_column="perturbation",
            context_column="context",
            modality=Modality.CRISPRKO,
            where=("confident_assignment=True",),
            licence="GPL-3.0",
            citation="Papalexi et al. 2021, Nature Genetics, doi:10.1038/s41588-021-00778-2 "
            "(GSE153056); file: sceptre",
        ),
        expected=Counts(cells=20_729, genes=299, perturbations=25),
        batch_columns=("batch",),
    )
)
