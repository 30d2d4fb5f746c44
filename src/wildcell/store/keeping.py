"""What is costly to compute, kept on disk for whoever needs it again.

A shelf is a folder of arrays that follow from one thing, such as the truth of a question. Each lies
in a file of its own that is whole or not there; what is damaged is computed anew.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from numpy.typing import NDArray

from wildcell.errors import StoreError
from wildcell.store.arrays_file import open_arrays, write_arrays
from wildcell.store.fingerprint import file_sha256, fingerprint

Arrays: TypeAlias = Mapping[str, NDArray[Any]]

MOST_BYTES = 10 * 2**30
"""Room that all shelves of a folder may take; those that were used longest ago go first."""


class Keeper(Protocol):
    """Gives back what was kept under a name, or makes it."""

    def __call__(self, name: str, make: Callable[[], Arrays], /) -> Arrays:
        """Return what was kept, or what `make` returns."""
        ...


def made_anew(name: str, make: Callable[[], Arrays], /) -> Arrays:  # noqa: ARG001 - a `Keeper`
    """Keep nothing."""
    return make()


@dataclass(frozen=True)
class Shelf:
    """A folder of what follows from one thing.

    Attributes
    ----------
    folder
        Where it lies; made when something is kept.
    prefix
        What all names begin with.
    notes
        What went wrong, in sentences; nothing that does stops the work.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> shelf = Shelf(Path(tempfile.mkdtemp()))
    >>> made = shelf("sums", lambda: {"total": np.ones(2)})
    >>> shelf("sums", lambda: {"total": np.zeros(2)})["total"].tolist()
    [1.0, 1.0]
    """

    folder: Path
    prefix: str = ""
    notes: list[str] = field(default_factory=list)

    def __call__(self, name: str, make: Callable[[], Arrays], /) -> Arrays:
        """Return what was kept, or make and keep it."""
        found = self.find(name)
        if found is None:
            found = make()
            self.keep(name, found)
        return found

    def __contains__(self, name: str) -> bool:
        return self._path(name).exists()

    def part(self, *words: object) -> "Shelf":
        """Return the shelf on which names begin with some words."""
        return replace(self, prefix=f"{self.prefix}{fingerprint(words)[:8]}-")

    def find(self, name: str) -> Arrays | None:
        """Return what was kept, None where there is nothing or it is damaged."""
        path = self._path(name)
        try:
            opened = open_arrays(path)
        except OSError as error:
            self.notes.append(f"{path} cannot be read ({error.strerror}); computed anew.")
            return None
        if opened is None:
            if path.exists():
                self.notes.append(f"{path} is damaged; computed anew.")
                path.unlink()
            return None
        with opened.file:
            return {one: opened.read(one) for one in opened.places}

    def keep(self, name: str, arrays: Arrays) -> None:
        """Write arrays, unless the disk has no room for them."""
        try:
            write_arrays(self._path(name), arrays, {})
        except StoreError as error:
            self.notes.append(f"Nothing is kept for the next time: {error}")

    def _path(self, name: str) -> Path:
        return self.folder / f"{self.prefix}{name}.arrays"


def open_shelf(root: Path, content: str, most_bytes: int = MOST_BYTES) -> Shelf:
    """Return the shelf of what follows from some content, making room for it.

    Parameters
    ----------
    root
        Folder of all shelves.
    content
        Fingerprint of all that its arrays follow from but this software, which is added.
    most_bytes
        Others are deleted, those that were used longest ago first, until the rest take no more.
    """
    shelf = Shelf(root / fingerprint(content, software()))
    if shelf.folder.is_dir():
        os.utime(shelf.folder)
    _make_room(root, most_bytes, spared=shelf.folder)
    return shelf


@cache
def software() -> str:
    """Return a fingerprint of this package's own files, which changes when a line of it does."""
    home = Path(__file__).parents[1]
    return fingerprint([file_sha256(path) for path in sorted(home.rglob("*.py"))])


def check_software(wanted: str) -> None:
    """Raise `StoreError` unless another machine's `software` is what this one has."""
    if wanted != software():
        raise StoreError(
            "A worker of the cluster runs another wildcell than this machine: install the same on "
            "both."
        )


def _make_room(root: Path, most_bytes: int, *, spared: Path) -> None:
    held = 0
    for folder in sorted(_folders(root), key=lambda path: path.stat().st_mtime, reverse=True):
        held += sum(file.stat().st_size for file in folder.iterdir())
        if held > most_bytes and folder != spared:
            shutil.rmtree(folder, ignore_errors=True)


def _folders(root: Path) -> Iterator[Path]:
    if root.is_dir():
        yield from (path for path in root.iterdir() if path.is_dir())
