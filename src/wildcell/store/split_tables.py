"""The tables that a split follows from, such as a tree of contexts, kept beside what it made."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from wildcell.errors import StoreError
from wildcell.store.atomic import write_text

NAMES = ["scenario", "dataset", "arm", "seed"]
"""The first columns of each table: the question it belongs to, all folds of it."""


def write_split_tables(
    folder: Path, tables: Mapping[str, pd.DataFrame], question: tuple[str, str, str, int]
) -> None:
    """Write each table as FOLDER/NAME.csv, unless it is there already; without tables, nothing.

    Parameters
    ----------
    folder
        May be there already, and hold other files.
    tables
        By name.
    question
        Scenario, dataset, arm and seed, the first columns of each table.

    Raises
    ------
    ValueError
        A table has a column of such a name.
    """
    for name, table in tables.items():
        if taken := sorted(set(NAMES) & set(table.columns)):
            raise ValueError(f"the table {name} has columns of its question: {taken}")
        named = table.assign(**dict(zip(NAMES, question, strict=True)))
        text = named[[*NAMES, *table.columns]].to_csv(index=False)
        path = folder / f"{name}.csv"
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            write_text(path, text)


def read_split_tables(runs: Path, name: str) -> pd.DataFrame:
    """Return the tables of one name of all runs as one long table of texts.

    It has no rows where no split has such a table.
    """
    return _read_all(runs, f"split-*/{name}.csv")


def read_pool_tables(runs: Path, name: str) -> pd.DataFrame:
    """Return the tables of one name of what is pooled in all runs, as `read_split_tables` does."""
    return _read_all(runs, f"pool-*/{name}.csv")


def _read_all(runs: Path, pattern: str) -> pd.DataFrame:
    paths = sorted(runs.rglob(pattern))
    tables = [_read(path) for path in paths]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=NAMES)


def _read(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read: {error}. Delete it and run again.") from error
