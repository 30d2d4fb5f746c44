"""Texts of others: settings, records and tables, read no further than a limit."""

import gzip
import io
import json
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from wildcell.errors import DataError
from wildcell.guards.limits import MOST_TEXT_BYTES, check_regular, in_gib, memory_limit

MOST_DOTS = 1000
"""How many dots one line of settings may have."""

MOST_EXPANSION = 100
"""How many times its stored size a gzipped text may have; tables have 3 to 20."""

LEAST_LIMIT = 2**28
"""What any gzipped text may come to."""


def read_text(path: Path, *, most_bytes: int = MOST_TEXT_BYTES) -> str:
    """Read a text file that may not be large.

    Raises
    ------
    DataError
        It is no file, or too large.
    OSError, UnicodeDecodeError
        It cannot be read.
    """
    check_regular(path)
    with path.open("rb") as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise DataError(f"{path} has more than {most_bytes} bytes, which no such file needs.")
    return content.decode("utf-8")


def parse_json(text: str, source: str) -> Any:
    """Read JSON.

    Raises
    ------
    DataError
        It is none, or lies in itself too deep.

    Examples
    --------
    >>> parse_json("[1]", "a list")
    [1]
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{source} is not JSON that can be read: {_reason(error)}.") from error


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """Read TOML.

    Raises
    ------
    DataError
        It is none, is too large or lies in itself too deep.

    Examples
    --------
    >>> parse_toml("a = 1", "a setting")
    {'a': 1}
    """
    if len(text) > MOST_TEXT_BYTES // 64:
        raise DataError(f"{source} has {len(text)} characters, which no settings need.")
    n_dots = max((line.count(".") for line in text.splitlines()), default=0)
    if n_dots > MOST_DOTS:  # as a name of many parts it would take time without end
        raise DataError(
            f"{source} has a line with {n_dots} dots, above {MOST_DOTS}; write it in several lines."
        )
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{source} is not TOML that can be read: {_reason(error)}.") from error


def _reason(error: Exception) -> str:
    return "it lies in itself too deep" if isinstance(error, RecursionError) else str(error)


class _Bounded(io.RawIOBase):
    """A file that may be read as far as a limit, and says so beyond it."""

    def __init__(self, file: IO[bytes], path: Path, most_bytes: int) -> None:
        self._file, self._path, self._left = file, path, most_bytes
        self._most = most_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        piece = self._file.read(len(into))
        self._left -= len(piece)
        if self._left < 0:
            raise DataError(
                f"{self._path} unpacks to more than {in_gib(self._most)}: it is a decompression "
                "bomb, or too large to be read."
            )
        into[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        with suppress(OSError):
            self._file.close()
        super().close()


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file, gunzipped where its name ends in .gz, that is read no further than memory goes.

    Raises
    ------
    DataError
        It is no file; later, when it is read, that it goes on beyond a quarter of `memory_limit`,
        or is a gzipped text that expands as none does.
    OSError
        It cannot be opened.
    """
    check_regular(path)
    most = memory_limit() // 4
    is_packed = path.suffix == ".gz"
    if is_packed:
        most = min(most, max(LEAST_LIMIT, MOST_EXPANSION * path.stat().st_size))
    opened: Any = gzip.open if is_packed else open
    return io.BufferedReader(_Bounded(opened(path, "rb"), path, most))
