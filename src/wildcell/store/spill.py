"""Temporary files for what does not fit in memory."""

import errno
import mmap
import os
import tempfile
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from wildcell.errors import StoreError


def temporary_file() -> IO[bytes]:
    """Open a file without a name, which is gone when it is closed."""
    return tempfile.TemporaryFile(prefix="wildcell-")


def write_at_end(file: IO[bytes], array: NDArray[Any]) -> int:
    """Append an array to a file, and return where it begins.

    Raises
    ------
    StoreError
        The disk is full.
    """
    place = file.seek(0, os.SEEK_END)
    try:
        file.write(np.ascontiguousarray(array).data)
        file.flush()
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise StoreError(
            f"The disk is full: a temporary file of more than {place / 2**30:.1f} GiB does not "
            f"fit in {tempfile.gettempdir()}. Name a larger place in TMPDIR."
        ) from error
    return place


def read_at(file: IO[bytes], place: int, into: NDArray[Any]) -> None:
    """Fill an array with what begins at a place of a file; threads may read at once."""
    rest = into.view(np.uint8).data
    while rest:
        n_read = os.preadv(file.fileno(), [rest], place)
        if n_read == 0:
            raise OSError(errno.EIO, "the file ends too soon")
        rest, place = rest[n_read:], place + n_read


@dataclass(frozen=True)
class Spool:
    """An array of one dimension that grows in a temporary file.

    Attributes
    ----------
    dtype
        Of its values.

    Examples
    --------
    >>> spool = Spool(np.dtype(np.int32))
    >>> spool.add(np.array([1, 2]))
    >>> spool.add(np.array([3]))
    >>> spool.finish().tolist()
    [1, 2, 3]
    """

    dtype: "np.dtype[Any]"
    _file: IO[bytes] = field(default_factory=temporary_file)

    def add(self, values: NDArray[Any]) -> None:
        """Append values.

        Raises
        ------
        StoreError
            The disk is full.
        """
        write_at_end(self._file, values.astype(self.dtype, copy=False))

    def finish(self) -> NDArray[Any]:
        """Return what was appended, read from the file as it is looked at; it cannot be changed."""
        if self._file.seek(0, os.SEEK_END) == 0:
            return np.empty(0, self.dtype)
        return np.frombuffer(mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ), self.dtype)


def is_spilled(array: Any) -> bool:
    """Whether an array, or what it is a view of, lies in a file."""
    return _map_of(array) is not None


def release(*arrays: Any) -> None:
    """Let go of the memory in which what was read of spilled arrays is; they can be read again.

    Arrays that lie elsewhere are left as they are.
    """
    for array in arrays:
        found = _map_of(array)
        if found is not None and hasattr(mmap, "MADV_DONTNEED"):
            found.madvise(mmap.MADV_DONTNEED)


def _map_of(array: Any) -> mmap.mmap | None:
    while isinstance(array, np.ndarray):
        array = array.base
    if isinstance(array, memoryview):
        array = array.obj
    return array if isinstance(array, mmap.mmap) else None
