"""Named arrays in one file, checked when it is opened and read where it lies."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from wildcell.store.atomic import writing
from wildcell.store.fingerprint import content_hash
from wildcell.store.spill import read_at

MAGIC = b"wildcell arrays 1\n"
ALIGNMENT = 64


@dataclass(frozen=True)
class ArraysFile:
    """Arrays that lie in a file.

    Attributes
    ----------
    file
        The open file.
    words
        What was written beside the arrays.
    places
        By name: where an array begins, its type and its shape.
    """

    file: IO[bytes]
    words: Mapping[str, Any]
    places: Mapping[str, tuple[int, str, tuple[int, ...]]]

    def __contains__(self, name: str) -> bool:
        return name in self.places

    def read(self, name: str) -> NDArray[Any]:
        """Return an array."""
        start, dtype, shape = self.places[name]
        array = np.empty(shape, dtype=np.dtype(dtype))
        read_at(self.file, start, array.reshape(-1))
        return array


def write_arrays(
    path: Path,
    arrays: Mapping[str, NDArray[Any] | Iterator[NDArray[Any]]],
    words: Mapping[str, Any],
) -> None:
    """Write arrays to one file, atomically.

    Parameters
    ----------
    path
        The file.
    arrays
        By name; one that does not fit in memory comes as pieces of one dimension.
    words
        What else is to be known, as JSON can say it.
    """
    with writing(path) as temporary:
        places: dict[str, Any] = {}
        with temporary.open("wb") as file:
            file.write(MAGIC)
            for name, array in arrays.items():
                places[name] = _write(file, array)
            header = json.dumps({"words": dict(words), "places": places}).encode()
            start = file.tell()
            file.write(header)
            file.write(np.array([start, len(header)], np.int64).tobytes())
        digest = content_hash(temporary)
        with temporary.open("ab") as file:
            file.write(digest)


def open_arrays(path: Path) -> ArraysFile | None:
    """Open a file of arrays; None where there is none, or it is damaged."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return None
    size = path.stat().st_size
    tail = len(hashlib.sha256().digest()) + 16
    if size < len(MAGIC) + tail or file.read(len(MAGIC)) != MAGIC:
        return None
    file.seek(size - tail)
    start, length = np.frombuffer(file.read(16), np.int64).tolist()
    if file.read() != content_hash(path, size - tail + 16):
        return None
    file.seek(start)
    header = json.loads(file.read(length))
    places = {
        name: (at, kind, tuple(shape)) for name, (at, kind, shape) in header["places"].items()
    }
    return ArraysFile(file, header["words"], places)


def _write(file: IO[bytes], array: NDArray[Any] | Iterator[NDArray[Any]]) -> Any:
    file.write(b"\x00" * (-file.tell() % ALIGNMENT))
    start = file.tell()
    if isinstance(array, np.ndarray):
        file.write(np.ascontiguousarray(array).data)
        return start, array.dtype.str, array.shape
    length, dtype = 0, "|u1"
    for piece in array:
        file.write(np.ascontiguousarray(piece).data)
        length, dtype = length + len(piece), piece.dtype.str
    return start, dtype, (length,)
