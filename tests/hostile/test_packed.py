"""What packed bytes come to, told without unpacking them."""

import gzip
import io
import struct
import zlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numcodecs import LZ4, Blosc, GZip, Zlib, Zstd

from wildcell.guards.packed import inflated_size, unpacked_size
from wildcell.guards.pages import pages

SIZES = [0, 1, 255, 256, 70_000, 2**18 + 1]
PACK = {"gzip": GZip(), "zlib": Zlib(), "zstd": Zstd(), "blosc": Blosc(), "lz4": LZ4()}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("packer", PACK)
def test_the_size_of_what_is_packed_is_told(packer, size):
    if (packer, size) == ("lz4", 0):
        pytest.skip("lz4 packs nothing of nothing")
    packed = bytes(PACK[packer].encode(bytes(range(256)) * (size // 256) + bytes(size % 256)))
    assert unpacked_size(packed, packer, 2**30) == size


def test_streams_that_follow_each_other_count_together():
    two = gzip.compress(bytes(1000)) + bytes(20) + gzip.compress(bytes(500))
    assert unpacked_size(two, "gzip", 2**20) == 1500
    frames = bytes(Zstd().encode(bytes(1000))) + struct.pack("<II", 0x184D2A50, 3) + b"abc"
    assert unpacked_size(frames + bytes(Zstd().encode(bytes(500))), "zstd", 2**20) == 1500


def test_nothing_is_inflated_beyond_the_room():
    assert 2**20 < inflated_size(zlib.compress(bytes(2**26)), 2**20) < 2**22


@pytest.mark.parametrize("packer", ["gzip", "zlib", "zstd"])
def test_damaged_bytes_are_no_trouble(packer):
    packed = bytes(PACK[packer].encode(bytes(range(256)) * 99))
    for cut in range(0, len(packed), 7):
        assert unpacked_size(packed[:cut], packer, 2**20) <= 2**20
        flipped = packed[:cut] + bytes([packed[cut] ^ 255]) + packed[cut + 1 :]
        assert unpacked_size(flipped, packer, 2**20) >= 0


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_pages_say_what_they_come_to(compression, version):
    made = io.BytesIO()
    table = pa.table({"text": ["a", "bb", None] * 10_000})
    pq.write_table(
        table, made, compression=compression, data_page_version=version, data_page_size=1000
    )
    column = pq.ParquetFile(made).metadata.row_group(0).column(0)
    found = list(pages(made, column.dictionary_page_offset, column.total_compressed_size))
    assert [page.is_dictionary for page in found] == [True] + [False] * (len(found) - 1)
    heads = column.total_uncompressed_size - sum(page.n_bytes for page in found)
    assert 0 < heads < 60 * len(found)
    assert len(found) > 3


@pytest.mark.parametrize("content", [b"", b"\xff" * 40, b"\x1c" * 40, b"\x15\x00\x00", bytes(9)])
def test_what_is_no_page_is_refused(content):
    with pytest.raises(ValueError, match="page"):
        list(pages(io.BytesIO(content), 0, 40))
