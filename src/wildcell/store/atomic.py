"""Files and folders that are either whole or not there."""

import errno
import json
import os
import re
import secrets
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anndata as ad
import h5py
import pandas as pd

from wildcell.errors import DataError, StoreError
from wildcell.guards.tables import read_parquet
from wildcell.guards.texts import open_bytes

PART = re.compile(r"\..*\.[0-9a-f]{8}\.part")
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, moved onto it when the block ends without error.

    The block makes a file there, or a folder; a folder takes the place of one that is there.

    Raises
    ------
    StoreError
        The folder cannot be made or written, or the disk is full; nothing is left behind.
    """
    path = path.resolve()
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    if path.is_dir() and any(path.iterdir()) and not _is_zarr(path):
        raise StoreError(f"{path} is a folder that is not empty; delete it, or name another place.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _move(temporary, path)
    except StoreError as error:  # of a file inside a folder: named by where it would lie
        raise StoreError(str(error).replace(temporary.name, path.name)) from error
    except OSError as error:
        raise StoreError(_explain(path, error)) from error
    finally:
        _remove(temporary)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a mapping as indented JSON, atomically; NaN is refused."""
    text = json.dumps(content, indent=2, sort_keys=True, allow_nan=False, default=str)
    with writing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as Parquet or CSV, after the suffix of `path`, atomically."""
    check_table(path)
    with writing(path) as temporary:
        if path.suffix == ".csv":
            table.to_csv(temporary, index=False)
        else:
            table.to_parquet(temporary, index=table.index.name is not None)


def read_table(path: Path) -> pd.DataFrame:
    """Read what `write_table` wrote.

    Raises
    ------
    DataError
        It cannot be read as a table.
    """
    if path.suffix == ".parquet":
        return read_parquet(path)
    with open_bytes(path) as file:
        try:
            return pd.read_csv(file)
        except ValueError as error:  # whatever the parser does not like is one
            raise DataError(f"{path} cannot be read as a table: {error}") from error


def write_text(path: Path, text: str) -> None:
    """Write a text file, atomically."""
    with writing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file of bytes, atomically."""
    with writing(path) as temporary:
        temporary.write_bytes(content)


def write_cells(path: Path, cells: ad.AnnData) -> None:
    """Write an AnnData as zarr or compressed h5ad, after the suffix of `path`, atomically."""
    check_cells_file(path)
    with writing(path) as temporary:
        if path.suffix != ".zarr":
            temporary.write_bytes(_h5ad_image(cells))
            return
        with warnings.catch_warnings(), ad.settings.override(zarr_write_format=3):
            warnings.simplefilter("ignore")  # about defaults of later versions
            cells.write_zarr(temporary)


def check_cells_file(path: Path) -> None:
    """Raise `StoreError` unless cells can be written under this name."""
    _check_suffix(path, {".h5ad", ".zarr"})


def check_table(path: Path) -> None:
    """Raise `StoreError` unless a table can be written under this name."""
    _check_suffix(path, {".parquet", ".csv"})


def remove_parts(folder: Path) -> None:
    """Delete what a process that died left half written; no other may be writing in the folder."""
    for path in folder.iterdir():
        if PART.fullmatch(path.name):
            _remove(path)


def is_disk_full(error: BaseException) -> bool:
    """Whether an error, or what it came from, is a disk that takes no more."""
    while error.__cause__ is not None and not isinstance(error, OSError):
        error = error.__cause__
    return isinstance(error, OSError) and error.errno in NO_ROOM


def _check_suffix(path: Path, known: set[str]) -> None:
    if path.suffix not in known:
        raise StoreError(f"{path} must end in {' or '.join(sorted(known))}.")


def _move(temporary: Path, path: Path) -> None:
    if temporary.is_dir():
        _remove(path)
    else:
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
    temporary.replace(path)


def _is_zarr(path: Path) -> bool:
    return any((path / name).exists() for name in ("zarr.json", ".zgroup"))


def _h5ad_image(cells: ad.AnnData) -> bytes:
    """Return the bytes of a compressed h5ad, made in memory.

    HDF5 cannot be trusted with a full disk: the process crashes when it ends.
    """
    with h5py.File("image", "w", driver="core", backing_store=False) as file:
        ad.io.write_elem(file, "/", cells, dataset_kwargs={"compression": "lzf"})
        file.flush()
        return bytes(file.id.get_file_image())


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    elif path.exists():
        path.unlink()


def _explain(path: Path, error: OSError) -> str:
    if error.errno == errno.ENOSPC or "No space left" in str(error):
        return f"The disk is full: {path} was not written. Free some space and start again."
    if error.errno in {errno.EROFS, errno.EACCES, errno.EPERM}:
        return f"{path.parent} cannot be written ({os.strerror(error.errno)}); name another place."
    return f"{path} could not be written: {error}"
