"""Parquet files of others, looked at before they are read."""

from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from wildcell.errors import DataError
from wildcell.guards.limits import (
    HARMLESS_BYTES,
    MOST_OBJECTS,
    check_expansion,
    check_memory,
    check_regular,
)
from wildcell.guards.pages import Page, pages

BYTES_PER_VALUE = 8

SHARED_PREFIXES = "DELTA_BYTE_ARRAY"
"""An encoding in which a text of a byte may be as long as the one before."""


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
    try:
        check_regular(path)
        # A bare file, opened once, lest anything is made of the names of its folders.
        with path.open("rb") as opened, pq.ParquetFile(opened) as file:
            _check(file, opened, path)
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
        with path.open("rb") as opened, pq.ParquetFile(opened) as file:
            _check(file, opened, path)
    except _READER_ERRORS as error:
        raise _unreadable(path, error) from error


_READER_ERRORS = (
    OSError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    RecursionError,
    MemoryError,
    NotImplementedError,
    pa.ArrowException,
)


def _unreadable(path: Path, error: Exception) -> DataError:
    reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
    return DataError(f"{path} cannot be read as Parquet: {reason}.")


def _check(file: Any, opened: IO[bytes], path: Path) -> None:
    metadata = file.metadata
    if metadata.num_columns > MOST_OBJECTS:
        raise DataError(f"{path} has {metadata.num_columns} columns, above {MOST_OBJECTS}.")
    for number in range(metadata.num_columns):
        column = file.schema.column(number)
        if column.max_repetition_level > 0:
            raise DataError(
                f"{path} has lists in the column {column.path}; give one value a row and column."
            )
    values = metadata.num_rows * max(1, metadata.num_columns)
    size = path.stat().st_size
    # One value takes a bit at least, unless it is one of a long run.
    if values * BYTES_PER_VALUE > max(HARMLESS_BYTES, 1000 * size):
        raise DataError(
            f"{path} says that it has {metadata.num_rows} rows of {metadata.num_columns} columns "
            f"in {size} bytes: it is damaged or a decompression bomb."
        )
    unpacked = [_column_bytes(file, number, opened, path) for number in range(metadata.num_columns)]
    check_memory(str(path), max(values * BYTES_PER_VALUE, sum(unpacked)))


def _column_bytes(file: Any, number: int, opened: IO[bytes], path: Path) -> int:
    """Return about what a column comes to in memory."""
    told = file.schema.column(number)
    groups = range(file.metadata.num_row_groups)
    parts = [file.metadata.row_group(group).column(number) for group in groups]
    found = [page for part in parts for page in _pages(part, opened)]
    unpacked = sum(page.n_bytes for page in found)
    check_expansion(f"The column {told.path} of {path}", unpacked, path.stat().st_size)
    if told.physical_type == "FIXED_LEN_BYTE_ARRAY":
        return unpacked + int(file.metadata.num_rows * told.length)
    if told.physical_type != "BYTE_ARRAY":
        return unpacked
    # One text may stand for many.
    is_shared = any(SHARED_PREFIXES in part.encodings for part in parts)
    longest = max((page.n_bytes for page in found if page.is_dictionary or is_shared), default=0)
    most = unpacked + file.metadata.num_rows * longest
    if most <= HARMLESS_BYTES:
        return int(most)
    check_memory(f"The column {told.path} of {path}", unpacked)
    if is_shared:
        raise DataError(
            f"The column {told.path} of {path} is encoded as {SHARED_PREFIXES}, of which it cannot "
            "be told what it unpacks to; write it plain or with a dictionary."
        )
    return unpacked + _text_bytes(opened, told.path)


def _pages(part: Any, opened: IO[bytes]) -> list[Page]:
    start = part.data_page_offset
    if part.has_dictionary_page and part.dictionary_page_offset:
        start = min(start, part.dictionary_page_offset)
    return list(pages(opened, start, part.total_compressed_size))


def _text_bytes(opened: IO[bytes], name: str) -> int:
    """Return what the texts of a column come to, read as places in its dictionary."""
    with pq.ParquetFile(opened, read_dictionary=[name]) as file:
        column = file.read(columns=[name]).column(0)
    return sum(map(_chunk_bytes, column.chunks))


def _chunk_bytes(chunk: Any) -> int:
    if not pa.types.is_dictionary(chunk.type):
        return int(chunk.nbytes)
    lengths = pc.cast(pc.binary_length(chunk.dictionary), pa.int64())
    return int(pc.sum(lengths.take(chunk.indices)).as_py() or 0)
