"""Pseudobulks: the sums of parts, to the bit, whoever took them and in whatever order."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from wildcell.arrays import as_csr, log_normalise, moments
from wildcell.cli.main import main
from wildcell.datasets.load import load_dataset
from wildcell.datasets.pseudobulk import GROUP, pseudobulk
from wildcell.errors import DataError, OptionError
from wildcell.names import CONTROL, UNS

LAYERS = ["squared_error", "share_expressed", "linear_mean"]


@pytest.fixture(scope="module")
def screen():
    options = {"n_perturbations": 4, "n_combinations": 1, "n_genes": 60, "n_contexts": 2}
    return load_dataset("simulated", **options).cells


@pytest.fixture
def parts(screen, tmp_path):
    """Return a folder of three files with cells of all kinds, in two orders of the genes."""
    folder = tmp_path / "parts"
    folder.mkdir()
    for number, suffix in enumerate((".h5ad", ".zarr", ".h5ad")):
        part = screen[number::3].copy()
        part = part[:, ::-1].copy() if number == 1 else part
        write(part, folder / f"part-{number}{suffix}")
    return folder


def write(cells, path):
    (cells.write_zarr if path.suffix == ".zarr" else cells.write_h5ad)(path)
    return path


def change(path, **metadata):
    part = ad.read_h5ad(path)
    part.uns[UNS] = {**part.uns[UNS], **metadata}
    part.write_h5ad(path)


def same(one, other):
    pd.testing.assert_frame_equal(one.obs, other.obs)
    pairs = [(one.X, other.X), *((one.layers[name], other.layers[name]) for name in one.layers)]
    return all(np.array_equal(first, second, equal_nan=True) for first, second in pairs)


def test_profiles_are_the_means_of_the_cells_of_each_group(screen, tmp_path):
    found = pseudobulk(write(screen, tmp_path / "screen.h5ad"), target_sum=5_000.0)
    labels = pd.MultiIndex.from_frame(screen.obs[GROUP].astype(str))
    keys = pd.MultiIndex.from_frame(found.obs[GROUP])
    assert set(keys) == set(labels)
    counts, depth = as_csr(screen.X), screen.obs["total_counts"].to_numpy(float)
    wanted = moments(log_normalise(counts, depth, 5_000.0), keys.get_indexer(labels), len(keys))
    np.testing.assert_array_equal(found.obs["n_cells"], wanted.n)
    np.testing.assert_array_equal(found.X, wanted.mean)
    np.testing.assert_array_equal(found.layers["squared_error"], wanted.squared_error)
    linear = counts.toarray() / depth[:, None] * 5_000.0
    for row, key in enumerate(keys):
        own = np.asarray(labels == key)
        np.testing.assert_allclose(found.layers["linear_mean"][row], linear[own].mean(axis=0))
        share = (counts.toarray()[own] > 0).mean(axis=0)
        np.testing.assert_allclose(found.layers["share_expressed"][row], share)


def test_parts_add_up_to_the_whole(screen, parts, tmp_path):
    whole, found = pseudobulk(write(screen, tmp_path / "whole.zarr")), pseudobulk(parts)
    pd.testing.assert_frame_equal(whole.obs, found.obs)
    np.testing.assert_allclose(found.X, whole.X, rtol=1e-12)
    for name in LAYERS:
        np.testing.assert_allclose(found.layers[name], whole.layers[name], rtol=1e-9)
    assert found.uns["pseudobulk"]["n_parts"] == 3
    assert found.uns["pseudobulk"]["n_cells"] == screen.n_obs


def test_conditions_may_be_in_some_parts_alone(screen, tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    is_control = (screen.obs["perturbation"] == CONTROL).to_numpy()
    write(screen[is_control].copy(), folder / "a.h5ad")
    write(screen[~is_control].copy(), folder / "b.h5ad")
    found, whole = pseudobulk(folder), pseudobulk(write(screen, tmp_path / "whole.h5ad"))
    assert same(found, whole)


def test_no_bit_depends_on_the_order_in_which_parts_are_summed(parts):
    def backwards(summing, paths):
        sums = {path: summing(path) for path in reversed(paths)}
        return [sums[path] for path in paths]

    assert same(pseudobulk(parts), pseudobulk(parts, over=backwards))


def test_log_values_are_taken_as_they_are(screen, tmp_path):
    cells = screen.copy()
    cells.X = log_normalise(as_csr(cells.X), cells.obs["total_counts"].to_numpy(float), 3_000.0)
    del cells.obs["total_counts"]
    cells.uns[UNS] = {**cells.uns[UNS], "expression": "lognorm"}
    unknown = pseudobulk(write(cells, tmp_path / "unknown.h5ad"))
    assert "linear_mean" not in unknown.layers
    cells.uns[UNS] = {**cells.uns[UNS], "target_sum": 3_000.0}
    known = pseudobulk(write(cells, tmp_path / "known.h5ad"))
    counted = pseudobulk(write(screen, tmp_path / "counts.h5ad"), target_sum=3_000.0)
    np.testing.assert_array_equal(known.X, counted.X)
    np.testing.assert_array_equal(known.X, unknown.X)
    counted = pseudobulk(tmp_path / "counts.h5ad")
    np.testing.assert_allclose(known.layers["linear_mean"], counted.layers["linear_mean"], 1e-5)


def test_parts_that_are_no_parts_of_one_screen_are_refused(parts):
    change(parts / "part-2.h5ad", gene_subset=True)
    with pytest.raises(DataError, match="gene_subset is True"):
        pseudobulk(parts)


def test_a_part_that_is_not_curated_is_named_with_all_its_problems(parts):
    part = ad.read_h5ad(parts / "part-2.h5ad")
    part.X.data[0] = -1.0
    del part.obs["context"]
    part.write_h5ad(parts / "part-2.h5ad")
    with pytest.raises(DataError, match=r"part-2\.h5ad is no part") as refused:
        pseudobulk(parts)
    assert "negative" in str(refused.value)
    assert "context" in str(refused.value)


def test_a_condition_in_several_control_groups_is_refused_though_no_part_has_both(screen, tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    write(screen[::2].copy(), folder / "a.h5ad")
    other = screen[1::2].copy()
    other.obs["control_group"] = "elsewhere"
    write(other, folder / "b.h5ad")
    with pytest.raises(DataError, match="several control groups"):
        pseudobulk(folder)


@pytest.mark.parametrize("target_sum", [0.0, -1.0, float("nan"), float("inf")])
def test_a_library_size_that_is_none_is_refused(parts, target_sum):
    with pytest.raises(OptionError, match="target_sum"):
        pseudobulk(parts, target_sum=target_sum)


@pytest.mark.parametrize("suffix", [".h5ad", ".zarr"])
def test_a_file_is_written_and_said_what_is_in_it(parts, tmp_path, capsys, suffix):
    out = tmp_path / f"means{suffix}"
    main(["pseudobulk", str(parts), str(out)])
    assert "10 conditions and 2 control groups" in capsys.readouterr().out
    read = ad.read_zarr(out) if suffix == ".zarr" else ad.read_h5ad(out)
    np.testing.assert_array_equal(read.X, pseudobulk(parts).X)


def test_another_name_of_the_file_is_refused_before_anything_is_read(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["pseudobulk", str(tmp_path / "absent.h5ad"), str(tmp_path / "means.csv")])
    assert "must end in .h5ad or .zarr" in capsys.readouterr().err
