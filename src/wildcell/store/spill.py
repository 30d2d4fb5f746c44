"""Temporary files for what does not fit in memory."""

import errno
import os
import tempfile
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
