"""What perturbations of a file from elsewhere are made of: as it states, or what they look like."""

import re
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from wildcell.datasets.dataset import COMPONENT_COLUMNS
from wildcell.datasets.labels import some_of
from wildcell.errors import DataError
from wildcell.names import CONTROL, UNS, Modality
from wildcell.scenarios.reading import ReadCells

JOINTS = re.compile(r"[+_|;,&/]|\s+")
"""What stands between the names in labels of combinations."""

NOTHING = {CONTROL, "ctrl"}
"""Words for no perturbation in labels of combinations, as in `KLF1+ctrl`."""


def components_of(read: ReadCells) -> pd.DataFrame:
    """Return the parts of perturbations that a file states; else each is one part, its own.

    Returns
    -------
    Columns perturbation, component, dose, unit, time.

    Raises
    ------
    DataError
        What it states is no such table, or lacks perturbations.
    """
    stated, keys = read.cells.uns[UNS].get("components"), _perturbations(read)
    if stated is None:
        parts = {
            "perturbation": keys,
            "component": keys,
            "dose": np.nan,
            "unit": "",
            "time": np.nan,
        }
        return pd.DataFrame(parts)[COMPONENT_COLUMNS]
    table = _as_table(read.file, stated)
    lacking = sorted(set(keys) - set(table["perturbation"]))
    if lacking:
        raise DataError(
            f"{read.file}: uns[{UNS!r}]['components'] lacks {len(lacking)} of its perturbations: "
            f"{some_of(lacking)}. Add a row for each of their parts, or drop the table."
        )
    return table


def _as_table(file: str, stated: object) -> pd.DataFrame:
    columns = ", ".join(COMPONENT_COLUMNS)
    if not isinstance(stated, pd.DataFrame | Mapping):
        raise DataError(
            f"{file}: uns[{UNS!r}]['components'] is a {type(stated).__name__}; it must be a table "
            f"with the columns {columns}, or absent."
        )
    try:
        return pd.DataFrame(stated)[COMPONENT_COLUMNS]
    except (KeyError, ValueError) as error:
        found = ", ".join(map(str, stated)) or "none"
        raise DataError(
            f"{file}: uns[{UNS!r}]['components'] must be a table with the columns {columns}; "
            f"found: {found}."
        ) from error


def notes_on_parts(read: ReadCells) -> Iterator[str]:
    """Say whose parts and targets are taken to be other than they may be, in sentences."""
    if "components" not in read.cells.uns[UNS]:
        yield from _unsplit(read)
    unknown = sorted(set(read.cells.obs["modality"]) - {"", *Modality})
    if unknown:
        yield (
            f"{read.file}: unknown modalities, taken to be genetic: {some_of(unknown)}; known are "
            f"{', '.join(Modality)}."
        )


def _unsplit(read: ReadCells) -> Iterator[str]:
    """Say which perturbations look like combinations, whose parts are not known to be targets."""
    keys, genes = _perturbations(read), set(read.cells.var_names)
    known = {*genes, *keys}
    joined = [key for key in keys if key not in genes and _is_joined(key, known - {key})]
    if joined:
        yield (
            f"{read.file}: {len(joined)} perturbations look like combinations, such as "
            f"{joined[0]}; each counts as one, and the genes that its parts target are scored with "
            f"the others. State uns[{UNS!r}]['components'], or use wildcell curate, to leave "
            "them out."
        )


def _is_joined(key: str, known: set[str]) -> bool:
    """Whether a label is made of known names, two at least or one beside a word for nothing."""
    parts = [part for part in JOINTS.split(key) if part]
    return (
        len(parts) > 1
        and any(part in known for part in parts)
        and all(part in known or part in NOTHING for part in parts)
    )


def _perturbations(read: ReadCells) -> list[str]:
    return sorted(set(read.cells.obs["perturbation"]) - {CONTROL})
