"""Files of cells opened without reading their numbers, which are then read in chunks."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import zarr
from scipy import sparse

from wildcell.datasets.read import check_exists, explaining, read_cells
from wildcell.errors import DataError
from wildcell.guards.hdf5 import check_hdf5
from wildcell.guards.limits import check_regular
from wildcell.guards.zarr_folder import check_zarr
from wildcell.names import UNS
from wildcell.store.fingerprint import content_hash, fingerprint
from wildcell.streams.matrix import (
    CHUNK,
    Chunk,
    DenseRows,
    SparseColumns,
    SparseRows,
    Stream,
    read_all,
    stream_of,
)

Group: TypeAlias = Any  # h5py comes without types

LOADED = ("obs", "var", "uns")
"""What is read whole of a file whose numbers are left in it."""


@dataclass(frozen=True)
class OpenCells:
    """Cells whose labels are in memory and whose numbers may not be.

    Attributes
    ----------
    name
        What they are called in messages: a path, or that they came from memory.
    X
        Their numbers, shape (n_cells, n_genes).
    obs
        Labels, one row a cell.
    genes
        Names of genes, shape (n_genes,).
    uns
        What else the file says.
    path
        The file, None for cells in memory.
    """

    name: str
    X: Stream
    obs: pd.DataFrame
    genes: "pd.Index[Any]"
    uns: Mapping[str, Any]
    path: Path | None = None

    @property
    def stem(self) -> str:
        """The name of the file without folder and suffix, or that of cells in memory."""
        return self.name if self.path is None else self.path.stem


def open_cells(source: "Path | ad.AnnData", name: str = "") -> OpenCells:
    """Open an h5ad or zarr file, or cells in memory or backed by a file.

    Parameters
    ----------
    source
        What to open; it is never changed.
    name
        What messages call cells in memory.

    Raises
    ------
    DataError
        The file is absent, empty, truncated, or not what its suffix says; or the numbers are none.
    """
    if isinstance(source, ad.AnnData):
        return _of_memory(source, name or "the AnnData", None)
    check_exists(source)
    if source.suffix not in (".h5ad", ".zarr"):
        raise DataError(f"{source} is neither .h5ad nor .zarr; convert it with: wildcell curate")
    with opened(source) as file:
        if not is_known(file):
            return _of_memory(read_cells(source), str(source), source)
        uns = ad.io.read_elem(file["uns"]) if "uns" in file else {}
        return OpenCells(
            str(source),
            InFile(source, stored(file["X"], str(source)).shape, source.stat().st_mtime_ns),
            ad.io.read_elem(file["obs"]),
            ad.io.read_elem(file["var"]).index,
            uns,
            source,
        )


def content_of(source: "Path | ad.AnnData") -> str:
    """Return the hash of a file's bytes, or of cells in memory.

    Two files with the same bytes have the same cells; the reverse need not be.
    """
    if isinstance(source, ad.AnnData):
        X = source.X
        X = X if sparse.issparse(X) or isinstance(X, np.ndarray) else read_all(stored(X, "X"))
        return fingerprint(X, source.obs, list(source.var_names), source.uns.get(UNS, {}))
    if source.is_file():
        return content_hash(source).hex()
    files = sorted(file for file in source.rglob("*") if file.is_file())
    names = [file.relative_to(source).as_posix() for file in files]
    return fingerprint(names, [content_hash(file) for file in files])


def _of_memory(cells: ad.AnnData, name: str, path: Path | None) -> OpenCells:
    try:
        numbers = cells.X
    except (IndexError, ValueError) as error:
        raise DataError(
            f"The numbers of {name}, a view, cannot be taken: {error}. Give a copy, or choose "
            "genes by name."
        ) from error
    if numbers is None:
        raise DataError(f"{name} has no numbers in X.")
    X = stored(numbers, f"X of {name}")
    return OpenCells(name, X, cells.obs, cells.var_names, cells.uns, path)


def is_known(file: Group) -> bool:
    """Whether a file is laid out as anndata has done since 0.8."""
    return "X" in file and all(
        name in file and str(file[name].attrs.get("encoding-type", "")) == "dataframe"
        for name in ("obs", "var")
    )


def stored(X: Any, name: str) -> Stream:
    """Return the numbers of an AnnData or of a file as a stream."""
    if isinstance(X, ad.abc.CSRDataset | ad.abc.CSCDataset):
        X = X.group
    if isinstance(X, h5py.Group | zarr.Group):
        return _stored_sparse(X, name)
    if isinstance(X, h5py.Dataset | zarr.Array):
        return DenseRows(X, name)
    if sparse.issparse(X) or (isinstance(X, np.ndarray) and not np.ma.isMaskedArray(X)):
        return stream_of(X, name)
    raise DataError(f"{name} is a {type(X).__name__}; give a dense or sparse array.")


def _stored_sparse(group: Group, name: str) -> Stream:
    kind = str(group.attrs.get("encoding-type", ""))
    if kind not in {"csr_matrix", "csc_matrix"}:
        raise DataError(
            f"{name} is stored as {kind or 'something unknown'}, not CSR, CSC or dense."
        )
    n_cells, n_genes = map(int, group.attrs["shape"])
    across = kind == "csc_matrix"
    indptr = np.asarray(group["indptr"][:]).astype(np.int64)
    rows = SparseRows(
        group["data"],
        group["indices"],
        indptr,
        (n_genes, n_cells) if across else (n_cells, n_genes),
        name,
    )
    return SparseColumns(rows) if across else rows


@contextmanager
def opened(path: Path, *, again: bool = False, loaded: tuple[str, ...] = LOADED) -> Iterator[Group]:
    """Open a file of cells and close it; what readers raise becomes a `DataError`.

    Parameters
    ----------
    path
        An h5ad or zarr file.
    again
        Whether it was opened before; the many files of a zarr folder are not looked at then.
    loaded
        What will be read whole.
    """
    with ExitStack() as stack:
        stack.enter_context(explaining(path, path.suffix[1:]))
        if path.suffix == ".zarr":
            if not again:
                check_zarr(path, loaded=loaded)
            yield zarr.open_group(path, mode="r")
        else:
            check_regular(path)
            file = stack.enter_context(h5py.File(path))
            check_hdf5(file, path, loaded=loaded)
            yield file


@dataclass(frozen=True)
class InFile:
    """A matrix in a file that is open only while it is read, and may turn out to be damaged.

    Attributes
    ----------
    path
        The file.
    shape
        Number of cells and genes.
    written
        When it was written, in ns; it is not read once it is written again.
    """

    path: Path
    shape: tuple[int, int]
    written: int

    def chunks(self, n_values: int = CHUNK) -> Iterator[Chunk]:
        """Yield all rows in order, about `n_values` stored values at a time, a row at least."""
        with opened(self.path, again=True) as file:
            if self.path.stat().st_mtime_ns != self.written:
                raise DataError(f"{self.path} was changed while it was read; start again.")
            yield from stored(file["X"], str(self.path)).chunks(n_values)
