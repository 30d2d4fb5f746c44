"""Embeddings of cells, read from a file."""

import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata as ad
import h5py
import numpy as np
import pandas as pd
from scipy import sparse

from wildcell.arrays import Floats
from wildcell.datasets.labels import some_of
from wildcell.errors import DataError, OptionError
from wildcell.guards.archives import open_npz
from wildcell.guards.hdf5 import check_hdf5
from wildcell.guards.tables import read_parquet
from wildcell.registry import did_you_mean

UNREADABLE = (
    OSError,
    EOFError,
    LookupError,
    ValueError,
    TypeError,
    RuntimeError,
    MemoryError,
    AttributeError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What readers raise on files that are damaged or not what their name says."""


def read_embedding(path: Path, *, key: str = "") -> pd.DataFrame:
    """Read an embedding of cells from a file.

    Parameters
    ----------
    path
        A .npz file with the arrays `names`, shape (n_cells,), and `embedding`, shape
        (n_cells, n_dimensions); a .parquet table with the names in its index or first column; or
        an .h5ad file, of which nothing but the names and one embedding is read.
    key
        Of `obsm`, in an .h5ad file.

    Returns
    -------
    Shape (n_cells, n_dimensions), indexed by the names of cells.

    Raises
    ------
    DataError
        The file is absent, of no known format or damaged, names a cell twice, or holds no numbers.
    OptionError
        There is no such key, or none was named.
    """
    check_is_file(path)
    if path.suffix not in READERS:
        raise DataError(f"{path}: embeddings are read from {', '.join(READERS)}.")
    try:
        names, values = READERS[path.suffix](path, key)
    except UNREADABLE as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise DataError(f"{path} cannot be read as an embedding: {reason}.") from error
    numbers = embedding_numbers(values, str(path))
    if len(names) != len(numbers):
        raise DataError(f"{path} has {len(names)} names for {len(numbers)} cells.")
    index = pd.Index(np.asarray(names).astype(str))
    if index.has_duplicates:
        raise DataError(
            f"{path} names cells twice: {some_of(index[index.duplicated()].unique(), 3)}; "
            "give each cell one row."
        )
    return pd.DataFrame(numbers, index=index)


def _read_npz(path: Path, key: str) -> tuple[Any, Any]:  # noqa: ARG001 - as the other readers
    with open_npz(path) as arrays:
        return arrays["names"], arrays["embedding"]


def _read_parquet(path: Path, key: str) -> tuple[Any, Any]:  # noqa: ARG001
    table = read_parquet(path)
    if isinstance(table.index, pd.RangeIndex):
        table = table.set_index(table.columns[0])
    return table.index, table


def _read_h5ad(path: Path, key: str) -> tuple[Any, Any]:
    with h5py.File(path) as file:
        check_hdf5(file, path, loaded=("obs", "obsm"))
        if key not in file["obsm"]:
            raise OptionError(
                f"{path} has no obsm[{key!r}]; name one as file:{path}#KEY. "
                f"{did_you_mean(key, file['obsm'])}"
            )
        names = file["obs"][file["obs"].attrs["_index"]].asstr()[:]
        return names, ad.io.read_elem(file["obsm"][key])


READERS: dict[str, Callable[[Path, str], tuple[Any, Any]]] = {
    ".npz": _read_npz,
    ".parquet": _read_parquet,
    ".h5ad": _read_h5ad,
}


def embedding_numbers(values: Any, place: str) -> Floats:
    """Return an embedding, kept as an array, a sparse matrix or a table, as numbers.

    Parameters
    ----------
    values
        Shape (n_cells, n_dimensions).
    place
        Where it was found, for messages.

    Raises
    ------
    DataError
        It is not made of numbers, or has another number of axes, or is empty.
    """
    dense = values.toarray() if sparse.issparse(values) else values
    try:
        numbers = np.array(dense, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"The embedding in {place} is not made of numbers: {error}.") from error
    if numbers.ndim != 2 or 0 in numbers.shape:
        raise DataError(
            f"The embedding in {place} has the shape {numbers.shape}; give a row a cell and a "
            "column a dimension."
        )
    return numbers


def check_is_file(path: Path) -> None:
    """Raise `DataError` where there is no such file."""
    if not path.is_file():
        raise DataError(f"There is no file {path}.")
