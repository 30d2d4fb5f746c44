"""Files are whole or not there: on errors, in read-only folders and on full disks."""

import json
import os
import subprocess
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from wildcell.errors import StoreError
from wildcell.store.atomic import write_cells, write_json, write_table, write_text, writing
from wildcell.testing import toy_screen

MIB = 2**20


@pytest.fixture(scope="module")
def screen():
    return toy_screen().cells


def mount(folder: Path, *options: str) -> None:
    """Mount something, or skip the test where that is not allowed."""
    made = subprocess.run(["mount", *options, str(folder)], capture_output=True, check=False)
    if made.returncode:
        pytest.skip(f"nothing can be mounted here: {made.stderr.decode().strip()}")


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount(folder, "-t", "tmpfs", "-o", "size=1m", "tmpfs")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def read_only(tmp_path):
    """A folder that not even root can write."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    mount(folder, "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def table_of(n_rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.normal(size=(n_rows, 4)), columns=list("abcd"))


def cells_of(n_cells: int) -> ad.AnnData:
    return ad.AnnData(np.random.default_rng(0).normal(size=(n_cells, 200)).astype(np.float32))


WRITERS = {
    "text": lambda path, size: write_text(path, "x" * size),
    "json": lambda path, size: write_json(path, {"x": "x" * size}),
    "csv": lambda path, size: write_table(path.with_suffix(".csv"), table_of(size // 70)),
    "parquet": lambda path, size: write_table(path, table_of(size // 32)),
    "h5ad": lambda path, size: write_cells(path, cells_of(size // 800)),
}


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_file_is_there_when_the_block_ends_and_not_before(tmp_path):
    path = tmp_path / "new" / "folders" / "file.txt"
    with writing(path) as temporary:
        temporary.write_text("half")
        assert not path.exists()
        assert temporary.parent == path.parent
        temporary.write_text("whole")
    assert path.read_text() == "whole"
    assert left_in(path.parent) == ["file.txt"]


def write_half(path: Path, error: type[BaseException]) -> None:
    with writing(path) as temporary:
        temporary.write_text("half")
        raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_failure_leaves_the_old_file_and_no_other(tmp_path, error):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(StoreError if error is OSError else error):
        write_half(path, error)
    assert path.read_text() == "old"
    assert left_in(tmp_path) == ["file.txt"]


def test_block_that_writes_nothing_is_an_error(tmp_path):
    with (
        pytest.raises(StoreError, match=r"file\.txt could not be written"),
        writing(tmp_path / "file.txt"),
    ):
        pass
    assert left_in(tmp_path) == []


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    path = tmp_path / "file.txt"
    with writing(path) as first, writing(path) as second:
        first.write_text("first")
        second.write_text("second")
        assert first != second
    assert path.read_text() == "first"


def test_other_errors_keep_their_kind(tmp_path):
    with pytest.raises(ValueError, match="Out of range float"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    with pytest.raises(TypeError):
        write_text(tmp_path / "a.txt", 3)
    assert left_in(tmp_path) == []


def test_json_is_sorted_readable_and_whole(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1, "a": Path("x")})
    text = (tmp_path / "a.json").read_text()
    assert json.loads(text) == {"a": "x", "b": 1}
    assert text.index('"a"') < text.index('"b"')
    assert text.endswith("}\n")


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_table_is_read_as_it_was_written(tmp_path, name):
    path, table = tmp_path / name, table_of(5).assign(label=["x", "y", "x", "z", "é"])
    write_table(path, table)
    found = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    pd.testing.assert_frame_equal(found, table)


def test_named_index_is_kept_in_parquet(tmp_path):
    table = table_of(3).set_axis(pd.Index(["x", "y", "z"], name="component"))
    write_table(tmp_path / "a.parquet", table)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "a.parquet"), table)


def test_cells_are_read_as_they_were_written(tmp_path, screen):
    write_cells(tmp_path / "a.h5ad", screen)
    found = ad.read_h5ad(tmp_path / "a.h5ad")
    assert (found.X != screen.X).nnz == 0
    pd.testing.assert_frame_equal(found.obs, screen.obs)


@pytest.mark.parametrize("kind", WRITERS)
def test_read_only_folder_is_named(read_only, kind):
    with pytest.raises(StoreError, match=f"{read_only} cannot be written .Read-only.*another"):
        WRITERS[kind](read_only / f"file.{kind}", 100)
    assert left_in(read_only) == []


def test_folder_that_cannot_be_made_is_an_error_of_the_store(read_only, tmp_path):
    with pytest.raises(StoreError, match="Read-only"):
        write_text(read_only / "new" / "file.txt", "x")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="file"):
        write_text(tmp_path / "file" / "below.txt", "x")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_without_permission_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="Permission denied"):
        write_text(tmp_path / "file.txt", "x")


# A file that HDF5 could not close is closed again when it is collected, with the same complaint.
unclosed = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@unclosed
@pytest.mark.parametrize("kind", WRITERS)
def test_full_disk_is_named_and_nothing_is_left_on_it(small_disk, kind):
    with pytest.raises(StoreError, match=r"The disk is full: .*Free some space"):
        WRITERS[kind](small_disk / f"file.{kind}", 3 * MIB)
    assert left_in(small_disk) == []
    WRITERS[kind](small_disk / f"file.{kind}", MIB // 100)
    assert len(left_in(small_disk)) == 1


@unclosed
@pytest.mark.parametrize("kind", WRITERS)
def test_old_file_outlives_a_full_disk(small_disk, kind):
    WRITERS[kind](small_disk / f"file.{kind}", MIB // 100)
    (before,) = ((path.name, path.read_bytes()) for path in small_disk.iterdir())
    with pytest.raises(StoreError):
        WRITERS[kind](small_disk / f"file.{kind}", 3 * MIB)
    assert [(path.name, path.read_bytes()) for path in small_disk.iterdir()] == [before]


@unclosed
@pytest.mark.parametrize("free", range(0, 10 * 4096, 4096))
def test_disk_that_is_almost_full_is_an_error_of_the_store_or_enough(small_disk, free):
    """Small files fail late: HDF5 writes much of them when the file is closed."""
    (small_disk / "others").write_bytes(b"x" * (MIB - free))
    path = small_disk / "a.h5ad"
    try:
        write_cells(path, cells_of(5)[:, :2].copy())
    except StoreError:
        assert left_in(small_disk) == ["others"]
    else:
        assert ad.read_h5ad(path).shape == (5, 2)
