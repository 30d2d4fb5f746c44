"""Features of perturbation components, from a file of one's own."""

import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import pandas as pd

from wildcell.datasets.labels import some_of
from wildcell.errors import DataError, MissingExtraError, OptionError
from wildcell.guards.archives import check_zip, open_npz
from wildcell.guards.limits import check_memory
from wildcell.guards.tables import read_parquet
from wildcell.guards.texts import open_bytes
from wildcell.scenarios.feature_arms import checked_features
from wildcell.scenarios.feature_file import read_origin, with_origin

UNREADABLE = (
    OSError,
    EOFError,
    LookupError,
    TypeError,
    ValueError,
    RuntimeError,
    MemoryError,
    AttributeError,
    AssertionError,
    NotImplementedError,
    zlib.error,
    zipfile.BadZipFile,
)
"""What readers raise on files that are damaged or not what their name says."""

MISSING_NUMBERS = ["", "NA", "NaN", "nan", "null"]


def read_features(path: Path) -> pd.DataFrame:
    r"""Read a matrix of features: a row a component, a column a feature.

    Nothing in the file is ever run: arrays of Python objects are refused.

    Parameters
    ----------
    path
        A .parquet or .csv table with the names in its index or first column; a .npz file with the
        arrays `names`, shape (n_components,), and `features`, shape (n_components, n_features);
        or a .pt file with a dictionary from names to vectors, as of a protein language model.

    Returns
    -------
    Shape (n_components, n_features), finite numbers, indexed by `component`; with the origin that
    the file tells (see `wildcell.scenarios.feature_file.origin_of`).

    Raises
    ------
    DataError
        The file is absent, of no known format or damaged, holds no features, names a component
        twice or not at all, or has features that are no finite numbers.
    MissingExtraError
        The file is a .pt file and torch is not installed.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "features.csv"
    >>> _ = file.write_text("component,x,y\nKLF1,1,0\nBAK1,0,1\n")
    >>> read_features(file).loc["BAK1"].tolist()
    [0.0, 1.0]
    """
    if not path.is_file():
        raise DataError(f"There is no file {path}.")
    if path.suffix not in READERS:
        raise DataError(f"{path}: features are read from {', '.join(READERS)}.")
    try:
        table = READERS[path.suffix](path)
    except UNREADABLE as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise DataError(f"{path} cannot be read as a {path.suffix} file: {reason}.") from error
    except DataError as error:
        said = str(error)
        raise DataError(said if str(path) in said else f"{path}: {said}") from error
    named = table.set_axis(table.index.astype(str)).rename_axis("component")
    return with_origin(_checked(path, named), read_origin(path))


def _checked(path: Path, table: pd.DataFrame) -> pd.DataFrame:
    if table.empty:
        raise DataError(f"{path} holds no features; give a row a component and a column a feature.")
    if (table.index.str.strip() == "").any():
        raise DataError(f"{path} has rows without the name of a component; name or drop them.")
    try:
        return checked_features(table)
    except OptionError as error:
        raise DataError(f"{path}: {error}") from error


def _read_parquet(path: Path) -> pd.DataFrame:
    return _named_by_first_column(read_parquet(path))


def _read_csv(path: Path) -> pd.DataFrame:
    with open_bytes(path) as file:
        first, *others = pd.read_csv(file, nrows=0).columns
    # A gene may be called NA or 007; only numbers can be missing.
    missing = dict.fromkeys(others, MISSING_NUMBERS)
    with open_bytes(path) as file:
        table = pd.read_csv(file, dtype={first: str}, na_values=missing, keep_default_na=False)
    if not isinstance(table.index, pd.RangeIndex):
        raise DataError("its rows have more values than its first line; give each column a name.")
    return _named_by_first_column(table)


def _named_by_first_column(table: pd.DataFrame) -> pd.DataFrame:
    if isinstance(table.index, pd.RangeIndex) and table.shape[1] > 0:
        return table.set_index(table.columns[0])
    return table


def _read_npz(path: Path) -> pd.DataFrame:
    with open_npz(path) as arrays:
        lacking = {"names", "features"} - set(arrays)
        if lacking:
            raise DataError(
                f"it has the arrays {', '.join(arrays) or 'none'}; name two `names` and `features`."
            )
        names, values = arrays["names"], arrays["features"]
    if values.ndim != 2 or names.shape != values.shape[:1]:
        raise DataError(
            f"features of shape {values.shape} do not fit names of shape {names.shape}; "
            "give a row a name."
        )
    return pd.DataFrame(
        values, index=pd.Index(names.astype(str)), columns=_columns(values.shape[1])
    )


def _read_torch(path: Path) -> pd.DataFrame:
    try:
        import torch  # noqa: PLC0415 - an extra, and slow to import
    except ImportError as error:
        raise MissingExtraError("Reading a .pt file", "torch") from error
    check_zip(path)
    try:
        vectors = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise DataError(
            "it holds more than tensors, which is not read because it could run code; save a "
            "dictionary from names to tensors."
        ) from error
    if not isinstance(vectors, dict) or not all(map(torch.is_tensor, vectors.values())):
        raise DataError("it does not hold a dictionary from names to tensors.")
    if any(vector.is_complex() for vector in vectors.values()):
        raise DataError("its tensors are complex; features are real numbers.")
    check_memory(str(path), sum(8 * vector.numel() for vector in vectors.values()))
    # Tensors of bfloat16 cannot become arrays.
    return _table_of({name: vector.to(torch.float64).numpy() for name, vector in vectors.items()})


def _table_of(vectors: dict[Any, np.ndarray[Any, Any]]) -> pd.DataFrame:
    odd = [name for name, vector in vectors.items() if vector.ndim != 1]
    if odd:
        raise DataError(f"{some_of(odd)} are no vectors; average them to one vector a name.")
    lengths = sorted({len(vector) for vector in vectors.values()})
    if len(lengths) > 1:
        raise DataError(
            f"vectors have from {lengths[0]} to {lengths[-1]} features; all need the same number."
        )
    values = np.array(list(vectors.values())).reshape(len(vectors), -1)
    return pd.DataFrame(values, index=list(map(str, vectors)), columns=_columns(values.shape[1]))


def _columns(n: int) -> Iterable[str]:
    return [f"feature-{number}" for number in range(1, n + 1)]


READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".parquet": _read_parquet,
    ".csv": _read_csv,
    ".npz": _read_npz,
    ".pt": _read_torch,
}
