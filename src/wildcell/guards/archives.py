"""Archives of arrays of others, `.npz` and `.pt`, looked at before they are read.

Nothing of them is ever unpickled beyond what torch calls weights.
"""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.lib import format as npy

from wildcell.errors import DataError
from wildcell.guards.limits import (
    MOST_OBJECTS,
    check_expansion,
    check_memory,
    check_regular,
)


def check_zip(path: Path) -> None:
    """Refuse an archive whose members leave it, or unpack to more than can be; others pass.

    Raises
    ------
    DataError
        A member has a name that leads elsewhere, is there twice, or unpacks to too much.
    """
    check_regular(path)
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    if len(members) > MOST_OBJECTS:
        raise DataError(f"{path} has {len(members)} members, above {MOST_OBJECTS}.")
    names = [member.filename for member in members]
    if len(set(names)) < len(names):
        raise DataError(f"{path} has two members of one name: it is no archive that was saved so.")
    for name in names:
        if name.startswith("/") or "\\" in name or ".." in PurePosixPath(name).parts:
            raise DataError(f"{path} has the member {name!r}, which lies outside of it.")
    size = path.stat().st_size
    for member in members:
        if member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise DataError(f"{path}: {member.filename} is packed as no array is.")
        if member.compress_size > size:
            raise DataError(f"{path}: {member.filename} is said to be larger than the file.")
        check_expansion(f"{member.filename} of {path}", member.file_size, member.compress_size)
    check_memory(str(path), sum(member.file_size for member in members))


@contextmanager
def open_npz(path: Path) -> Iterator[Any]:
    """Open a .npz file whose arrays hold numbers or texts, and have the size that they say.

    Raises
    ------
    DataError
        It is no archive, or its arrays promise more than is there.
    """
    check_zip(path)
    if not zipfile.is_zipfile(path):
        raise DataError(
            f"{path} cannot be read: it is no archive of arrays; write it with np.savez."
        )
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            _check_member(archive, member, path)
    with np.load(path, allow_pickle=False) as arrays:
        yield arrays


def _check_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> None:
    with archive.open(member) as stream:
        version = npy.read_magic(stream)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read(stream)
    if dtype.hasobject:
        raise DataError(
            f"`{member.filename.removesuffix('.npy')}` of {path} is an array of Python objects, "
            "which is not read because it could run code; save text or numbers, such as "
            "np.array(names, dtype=str)."
        )
    n_bytes = dtype.itemsize
    for length in shape:
        n_bytes *= int(length)
    if n_bytes > member.file_size or min(shape, default=0) < 0:
        raise DataError(
            f"{path}: {member.filename} says that it has the shape {shape} of {dtype}, and has "
            f"{member.file_size} bytes: it is damaged."
        )
