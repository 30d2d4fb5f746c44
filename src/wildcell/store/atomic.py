"""Files and folders that are either whole or not there."""

import errno
import json
import os
import secrets
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anndata as ad
import pandas as pd

from wildcell.errors import NO_SPACE, StoreError


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, moved onto it when the block ends without error.

    The block makes a file there, or a folder; a folder takes the place of one that is there.

    Raises
    ------
    StoreError
        The folder cannot be made or written, or the disk is full; nothing is left behind.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _move(temporary, path)
    except StoreError as error:  # of a file inside a folder: named by where it would lie
        raise StoreError(str(error).replace(temporary.name, path.name)) from error
    except OSError as error:
        raise StoreError(_explain(path, error)) from error
    except RuntimeError as error:
        if NO_SPACE not in str(error):
            raise
        raise StoreError(_disk_is_full(path)) from error
    finally:
        _remove(temporary)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a mapping as indented JSON, atomically; NaN is refused."""
    text = json.dumps(content, indent=2, sort_keys=True, allow_nan=False, default=str)
    with writing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as Parquet or CSV, after the suffix of `path`, atomically."""
    with writing(path) as temporary:
        if path.suffix == ".csv":
            table.to_csv(temporary, index=False)
        else:
            table.to_parquet(temporary, index=table.index.name is not None)


def write_text(path: Path, text: str) -> None:
    """Write a text file, atomically."""
    with writing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_cells(path: Path, cells: ad.AnnData) -> None:
    """Write an AnnData as zarr or compressed h5ad, after the suffix of `path`, atomically."""
    with writing(path) as temporary:
        if path.suffix != ".zarr":
            cells.write_h5ad(temporary, compression="lzf")
            return
        with warnings.catch_warnings(), ad.settings.override(zarr_write_format=3):
            warnings.simplefilter("ignore")  # about defaults of later versions
            cells.write_zarr(temporary)


def _move(temporary: Path, path: Path) -> None:
    if temporary.is_dir():
        _remove(path)
    else:
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
    temporary.replace(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    elif path.exists():
        path.unlink()


def _disk_is_full(path: Path) -> str:
    return f"The disk is full: {path} was not written. Free some space and start again."


def _explain(path: Path, error: OSError) -> str:
    if error.errno == errno.ENOSPC or NO_SPACE in str(error):
        return _disk_is_full(path)
    if error.errno in {errno.EROFS, errno.EACCES, errno.EPERM}:
        return f"{path.parent} cannot be written ({os.strerror(error.errno)}); name another place."
    return f"{path} could not be written: {error}"
