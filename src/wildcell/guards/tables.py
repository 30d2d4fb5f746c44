"""Parquet files of others, looked at before they are read."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from wildcell.errors import DataError
from wildcell.guards.limits import (
    HARMLESS_BYTES,
    MOST_OBJECTS,
    check_memory,
    check_regular,
    in_gib,
)

BYTES_PER_VALUE = 8


def read_parquet(path: Path, *, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read a Parquet file, unless it is none or promises more than can be.

    Parameters
    ----------
    path
        The file.
    columns
        Which are read; all if None.

    Raises
    ------
    DataError
        It cannot be read as Parquet, has too many columns, or would take too much memory.
    """
    check_parquet(path)
    try:
        # A bare file, lest anything is made of the names of its folders.
        with pq.ParquetFile(path) as file:
            table = file.read(
                columns=None if columns is None else list(columns), use_pandas_metadata=True
            )
        return table.to_pandas()
    except _READER_ERRORS as error:
        raise _unreadable(path, error) from error


def check_parquet(path: Path) -> None:
    """Refuse a file that is no Parquet, or promises more than can be.

    Raises
    ------
    DataError
        It is so.
    """
    try:
        check_regular(path)
        with pq.ParquetFile(path) as file:
            _check(file, path)
    except _READER_ERRORS as error:
        raise _unreadable(path, error) from error


_READER_ERRORS = (OSError, ValueError, TypeError, KeyError, pa.ArrowException, MemoryError)


def _unreadable(path: Path, error: Exception) -> DataError:
    reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
    return DataError(f"{path} cannot be read as Parquet: {reason}.")


def _check(file: Any, path: Path) -> None:
    metadata = file.metadata
    if metadata.num_columns > MOST_OBJECTS:
        raise DataError(f"{path} has {metadata.num_columns} columns, above {MOST_OBJECTS}.")
    values = metadata.num_rows * max(1, metadata.num_columns)
    # One value takes a bit at least, unless it is one of a long run.
    if values * BYTES_PER_VALUE > max(HARMLESS_BYTES, 1000 * path.stat().st_size):
        raise DataError(
            f"{path} says that it has {metadata.num_rows} rows of {metadata.num_columns} columns "
            f"in {path.stat().st_size} bytes: it is damaged or a decompression bomb."
        )
    unpacked = sum(
        metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups)
    )
    check_memory(str(path), max(values * BYTES_PER_VALUE, unpacked))
    _check_texts(file, path)


def _check_texts(file: Any, path: Path) -> None:
    """Refuse texts that are stored once and stand for many, more than memory has room for."""
    schema, metadata = file.schema_arrow, file.metadata
    total = 0
    for name in schema.names:
        kind = schema.field(name).type
        is_text = pa.types.is_large_string(kind) or pa.types.is_string(kind)
        if not (is_text or pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
            continue
        if metadata.num_rows * path.stat().st_size <= HARMLESS_BYTES:
            continue
        total += _text_bytes(path, name)
        check_memory(f"{path}, whose texts come to {in_gib(total)},", total)


def _text_bytes(path: Path, name: str) -> int:
    with pq.ParquetFile(path, read_dictionary=[name]) as file:
        column = file.read(columns=[name]).column(0)
    return sum(map(_chunk_bytes, column.chunks))


def _chunk_bytes(chunk: Any) -> int:
    if not pa.types.is_dictionary(chunk.type):
        return int(chunk.nbytes)
    lengths = pc.cast(pc.binary_length(chunk.dictionary), pa.int64())
    return int(pc.sum(lengths.take(chunk.indices)).as_py() or 0)
