"""Screens of several files, and screens too large to be held: the same as one in memory."""

from itertools import product

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from wildcell.datasets.load import load_dataset
from wildcell.errors import DataError
from wildcell.names import UNS
from wildcell.streams.spilled import HOLD_VARIABLE, are_rows_spilled

ROWS = [slice(0, 90), slice(90, 100), slice(100, None)]


@pytest.fixture(scope="module")
def cells():
    options = {"n_perturbations": 4, "n_combinations": 1, "n_genes": 60, "n_contexts": 2}
    whole = load_dataset("simulated", **options).cells
    whole.obsm["codes"] = np.arange(2 * whole.n_obs, dtype=float).reshape(-1, 2)
    return whole


@pytest.fixture
def hold_nothing(monkeypatch):
    return lambda: monkeypatch.setenv(HOLD_VARIABLE, "0")


def write(cells, path):
    (cells.write_zarr if path.suffix == ".zarr" else cells.write_h5ad)(path)
    return path


@pytest.fixture
def shards(cells, tmp_path):
    """Return a folder of three files, the genes of the second in another order."""
    folder = tmp_path / "screen"
    folder.mkdir()
    for number, (rows, suffix) in enumerate(zip(ROWS, (".h5ad", ".zarr", ".h5ad"), strict=True)):
        part = cells[rows].copy()
        part.obs["perturbation"] = part.obs["perturbation"].cat.remove_unused_categories()
        if number == 1:
            part = part[:, ::-1].copy()
        write(part, folder / f"part-{number}{suffix}")
    (folder / "notes.txt").write_text("not cells", encoding="utf-8")
    return folder


def change(path, **metadata):
    part = ad.read_h5ad(path)
    part.uns[UNS] = {**part.uns[UNS], **metadata}
    part.write_h5ad(path)


@pytest.mark.parametrize("hold", ["0", "1"])
def test_the_parts_of_a_screen_are_one_screen(cells, shards, tmp_path, monkeypatch, hold):
    whole = load_dataset(write(cells, tmp_path / "whole.h5ad"))
    monkeypatch.setenv(HOLD_VARIABLE, hold)
    found = load_dataset(shards)
    assert found.name == "screen"
    assert are_rows_spilled(found.cells.X) == (hold == "0")
    assert found.fingerprint == whole.fingerprint
    assert np.array_equal(found.cells.obsm["codes"], whole.cells.obsm["codes"])
    pd.testing.assert_frame_equal(
        found.conditions.drop(columns="dataset"), whole.conditions.drop(columns="dataset")
    )


@pytest.mark.parametrize("form", ["csr", "csc", "dense"])
@pytest.mark.parametrize("kind", list(product([".h5ad", ".zarr"], ["f4", "f8", "i4", "u2"])))
def test_a_large_file_is_left_on_disk_and_is_the_same(cells, tmp_path, hold_nothing, form, kind):
    suffix, dtype = kind
    given = cells.copy()
    numbers = given.X.astype(dtype)
    given.X = numbers.toarray() if form == "dense" else numbers.asformat(form)
    path = write(given, tmp_path / f"screen{suffix}")
    held = load_dataset(path)
    hold_nothing()
    found = load_dataset(path)
    assert are_rows_spilled(found.cells.X)
    assert found.fingerprint == held.fingerprint
    assert np.array_equal(found.cells.obsm["codes"], held.cells.obsm["codes"])
    pd.testing.assert_frame_equal(found.cells.obs, held.cells.obs)
    pd.testing.assert_frame_equal(found.cells.var, held.cells.var)


def test_repeated_cell_names_are_told_apart_by_the_file(cells, tmp_path):
    for name in "ab":
        write(cells, tmp_path / f"{name}.h5ad")
    names = load_dataset(tmp_path).cells.obs_names
    assert names.is_unique
    assert names[[0, cells.n_obs]].tolist() == [
        f"a:{cells.obs_names[0]}",
        f"b:{cells.obs_names[0]}",
    ]


def test_components_of_all_parts_are_known(cells, shards):
    path = shards / "part-2.h5ad"
    known = ad.read_h5ad(path).uns[UNS]["components"]
    own = set(ad.read_h5ad(path).obs["perturbation"])
    change(path, components=known[known["perturbation"].isin(own)])
    change(shards / "part-0.h5ad", components=known.iloc[:1])
    found = load_dataset(shards).components
    keys = ["perturbation", "component"]
    assert sorted(map(tuple, found[keys].to_numpy())) == sorted(map(tuple, known[keys].to_numpy()))


def test_parts_that_contradict_each_other_are_refused(shards):
    path = shards / "part-2.h5ad"
    known = ad.read_h5ad(path).uns[UNS]["components"].reset_index(drop=True)
    known.loc[0, "component"] = "ANOTHER"
    change(path, components=known)
    with pytest.raises(DataError, match=r"components in .*part-2.h5ad are not those"):
        load_dataset(shards)


def test_parts_of_other_numbers_are_refused(shards):
    change(shards / "part-2.h5ad", expression="lognorm")
    with pytest.raises(DataError, match="says that expression is lognorm"):
        load_dataset(shards)


def test_parts_of_other_genes_are_refused(cells, shards):
    write(cells[:10, :-2], shards / "part-9.h5ad")
    with pytest.raises(DataError, match="in one alone"):
        load_dataset(shards)


def test_a_folder_without_cells_is_no_screen(tmp_path):
    with pytest.raises(DataError, match="is a folder without"):
        load_dataset(tmp_path)


def test_a_damaged_part_is_named(shards):
    path = shards / "part-2.h5ad"
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(DataError, match=r"part-2\.h5ad cannot be read"):
        load_dataset(shards)
