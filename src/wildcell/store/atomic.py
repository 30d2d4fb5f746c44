"""Files that are either whole or not there."""

import errno
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anndata as ad
import pandas as pd

from wildcell.errors import StoreError

NO_SPACE = "No space left"
"""What h5py's errors say of a full disk; on closing a file they have no number."""


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, moved onto it when the block ends without error.

    Raises
    ------
    StoreError
        The folder cannot be made or written, or the disk is full; nothing is left behind.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _sync(temporary)
        temporary.replace(path)
    except OSError as error:
        raise StoreError(_explain(path, error)) from error
    except RuntimeError as error:
        if NO_SPACE not in str(error):
            raise
        raise StoreError(_disk_is_full(path)) from error
    finally:
        if temporary.exists():
            temporary.unlink()


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
    """Write an AnnData as compressed h5ad, atomically."""
    with writing(path) as temporary:
        cells.write_h5ad(temporary, compression="lzf")


def _sync(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _disk_is_full(path: Path) -> str:
    return f"The disk is full: {path} was not written. Free some space and start again."


def _explain(path: Path, error: OSError) -> str:
    if error.errno == errno.ENOSPC or NO_SPACE in str(error):
        return _disk_is_full(path)
    if error.errno in {errno.EROFS, errno.EACCES, errno.EPERM}:
        return f"{path.parent} cannot be written ({os.strerror(error.errno)}); name another place."
    return f"{path} could not be written: {error}"
