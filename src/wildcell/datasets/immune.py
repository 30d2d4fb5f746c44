"""Recipes of cytokine screens."""

from functools import partial

import anndata as ad
import numpy as np

from wildcell.datasets.curate_options import CurateOptions
from wildcell.datasets.labels import as_text
from wildcell.datasets.recipe import (
    CAUTIOUS_QC,
    Counts,
    Recipe,
    have_label,
    missing_columns,
    register,
)
from wildcell.errors import DataError
from wildcell.names import CONTROL, Modality
from wildcell.store.repository import WebFile

CD4_T_CELLS = "CD4 T cells"
INTERFERON = "IFNB1"
KANG_FILE = WebFile("https://figshare.com/ndownloader/files/34464122", "kang_counts_25k.h5ad")
KANG_CITATION = "Kang et al. 2018, Nature Biotechnology, doi:10.1038/nbt.4042 (GSE96583)"
KANG_LICENCE = "not stated with the file; GEO GSE96583 is public"
LABELS = {"ctrl": CONTROL, "stim": INTERFERON}


def name_interferon(cells: ad.AnnData, *, cell_type: str | None) -> tuple[ad.AnnData, list[str]]:
    """Name what the labels `ctrl` and `stim` stand for, and patients by their number.

    Adds the columns `stimulus` and `patient` to obs.

    Parameters
    ----------
    cells
        The source; `obs` has `label`, `cell_type` and `replicate`, the patient.
    cell_type
        The cell type to keep; None for all.

    Raises
    ------
    DataError
        A column is not there, or no cell is of this type.
    """
    missing_columns(cells, ["label", "cell_type", "replicate"])
    done: list[str] = []
    is_kept = have_label(cells, "cell_type", (), done)
    if cell_type is not None:
        is_kept = np.asarray(as_text(cells.obs["cell_type"]) == cell_type)
        if not is_kept.any():
            raise DataError(f"No cell is of the type {cell_type!r}.")
        done.append(f"Kept the {is_kept.sum()} {cell_type} of {cells.n_obs} cells.")
    labels = as_text(cells.obs["label"])
    cells.obs["stimulus"] = labels.map(LABELS).fillna(labels).to_numpy()
    cells.obs["patient"] = as_text(cells.obs["replicate"]).str.removeprefix("patient_").to_numpy()
    return (cells if is_kept.all() else cells[is_kept]), done


def _kang(
    name: str, summary: str, *, context: str, cell_type: str | None, replicate: str | None
) -> Recipe:
    return Recipe(
        name=name,
        summary=summary,
        file=KANG_FILE,
        options=CurateOptions(
            perturbation_column="stimulus",
            context_column=context,
            modality=Modality.CYTOKINE,
            replicate_column=replicate,
            licence=KANG_LICENCE,
            citation=KANG_CITATION,
            **CAUTIOUS_QC,
        ),
        expected=Counts(cells=24_673, genes=15_706, perturbations=1),
        prepare=partial(name_interferon, cell_type=cell_type),
    )


KANG = register(
    _kang(
        "kang2018",
        "IFN-beta on CD4 T cells of 8 patients, the contexts (Kang 2018).",
        context="patient",
        cell_type=CD4_T_CELLS,
        replicate=None,
    )
)

KANG_TYPES = register(
    _kang(
        "kang2018-cell-types",
        "IFN-beta on blood cells of 8 patients; the contexts are cell types (Kang 2018).",
        context="cell_type",
        cell_type=None,
        replicate="patient",
    )
)

KANG_SMALL = register(
    Recipe(
        name="kang2018-pbmc",
        summary="IFN-beta on seven types of blood cells, 1,975 cells (Kang 2018, as in scGen).",
        file=None,
        options=CurateOptions(
            perturbation_column="perturbation",
            context_column="context",
            modality=Modality.CYTOKINE,
            counts_layer="counts",
            total_counts_column="n_counts",
            licence="stated as GPL-3.0 and as MIT (scGen)",
            citation=f"{KANG_CITATION}; file: scGen",
        ),
        expected=Counts(cells=1_975, genes=6_998, perturbations=1),
    )
)
