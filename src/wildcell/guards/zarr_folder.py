"""Zarr folders of others, looked at before they are read.

A folder can hold links, its metadata name any decoder that is installed, which may run code, and
shapes that take no room.
"""

import json
import os
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from wildcell.errors import DataError
from wildcell.guards.hdf5 import inflates_beyond
from wildcell.guards.limits import (
    HARMLESS_BYTES,
    MOST_DEPTH,
    MOST_OBJECTS,
    check_expansion,
    check_memory,
)
from wildcell.guards.texts import parse_json, read_text

METADATA = ("zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata")

KNOWN_CODECS = {
    "adler32",
    "bitround",
    "blosc",
    "bytes",
    "crc32",
    "crc32c",
    "delta",
    "fixedscaleoffset",
    "fletcher32",
    "gzip",
    "lz4",
    "packbits",
    "quantize",
    "sharding_indexed",
    "shuffle",
    "transpose",
    "vlen-bytes",
    "vlen-utf8",
    "zlib",
    "zstd",
}
"""Decoders that run no code of the file's and whose output is bounded or can be told."""

WINDOWS = {"gzip": zlib.MAX_WBITS | 16, "zlib": zlib.MAX_WBITS}
ZSTD_MAGIC = 0xFD2FB528
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
    words = parse_json(read_text(file), str(file))
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
    itemsize = _itemsize(words["data_type"] if "data_type" in words else words["dtype"])
    total = _size(words["shape"]) * itemsize
    check_expansion(what, total, stored)
    chunk = _chunk_bytes(words, itemsize)
    check_memory(f"A chunk of {what}", chunk)
    has_texts = {"vlen-utf8", "vlen-bytes"} & set(codecs)
    if packers := [codec for codec in codecs if codec in (*WINDOWS, "zstd")]:
        _check_chunks(folder, HARMLESS_BYTES if has_texts else chunk, packers[-1], what)
    return total


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


def _check_chunks(folder: Path, chunk: int, packer: str, what: str) -> None:
    """Refuse chunks that unpack to more than they may."""
    room = chunk + SPARE_BYTES
    for file in _files(folder):
        if file.name in METADATA:
            continue
        if packer == "zstd":
            is_bomb = _zstd_content(file) > room
        else:
            # Deflate expands no further than this.
            is_suspect = file.stat().st_size * 1100 > max(HARMLESS_BYTES, room)
            is_bomb = is_suspect and inflates_beyond(
                file.read_bytes(), room, window=WINDOWS[packer]
            )
        if is_bomb:
            raise DataError(
                f"{what}: the chunk {file.name} unpacks to more than its shape has: it is a "
                "decompression bomb."
            )


def _zstd_content(file: Path) -> int:
    """Return what the first frame of a file says that it unpacks to, 0 where it does not say."""
    with file.open("rb") as stream:
        head = stream.read(18)
    if len(head) < 6 or int.from_bytes(head[:4], "little") != ZSTD_MAGIC:
        return 0
    descriptor = head[4]
    is_single = bool(descriptor & 0x20)
    length = (1 if is_single else 0, 2, 4, 8)[descriptor >> 6]
    start = 5 + (0 if is_single else 1) + (0, 1, 2, 4)[descriptor & 3]
    content = int.from_bytes(head[start : start + length], "little")
    return content + 256 if length == 2 else content
