"""How much a file may ask for, and what stands at its path.

Files of others are looked at before anything of what they promise is allocated.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wildcell.errors import DataError, OptionError

READ_VARIABLE = "WILDCELL_MAX_READ_GIB"
"""Environment variable: how much of a file may be read into memory, in GiB."""

HARMLESS_BYTES = 2**30
"""What any file may come to, however small it is."""

MOST_EXPANSION = 500
"""How many times its stored size an array may have; measured counts, compressed, have 5 to 50."""

MOST_TEXT_BYTES = 2**26
"""What metadata, settings and records may take, in bytes."""

MOST_DEPTH = 64
"""How deep groups, folders and JSON may lie in each other."""

MOST_OBJECTS = 100_000
"""How many arrays and groups a file may have."""


def memory_limit() -> int:
    """Return how many bytes may be read into memory: the machine's, or what the user says.

    Raises
    ------
    OptionError
        The environment variable is no positive number.
    """
    said = os.environ.get(READ_VARIABLE)
    if said is None:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        gib = float(said)
    except ValueError:
        gib = 0.0
    if not 0 < gib < float("inf"):
        raise OptionError(f"{READ_VARIABLE} must be a positive number of GiB; got {said!r}.")
    return int(gib * 2**30)


def check_memory(what: str, n_bytes: int) -> None:
    """Refuse what does not fit into memory.

    Raises
    ------
    DataError
        It would take more than `memory_limit`.

    Examples
    --------
    >>> check_memory("a table", 2**10)
    """
    limit = memory_limit()
    if n_bytes > limit:
        raise DataError(
            f"{what} would take {in_gib(n_bytes)} of memory, above the limit of {in_gib(limit)}. "
            f"If the file is right, set {READ_VARIABLE} to more."
        )


def check_expansion(what: str, n_bytes: int, stored: int) -> None:
    """Refuse an array that promises far more than is stored of it.

    Raises
    ------
    DataError
        It has more than `HARMLESS_BYTES` and more than `MOST_EXPANSION` times its stored size.

    Examples
    --------
    >>> check_expansion("X", 2**40, 2**35)
    """
    if n_bytes > HARMLESS_BYTES and n_bytes > MOST_EXPANSION * stored:
        raise DataError(
            f"{what} says that it has {in_gib(n_bytes)}, of which {stored} bytes are stored: it is "
            "damaged or a decompression bomb."
        )


def in_gib(n_bytes: int) -> str:
    """Return a size in words.

    Examples
    --------
    >>> in_gib(3 * 2**29)
    '1.5 GiB'
    """
    return f"{n_bytes / 2**30:.3g} GiB"


def check_regular(path: Path) -> None:
    """Refuse a pipe, a device or a socket in the place of a file; a link to a file is one.

    Raises
    ------
    DataError
        There is something else than a file.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        raise DataError(f"{path} is {_kind(mode)}, not a file.")


def refuse_link(path: Path) -> None:
    """Refuse a symbolic link, which may lead anywhere.

    Raises
    ------
    DataError
        It is one.
    """
    if path.is_symlink():
        raise DataError(
            f"{path} is a symbolic link, to {path.readlink()}; links are not followed here: put "
            "the file itself there."
        )


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


@contextmanager
def unchanged(path: Path) -> Iterator[None]:
    """Refuse a file that was replaced or written while the block looked at it and read it.

    Raises
    ------
    DataError
        What stands at the path is another file than before, or was written since.
    """
    before = _identity(path)
    yield
    if _identity(path) != before:
        raise DataError(f"{path} was changed while it was read; start again.")


def _identity(path: Path) -> tuple[int, int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
