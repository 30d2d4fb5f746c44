"""Files of graphs between components."""

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from wildcell.errors import DataError, OptionError
from wildcell.guards.tables import check_parquet, read_parquet
from wildcell.guards.texts import open_bytes
from wildcell.scenarios.feature_file import (
    FeatureOrigin,
    read_origin,
    with_origin,
    write_with_origin,
)
from wildcell.scenarios.graph_edges import EDGE_COLUMNS, checked_edges
from wildcell.store.fingerprint import fingerprint

UNREADABLE = (OSError, ValueError, TypeError, LookupError, MemoryError)
FORMATS = (".parquet", ".csv")


def read_graph(path: Path) -> pd.DataFrame:
    r"""Read the edges of a graph between components, a .parquet or .csv table.

    Returns
    -------
    Columns component, neighbour and weight, sorted.

    Raises
    ------
    DataError
        The file is absent, of no known format or damaged, or its edges cannot be used (see
        `wildcell.scenarios.graph_edges.checked_edges`).

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "graph.csv"
    >>> _ = file.write_text("component,neighbour,weight\nKLF1,BAK1,0.5\n")
    >>> read_graph(file).to_numpy().tolist()
    [['KLF1', 'BAK1', 0.5]]
    """
    if not path.is_file():
        raise DataError(f"There is no file {path}.")
    if path.suffix not in FORMATS:
        raise DataError(f"{path}: graphs are read from {', '.join(FORMATS)}.")
    try:
        table = read_parquet(path) if path.suffix == ".parquet" else _read_csv(path)
    except UNREADABLE as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise DataError(f"{path} cannot be read as a {path.suffix} file: {reason}.") from error
    try:
        return with_origin(checked_edges(table), read_origin(path))
    except OptionError as error:
        raise DataError(f"{path}: {error}") from error


def _read_csv(path: Path) -> pd.DataFrame:
    # A gene may be called NA or 007.
    texts = dict.fromkeys(EDGE_COLUMNS[:2], str)
    with open_bytes(path) as file:
        return pd.read_csv(file, dtype=texts, keep_default_na=False)


def is_graph_file(path: Path) -> bool:
    """Whether a file has the columns of a graph."""
    if path.suffix not in FORMATS or not path.is_file():
        return False
    try:
        columns = _columns(path)
    except (*UNREADABLE, DataError):
        return False
    return set(EDGE_COLUMNS) <= set(columns)


def _columns(path: Path) -> list[str]:
    if path.suffix == ".parquet":
        check_parquet(path)
        return list(pq.read_schema(path).names)
    with open_bytes(path) as file:
        return list(pd.read_csv(file, nrows=0))


def write_graph(path: Path, edges: pd.DataFrame, origin: FeatureOrigin) -> str:
    """Write the edges of a graph as Parquet with their origin, and return their fingerprint.

    The fingerprint is that of the edges as `read_graph` returns them.

    Parameters
    ----------
    path
        A .parquet file.
    edges
        Columns component, neighbour and weight.
    origin
        What they were made of.

    Raises
    ------
    OptionError
        `path` is no .parquet file, there are no edges, or they cannot be used.
    """
    if edges.empty:
        raise OptionError("None of the components has neighbours; nothing was written.")
    checked = checked_edges(edges)
    return write_with_origin(path, checked, origin, identity=fingerprint(checked))
