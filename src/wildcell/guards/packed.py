"""Packed bytes of others: what they unpack to, told without unpacking them into memory."""

import zlib
from collections.abc import Iterator
from mmap import mmap
from typing import TypeAlias

Bytes: TypeAlias = bytes | mmap

WINDOWS = {"gzip": zlib.MAX_WBITS | 16, "zlib": zlib.MAX_WBITS}
"""Deflated streams, by the kind of stream as `zlib.decompressobj` names it."""

PACKERS = frozenset({*WINDOWS, "blosc", "lz4", "zstd"})

PIECE = 2**20

ZSTD_MAGIC = 0xFD2FB528
ZSTD_SKIPPED = 0x184D2A50
ZSTD_BLOCK = 2**17
"""The most that one block comes to."""


def unpacked_size(packed: Bytes, packer: str, room: int) -> int:
    """Return how many bytes a reader would make of packed bytes, or any number above `room`.

    What is damaged comes to what its whole part does; the reader says better what is wrong.

    Parameters
    ----------
    packed
        What is stored.
    packer
        One of `PACKERS`.
    room
        What it may come to; nothing is unpacked beyond it.

    Examples
    --------
    >>> unpacked_size(zlib.compress(bytes(1000)), "zlib", 10**6)
    1000
    """
    if packer in WINDOWS:
        return inflated_size(packed, room, window=WINDOWS[packer])
    if packer == "zstd":
        return sum(_frames(packed))
    at = 4 if packer == "blosc" else 0
    return int.from_bytes(packed[at : at + 4], "little")


def inflated_size(packed: Bytes, room: int, *, window: int = zlib.MAX_WBITS) -> int:
    """Return what deflated bytes expand to, streams that follow each other included.

    Parameters
    ----------
    packed
        What is stored.
    room
        What it may come to; it is not inflated further.
    window
        The kind of stream, as `zlib.decompressobj` names it.

    Examples
    --------
    >>> inflated_size(zlib.compress(bytes(2**20)) * 2, 2**24)
    2097152
    """
    stream = zlib.decompressobj(window)
    total, at, left, is_fresh = 0, 0, b"", True
    while total <= room:
        if not left:
            left, at = packed[at : at + PIECE], at + PIECE
        left = left.lstrip(b"\0") if is_fresh else left  # readers pass over these
        if not left:
            if at >= len(packed):
                break
            continue
        try:
            total += len(stream.decompress(left, PIECE))
        except zlib.error:
            break
        is_fresh = stream.eof
        left = stream.unused_data if is_fresh else stream.unconsumed_tail
        if is_fresh:
            stream = zlib.decompressobj(window)
    return total


def _frames(packed: Bytes) -> Iterator[int]:
    """Yield what each frame of zstd comes to: what it says, or what its blocks can."""
    at = 0
    while len(packed) - at >= 8:
        magic = int.from_bytes(packed[at : at + 4], "little")
        if magic & ~0xF == ZSTD_SKIPPED:
            at += 8 + int.from_bytes(packed[at + 4 : at + 8], "little")
            continue
        if magic != ZSTD_MAGIC:
            return
        descriptor = packed[at + 4]
        is_single = bool(descriptor & 0x20)
        length = (1 if is_single else 0, 2, 4, 8)[descriptor >> 6]
        at += 5 + (0 if is_single else 1) + (0, 1, 2, 4)[descriptor & 3]
        said = int.from_bytes(packed[at : at + length], "little") + (256 if length == 2 else 0)
        blocks, at = _blocks(packed, at + length)
        yield max(said, 0 if length else blocks)
        at += 4 if descriptor & 4 else 0


def _blocks(packed: Bytes, at: int) -> tuple[int, int]:
    """Return what the blocks of a frame come to at most, and where they end."""
    total = 0
    while at + 3 <= len(packed):
        head = int.from_bytes(packed[at : at + 3], "little")
        kind, size = (head >> 1) & 3, head >> 3
        is_repeated, is_compressed = kind == 1, kind == 2
        total += ZSTD_BLOCK if is_compressed else size
        at += 3 + (1 if is_repeated else size)
        if head & 1:
            break
    return total, at
