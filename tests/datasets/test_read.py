import gzip
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.io import mmwrite

from wildcell.datasets.read import read_cells, read_labels, read_source, source_sha256
from wildcell.errors import DataError

COUNTS = np.array([[1, 0, 2], [0, 3, 0]], dtype=np.int32)
BARCODES = ["AAAC-1", "AAAG-1"]
IDS = ["ENSG00000000001", "ENSG00000000002", "guide1"]
SYMBOLS = ["KLF1", "BAK1", "guide1"]
TYPES = ["Gene Expression", "Gene Expression", "CRISPR Guide Capture"]


def write_10x_matrix(group):
    by_gene = sparse.csc_matrix(COUNTS.T)
    for name, values in [
        ("data", by_gene.data),
        ("indices", by_gene.indices),
        ("indptr", by_gene.indptr),
        ("shape", by_gene.shape),
        ("barcodes", np.array(BARCODES, dtype="S")),
    ]:
        group[name] = values


def write_10x_v3(path):
    with h5py.File(path, "w") as file:
        write_10x_matrix(file.create_group("matrix"))
        features = file.create_group("matrix/features")
        features["id"] = np.array(IDS, dtype="S")
        features["name"] = np.array(SYMBOLS, dtype="S")
        features["feature_type"] = np.array(TYPES, dtype="S")


def write_10x_v2(path, genomes=("GRCh38",)):
    with h5py.File(path, "w") as file:
        for genome in genomes:
            group = file.create_group(genome)
            write_10x_matrix(group)
            group["genes"] = np.array(IDS, dtype="S")
            group["gene_names"] = np.array(SYMBOLS, dtype="S")


def write_lines(path, lines):
    text = "".join(f"{line}\n" for line in lines)
    with gzip.open(path, "wt") if path.suffix == ".gz" else path.open("w") as stream:
        stream.write(text)


def write_10x_folder(folder, *, prefix="", suffix="", features="features.tsv", n_columns=3):
    folder.mkdir()
    mmwrite(folder / "plain.mtx", sparse.coo_matrix(COUNTS.T))
    write_lines(
        folder / f"{prefix}matrix.mtx{suffix}", (folder / "plain.mtx").read_text().split("\n")
    )
    (folder / "plain.mtx").unlink()
    write_lines(folder / f"{prefix}barcodes.tsv{suffix}", BARCODES)
    rows = ["\t".join(row[:n_columns]) for row in zip(IDS, SYMBOLS, TYPES, strict=True)]
    write_lines(folder / f"{prefix}{features}{suffix}", rows)


def assert_holds_the_counts(cells):
    assert cells.X.toarray().tolist() == COUNTS.tolist()
    assert cells.obs_names.tolist() == BARCODES
    assert cells.var_names.tolist() == SYMBOLS
    assert cells.var["ensembl_id"].tolist() == IDS


def test_cell_ranger_3_files_are_read(tmp_path):
    write_10x_v3(tmp_path / "a.h5")

    cells = read_source(tmp_path / "a.h5")

    assert_holds_the_counts(cells)
    assert cells.var["feature_types"].tolist() == TYPES


def test_cell_ranger_2_files_are_read(tmp_path):
    write_10x_v2(tmp_path / "a.h5")

    assert_holds_the_counts(read_source(tmp_path / "a.h5"))


def test_files_of_two_genomes_are_refused(tmp_path):
    write_10x_v2(tmp_path / "a.h5", genomes=("GRCh38", "mm10"))

    with pytest.raises(DataError, match="2 matrices \\('GRCh38', 'mm10'\\)"):
        read_source(tmp_path / "a.h5")


@pytest.mark.parametrize(
    "layout",
    [
        {"suffix": ".gz"},
        {"features": "genes.tsv", "n_columns": 2},
        {"prefix": "GSM1_", "suffix": ".gz"},
    ],
)
def test_cell_ranger_folders_are_read(tmp_path, layout):
    write_10x_folder(tmp_path / "10x", **layout)

    assert_holds_the_counts(read_source(tmp_path / "10x"))


def test_genes_without_symbols_are_named_by_id(tmp_path):
    write_10x_folder(tmp_path / "10x", n_columns=1)

    assert read_source(tmp_path / "10x").var_names.tolist() == IDS


def test_a_folder_without_a_part_is_told_what_is_missing(tmp_path):
    write_10x_folder(tmp_path / "10x")
    (tmp_path / "10x/barcodes.tsv").unlink()

    with pytest.raises(DataError, match=r"holds 0 files called barcodes.tsv"):
        read_source(tmp_path / "10x")


def test_parts_that_do_not_fit_are_refused(tmp_path):
    write_10x_folder(tmp_path / "10x")
    write_lines(tmp_path / "10x/barcodes.tsv", [*BARCODES, "AAAT-1"])

    with pytest.raises(DataError, match="2 cells and 3 genes, but there are 3 barcodes"):
        read_source(tmp_path / "10x")


@pytest.fixture
def h5ad(tmp_path):
    path = tmp_path / "cells.h5ad"
    ad.AnnData(sparse.csr_matrix(COUNTS, dtype=np.float32)).write_h5ad(path)
    return path


@pytest.mark.filterwarnings("ignore:Writing zarr v2 data")
def test_h5ad_and_zarr_are_read_alike(h5ad, tmp_path):
    read_cells(h5ad).write_zarr(tmp_path / "cells.zarr")

    for path in (h5ad, tmp_path / "cells.zarr"):
        assert read_source(path).X.toarray().tolist() == COUNTS.tolist()


def cut_short(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def overwrite(path):
    path.write_text("these are not cells")


def empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("read", [read_cells, read_source])
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut_short, "cannot be read as h5ad"),
        (overwrite, "cannot be read as h5ad"),
        (empty, "is empty"),
        (Path.unlink, "There is no file"),
    ],
)
def test_a_damaged_file_is_said_to_be(h5ad, read, damage, message):
    damage(h5ad)

    with pytest.raises(DataError, match=message) as caught:
        read(h5ad)

    assert str(h5ad) in str(caught.value)


@pytest.mark.parametrize("damage", [cut_short, overwrite])
def test_a_damaged_cell_ranger_file_is_said_to_be(tmp_path, damage):
    write_10x_v3(tmp_path / "a.h5")
    damage(tmp_path / "a.h5")

    with pytest.raises(DataError, match=r"cannot be read as a Cell Ranger \.h5"):
        read_source(tmp_path / "a.h5")


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_damaged_cell_ranger_folder_is_said_to_be(tmp_path, suffix):
    write_10x_folder(tmp_path / "10x", suffix=suffix)
    cut_short(tmp_path / f"10x/matrix.mtx{suffix}")

    with pytest.raises(DataError, match="cannot be read as a folder of Cell Ranger"):
        read_source(tmp_path / "10x")


def test_an_empty_folder_called_zarr_is_no_cells(tmp_path):
    (tmp_path / "a.zarr").mkdir()

    with pytest.raises(DataError, match="cannot be read as zarr"):
        read_cells(tmp_path / "a.zarr")


def test_an_unknown_format_is_told_the_known_ones(tmp_path):
    (tmp_path / "a.loom").write_text("x")

    with pytest.raises(DataError, match=r"\.h5ad, \.zarr, Cell Ranger's \.h5"):
        read_source(tmp_path / "a.loom")


def write_csv(path, table):
    table.to_csv(path)


def write_tsv(path, table):
    table.to_csv(path, sep="\t")


def write_parquet(path, table):
    table.to_parquet(path)


def write_parquet_of_columns(path, table):
    table.reset_index().to_parquet(path)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("labels.csv", write_csv),
        ("labels.csv.gz", write_csv),
        ("labels.tsv", write_tsv),
        ("labels.parquet", write_parquet),
        ("labels.parquet", write_parquet_of_columns),
    ],
)
def test_labels_are_read_by_barcode(tmp_path, name, write):
    table = pd.DataFrame({"donor": ["01", None]}, index=pd.Index(BARCODES, name="barcode"))
    write(tmp_path / name, table)

    labels = read_labels(tmp_path / name)

    assert labels.index.tolist() == BARCODES
    assert labels["donor"].tolist()[0] == "01"
    assert labels["donor"].isna().tolist() == [False, True]


def test_only_curated_formats_are_loaded(tmp_path):
    write_10x_v3(tmp_path / "a.h5")

    with pytest.raises(DataError, match="convert it with: wildcell curate"):
        read_cells(tmp_path / "a.h5")


def test_labels_that_name_a_cell_twice_are_refused(tmp_path):
    (tmp_path / "labels.csv").write_text("barcode,guide\nA,x\nA,y\n")

    with pytest.raises(DataError, match="1 barcodes more than once: 'A'"):
        read_labels(tmp_path / "labels.csv")


def test_the_hash_of_a_folder_is_of_its_content(tmp_path):
    write_10x_folder(tmp_path / "a")
    write_10x_folder(tmp_path / "b")

    assert source_sha256(tmp_path / "a") == source_sha256(tmp_path / "b")

    write_lines(tmp_path / "b/barcodes.tsv", reversed(BARCODES))

    assert source_sha256(tmp_path / "a") != source_sha256(tmp_path / "b")
