"""Tables of prior knowledge, read as text."""

import zlib
from pathlib import Path

import pandas as pd

from wildcell.datasets.labels import find_column
from wildcell.errors import DataError
from wildcell.guards.texts import open_bytes


def read_source_table(path: Path) -> pd.DataFrame:
    """Read a csv or tsv file, gzipped or not, as text: a gene may be called NA.

    Raises
    ------
    DataError
        The file is absent, empty or unreadable.
    """
    if not path.is_file():
        raise DataError(f"There is no file {path}.")
    separator = "," if ".csv" in path.suffixes else "\t"
    try:
        with open_bytes(path) as file:
            return pd.read_csv(file, sep=separator, dtype=str, keep_default_na=False)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise DataError(
            f"{path} cannot be read as a table (csv with commas, or else with tabs): {error}."
        ) from error


def text_column(table: pd.DataFrame, name: str, option: str) -> "pd.Series[str]":
    """Return a column that an option names, without blanks around its texts."""
    return find_column(table, name, option).str.strip()
