"""Recipes of drug screens."""

from functools import partial

import anndata as ad
import numpy as np
import pandas as pd

from wildcell.arrays import Booleans
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
from wildcell.names import CONTROL, Expression, Modality
from wildcell.store.repository import ZenodoFile

MOLAR = {"nM": 1e-9, "uM": 1e-6, "mM": 1e-3, "M": 1.0}
MICRO_SIGNS = str.maketrans("µμ", "uu")
DOSE = r"^\s*(?P<number>[0-9.]+(?:[eE][+-]?\d+)?)\s*(?P<unit>[a-zA-Zµμ]*)\s*$"


def keep_one_time(
    cells: ad.AnnData, *, hours: float, unit: str, is_pooled: bool = False
) -> tuple[ad.AnnData, list[str]]:
    """Keep cells of one time, and write doses as numbers of one unit.

    Parameters
    ----------
    cells
        The source; `obs` has `perturbation`, `dose_value` (numbers, or text with or without a
        unit) and `time` in hours; `dose_unit` where doses have one of their own; for pools
        `perturbation_type` and `cell_quality`.
    hours
        The time to keep.
    unit
        What doses are brought to, and are in where nothing is said.
    is_pooled
        Whether lines were pooled and told apart by their genotypes: then doublets and cells of
        low quality are dropped, and CRISPR arms.

    Raises
    ------
    DataError
        A column is not there.
    """
    own = ["perturbation_type", "cell_quality"] if is_pooled else []
    missing_columns(cells, ["perturbation", "dose_value", "time", *own])
    done: list[str] = []
    is_kept = have_label(cells, "perturbation", UNASSIGNED, done)
    if is_pooled:
        for column, value in {"cell_quality": "normal", "perturbation_type": "drug"}.items():
            is_kept = _with_value(is_kept, as_text(cells.obs[column]), value, done)
    times = _numbers(cells.obs["time"])
    is_kept = _and(is_kept, times == hours, f"of other times than {hours:g} h", done)
    is_control = as_text(cells.obs["perturbation"]) == CONTROL
    doses, is_known = _doses(cells.obs, unit)
    is_kept = _and(is_kept, is_known | is_control, "of a drug at no known dose", done)
    cells.obs["time"] = times
    cells.obs["dose_value"] = doses
    return (cells if is_kept.all() else cells[is_kept]), done


def _and(is_kept: Booleans, condition: "pd.Series[bool]", what: str, done: list[str]) -> Booleans:
    is_dropped = is_kept & ~np.asarray(condition)
    if is_dropped.any():
        done.append(f"Dropped {is_dropped.sum()} cells {what}.")
    return np.asarray(is_kept & ~is_dropped)


def _with_value(
    is_kept: Booleans, labels: "pd.Series[str]", value: str, done: list[str]
) -> Booleans:
    others = labels[is_kept & np.asarray(labels != value)].value_counts()
    listing = ", ".join(f"{count} {label or 'no label'}" for label, count in others.items())
    what = f"whose {labels.name} is not {value} ({listing})"
    return _and(is_kept, labels == value, what, done)


def _numbers(column: "pd.Series[str]") -> "pd.Series[float]":
    return pd.to_numeric(as_text(column), errors="coerce").astype(float)


def _doses(obs: pd.DataFrame, unit: str) -> tuple["pd.Series[float]", "pd.Series[bool]"]:
    found = as_text(obs["dose_value"]).str.extract(DOSE)
    stated = found["unit"].fillna("")
    if "dose_unit" in obs:
        stated = stated.where(stated != "", as_text(obs["dose_unit"]))
    molar = stated.replace("", unit).str.translate(MICRO_SIGNS).map(MOLAR).astype(float)
    doses = pd.to_numeric(found["number"], errors="coerce") * (molar / MOLAR[unit])
    return doses, doses.notna()


MCFARLAND = register(
    Recipe(
        name="mcfarland2020",
        summary="Drugs for 24 h on pools of cancer lines (MIX-seq, McFarland 2020).",
        file=ZenodoFile(SCPERTURB, "McFarlandTsherniak2020.h5ad"),
        options=CurateOptions(
            perturbation_column="perturbation",
            context_column="cell_line",
            modality=Modality.DRUG,
            dose_column="dose_value",
            dose_unit="uM",
            time_column="time",
            min_controls=20,
            licence=SCPERTURB_LICENCE,
            citation="McFarland et al. 2020, Nature Communications, "
            f"doi:10.1038/s41467-020-17440-w; {SCPERTURB_CITATION}",
            **CAUTIOUS_QC,
        ),
        expected=Counts(cells=182_875),
        prepare=partial(keep_one_time, hours=24.0, unit="uM", is_pooled=True),
        batch_columns=("channel",),
    )
)

SRIVATSAN = register(
    Recipe(
        name="srivatsan2020",
        summary="188 compounds at 4 doses on A549, K562 and MCF7 (sci-Plex 3, Srivatsan 2020).",
        file=ZenodoFile(SCPERTURB, "SrivatsanTrapnell2020_sciplex3.h5ad"),
        options=CurateOptions(
            perturbation_column="perturbation",
            # No separator: "(+)-JQ1" and "ENMD-2076 L-(+)-Tartaric acid" are one compound each.
            context_column="cell_line",
            modality=Modality.DRUG,
            dose_column="dose_value",
            dose_unit="nM",
            time_column="time",
            licence=SCPERTURB_LICENCE,
            citation="Srivatsan et al. 2020, Science, doi:10.1126/science.aax6234; "
            f"{SCPERTURB_CITATION}",
            **CAUTIOUS_QC,
        ),
        expected=Counts(cells=799_317, perturbations=188),
        prepare=partial(keep_one_time, hours=24.0, unit="nM"),
        batch_columns=("plate", "batch"),
        replicate_columns=("replicate",),
    )
)

ZHAO = register(
    Recipe(
        name="zhao2021",
        summary="Panobinostat on slices of five patients' glioblastomas, 300 genes (Zhao 2021).",
        file=None,
        options=CurateOptions(
            perturbation_column="perturbation",
            context_column="context",
            modality=Modality.DRUG,
            dose_column="dose",
            dose_unit="uM",
            licence="MIT",
            citation="Zhao et al. 2021, Genome Medicine, doi:10.1186/s13073-021-00894-y "
            "(GSE148842); file: lemur",
        ),
        expected=Counts(cells=5_000, genes=300, perturbations=1),
    )
)

TGGATES = register(
    Recipe(
        name="tggates",
        summary="146 compounds at 3 doses and 3 times on human hepatocytes, arrays (TG-GATEs).",
        file=None,
        options=CurateOptions(
            perturbation_column="perturbation",
            context_column="context",
            control_group_column="compound",
            modality=Modality.DRUG,
            expression=Expression.LOG2,
            dose_column="dose",
            dose_unit="uM",
            time_column="time",
            licence="MIT (ToxicoGx); data: Open TG-GATEs",
            citation="Igarashi et al. 2015, Nucleic Acids Research, doi:10.1093/nar/gku955; "
            "file: ToxicoGx",
        ),
        expected=Counts(cells=2_382, genes=196, perturbations=146),
        batch_columns=("batch",),
        replicate_columns=("replicate",),
    )
)
