"""Reading a file of cells, or saying plainly why it cannot be read."""

import hashlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from csv import QUOTE_NONE
from pathlib import Path
from typing import Any, TypeAlias

import anndata as ad
import h5py
import numpy as np
import pandas as pd
from anndata._io.specs.registry import IORegistryError  # anndata exports it nowhere
from scipy import sparse
from scipy.io import mminfo, mmread

from wildcell.datasets.labels import some_of
from wildcell.errors import DataError
from wildcell.guards.hdf5 import check_hdf5
from wildcell.guards.limits import check_memory, check_regular, unchanged
from wildcell.guards.tables import read_parquet
from wildcell.guards.texts import open_bytes
from wildcell.guards.zarr_folder import check_zarr
from wildcell.store.fingerprint import file_sha256

CELLS_SUFFIXES = (".h5ad", ".zarr")

BYTES_PER_ENTRY = 16
"""Of a value of a matrix with its place."""

UNREADABLE = (
    OSError,
    EOFError,
    LookupError,
    ValueError,
    TypeError,
    RuntimeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    MemoryError,
    zlib.error,
    IORegistryError,
)
"""What readers raise on files that are damaged or not what their name says."""

Group: TypeAlias = Any  # h5py comes without types


def read_cells(path: Path) -> ad.AnnData:
    """Read an h5ad or zarr file into memory.

    Raises
    ------
    DataError
        The file is absent, empty, truncated, or not what its suffix says; or it is one that a
        guard refuses (see `wildcell.guards`).
    """
    check_exists(path)
    if path.suffix not in CELLS_SUFFIXES:
        raise DataError(f"{path} is neither .h5ad nor .zarr; convert it with: wildcell curate")
    with explaining(path, path.suffix[1:]), unchanged(path):
        check_store(path)
        cells = ad.read_zarr(path) if path.suffix == ".zarr" else ad.read_h5ad(path)
        check_sparse(cells)
        return cells


def check_store(path: Path) -> None:
    """Look at a file of cells before all of it is read (see `wildcell.guards`).

    Raises
    ------
    DataError
        A guard refuses it.
    """
    if path.suffix == ".zarr":
        check_zarr(path)
        return
    check_regular(path)
    with h5py.File(path) as file:
        check_hdf5(file, path)


def check_sparse(cells: ad.AnnData) -> None:
    """Refuse sparse matrices with values beyond their shape, which nothing else looks at.

    Raises
    ------
    ValueError
        There is one.
    """
    raw = [] if cells.raw is None else [cells.raw.X]
    aligned = (cells.layers, cells.obsm, cells.varm, cells.obsp, cells.varp)
    for matrix in (cells.X, *raw, *(value for group in aligned for value in group.values())):
        if sparse.issparse(matrix):
            matrix.check_format(full_check=True)


def read_source(path: Path) -> ad.AnnData:
    """Read cells in any of the formats that can be curated.

    These are h5ad, zarr, the `.h5` files of Cell Ranger (version 2 and later), and folders with
    `matrix.mtx`, `barcodes.tsv` and `features.tsv` or `genes.tsv`, gzipped or not, with or
    without a prefix. Cell Ranger's cells are named by barcode and its genes by symbol; `var` has
    `ensembl_id` and, where known, `feature_types`.

    Raises
    ------
    DataError
        The file is absent, empty, truncated, of no known format, or its parts do not fit.
    """
    check_exists(path)
    if path.suffix in CELLS_SUFFIXES:
        return read_cells(path)
    if path.is_dir():
        return _read_10x_folder(path)
    if path.suffix == ".h5":
        with explaining(path, "a Cell Ranger .h5"), h5py.File(path) as file:
            check_hdf5(file, path)
            return _read_10x_h5(path, file)
    raise DataError(
        f"{path} is of no known format; these can be read: .h5ad, .zarr, Cell Ranger's .h5, and "
        "folders with matrix.mtx, barcodes.tsv and features.tsv."
    )


def source_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, or of the names and hashes of all files in a folder."""
    if path.is_file():
        return file_sha256(path)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    listing = [f"{file_sha256(file)}  {file.relative_to(path).as_posix()}\n" for file in files]
    return hashlib.sha256("".join(listing).encode()).hexdigest()


def read_labels(path: Path) -> pd.DataFrame:
    """Read a table of labels of cells, indexed by its first column, the barcodes.

    Parameters
    ----------
    path
        A csv, tsv or parquet file; csv and tsv may be gzipped, and are read as text, in which
        empty fields and NA are missing.

    Raises
    ------
    DataError
        The file is absent, empty, unreadable, or names a barcode twice.
    """
    check_exists(path)
    with explaining(path, "a table of labels (csv, tsv or parquet)"):
        table = _read_table(path)
        table = table.set_index(table.columns[0])
    table.index = table.index.astype(str)
    repeated = table.index[table.index.duplicated()].unique()
    if len(repeated):
        raise DataError(
            f"{path} names {len(repeated)} barcodes more than once: {some_of(repeated)}. The first "
            "column must name each cell once."
        )
    return table


def _read_table(path: Path) -> pd.DataFrame:
    if path.suffix == ".parquet":
        table = read_parquet(path)
        return table if isinstance(table.index, pd.RangeIndex) else table.reset_index()
    separator = "," if ".csv" in path.suffixes else "\t"
    with open_bytes(path) as file:
        return pd.read_csv(
            file, sep=separator, dtype=str, keep_default_na=False, na_values=["", "NA"]
        )


def check_exists(path: Path) -> None:
    """Raise `DataError` for a path with nothing there, or an empty file."""
    if not path.exists():
        raise DataError(f"There is no file {path}.")
    if path.is_file() and path.stat().st_size == 0:
        raise DataError(f"{path} is empty.")


@contextmanager
def explaining(path: Path, kind: str) -> Iterator[None]:
    """Turn what readers raise on a damaged file into a `DataError` that says so."""
    try:
        yield
    except UNREADABLE as error:
        reason = (str(error).splitlines() or [""])[0][:200]
        raise DataError(
            f"{path} cannot be read as {kind}: it is damaged, cut short or something else "
            f"({type(error).__name__}: {reason})."
        ) from error


def _read_10x_h5(path: Path, file: Group) -> ad.AnnData:
    if "matrix" in file:
        group = file["matrix"]
        features = group["features"]
        genes = {"symbol": features["name"], "id": features["id"], "type": features["feature_type"]}
    else:
        # Cell Ranger 2 keeps one group a genome.
        genomes = [name for name in file if "barcodes" in file[name]]
        if len(genomes) != 1:
            raise DataError(
                f"{path} holds {len(genomes)} matrices ({some_of(genomes)}), not one: it is no "
                "Cell Ranger file of one genome."
            )
        group = file[genomes[0]]
        genes = {"symbol": group["gene_names"], "id": group["genes"]}
    matrix = sparse.csc_matrix(
        (group["data"][:], group["indices"][:], group["indptr"][:]), shape=tuple(group["shape"][:])
    )
    matrix.check_format(full_check=True)
    table = pd.DataFrame({name: values.asstr()[:] for name, values in genes.items()})
    return _assemble(path, matrix.T, list(group["barcodes"].asstr()[:]), table)


def _read_10x_folder(folder: Path) -> ad.AnnData:
    with explaining(folder, "a folder of Cell Ranger"):
        matrix = _read_matrix(_part(folder, "matrix.mtx"))
        barcodes = _read_columns(_part(folder, "barcodes.tsv"))[0]
        table = _read_columns(_part(folder, "features.tsv", "genes.tsv"))
        names = dict(enumerate(["id", "symbol", "type"]))
        genes = table.iloc[:, : len(names)].rename(columns=names)
        if "symbol" not in genes:
            genes["symbol"] = genes["id"]
        return _assemble(folder, sparse.csr_matrix(matrix).T, list(barcodes), genes)


def _part(folder: Path, *names: str) -> Path:
    endings = tuple(name + suffix for name in names for suffix in ("", ".gz"))
    found = sorted(path for path in folder.iterdir() if path.name.endswith(endings))
    if len(found) != 1:
        raise DataError(
            f"{folder} holds {len(found)} files called {' or '.join(names)} (or .gz), not one; a "
            "folder of Cell Ranger has matrix.mtx, barcodes.tsv and features.tsv."
        )
    return found[0]


def _read_matrix(path: Path) -> sparse.spmatrix:
    """Read a Matrix Market file, unless its first lines promise more than can be."""
    with open_bytes(path) as file:
        n_rows, n_columns, n_values, kind, *_ = mminfo(file)
    longest = max(n_rows, n_columns) if kind == "coordinate" else n_rows * n_columns
    check_memory(f"The matrix of {path}", BYTES_PER_ENTRY * (longest + n_values))
    with open_bytes(path) as file:
        return mmread(file)


def _read_columns(path: Path) -> pd.DataFrame:
    with open_bytes(path) as file:
        return pd.read_csv(
            file, sep="\t", header=None, dtype=str, keep_default_na=False, quoting=QUOTE_NONE
        )


def _assemble(
    path: Path, matrix: sparse.spmatrix, barcodes: list[str], genes: pd.DataFrame
) -> ad.AnnData:
    if matrix.shape != (len(barcodes), len(genes)):
        raise DataError(
            f"The matrix of {path} has {matrix.shape[0]} cells and {matrix.shape[1]} genes, but "
            f"there are {len(barcodes)} barcodes and {len(genes)} genes: it is not all of one file."
        )
    var = genes.rename(columns={"id": "ensembl_id", "type": "feature_types"}).set_index("symbol")
    counts = sparse.csr_matrix(matrix, dtype=np.float32)
    return ad.AnnData(counts, obs=pd.DataFrame(index=pd.Index(barcodes)), var=var)
