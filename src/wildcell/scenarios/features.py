"""Features of perturbation components, from a file of one's own."""

from pathlib import Path

import pandas as pd

from wildcell.errors import DataError

SUFFIXES = {".parquet", ".csv"}


def read_features(path: Path) -> pd.DataFrame:
    """Read a table of features: a row a component, with its name in the index or first column.

    Raises
    ------
    DataError
        The file is absent, not a table, or has no names or no features.
    """
    if not path.is_file():
        raise DataError(f"There is no file {path}.")
    if path.suffix not in SUFFIXES:
        raise DataError(f"{path}: features are read from .parquet or .csv.")
    try:
        table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as a table: {error}.") from error
    if isinstance(table.index, pd.RangeIndex) and table.shape[1] > 0:
        table = table.set_index(table.columns[0])
    if table.empty:
        raise DataError(f"{path} holds no features; give a row a component and a column a feature.")
    return table.set_axis(table.index.astype(str)).rename_axis("component")
