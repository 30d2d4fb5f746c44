"""Zarr folders of others, looked at before they are read.

A folder can hold links, its metadata name any decoder that is installed, which may run code, and
shapes that take no room.
"""

import json
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from mmap import ACCESS_READ, mmap
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from wildcell.errors import DataError
from wildcell.guards.limits import (
    HARMLESS_BYTES,
    MOST_DEPTH,
    MOST_OBJECTS,
    check_expansion,
    check_memory,
)
from wildcell.guards.packed import PACKERS, Bytes, unpacked_size
from wildcell.guards.texts import parse_json, read_text

METADATA = ("zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata")

MOST_METADATA_BYTES = 2**24
"""What one file of metadata may have."""

TEXTS = {"vlen-bytes", "vlen-utf8"}

KNOWN_CODECS = {
    *PACKERS,
    *TEXTS,
    "adler32",
    "bytes",
    "crc32",
    "crc32c",
    "fletcher32",
    "sharding_indexed",
    "shuffle",
    "transpose",
}
"""Decoders that run no code of the file's and whose output is bounded or can be told."""

INDEX_CODECS = {"bytes", "crc32c"}
NOWHERE = 2**64 - 1
"""What stands in the index of a shard for a chunk that is not there."""

POINTER_BYTES = 16
SPARE_BYTES = 2**20


def check_zarr(folder: Path, *, loaded: tuple[str, ...] | None = None) -> None:
    """Refuse a zarr folder that reaches out of itself or promises more than it holds.

    Parameters
    ----------
    folder
        The folder.
    loaded
        Names at the top whose arrays will be read whole; all if None. The others may be larger than
        memory.

    Raises
    ------
    DataError
        It is no folder, has a link or something else than files, metadata that cannot be read, a
        name that leaves the folder, a decoder that is not known, or sizes that cannot be.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is a file; a zarr store is a folder.")
    stored: defaultdict[str, int] = defaultdict(int)
    told: list[tuple[str, Mapping[str, Any]]] = []
    for file in _files(folder):
        place = file.relative_to(folder).parent
        for parent in (place, *place.parents):
            stored[parent.as_posix()] += file.stat().st_size
        if file.name in METADATA:
            told += _arrays_of(file, place.as_posix()).items()
        if len(told) > MOST_OBJECTS:
            raise DataError(f"{folder} has more than {MOST_OBJECTS} arrays.")
    # An array may be told of twice, beside it and for the whole folder, and not alike.
    sizes: defaultdict[str, int] = defaultdict(int)
    for name, words in told:
        what = f"{name} of {folder}"
        try:
            total = _check_array(words, what, stored[name], folder / name)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise DataError(
                f"{what}: its metadata are damaged ({type(error).__name__}: {error})."
            ) from error
        if loaded is None or name.split("/")[0] in loaded:
            sizes[name] = max(sizes[name], total)
    check_memory(f"What is read of {folder}", sum(sizes.values()))


def _files(folder: Path, depth: int = 0) -> Iterator[Path]:
    """Yield all files below a folder, refusing all that is none."""
    if depth > MOST_DEPTH:
        raise DataError(f"{folder}: folders lie in each other more than {MOST_DEPTH} deep.")
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink():
                raise DataError(
                    f"{entry.path} is a symbolic link; links are not "
                    "followed: put the file itself there."
                )
            if entry.is_dir():
                yield from _files(Path(entry.path), depth + 1)
            elif entry.is_file():
                yield Path(entry.path)
            else:
                raise DataError(f"{entry.path} is neither a file nor a folder.")


def _arrays_of(file: Path, place: str) -> dict[str, Mapping[str, Any]]:
    """Return the metadata of the arrays that a file tells of, by their place in the folder."""
    words = parse_json(read_text(file, most_bytes=MOST_METADATA_BYTES), str(file))
    if not isinstance(words, dict):
        raise DataError(f"{file} holds {type(words).__name__}, not metadata.")
    if file.name == ".zmetadata":
        within = _mapping(words.get("metadata", {}), file)
        found = {
            key.removesuffix(".zarray").rstrip("/"): value
            for key, value in within.items()
            if key.split("/")[-1] == ".zarray"
        }
    elif file.name == "zarr.json":
        consolidated = _mapping(words.get("consolidated_metadata") or {}, file)
        within = _mapping(consolidated.get("metadata", {}), file)
        found = {k: v for k, v in within.items() if _mapping(v, file).get("node_type") == "array"}
        if words.get("node_type") == "array":
            found[""] = words
    else:
        return {place: words} if file.name == ".zarray" else {}
    for key in within:
        if key.startswith("/") or "\\" in key or ".." in PurePosixPath(key).parts:
            raise DataError(f"{file} names {key!r}, which lies outside of its folder.")
    base = PurePosixPath(place)
    return {(base / key).as_posix(): _mapping(value, file) for key, value in found.items()}


def _mapping(value: Any, file: Path) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise DataError(f"{file}: {json.dumps(value)[:60]} stands where metadata should.")
    return value


def _check_array(words: Mapping[str, Any], what: str, stored: int, folder: Path) -> int:
    """Refuse an array that cannot be, and return the bytes it comes to."""
    codecs = list(_codecs(words))
    for codec in codecs:
        if codec not in KNOWN_CODECS:
            raise DataError(
                f"{what} asks for the decoder {codec!r}, which is not used: it could run code, or "
                "expand without bound. Write it with blosc, zstd or gzip."
            )
    packers = [codec for codec in codecs if codec in PACKERS]
    if len(packers) > 1:
        raise DataError(f"{what} is compressed twice over; write it compressed once.")
    itemsize = _itemsize(words["data_type"] if "data_type" in words else words["dtype"])
    total = _size(words["shape"]) * itemsize
    check_expansion(what, total, stored)
    chunk = _chunk_bytes(words, itemsize)
    check_memory(f"A chunk of {what}", chunk)
    has_texts = bool(TEXTS & set(codecs))
    if packers:
        shard = _shard(words, itemsize)
        room = HARMLESS_BYTES if has_texts else (chunk if shard is None else shard.chunk)
        unpacked = _check_chunks(folder, room, packers[0], shard, what)
        return total + unpacked if has_texts else total
    return total + stored if has_texts else total


def _codecs(words: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of all decoders of an array, those within shards, too, outermost last."""
    listed = [*(words.get("filters") or []), words.get("compressor"), *(words.get("codecs") or [])]
    for codec in filter(None, listed):
        name = codec if isinstance(codec, str) else codec.get("id", codec.get("name"))
        yield str(name).removeprefix("numcodecs.")
        if isinstance(codec, dict):
            inner = codec.get("configuration") or {}
            yield from _codecs({"codecs": inner.get("codecs")})
            yield from _codecs({"codecs": inner.get("index_codecs")})


def _size(shape: Any) -> int:
    size = 1
    for length in shape:
        if isinstance(length, bool) or not isinstance(length, int) or length < 0:
            raise ValueError(f"a shape of {shape!r} cannot be")
        size *= length
    return size


def _itemsize(dtype: Any) -> int:
    """Return the bytes of a value; of a text of any length, those of its place."""
    if isinstance(dtype, Mapping):
        configuration = dtype.get("configuration") or {}
        return int(configuration.get("length_bytes", POINTER_BYTES))
    if isinstance(dtype, list):
        return sum(_itemsize(item[1]) * _size(item[2] if len(item) > 2 else ()) for item in dtype)
    try:
        found = np.dtype(dtype)
    except TypeError:
        return POINTER_BYTES
    return POINTER_BYTES if found.kind == "O" else max(1, found.itemsize)


def _chunk_bytes(words: Mapping[str, Any], itemsize: int) -> int:
    if "chunks" in words:
        return _size(words["chunks"]) * itemsize
    return _size(words["chunk_grid"]["configuration"]["chunk_shape"]) * itemsize


class _Shard(NamedTuple):
    """How the files of an array hold several chunks each.

    Attributes
    ----------
    n_chunks
        How many are in one.
    chunk
        The bytes that one comes to.
    index_bytes
        The size of the index of a file.
    is_at_start
        Whether the index comes first.
    """

    n_chunks: int
    chunk: int
    index_bytes: int
    is_at_start: bool


def _shard(words: Mapping[str, Any], itemsize: int) -> _Shard | None:
    """Return how chunks lie in files, None where each is a file."""
    codecs = words.get("codecs") or []
    found = [one for one in codecs if isinstance(one, dict) and one["name"] == "sharding_indexed"]
    if not found:
        return None
    told = found[0]["configuration"]
    index = [one["name"] for one in told["index_codecs"]]
    inner = _size(told["chunk_shape"])
    outer = _size(words["chunk_grid"]["configuration"]["chunk_shape"])
    if len(codecs) > 1 or not set(index) <= INDEX_CODECS or not 0 < inner <= outer:
        raise ValueError("its chunks lie in files in a way that is not known")
    if any(one["name"] == "sharding_indexed" for one in told["codecs"]):
        raise ValueError("its files of chunks lie in files of chunks")
    n_chunks = outer // inner
    index_bytes = 16 * n_chunks + (4 if "crc32c" in index else 0)
    return _Shard(n_chunks, inner * itemsize, index_bytes, told.get("index_location") == "start")


def _check_chunks(folder: Path, room: int, packer: str, shard: _Shard | None, what: str) -> int:
    """Refuse chunks that unpack to more than they may, and return what all come to."""
    total = 0
    for file in _files(folder):
        if file.name in METADATA:
            continue
        for packed in _pieces(file, shard):
            size = unpacked_size(packed, packer, room + SPARE_BYTES)
            if size > room + SPARE_BYTES:
                raise DataError(
                    f"{what}: the chunk {file.name} unpacks to more than its shape has: it is a "
                    "decompression bomb."
                )
            total += size
    return total


def _pieces(file: Path, shard: _Shard | None) -> Iterator[Bytes]:
    """Yield the packed chunks of a file, of which no more is read than is looked at."""
    if file.stat().st_size == 0:
        return
    with file.open("rb") as opened, mmap(opened.fileno(), 0, access=ACCESS_READ) as content:
        if shard is None:
            yield content
            return
        start = 0 if shard.is_at_start else max(0, len(content) - shard.index_bytes)
        index = content[start : start + 16 * shard.n_chunks]
        places = np.frombuffer(index[: len(index) // 16 * 16], "<u8").reshape(-1, 2)
        for offset, length in places.tolist():
            if (offset, length) != (NOWHERE, NOWHERE):
                yield content[offset : offset + length]
