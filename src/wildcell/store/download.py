"""Files of public repositories, brought here: verified, resumed, and whole or not there."""

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeAlias

import pooch
import requests

from wildcell.errors import StoreError
from wildcell.store.repository import (
    Connection,
    Located,
    RemoteFile,
    UnreachableError,
    reason_of,
    refuse_status,
)
from wildcell.store.runs import claimed, slug

CACHE_VARIABLE = "WILDCELL_CACHE"
CHUNK_BYTES = 2**16
PARTIAL = ".part"
Progress: TypeAlias = Callable[[int, int], object]
"""Told how many bytes are there, and how many there will be (0 where that is not known)."""


class Download(NamedTuple):
    """A file that is here.

    Attributes
    ----------
    path
        Where it lies.
    url
        Where it is from.
    checksum
        What was computed from it: `md5:...` or `sha256:...`.
    is_verified
        Whether the repository states the same checksum.
    """

    path: Path
    url: str
    checksum: str
    is_verified: bool


def cache_folder(given: Path | None = None) -> Path:
    """Return the folder for data sets: what is given, $WILDCELL_CACHE, or the platform's own."""
    return given or Path(os.environ.get(CACHE_VARIABLE) or pooch.os_cache("wildcell"))


def download(
    file: RemoteFile,
    folder: Path,
    *,
    connection: Connection | None = None,
    on_progress: Progress | None = None,
) -> Download:
    """Bring a file here, unless it is; one that was cut off is gone on with.

    A file of the right name that someone put there is taken, if its checksum is right or cannot
    be known. Two processes that want the same file do not meet.

    Parameters
    ----------
    file
        What to bring.
    folder
        Where to keep it.
    connection
        How to reach the repository.
    on_progress
        Is told of each piece.

    Raises
    ------
    UnreachableError
        The repository does not answer; the message names the address and the place for a file
        brought by hand.
    StoreError
        There is no such file, its checksum is wrong, or it cannot be written.
    """
    connection = connection or Connection()
    path = folder / file.name
    with claimed(folder / ".locks" / slug(file.name)):
        try:
            located = file.locate(connection.ask, connection.mirror.rstrip("/"))
            if not path.exists():
                _retrieve(located, path, connection, on_progress)
        except UnreachableError as error:
            if not path.exists():
                raise UnreachableError(f"{error} {_by_hand(file, path)}") from error
            located = Located("", None)  # what is there cannot be verified
        return _verified(path, located)


def _retrieve(
    located: Located, path: Path, connection: Connection, on_progress: Progress | None
) -> None:
    part = path.with_name(path.name + PARTIAL)
    if located.checksum is None:
        # What was cut off might be of another version, and nothing would tell.
        part.unlink(missing_ok=True)
    downloader = partial(_resume, connection=connection, part=part, on_progress=on_progress)
    was_resumed = part.exists()
    try:
        _pooch_retrieve(located, path, downloader)
    except ValueError as error:
        if not was_resumed:
            raise _wrong_checksum(located, error) from error
        try:  # the part may have been of another version: begin anew
            _pooch_retrieve(located, path, downloader)
        except ValueError as second:
            raise _wrong_checksum(located, second) from second


def _pooch_retrieve(located: Located, path: Path, downloader: Callable[..., None]) -> None:
    with _quiet(pooch.get_logger()):
        pooch.retrieve(
            located.url, located.checksum, path.name, path=path.parent, downloader=downloader
        )


def _wrong_checksum(located: Located, error: ValueError) -> StoreError:
    return StoreError(
        f"What came from {located.url} is not what the repository states, {located.checksum}; it "
        f"was deleted. Try again; if it stays so, the file there is damaged. ({error})"
    )


def _resume(
    url: str,
    output_file: str,
    _pooch: object,
    *,
    connection: Connection,
    part: Path,
    on_progress: Progress | None,
) -> None:
    """Download for pooch by way of a part that outlives a connection that was cut."""
    n_failed = 0
    while True:
        n_before = _size(part)
        try:
            _go_on(url, part, connection, on_progress)
            break
        except UnreachableError:
            n_failed = 0 if _size(part) > n_before else n_failed + 1
            if n_failed == connection.n_attempts:
                raise
            time.sleep(connection.pause_s * 2**n_failed)
    part.replace(output_file)


def _go_on(url: str, part: Path, connection: Connection, on_progress: Progress | None) -> None:
    start = _size(part)
    with connection.get(url, {"Range": f"bytes={start}-"} if start else None) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            if response.headers.get("Content-Range") == f"bytes */{start}":
                return  # all of it was there
            part.unlink()
            raise UnreachableError(f"{url} is not as long as the part that was there.")
        refuse_status(response, wanted={200, 206})
        is_rest = response.headers.get("Content-Range", "").startswith(f"bytes {start}-")
        if response.status_code == requests.codes.partial_content and not is_rest:
            raise UnreachableError(f"{url} answered with another range than was asked for.")
        n_there = start if is_rest else 0
        total = n_there + int(response.headers.get("Content-Length", -n_there))
        _write(response, part, is_rest=is_rest, total=total, on_progress=on_progress)
    if total and _size(part) != total:
        raise UnreachableError(f"{url} was cut off after {_size(part)} of {total} bytes.")


def _write(
    response: requests.Response,
    part: Path,
    *,
    is_rest: bool,
    total: int,
    on_progress: Progress | None,
) -> None:
    try:
        with part.open("ab" if is_rest else "wb") as stream:
            for chunk in response.iter_content(CHUNK_BYTES):
                stream.write(chunk)
                if on_progress is not None:
                    on_progress(stream.tell(), total)
    except requests.RequestException as error:
        raise UnreachableError(f"{response.url} was cut off ({reason_of(error)}).") from error
    except OSError as error:
        raise StoreError(
            f"{part} could not be written ({error.strerror}). Free some space, or name another "
            "folder; what is there is gone on with."
        ) from error


def _verified(path: Path, located: Located) -> Download:
    algorithm = located.checksum.partition(":")[0] if located.checksum else "sha256"
    found = f"{algorithm}:{pooch.file_hash(str(path), alg=algorithm)}"
    if located.checksum not in {None, found}:
        raise StoreError(
            f"{path} is not the file of the repository: its checksum is {found}, and "
            f"{located.url} has {located.checksum}. Delete it to have it downloaded."
        )
    return Download(path, located.url, found, is_verified=located.checksum is not None)


def _by_hand(file: RemoteFile, path: Path) -> str:
    return f"Or bring it by other means: save {file.address} as {path}"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
