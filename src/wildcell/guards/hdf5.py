"""HDF5 files of others, looked at before they are read.

HDF5 has links to other files, arrays stored in other files, arrays that are views of other arrays,
groups that contain themselves, and arrays of any shape that take no room. None of this is needed
for cells, and all of it is refused.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import h5py
import numpy as np

from wildcell.errors import DataError
from wildcell.guards.limits import (
    HARMLESS_BYTES,
    MOST_DEPTH,
    MOST_OBJECTS,
    check_expansion,
    check_memory,
    in_gib,
)
from wildcell.guards.packed import unpacked_size
from wildcell.guards.rehearsal import fits

Group: TypeAlias = Any  # h5py comes without types

DEFLATE, SHUFFLE, FLETCHER32, LZF = 1, 2, 3, 32000
BLOSC, LZ4, ZSTD = 32001, 32004, 32015

KNOWN_FILTERS = {DEFLATE, SHUFFLE, FLETCHER32, LZF, BLOSC, LZ4, ZSTD}
"""Filters of HDF5, h5py and hdf5plugin; another would be code found on this machine, or make as
many bytes as the file's settings say."""

MOST_INFLATION = 1100
"""More than deflate can expand."""

MOST_LZF = 96
"""More than lzf can expand."""

POINTER_BYTES = 16
"""What a text of any length takes in the array; the text itself lies in the file's heap."""

BLOCK = 4096
MOST_BLOCK_BYTES = 2**31


@dataclass
class _Walk:
    """What was seen of a file so far."""

    path: Path
    loaded: Collection[str] | None
    size: int
    seen: set[Any] = field(default_factory=set)
    n_objects: int = 0
    n_bytes: int = 0
    n_stored: int = 0
    texts: list[Any] = field(default_factory=list)


def check_hdf5(file: Group, path: Path, *, loaded: Collection[str] | None = None) -> None:
    """Refuse an open HDF5 file that reaches out of itself or promises more than it holds.

    Parameters
    ----------
    file
        The open file, which is what will be read.
    path
        What it is called.
    loaded
        Names at the top whose arrays will be read whole; all if None. The others may be larger than
        memory.

    Raises
    ------
    DataError
        It has a link, an array stored elsewhere, a virtual array, a reference, a filter that is not
        known, a group in itself, too many objects, or sizes that cannot be.
    """
    walk = _Walk(path, loaded, path.stat().st_size)
    for name, item in _members(file, "", walk, 0):
        _check_array(item, name, walk)
    check_memory(f"What is read of {path}", walk.n_bytes)
    room, most = max(1, walk.size - walk.n_stored), 0
    for name, item in walk.texts:
        most += _size(item.shape) * room
        if most <= HARMLESS_BYTES:
            continue  # however often one text stands for many
        walk.n_bytes += _text_bytes(item, room, f"{name} of {path}")
        check_memory(f"What is read of {path}", walk.n_bytes)


def _members(group: Group, prefix: str, walk: _Walk, depth: int) -> Iterator[tuple[str, Any]]:
    """Yield all arrays with their names, refusing what no file of cells needs."""
    if depth > MOST_DEPTH:
        raise DataError(f"{walk.path}: groups lie in each other more than {MOST_DEPTH} deep.")
    place = h5py.h5o.get_info(group.id)
    if (place.fileno, place.addr) in walk.seen:
        raise DataError(f"{walk.path}: the group {prefix or '/'} is linked to more than once.")
    walk.seen.add((place.fileno, place.addr))
    _check_attributes(group, prefix or "/", walk)
    for key in group:
        name = f"{prefix}/{key}"
        _check_link(group, key, name, walk.path)
        walk.n_objects += 1
        if walk.n_objects > MOST_OBJECTS:
            raise DataError(f"{walk.path} has more than {MOST_OBJECTS} arrays and groups.")
        item = group[key]
        if isinstance(item, h5py.Group):
            yield from _members(item, name, walk, depth + 1)
        elif isinstance(item, h5py.Dataset):
            _check_attributes(item, name, walk)
            yield name, item


def _check_link(group: Group, key: str, name: str, path: Path) -> None:
    link = group.get(key, getlink=True)
    if isinstance(link, h5py.ExternalLink):
        raise DataError(
            f"{path}: {name} is a link to another file, {link.filename!r}; links are not followed. "
            "Write a copy that holds all its parts."
        )
    if isinstance(link, h5py.SoftLink):
        raise DataError(
            f"{path}: {name} is a link to {link.path!r}; links are not followed. Write a copy that "
            "holds all its parts."
        )


def _check_attributes(item: Any, name: str, walk: _Walk) -> None:
    """Refuse attributes that no cells have, and texts that are stored once and stand for many."""
    for key in item.attrs:
        attribute = h5py.h5a.open(item.id, key.encode("utf-8", "surrogateescape"))
        what = f"The attribute {key!r} of {name} of {walk.path}"
        if attribute.shape is None or not _check_type(attribute.dtype, what):
            continue
        if _size(attribute.shape) * walk.size <= HARMLESS_BYTES:
            continue  # however often one text stands for many
        if not fits(lambda key=key: item.attrs[key], HARMLESS_BYTES):  # type: ignore[misc]
            raise DataError(f"{what} would take more than {in_gib(HARMLESS_BYTES)} of memory.")


def _check_array(array: Any, name: str, walk: _Walk) -> None:
    what = f"{name} of {walk.path}"
    if array.external:
        raise DataError(
            f"{what} is stored in another file, {array.external[0][0]!r}, which is not read."
        )
    if array.is_virtual:
        raise DataError(f"{what} is a virtual array, a view of others, which are not read.")
    has_texts = _check_type(array.dtype, what)
    _check_filters(array, what)
    stored = array.id.get_storage_size()
    n_bytes = _size(array.shape) * max(1, array.dtype.itemsize, POINTER_BYTES * has_texts)
    check_expansion(what, n_bytes, stored)
    walk.n_stored += stored
    if walk.loaded is None or name.split("/")[1] in walk.loaded:
        walk.n_bytes += n_bytes
        if has_texts:
            walk.texts.append((name, array))


def _size(shape: tuple[int, ...] | None) -> int:
    size = 1
    for length in shape or ():
        size *= int(length)
    return size


def _check_type(dtype: np.dtype[Any], what: str) -> bool:
    """Refuse types that no cells have, and say whether there are texts of any length."""
    if dtype.names:
        have_texts = [_check_type(dtype[name], what) for name in dtype.names]
        return any(have_texts)
    if dtype.subdtype is not None:
        return _check_type(dtype.subdtype[0], what)
    if dtype.kind != "O":
        return False
    if h5py.check_string_dtype(dtype) is None:
        raise DataError(
            f"{what} holds references or arrays within arrays; give numbers, booleans or texts."
        )
    return True


def _check_filters(array: Any, what: str) -> None:
    settings = array.id.get_create_plist()
    filters = [settings.get_filter(number)[0] for number in range(settings.get_nfilters())]
    for number in filters:
        if number not in KNOWN_FILTERS:
            raise DataError(
                f"{what} is compressed with the filter {number}, which is not known; write it with "
                "gzip or lzf."
            )
    packers = [number for number in filters if number not in {SHUFFLE, FLETCHER32}]
    if len(packers) > 1:
        raise DataError(f"{what} is compressed twice over; write it compressed once.")
    for packer in packers:
        _check_chunks(array, packer, what)


def _check_chunks(array: Any, packer: int, what: str) -> None:
    """Refuse a chunk that unpacks to more than its shape, which HDF5 would do to the end."""
    room = _size(array.chunks) * array.dtype.itemsize
    check_memory(f"A chunk of {what}", room)
    spare = HARMLESS_BYTES // MOST_INFLATION
    suspects: list[Any] = []

    def look(chunk: Any) -> None:
        if packer not in {DEFLATE, LZF} or chunk.size * MOST_INFLATION > HARMLESS_BYTES:
            suspects.append(chunk)

    array.id.chunk_iter(look)
    for chunk in suspects:
        if packer == LZF:
            # A chunk that packing did not make smaller is stored as it is.
            is_bomb = chunk.size > room + spare
            check_memory(f"A chunk of {what}", chunk.size * MOST_LZF)
        else:
            _, packed = array.id.read_direct_chunk(chunk.chunk_offset)
            is_bomb = _unpacked(packed, packer, room + spare) > room + spare
        if is_bomb:
            raise DataError(
                f"{what}: a chunk inflates to more than its shape has: it is a decompression bomb."
            )


def _unpacked(packed: bytes, packer: int, room: int) -> int:
    """Return what a chunk comes to; some filters write it at its head."""
    if packer == LZ4:
        return int.from_bytes(packed[:8], "big")
    name = {DEFLATE: "zlib", BLOSC: "blosc", ZSTD: "zstd"}[packer]
    return unpacked_size(packed, name, room)


def _text_bytes(array: Any, room: int, what: str) -> int:
    """Return what the texts of an array come to; many may be one that is stored once.

    No text is longer than the file has room for, so that a block of them fits into memory.
    """
    if array.ndim == 0:
        return room
    longest = room * _size(array.shape[1:])
    check_memory(f"A row of {what}", longest)
    block = min(BLOCK, max(1, MOST_BLOCK_BYTES // max(1, longest)))
    total = 0
    for start in range(0, array.shape[0], block):
        total += _lengths(array[start : start + block])
        check_memory(f"The texts in {what}", total)
    return total


def _lengths(values: Any) -> int:
    if values.dtype.names:
        return sum(_lengths(values[name]) for name in values.dtype.names)
    if values.dtype.kind != "O":
        return int(values.nbytes)
    return sum(map(len, values.tolist()))
