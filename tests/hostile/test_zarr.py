"""Zarr folders with links, decoders that run code, and metadata that cannot be."""

import gzip
import json
import os
import pickle
import struct
import zlib

import anndata as ad
import pytest
from numcodecs import Blosc, Zstd

from wildcell.datasets.load import load_dataset
from wildcell.datasets.open import open_cells
from wildcell.datasets.read import read_cells
from wildcell.errors import DataError
from wildcell.streams.matrix import read_all

HUGE = 10**13


@pytest.fixture
def write(cells, tmp_path):
    """Return a function that writes the cells in a version of the format."""

    def written(version):
        path = tmp_path / f"cells-{version}.zarr"
        with ad.settings.override(zarr_write_format=version):
            cells.write_zarr(path)
        return path

    return written


def tell(path, place, **words):
    """Let the metadata of an array say something else."""
    (path / ".zmetadata").unlink(missing_ok=True)
    file = path / place / ".zarray"
    file.write_text(json.dumps({**json.loads(file.read_text()), **words}))


def pickle_as_filter(path, bite):
    tell(path, "uns/note", filters=[{"id": "pickle"}], compressor=None)
    (path / "uns/note/0").write_bytes(pickle.dumps(bite))


def pickle_after_text(path, bite):
    tell(path, "uns/note", filters=[{"id": "vlen-utf8"}, {"id": "pickle"}], compressor=None)
    (path / "uns/note/0").write_bytes(pickle.dumps(bite))


def pickle_as_compressor(path, bite):
    tell(path, "X/data", compressor={"id": "pickle", "protocol": 5})
    (path / "X/data/0").write_bytes(pickle.dumps(bite))


def pickle_in_consolidated(path, bite):
    file = path / ".zmetadata"
    words = {"metadata": {"uns/more/.zarray": json.loads((path / "X/data/.zarray").read_text())}}
    words["metadata"]["uns/more/.zarray"]["filters"] = [{"id": "pickle"}]
    file.write_text(json.dumps(words))


def linked_chunk(path, bite):
    chunk = path / "X/data/0"
    chunk.unlink()
    chunk.symlink_to("/etc/passwd")


def linked_folder(path, bite):
    (path / "uns/more").symlink_to(path.parent, target_is_directory=True)


def linked_metadata(path, bite):
    (path / "uns/.zattrs").unlink()
    (path / "uns/.zattrs").symlink_to("/etc/hostname")


def pipe(path, bite):
    os.mkfifo(path / "X/data/1")


def absurd_shape(path, bite):
    tell(path, "X/data", shape=[HUGE])


def absurd_chunk(path, bite):
    tell(path, "obs/context/codes", shape=[24], chunks=[HUGE])


def absurd_text(path, bite):
    tell(path, "uns/note", dtype="<U400000000")


def negative_shape(path, bite):
    tell(path, "X/data", shape=[-1])


def worded_shape(path, bite):
    tell(path, "X/data", shape="many")


def no_shape(path, bite):
    (path / "X/data/.zarray").write_text("{}")


def metadata_too_deep(path, bite):
    (path / "uns/.zattrs").write_text("[" * 100_000)


def metadata_too_large(path, bite):
    with (path / "uns/.zattrs").open("wb") as file:
        file.truncate(2**27)


def metadata_of_words(path, bite):
    (path / "uns/note/.zarray").write_text("nothing of the kind")


def folders_too_deep(path, bite):
    (path / "/".join(["uns", *["a"] * 70])).mkdir(parents=True)


def deflated_zeros(size):
    """Return what inflates to many zeros, packed once and said again."""
    packer = zlib.compressobj(1)
    first, other = (
        packer.compress(bytes(2**24)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2)
    )
    return first + other * (size // 2**24 - 1)


def chunk_that_inflates(path, bite):
    tell(path, "X/data", compressor={"id": "zlib", "level": 1})
    (path / "X/data/0").write_bytes(deflated_zeros(2**30))


def deflated_members(path, bite):
    tell(path, "X/data", compressor={"id": "gzip", "level": 1})
    bomb = gzip.compress(bytes(2**24), 1)
    (path / "X/data/0").write_bytes(gzip.compress(b"little") + bytes(9) + bomb * 99)


def frame_of_unsaid_size(path, bite):
    """Blocks that each repeat one byte 2**17 times."""
    tell(path, "X/data", compressor={"id": "zstd", "level": 1})
    block = (1 << 1 | 2**17 << 3).to_bytes(3, "little") + b"\0"
    last = (1 | 1 << 1 | 2**17 << 3).to_bytes(3, "little") + b"\0"
    head = struct.pack("<I", 0xFD2FB528) + bytes([0, 0x58])
    (path / "X/data/0").write_bytes(head + block * 2**13 + last)


def second_frame(path, bite):
    frame_of_unsaid_size(path, bite)
    one = Zstd().encode(b"little")
    (path / "X/data/0").write_bytes(one + (path / "X/data/0").read_bytes())


def head_of_blosc(path, bite):
    tell(path, "X/data", compressor={"id": "blosc", "cname": "zstd", "clevel": 1, "shuffle": 0})
    (path / "X/data/0").write_bytes(Blosc(cname="zstd").encode(bytes(2**30)))


def head_of_lz4(path, bite):
    tell(path, "X/data", compressor={"id": "lz4"})
    (path / "X/data/0").write_bytes((2**31 - 1).to_bytes(4, "little") + b"\x10abc")


def texts_of_many_chunks(path, bite):
    """Chunks of texts that are each below what any may come to."""
    tell(path, "uns/note", shape=[8], chunks=[1], compressor={"id": "zstd", "level": 1})
    chunk = Zstd().encode(struct.pack("<II", 1, 2**29) + bytes(2**29))
    for number in range(8):
        (path / f"uns/note/{number}").write_bytes(chunk)


def decoder_that_widens(path, bite):
    widens = {"id": "fixedscaleoffset", "scale": 1, "offset": 0, "dtype": "<U9999", "astype": "|u1"}
    tell(path, "X/data", filters=[widens])


def packed_twice(path, bite):
    tell(path, "X/data", filters=[{"id": "zlib", "level": 1}], compressor={"id": "zstd"})


VERSION_2 = [
    (pickle_as_filter, "asks for the decoder 'pickle'"),
    (pickle_after_text, "asks for the decoder 'pickle'"),
    (pickle_as_compressor, "asks for the decoder 'pickle'"),
    (pickle_in_consolidated, "asks for the decoder 'pickle'"),
    (linked_chunk, "is a symbolic link"),
    (linked_folder, "is a symbolic link"),
    (linked_metadata, "is a symbolic link"),
    (pipe, "neither a file nor a folder"),
    (absurd_shape, "decompression bomb"),
    (absurd_chunk, "of memory"),
    (absurd_text, "decompression bomb"),
    (negative_shape, "cannot be"),
    (worded_shape, "cannot be"),
    (no_shape, "metadata are damaged"),
    (metadata_too_deep, "lies in itself too deep"),
    (metadata_too_large, "which no such file needs"),
    (metadata_of_words, "is not JSON"),
    (folders_too_deep, "deep"),
    (chunk_that_inflates, "unpacks to more"),
    (deflated_members, "unpacks to more"),
    (frame_of_unsaid_size, "unpacks to more"),
    (second_frame, "unpacks to more"),
    (head_of_blosc, "unpacks to more"),
    (head_of_lz4, "unpacks to more"),
    (texts_of_many_chunks, "of memory"),
    (decoder_that_widens, "asks for the decoder"),
    (packed_twice, "compressed twice"),
]


@pytest.mark.parametrize("read", [read_cells, open_cells])
@pytest.mark.parametrize(("change", "words"), VERSION_2)
def test_a_hostile_folder_is_refused_in_words(write, bite, read, change, words):
    path = write(2)
    change(path, bite)
    with pytest.raises(DataError, match=r"cells-2\.zarr") as refused:
        read(path)
    assert words in str(refused.value)


def consolidated_elsewhere(path, words):
    array = json.loads((path / "X/data/zarr.json").read_text())
    words["consolidated_metadata"] = {"metadata": {"../../secret": array}}


def consolidated_at_the_root(path, words):
    array = json.loads((path / "X/data/zarr.json").read_text())
    words["consolidated_metadata"] = {"metadata": {"/etc": array}}


def consolidated_bomb(path, words):
    array = json.loads((path / "X/data/zarr.json").read_text())
    words["consolidated_metadata"] = {"metadata": {"uns/more": {**array, "shape": [HUGE]}}}


def consolidated_words(path, words):
    words["consolidated_metadata"] = {"metadata": "all"}


VERSION_3 = [
    (consolidated_elsewhere, "lies outside"),
    (consolidated_at_the_root, "lies outside"),
    (consolidated_bomb, "decompression bomb"),
    (consolidated_words, "stands where metadata should"),
]


@pytest.mark.parametrize(("change", "words"), VERSION_3)
def test_metadata_kept_for_the_whole_folder_are_looked_at_too(write, change, words):
    path = write(3)
    said = json.loads((path / "zarr.json").read_text())
    change(path, said)
    (path / "zarr.json").write_text(json.dumps(said))
    with pytest.raises(DataError) as refused:
        read_cells(path)
    assert words in str(refused.value)


@pytest.mark.parametrize("name", ["pickle", "numcodecs.pickle", "json2", "lzma"])
def test_decoders_of_version_3_are_looked_at_too(write, name):
    path = write(3)
    file = path / "X/data/zarr.json"
    said = json.loads(file.read_text())
    said["codecs"].append({"name": name, "configuration": {}})
    file.write_text(json.dumps(said))
    with pytest.raises(DataError, match="asks for the decoder"):
        open_cells(path)


def test_a_frame_that_says_it_has_a_tebibyte_is_refused(write):
    path = write(3)
    chunk = path / "X/data/c/0"
    assert chunk.is_file()
    head = struct.pack("<I", 0xFD2FB528) + bytes([0b11100000]) + struct.pack("<Q", 2**40)
    chunk.write_bytes(head + bytes(20))
    with pytest.raises(DataError, match="unpacks to more than its shape has"):
        open_cells(path)


def sharded(path, content):
    """Let the numbers lie in one file of two chunks."""
    file = path / "X/data/zarr.json"
    said = json.loads(file.read_text())
    n = said["shape"][0]
    said["chunk_grid"]["configuration"]["chunk_shape"] = [2 * n]
    index = {"index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}]}
    inner = {"chunk_shape": [n], "codecs": said["codecs"], **index, "index_location": "end"}
    said["codecs"] = [{"name": "sharding_indexed", "configuration": inner}]
    file.write_text(json.dumps(said))
    kept = json.loads((path / "zarr.json").read_text())
    kept.pop("consolidated_metadata")
    (path / "zarr.json").write_text(json.dumps(kept))
    places = struct.pack("<QQQQ", 0, len(content), 2**64 - 1, 2**64 - 1)
    (path / "X/data/c/0").write_bytes(content + places)


def test_chunks_within_files_are_looked_at(write, cells):
    path = write(3)
    sharded(path, Zstd().encode(cells.X.data.tobytes()))
    assert (read_cells(path).X != cells.X).nnz == 0
    sharded(write(3), Zstd().encode(bytes(2**28)))
    with pytest.raises(DataError, match="unpacks to more than its shape has"):
        read_cells(path)


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path):
    (tmp_path / "cells.zarr").write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(DataError, match="a zarr store is a folder"):
        load_dataset(tmp_path / "cells.zarr")


@pytest.mark.parametrize("version", [2, 3])
def test_clean_folders_are_read(write, cells, version):
    path = write(version)
    assert (read_cells(path).X != cells.X).nnz == 0
    opened = open_cells(path)
    assert (read_all(opened.X) != cells.X).nnz == 0
