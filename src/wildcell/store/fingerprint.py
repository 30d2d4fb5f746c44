"""Hashes of content: equal for equal cells, tables and options, whatever file they came from."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from wildcell.errors import BenchmarkError
from wildcell.parallel import cores
from wildcell.store.spill import is_spilled, release

DIGEST_BYTES = 16

BLOCK = 2**24
"""Bytes of a file that one thread hashes at once."""

STRETCH = 2**22
"""Values of a matrix that are hashed at once."""

MISSING_LABEL = "\x00missing"
"""What stands for a label that is not there, lest it be taken for the word `nan`."""


def fingerprint(*parts: Any) -> str:
    """Return the hash of the content of `parts`, 32 hexadecimal digits.

    Arrays, sparse matrices, tables, records, mappings, sequences and plain values are hashed by
    content, with their types and shapes; the order of keys in a mapping does not matter.

    Raises
    ------
    BenchmarkError
        A part of a type that has no defined content.

    Examples
    --------
    >>> fingerprint({"a": 1, "b": [2, 3]}) == fingerprint({"b": [2, 3], "a": 1})
    True
    >>> fingerprint(1) == fingerprint("1")
    False
    """
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for part in parts:
        _feed(digest, part)
    return digest.hexdigest()


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def content_hash(path: Path, size: int | None = None) -> bytes:
    """Return the hash of the hashes of a file's blocks, which all cores compute.

    Parameters
    ----------
    path
        The file.
    size
        Bytes that are looked at; all if None.
    """
    total = path.stat().st_size if size is None else size

    def of_block(start: int) -> bytes:
        with path.open("rb") as file:
            file.seek(start)
            return hashlib.sha256(file.read(min(BLOCK, total - start))).digest()

    with ThreadPoolExecutor(cores()) as pool:
        digests = pool.map(of_block, range(0, total, BLOCK))
        return hashlib.sha256(total.to_bytes(8, "little") + b"".join(digests)).digest()


def _feed(digest: "hashlib.blake2b", part: Any) -> None:  # noqa: C901, PLR0912
    match part:
        case np.ndarray():
            _feed_array(digest, part)
        case pd.DataFrame():
            _tag(digest, "table", len(part), list(map(str, part.columns)))
            for column in part.columns:
                _feed_array(digest, _plain(part[column]))
            _feed_array(digest, _plain(part.index.to_series()))
        case pd.Series():
            _feed_array(digest, _plain(part))
        case Mapping():
            _tag(digest, "mapping", len(part))
            for key in sorted(part, key=str):
                _feed(digest, str(key))
                _feed(digest, part[key])
        case _ if sparse.issparse(part):
            _feed_sparse(digest, part)
        case Enum():
            _tag(digest, "value", part.value)
        case str() | bytes() | int() | float() | bool() | None | np.generic() | Path():
            _tag(digest, type(part).__name__, part)
        case AbstractSet():
            _feed(digest, sorted(part, key=str))
        case Sequence():
            _tag(digest, "sequence", len(part))
            for item in part:
                _feed(digest, item)
        case _ if is_dataclass(part):
            _feed(digest, {field.name: getattr(part, field.name) for field in fields(part)})
        case _:
            raise BenchmarkError(f"Cannot fingerprint a {type(part).__name__}.")


def _tag(digest: "hashlib.blake2b", *values: object) -> None:
    digest.update(repr(values).encode())


def _plain(column: pd.Series) -> np.ndarray[Any, Any]:
    """Return a column as an array whose content does not depend on how pandas stores it."""
    if isinstance(column.dtype, pd.CategoricalDtype) or column.dtype.kind not in "biuf":
        return column.astype(object).map(str).mask(column.isna(), MISSING_LABEL).to_numpy()
    return column.to_numpy()


def _feed_array(digest: "hashlib.blake2b", array: np.ndarray[Any, Any]) -> None:
    _tag(digest, "array", array.shape, "text" if array.dtype.kind in "OUST" else array.dtype.str)
    if array.dtype.kind in "OUST":
        digest.update("\x00".join(map(str, array.ravel())).encode())
    else:
        digest.update(np.ascontiguousarray(array).data)


def _feed_sparse(digest: "hashlib.blake2b", matrix: Any) -> None:
    rows = sparse.csr_matrix(matrix)
    if not _is_canonical(rows) or _has_zeros(rows.data):
        rows = rows.copy()
        rows.sum_duplicates()
        rows.eliminate_zeros()
    _tag(digest, "sparse", rows.shape)
    _feed_long(digest, rows.data, rows.data.dtype)
    for array in (rows.indices, rows.indptr):
        _feed_long(digest, array, np.dtype(np.int64))


def _is_canonical(rows: Any) -> bool:
    """Whether the columns of each row ascend; a matrix in a file is read a stretch at a time."""
    if not is_spilled(rows.indices):
        return bool(rows.has_canonical_format)
    start, indptr = 0, rows.indptr.astype(np.int64)
    while start < rows.shape[0]:
        end = max(
            start + 1, int(np.searchsorted(indptr, indptr[start] + STRETCH, side="right")) - 1
        )
        inside = slice(indptr[start], indptr[end])
        parts = rows.data[inside], rows.indices[inside], indptr[start : end + 1] - indptr[start]
        if not sparse.csr_matrix(parts, shape=(end - start, rows.shape[1])).has_canonical_format:
            return False
        release(rows.data, rows.indices)
        start = end
    return True


def _has_zeros(values: "np.ndarray[Any, Any]") -> bool:
    return any((part == 0).any() for part in _stretches(values))


def _feed_long(
    digest: "hashlib.blake2b", array: "np.ndarray[Any, Any]", dtype: "np.dtype[Any]"
) -> None:
    """Feed numbers as `_feed_array` does, a stretch at a time, as if they were of a type."""
    _tag(digest, "array", array.shape, dtype.str)
    for part in _stretches(array):
        digest.update(np.ascontiguousarray(part, dtype=dtype).data)


def _stretches(array: "np.ndarray[Any, Any]") -> Iterator["np.ndarray[Any, Any]"]:
    for start in range(0, len(array), STRETCH):
        yield array[start : start + STRETCH]
        release(array)
