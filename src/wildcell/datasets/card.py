"""The card of a data set: how much there is of what, how large effects are, how well measured.

The columns are described in docs/reference/card.md.
"""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from wildcell.datasets.card_conditions import Layout, lay_out, measure_conditions
from wildcell.datasets.card_moments import read_dataset
from wildcell.datasets.dataset import Dataset
from wildcell.errors import DataError
from wildcell.names import Status
from wildcell.store.atomic import write_json, write_table, writing
from wildcell.store.provenance import versions

CARD_VERSION = 1
CARD_FILE = "card.json"

METADATA = ["source", "licence", "citation", "sha256", "recipe_version"]
"""What a data set says of itself that its card repeats."""

AVERAGES = {
    "signal": "median",
    "reliability": "median",
    "split_half": "median",
    "systematic_variation": "mean",
}
"""What is averaged over the measured conditions of a context, and how."""


@dataclass(frozen=True)
class Card:
    """A data set in four tables.

    Attributes
    ----------
    dataset, fingerprint, seed
        What was looked at, and the seed of the halving of cells and controls.
    target_sum
        The library size that counts were brought to; None where there is none.
    summary
        One row: what the data set is.
    contexts
        One row a context.
    conditions
        One row a condition.
    targets
        One row a component of a genetic perturbation in a context.
    """

    dataset: str
    fingerprint: str
    seed: int
    target_sum: float | None
    summary: pd.DataFrame
    contexts: pd.DataFrame
    conditions: pd.DataFrame
    targets: pd.DataFrame

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables by name."""
        every = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in every.items() if isinstance(value, pd.DataFrame)}


def dataset_card(dataset: Dataset, *, seed: int = 0) -> Card:
    """Measure a data set.

    Cells are read a few thousand at a time; what is kept is a row of means a condition of one
    context, and the moments of the control groups.

    Parameters
    ----------
    dataset
        The curated screen; counts, log values or arrays.
    seed
        Of the random halves of cells and controls.

    Raises
    ------
    DataError
        There are no perturbed cells.

    Examples
    --------
    >>> from wildcell.datasets.load import load_dataset
    >>> card = dataset_card(load_dataset("simulated", n_contexts=2, n_perturbations=4))
    >>> card.contexts["n_perturbations"].tolist()
    [6, 6]
    """
    if dataset.is_control.all():
        raise DataError(
            f"All {dataset.cells.n_obs} cells of {dataset.name!r} are controls: there is nothing "
            "to measure. Give the right control label (wildcell curate --control)."
        )
    layout = lay_out(dataset)
    rng = np.random.default_rng(seed)
    reading = read_dataset(dataset, layout.halved, rng)
    conditions, targets = measure_conditions(dataset, layout, reading, rng)
    cells = reading.sizes.assign(is_control=dataset.is_control)
    return Card(
        dataset=dataset.name,
        fingerprint=dataset.fingerprint,
        seed=seed,
        target_sum=reading.target_sum,
        summary=_summary(dataset),
        contexts=pd.DataFrame(
            [
                _context_row(table, cells, layout)
                for _, table in conditions.groupby("context", sort=False)
            ]
        ),
        conditions=conditions,
        targets=targets,
    )


def write_card(folder: Path, card: Card) -> None:
    """Write a card as a folder: a Parquet file a table, and `card.json`.

    Raises
    ------
    StoreError
        The folder holds something, or cannot be written; nothing is left behind.
    """
    about = {
        "card_version": CARD_VERSION,
        "dataset": card.dataset,
        "fingerprint": card.fingerprint,
        "seed": card.seed,
        "target_sum": card.target_sum,
        "tables": {name: list(table) for name, table in card.tables.items()},
        "versions": versions(),
    }
    with writing(folder) as temporary:
        temporary.mkdir()
        for name, table in card.tables.items():
            write_table(temporary / f"{name}.parquet", table)
        write_json(temporary / CARD_FILE, about)


def _context_row(conditions: pd.DataFrame, cells: pd.DataFrame, layout: Layout) -> dict[str, Any]:
    groups = np.unique(layout.group_of_condition[conditions.index])
    is_control = cells["is_control"].to_numpy() & np.isin(layout.control_group, groups)
    is_perturbed = np.isin(layout.condition, conditions.index)
    told = conditions[conditions["status"] == Status.OK]
    row: dict[str, Any] = {
        "context": conditions["context"].iloc[0],
        "n_perturbations": len(conditions),
        "n_cells": int(is_perturbed.sum()),
        "n_controls": int(is_control.sum()),
        "n_control_groups": len(groups),
    }
    for name in cells.columns.drop("is_control"):
        row[f"{name}_controls"] = cells.loc[is_control, name].median()
        row[f"{name}_perturbed"] = cells.loc[is_perturbed, name].median()
    if "depth" in cells:
        row["depth_ratio"] = row["depth_perturbed"] / row["depth_controls"]
    return {
        **row,
        "n_measured": len(told),
        **told.agg(AVERAGES),
        "n_targets": int(conditions["n_targets"].sum()),
        "n_targets_as_expected": int(conditions["n_targets_as_expected"].sum()),
    }


def _summary(dataset: Dataset) -> pd.DataFrame:
    conditions, metadata = dataset.conditions, dataset.metadata
    combinations = conditions.loc[conditions["n_components"] > 1, "perturbation"]
    facts = {
        "dataset": dataset.name,
        "n_cells": dataset.cells.n_obs,
        "n_controls": int(dataset.is_control.sum()),
        "n_genes": dataset.cells.n_vars,
        "n_contexts": conditions["context"].nunique(),
        "n_perturbations": conditions["perturbation"].nunique(),
        "n_combinations": combinations.nunique(),
        "n_conditions": len(conditions),
        "modalities": ", ".join(sorted(set(conditions["modality"]))),
        "expression": str(dataset.expression),
        "gene_subset": bool(metadata["gene_subset"]),
    }
    return pd.DataFrame([facts | {name: str(metadata.get(name, "")) for name in METADATA}])
