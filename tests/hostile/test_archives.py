"""Archives and tables of features that run code, leave their folder or unpack without end."""

import gzip
import io
import pickle
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wildcell.errors import DataError
from wildcell.scenarios.embedding_file import read_embedding
from wildcell.scenarios.features import read_features
from wildcell.scenarios.gene_sets import read_gene_sets
from wildcell.scenarios.graph_file import read_graph
from wildcell.store.atomic import read_table

HUGE = 10**13


def head(shape, kind="<f8"):
    """Return the head of an array of some shape, without its numbers."""
    file = io.BytesIO()
    words = {"descr": kind, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, words)
    return file.getvalue()


def archive(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, pieces in members.items():
            with file.open(name, "w", force_zip64=True) as member:
                for piece in pieces:
                    member.write(piece)


NAMES = {"names.npy": [head((2,)), bytes(16)]}


def objects(path, bite):
    np.savez(path, names=np.array([bite, "x"], dtype=object), features=np.ones((2, 2)))


def only_a_pickle(path, bite):
    path.write_bytes(pickle.dumps(bite))


def absurd_shape(path, bite):
    archive(path, {**NAMES, "features.npy": [head((2, HUGE))]})


def negative_shape(path, bite):
    archive(path, {**NAMES, "features.npy": [head((-2, 2)), bytes(32)]})


def head_that_is_code(path, bite):
    code = b"{'descr': __import__('os').getcwd(), 'fortran_order': False, 'shape': (2, 2)}\n"
    start = b"\x93NUMPY\x01\x00" + len(code).to_bytes(2, "little")
    archive(path, {**NAMES, "features.npy": [start + code, bytes(32)]})


def bomb(path, bite):
    archive(path, {**NAMES, "features.npy": [head((2, 2**27)), *[bytes(2**24)] * 65]})


def member_that_leaves(path, bite):
    archive(path, {**NAMES, "../../features.npy": [head((2, 2)), bytes(32)]})


def member_at_the_root(path, bite):
    archive(path, {**NAMES, "/etc/features.npy": [head((2, 2)), bytes(32)]})


def member_twice(path, bite):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("names.npy", head((2,)) + bytes(16))
        with pytest.warns(UserWarning, match="Duplicate"):
            file.writestr("names.npy", head((2,)) + bytes(16))


def packed_otherwise(path, bite):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as file:
        file.writestr("names.npy", head((2,)) + bytes(16))


def no_archive(path, bite):
    path.write_bytes(b"PK\x03\x04 and nothing more")


NPZ = [
    (objects, "Python objects"),
    (only_a_pickle, "no archive"),
    (absurd_shape, "it is damaged"),
    (negative_shape, "it is damaged"),
    (head_that_is_code, "cannot be read"),
    (bomb, "decompression bomb"),
    (member_that_leaves, "lies outside"),
    (member_at_the_root, "lies outside"),
    (member_twice, "two members of one name"),
    (packed_otherwise, "packed as no array is"),
    (no_archive, "no archive"),
]


@pytest.mark.parametrize("read", [read_features, read_embedding])
@pytest.mark.parametrize(("make", "words"), NPZ)
def test_a_hostile_npz_is_refused_in_words(tmp_path, bite, read, make, words):
    path = tmp_path / "features.npz"
    make(path, bite)
    with pytest.raises(DataError, match=r"features\.npz") as refused:
        read(path)
    assert words in str(refused.value)


def torch_pickle(torch, path, bite):
    path.write_bytes(pickle.dumps(bite))


def torch_object(torch, path, bite):
    torch.save({"KLF1": bite}, path)


def torch_vast(torch, path, bite):
    """A number that stands for a million million."""
    torch.save({"KLF1": torch.ones(1).expand(HUGE)}, path)


def torch_module(torch, path, bite):
    torch.save(torch.nn.Linear(2, 2), path)


def torch_packed(torch, path, bite):
    archive(path, {"a/data.pkl": [bytes(2**24)] * 65, "a/version": [b"3"]})


TORCH = [
    (torch_pickle, "could run code"),
    (torch_object, "could run code"),
    (torch_vast, "of memory"),
    (torch_module, "could run code"),
    (torch_packed, "decompression bomb"),
]


@pytest.mark.parametrize(("make", "words"), TORCH)
def test_a_hostile_pt_is_refused_in_words(tmp_path, bite, make, words):
    torch = pytest.importorskip("torch")
    path = tmp_path / "features.pt"
    make(torch, path, bite)
    with pytest.raises(DataError, match=r"features\.pt") as refused:
        read_features(path)
    assert words in str(refused.value)


def one_text(path):
    """A text of 8 MiB that stands in 200,000 rows, and is stored once."""
    indices = pa.array(np.zeros(200_000, dtype=np.int32))
    column = pa.DictionaryArray.from_arrays(indices, pa.array(["x" * 2**23]))
    pq.write_table(pa.table({"name": column}), path, store_schema=False)


def one_number(path):
    rows = pa.chunked_array([pa.array(np.zeros(2**22))] * 64)
    pq.write_table(pa.table({"name": rows}), path, compression="zstd", row_group_size=2**28)


def cut_short(path):
    pq.write_table(pa.table({"name": ["a"], "x": [1.0]}), path)
    path.write_bytes(path.read_bytes()[:-20])


def origin_too_deep(path):
    table = pa.table({"name": ["KLF1"], "x": [1.0]})
    pq.write_table(table.replace_schema_metadata({b"wildcell": b"[" * 100_000}), path)


def origin_of_words(path):
    table = pa.table({"name": ["KLF1"], "x": [1.0]})
    pq.write_table(table.replace_schema_metadata({b"wildcell": b'"mine"'}), path)


def lists(path):
    pq.write_table(pa.table({"name": ["KLF1"], "x": [[1.0, 2.0]]}), path)


def texts_with_shared_beginnings(path):
    texts = np.random.default_rng(0).bytes(2**21).hex()
    table = pa.table({"name": [texts[at : at + 1000] for at in range(0, len(texts), 1000)]})
    shared = {"name": "DELTA_BYTE_ARRAY"}
    pq.write_table(table, path, use_dictionary=False, column_encoding=shared)


PARQUET = [
    (one_text, "of memory"),
    (one_number, "bomb"),
    (cut_short, "cannot be read as Parquet"),
    (lists, "has lists"),
    (texts_with_shared_beginnings, "DELTA_BYTE_ARRAY"),
    (origin_too_deep, "lies in itself too deep"),
    (origin_of_words, "no mapping"),
]


@pytest.mark.parametrize(("make", "words"), PARQUET)
def test_a_hostile_parquet_is_refused_in_words(tmp_path, make, words):
    path = tmp_path / "features.parquet"
    make(path)
    with pytest.raises(DataError, match=r"features\.parquet") as refused:
        read_features(path)
    assert words in str(refused.value)


@pytest.mark.parametrize("read", [read_graph, read_table])
@pytest.mark.parametrize("make", [one_text, one_number, cut_short])
def test_graphs_and_tables_of_runs_are_guarded_too(tmp_path, read, make):
    path = tmp_path / "scores.parquet"
    make(path)
    with pytest.raises(DataError, match=r"scores\.parquet"):
        read(path)


def test_a_text_that_unpacks_without_end_is_left_off(tmp_path):
    path = tmp_path / "sets.gmt.gz"
    block = gzip.compress(b"haem\tof blood\tKLF1\n" * 2**16)
    path.write_bytes(block * 220)
    with pytest.raises(DataError, match=r"unpacks to more than 0\.25 GiB"):
        read_gene_sets(path)
