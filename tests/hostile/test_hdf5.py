"""HDF5 files that reach out of themselves, promise what they do not hold, or are damaged."""

import os
import re
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from wildcell.datasets.load import load_dataset
from wildcell.datasets.open import open_cells
from wildcell.datasets.read import read_cells, read_source
from wildcell.errors import DataError
from wildcell.scenarios.audit_files import read_screen
from wildcell.scenarios.embedding_file import read_embedding
from wildcell.streams.matrix import read_all

HUGE = 10**13


def external_link(file, folder):
    del file["X"]
    file["X"] = h5py.ExternalLink(str(folder / "secret.h5ad"), "/X")


def external_link_in_obs(file, folder):
    del file["obs/context"]
    file["obs/context"] = h5py.ExternalLink(str(folder / "secret.h5ad"), "/obs/context")


def external_link_to_device(file, folder):
    file["uns/more"] = h5py.ExternalLink("/dev/zero", "/")


def soft_link(file, folder):
    file["uns/more"] = h5py.SoftLink("/X")


def link_in_circles(file, folder):
    file["uns/more"] = file["uns"]


def links_that_multiply(file, folder):
    group = file["uns"]
    for depth in range(12):
        below = group.create_group(f"level-{depth}")
        for copy in range(9):
            group[f"copy-{depth}-{copy}"] = below
        group = below


def external_storage(file, folder):
    secret = folder / "secret.txt"
    secret.write_bytes(b"A secret of the user's" * 10)
    file["uns"].create_dataset("more", (100,), "u1", external=[(str(secret), 0, 100)])


def external_storage_of_x(file, folder):
    shape = file["X/data"].shape
    del file["X/data"]
    file["X"].create_dataset("data", shape, "f4", external=[("/etc/passwd", 0, 4 * shape[0])])


def virtual_array(file, folder):
    layout = h5py.VirtualLayout((10,), "f4")
    layout[:] = h5py.VirtualSource(str(folder / "secret.h5ad"), "X/data", (10,))
    file["uns"].create_virtual_dataset("more", layout)


def absurd_shape(file, folder):
    file["uns"].create_dataset("more", (HUGE,), "f8", chunks=(2**20,))


def absurd_x(file, folder):
    del file["X"]
    X = file.create_dataset("X", (24, HUGE), "f4", chunks=(1, 2**20))
    X.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})


def absurd_columns(file, folder):
    file["X"].attrs["shape"] = np.array([24, HUGE])


def absurd_rows(file, folder):
    file["X"].attrs["shape"] = np.array([HUGE, 4])


def negative_shape(file, folder):
    file["X"].attrs["shape"] = np.array([-24, 4])


def values_beyond(file, folder):
    file["X/indices"][3] = 10**6


def negative_values(file, folder):
    file["X/indices"][3] = -5


def rows_that_go_back(file, folder):
    file["X/indptr"][2] = 10**6


def zeros_that_are_packed(file, folder):
    more = file["uns"].create_dataset("more", (2**32,), "u1", compression="gzip", chunks=(2**24,))
    more.id.write_direct_chunk((0,), zlib.compress(bytes(2**24), 9))


def deflated_zeros(size):
    """Return what inflates to many zeros, packed once and said again."""
    packer = zlib.compressobj(1)
    first, other = (
        packer.compress(bytes(2**24)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2)
    )
    return first + other * (size // 2**24 - 1)


def chunk_that_inflates(file, folder):
    bomb = deflated_zeros(2**30)
    array = file["uns"].create_dataset("more", (64,), "u1", compression="gzip", chunks=(64,))
    array.id.write_direct_chunk((0,), bomb)


def text_that_is_many(file, folder):
    """Texts of 4 MiB each, of which one is stored."""
    n = 100_000
    texts = file["uns"].create_dataset("more", (n,), h5py.string_dtype())
    texts[0] = "x" * 2**22
    file.flush()
    start = texts.id.get_offset()
    path = file.filename
    file.close()
    with Path(path).open("r+b") as raw:
        raw.seek(start)
        one = raw.read(16)
        raw.seek(start)
        raw.write(one * n)


def arrays_within(file, folder):
    kind = h5py.vlen_dtype(np.float32)
    file["uns"].create_dataset("more", (3,), kind)


def references(file, folder):
    file["uns"].create_dataset("more", data=file["X"].ref, dtype=h5py.ref_dtype)


def many_groups(file, folder):
    group = file["uns"]
    for _ in range(80):
        group = group.create_group("a")
        group.attrs.update({"encoding-type": "dict", "encoding-version": "0.1.0"})


def unknown_filter(file, folder):
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_chunk((4,))
    settings.set_filter(30000, h5py.h5z.FLAG_OPTIONAL, (1,))
    space = h5py.h5s.create_simple((4,))
    h5py.h5d.create(file["uns"].id, b"more", h5py.h5t.NATIVE_FLOAT, space, settings)


def packed_twice(file, folder):
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_chunk((2**20,))
    settings.set_deflate(9)
    settings.set_deflate(9)
    space = h5py.h5s.create_simple((2**20,))
    h5py.h5d.create(file["uns"].id, b"more", h5py.h5t.NATIVE_FLOAT, space, settings)


def words_for_numbers(file, folder):
    shape = file["X/data"].shape
    del file["X/data"]
    file["X"].create_dataset("data", shape, h5py.string_dtype())


def no_index(file, folder):
    file["obs"].attrs["_index"] = "../../X"


def unknown_encoding(file, folder):
    file["uns/note"].attrs["encoding-type"] = "pickle"


def scaled_values(file, folder):
    file["uns"].create_dataset("more", (64,), "i4", chunks=(64,), scaleoffset=0)


def attribute_that_is_many(file, folder):
    """Names of columns of 4 MiB each, of which one is stored."""
    n, path = 3000, Path(file.filename)
    file["obs"].attrs["column-order"] = np.array(["x" * 2**22] + ["y"] * n, dtype=object)
    file.close()
    content = path.read_bytes()
    first, second = (re.escape(size.to_bytes(4, "little")) for size in (2**22, 1))
    start = re.search(first + b".{12}" + second, content, re.DOTALL).start()
    one = content[start : start + 16]
    path.write_bytes(content[:start] + one * (n + 1) + content[start + 16 * (n + 1) :])


CASES = [
    (external_link, "link to another file"),
    (external_link_in_obs, "link to another file"),
    (external_link_to_device, "link to another file"),
    (soft_link, "link to '/X'"),
    (link_in_circles, "linked to more than once"),
    (links_that_multiply, "linked to more than once"),
    (external_storage, "stored in another file"),
    (external_storage_of_x, "stored in another file"),
    (virtual_array, "virtual array"),
    (absurd_shape, "decompression bomb"),
    (absurd_x, "decompression bomb"),
    (absurd_columns, ""),
    (absurd_rows, ""),
    (negative_shape, ""),
    (values_beyond, ""),
    (negative_values, ""),
    (rows_that_go_back, ""),
    (zeros_that_are_packed, "decompression bomb"),
    (chunk_that_inflates, "inflates to more"),
    (text_that_is_many, "of memory"),
    (arrays_within, "arrays within arrays"),
    (references, "references"),
    (many_groups, "deep"),
    (unknown_filter, "filter 30000"),
    (packed_twice, "compressed twice"),
    (scaled_values, "filter 6"),
    (attribute_that_is_many, "would take more than 1 GiB of memory"),
    (words_for_numbers, ""),
    (no_index, ""),
    (unknown_encoding, ""),
]
"""What is done to a file, and what is said of it; "" where the reader says it in its own words."""


def spoil(path, change):
    with h5py.File(path, "a") as file:
        change(file, path.parent)


def read_whole(path):
    opened = open_cells(path)
    assert opened.X.shape == (len(opened.obs), len(opened.genes))
    return read_all(opened.X)


@pytest.mark.parametrize(("change", "words"), CASES, ids=lambda case: getattr(case, "__name__", ""))
def test_a_hostile_h5ad_is_refused_in_words(h5ad, change, words):
    spoil(h5ad, change)
    with pytest.raises(DataError, match=h5ad.stem) as refused:
        read_cells(h5ad)
    assert words in str(refused.value)


OF_ALL = [case for case in CASES if case[1] and case[0] != packed_twice]


@pytest.mark.parametrize("read", [open_cells, read_source, load_dataset, read_screen])
@pytest.mark.parametrize(("change", "words"), OF_ALL[:9])
def test_every_reader_of_cells_refuses_it(h5ad, read, change, words):
    spoil(h5ad, change)
    given = str(h5ad) if read is read_screen else h5ad
    with pytest.raises(DataError) as refused:
        read(given)
    assert words in str(refused.value)


def test_clean_cells_are_read(h5ad, cells):
    assert (read_cells(h5ad).X != cells.X).nnz == 0
    assert (read_whole(h5ad) != cells.X).nnz == 0


def test_an_embedding_is_not_taken_from_another_file(h5ad, tmp_path):
    with h5py.File(h5ad, "a") as file:
        file["obsm/pca"] = h5py.ExternalLink(str(tmp_path / "secret.h5ad"), "/X/data")
    with pytest.raises(DataError, match="link to another file"):
        read_embedding(h5ad, key="pca")


@pytest.mark.parametrize("change", [values_beyond, negative_values, rows_that_go_back])
def test_damaged_rows_are_refused_when_they_are_streamed(h5ad, change):
    spoil(h5ad, change)
    with pytest.raises(DataError, match="damaged"):
        read_whole(h5ad)


def test_a_matrix_larger_than_memory_may_be_opened_and_not_read_whole(h5ad):
    with h5py.File(h5ad, "a") as file:
        del file["X"]
        X = file.create_dataset("X", (24, 2**24), "f4", chunks=(1, 2**20), compression="lzf")
        X[:, :] = 0
        X.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
    assert open_cells(h5ad).X.shape == (24, 2**24)
    with pytest.raises(DataError, match=r"would take 1\.5 GiB of memory"):
        read_cells(h5ad)


def test_a_file_with_the_head_of_another_is_refused(h5ad):
    h5ad.write_bytes(b"\x80\x04" + h5ad.read_bytes()[2:])
    with pytest.raises(DataError, match="cannot be read as h5ad"):
        read_cells(h5ad)


def test_a_file_that_is_cut_short_is_refused(h5ad):
    h5ad.write_bytes(h5ad.read_bytes()[:-500])
    with pytest.raises(DataError, match="cannot be read as h5ad"):
        read_cells(h5ad)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "cells.h5ad")
    with pytest.raises(DataError, match="is a pipe, not a file"):
        read_cells(tmp_path / "cells.h5ad")


def test_a_device_is_not_read(tmp_path):
    (tmp_path / "cells.h5ad").symlink_to("/dev/zero")
    with pytest.raises(DataError, match="is a device, not a file"):
        open_cells(tmp_path / "cells.h5ad")


def test_a_link_that_is_turned_elsewhere_while_it_is_read_is_noticed(h5ad, tmp_path, monkeypatch):
    link = tmp_path / "link.h5ad"
    link.symlink_to(h5ad)
    from wildcell.datasets import read

    def look_then_turn(path):
        link.unlink()
        link.symlink_to(tmp_path / "secret.h5ad")

    monkeypatch.setattr(read, "check_store", look_then_turn)
    with pytest.raises(DataError, match="was changed while it was read"):
        read_cells(link)
