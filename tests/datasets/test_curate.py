import os
from dataclasses import replace
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from wildcell.datasets.check import check_cells
from wildcell.datasets.curate import curate, curate_file
from wildcell.datasets.curate_options import CurateOptions
from wildcell.datasets.dataset import Dataset
from wildcell.datasets.load import load_dataset
from wildcell.errors import DataError, OptionError, StoreError, UnknownNameError

REAL_DATA = (
    Path(os.environ.get("WILDCELL_TEST_DATA", Path(__file__).parents[3] / "shared")) / "data"
)

GENES = ["KLF1", "BAK1", "GATA1", "SPI1"]


@pytest.fixture
def source():
    """Counts of 24 cells: lines A and B; guides NT, KLF1, BAK1 and KLF1_BAK1; 3 cells each."""
    guides = ["NT", "KLF1", "BAK1", "KLF1_BAK1"]
    labels = [(line, guide) for line in "AB" for guide in guides for _ in range(3)]
    obs = pd.DataFrame(labels, columns=["line", "guide"])
    obs.index = [f"cell{i}" for i in range(len(obs))]
    counts = np.random.default_rng(0).poisson(2, (len(obs), len(GENES))) + 1
    obs["n_counts"] = counts.sum(axis=1) + 100
    return ad.AnnData(sparse.csr_matrix(counts), obs=obs, var=pd.DataFrame(index=GENES))


@pytest.fixture
def options():
    return CurateOptions(
        perturbation_column="guide",
        control="NT",
        context_column="line",
        modality="crispri",
        combination_separator="_",
    )


def test_a_screen_is_brought_into_the_schema(source, options):
    curated, done = curate(source, replace(options, name="toy"))

    assert check_cells(curated) == []
    assert set(curated.obs["perturbation"]) == {"control", "KLF1", "BAK1", "BAK1+KLF1"}
    assert curated.obs["control_group"].tolist() == curated.obs["context"].tolist()
    assert set(curated.obs["dataset"]) == {"toy"}
    assert set(curated.obs["replicate"]) == {""}
    assert curated.obs["total_counts"].tolist() == source.X.sum(axis=1).A1.tolist()
    assert curated.X.dtype == np.float32
    assert curated.uns["wildcell"]["expression"] == "counts"
    assert not curated.uns["wildcell"]["gene_subset"]
    assert done == [
        "X holds integers: taken as counts.",
        "Library sizes are the row sums: no column of total counts was named.",
    ]


def test_the_source_is_left_as_it_is(source, options):
    before = source.copy()

    curated, _ = curate(source, options)
    curated.X[0] = 0

    assert (source.X != before.X).nnz == 0
    pd.testing.assert_frame_equal(source.obs, before.obs)
    assert "wildcell" not in source.uns


def test_a_curated_data_set_knows_its_conditions(source, options):
    curated, _ = curate(source, options)

    conditions = Dataset("toy", curated).conditions

    assert len(conditions) == 6
    assert conditions["n_components"].tolist() == [1, 2, 1, 1, 2, 1]


@pytest.mark.parametrize("name", ["toy.h5ad", "toy.zarr"])
def test_a_file_is_the_same_screen_as_in_memory(source, options, tmp_path, name):
    source.write_h5ad(tmp_path / "source.h5ad")

    curate_file(tmp_path / "source.h5ad", tmp_path / name, options)

    loaded = load_dataset(tmp_path / name)
    in_memory, _ = curate(source, replace(options, name="toy", source="source.h5ad"))
    in_memory.uns["wildcell"]["sha256"] = loaded.metadata["sha256"]
    assert len(loaded.metadata["sha256"]) == 64
    assert loaded.fingerprint == Dataset("toy", in_memory).fingerprint
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source.h5ad", name]


def test_a_zarr_store_is_replaced(source, options, tmp_path):
    source.write_h5ad(tmp_path / "source.h5ad")
    for min_cells in (2, 3):
        curate_file(
            tmp_path / "source.h5ad", tmp_path / "toy.zarr", replace(options, min_cells=min_cells)
        )

    assert load_dataset(tmp_path / "toy.zarr").cells.n_obs == 24


def test_counts_are_taken_from_the_layer_that_is_named(source, options):
    source.layers["umi"] = source.X.copy()
    source.X = sparse.csr_matrix(np.log1p(source.X.toarray()))

    curated, done = curate(source, replace(options, counts_layer="umi"))

    assert curated.X.toarray().tolist() == source.layers["umi"].toarray().tolist()
    assert done[0] == "Took the counts from the layer 'umi'."


def test_counts_are_taken_from_raw_with_its_genes(source, options):
    processed = source[:, :2].copy()
    processed.raw = source
    processed.X = sparse.csr_matrix(np.log1p(processed.X.toarray()))

    curated, _ = curate(processed, replace(options, counts_layer="raw"))

    assert curated.var_names.tolist() == GENES


def test_library_sizes_beyond_the_row_sums_mean_a_subset_of_genes(source, options):
    curated, done = curate(source, replace(options, total_counts_column="n_counts"))

    assert curated.uns["wildcell"]["gene_subset"]
    assert curated.obs["total_counts"].tolist() == source.obs["n_counts"].tolist()
    assert "24 of 24 cells exceed their row sums" in done[-1]


def test_stated_logarithms_are_kept_as_they_are(source, options):
    source.X = sparse.csr_matrix(np.log1p(source.X.toarray()))

    curated, _ = curate(source, replace(options, expression="lognorm", target_sum=1e4))

    assert curated.uns["wildcell"]["expression"] == "lognorm"
    assert curated.uns["wildcell"]["target_sum"] == pytest.approx(1e4)
    assert "total_counts" not in curated.obs


def test_control_groups_lie_within_contexts(source, options):
    source.obs["plate"] = np.where(np.arange(24) % 12 < 6, 1.0, 2.0)
    source.obs.loc[["cell6", "cell7", "cell18", "cell19"], "guide"] = "NT"

    curated, _ = curate(source, replace(options, control_group_column="plate"))

    assert set(curated.obs["control_group"]) == {"A|1", "A|2", "B|1", "B|2"}


def test_doses_times_and_modalities_come_from_columns(source, options):
    source.obs["dose"] = np.where(source.obs["guide"] == "NT", "none", "10")
    source.obs["time"] = 24
    source.obs["kind"] = "CRISPR-a"
    chosen = replace(
        options,
        dose_column="dose",
        dose_unit="nM",
        time_column="time",
        modality=None,
        modality_column="kind",
    )

    curated, _ = curate(source, chosen)

    components = curated.uns["wildcell"]["components"]
    assert set(curated.obs["perturbation"]) == {"control", "KLF1@10", "BAK1@10", "BAK1@10+KLF1@10"}
    assert set(components["dose"]) == {10}
    assert set(components["unit"]) == {"nM"}
    assert set(components["time"]) == {24}
    assert set(curated.obs["modality"]) == {"crispra"}


def test_only_cells_asked_for_and_labelled_are_kept(source, options):
    source.obs["guide"] = source.obs["guide"].where(source.obs_names != "cell4")
    source.obs["is_good"] = source.obs_names != "cell5"

    curated, done = curate(source, replace(options, min_cells=2, where=("is_good=True",)))

    assert curated.n_obs == 21
    assert done[0] == "Kept 23 of 24 cells, where is_good=True."
    assert done[1] == "Dropped 1 cells without a perturbation label."
    assert "1 of 6 conditions with fewer than 2 cells (1 cells): 'KLF1 in A'" in done[-1]


def test_conditions_of_too_few_cells_are_dropped_with_their_components(source, options):
    kept = [i for i in range(24) if i not in {9, 10, 21, 22}]

    curated, done = curate(source[kept].copy(), options)

    assert "BAK1+KLF1" not in set(curated.uns["wildcell"]["components"]["perturbation"])
    assert "2 of 6 conditions with fewer than 2 cells (2 cells)" in done[-1]


def test_cells_without_counts_are_dropped(source, options):
    source.X = source.X.toarray()
    source.X[4] = 0

    curated, done = curate(source, options)

    assert curated.n_obs == 23
    assert "Dropped 1 cells without any counts." in done


@pytest.mark.filterwarnings("ignore:.* names are not unique")
def test_repeated_genes_are_summed_and_repeated_cells_renamed(source, options):
    source.var_names = ["KLF1", "BAK1", "KLF1", "SPI1"]
    source.obs_names = ["x", "x", *source.obs_names[2:]]

    curated, done = curate(source, options)

    assert curated.var_names.tolist() == ["KLF1", "BAK1", "SPI1"]
    expected = source.X.toarray()[:, [0, 1, 3]] + source.X.toarray()[:, [2]] * [[1, 0, 0]]
    assert curated.X.toarray().tolist() == expected.tolist()
    assert curated.obs_names.is_unique
    assert "Summed the counts of 1 gene names that occur more than once." in done
    assert "Made 1 cell names unique that occurred before." in done


@pytest.mark.filterwarnings("ignore:.* names are not unique")
def test_logarithms_of_repeated_genes_are_not_summed(source, options):
    source.var_names = ["KLF1", "BAK1", "KLF1", "SPI1"]
    source.X = sparse.csr_matrix(np.log1p(source.X.toarray()))

    with pytest.raises(DataError, match=r"1 gene names .* \('KLF1'\), and lognorm values cannot"):
        curate(source, replace(options, expression="lognorm"))


def test_genes_are_named_by_symbol_and_keep_their_ids(source, options):
    ids = [f"ENSG0000000000{i}" for i in range(4)]
    source.var = pd.DataFrame({"symbol": ["KLF1", None, "GATA1", "SPI1"]}, index=ids)

    curated, done = curate(source, replace(options, gene_column="symbol"))

    assert curated.var_names.tolist() == ["KLF1", ids[1], "GATA1", "SPI1"]
    assert curated.var["ensembl_id"].tolist() == ids
    assert "1 genes without a symbol keep their name." in done


@pytest.mark.filterwarnings("ignore:.* names are not unique")
def test_genes_may_be_repeated_under_either_name(source, options):
    ids = ["ENSG00000000001", "ENSG00000000001", "ENSG00000000002", "ENSG00000000003"]
    source.var = pd.DataFrame({"symbol": ["KLF1", "", "KLF1", "SPI1"]}, index=ids)

    curated, _ = curate(source, replace(options, gene_column="symbol"))

    assert curated.var_names.tolist() == ["KLF1", ids[0], "SPI1"]
    assert curated.X.sum() == source.X.sum()


def test_ensembl_ids_as_names_are_remarked_on(source, options):
    source.var_names = [f"ENSG0000000000{i}" for i in range(4)]

    _, done = curate(source, options)

    assert "4 of 4 genes are named by Ensembl ids" in done[1]


def test_features_that_are_not_genes_are_dropped(source, options):
    source.var["feature_types"] = "Gene Expression"
    assert curate(source, options)[0].var_names.tolist() == GENES
    source.var["feature_types"] = ["Gene Expression"] * 3 + ["CRISPR Guide Capture"]

    curated, done = curate(source, options)

    assert curated.var_names.tolist() == GENES[:3]
    assert curated.obs["total_counts"].tolist() == source.X[:, :3].sum(axis=1).A1.tolist()
    assert "Dropped 1 features that are not gene expression." in done


def test_labels_are_joined_by_barcode(source, options, tmp_path):
    source.obs[["guide", "line"]].iloc[:23].sample(frac=1, random_state=0).to_csv(
        tmp_path / "labels.csv"
    )
    unlabelled = ad.AnnData(source.X, obs=source.obs[["n_counts"]], var=source.var)

    curated, done = curate(unlabelled, replace(options, labels=tmp_path / "labels.csv"))

    expected, _ = curate(source[:23].copy(), options)
    pd.testing.assert_frame_equal(curated.obs, expected.obs)
    assert done[0] == "Found labels of 23 of 24 cells in labels.csv."


def test_labels_of_other_cells_are_refused(source, options, tmp_path):
    source.obs.set_axis(source.obs_names + "-1").to_csv(tmp_path / "labels.csv")

    with pytest.raises(DataError, match="none of the 24 cells: the cells are called 'cell0'"):
        curate(source, replace(options, labels=tmp_path / "labels.csv"))


def drop_cells(source):
    source._inplace_subset_obs(source.obs["guide"] == "")


def drop_labels(source):
    source.obs["line"] = ""


def drop_expression(source):
    source.layers["umi"] = source.X
    source.X = None


def drop_controls(source):
    source._inplace_subset_obs(source.obs["guide"] != "NT")


def drop_controls_of_b(source):
    source._inplace_subset_obs((source.obs["guide"] != "NT") | (source.obs["line"] == "A"))


def take_logarithms(source):
    source.X = sparse.csr_matrix(np.log1p(source.X.toarray()))


def subtract(source):
    source.X = sparse.csr_matrix(source.X.toarray() - 4)


def spoil(source):
    source.X = source.X.astype(float)
    source.X[3, 1] = np.nan


@pytest.mark.parametrize(
    ("damage", "changes", "message"),
    [
        (drop_cells, {}, "No cells are left of the 0"),
        (drop_labels, {}, "No cells are left of the 24"),
        (drop_expression, {}, "X is empty: name the layer .*'umi'"),
        (drop_controls, {}, "control label 'NT'; the labels are 'BAK1'"),
        (drop_controls_of_b, {}, "no control cells: 'B'"),
        (take_logarithms, {}, "X does not hold counts.*--expression lognorm"),
        (take_logarithms, {"expression": "counts"}, "log-normalised data called counts"),
        (None, {"expression": "lognorm"}, "counts called lognorm"),
        (subtract, {"expression": "counts"}, "negative values"),
        (spoil, {"expression": "counts"}, "1 nan values"),
        (None, {"gene_subset": True}, "subset and obs has no total_counts"),
        (None, {"total_counts_column": "n_counts", "gene_subset": False}, "above the sum"),
        (None, {"total_counts_column": "line"}, "no number in total_counts"),
        (None, {"perturbation_column": "guid"}, "Did you mean 'guide'"),
        (None, {"context_column": "celltype"}, "--context-column names the column 'celltype'"),
        (None, {"control_group_column": "plate"}, "--control-group-column"),
        (None, {"control_group_column": "guide"}, "no control cells"),
        (None, {"counts_layer": "umis"}, "no layer 'umis'"),
        (None, {"gene_column": "symbol"}, "--gene-column"),
        (None, {"dose_column": "line"}, "'line' is not a number: 'A', 'B'"),
        (None, {"modality": None, "modality_column": "line"}, "Unknown modalities: 'a', 'b'"),
        (None, {"control": "ctrl"}, "control label 'ctrl'"),
        (None, {"where": ("line=C",)}, "no cell has this value"),
        (None, {"min_cells": 4}, "nothing to predict"),
    ],
)
def test_what_cannot_be_curated_is_explained_and_nothing_is_written(
    source, options, tmp_path, *, damage, changes, message
):
    if damage:
        damage(source)
    source.write_h5ad(tmp_path / "source.h5ad")

    with pytest.raises((DataError, OptionError, UnknownNameError), match=message):
        curate_file(
            tmp_path / "source.h5ad", tmp_path / "out" / "toy.h5ad", replace(options, **changes)
        )

    assert [path.name for path in tmp_path.iterdir()] == ["source.h5ad"]


@pytest.mark.parametrize("content", [b"", b"these are no cells"])
def test_a_source_that_is_no_file_of_cells_writes_nothing(options, tmp_path, content):
    (tmp_path / "source.h5ad").write_bytes(content)

    with pytest.raises(DataError, match=r"source\.h5ad"):
        curate_file(tmp_path / "source.h5ad", tmp_path / "toy.h5ad", options)

    assert not (tmp_path / "toy.h5ad").exists()


@pytest.mark.parametrize(
    ("destination", "message"), [("toy.csv", "must end in .h5ad"), ("source.h5ad", "is the source")]
)
def test_a_destination_that_will_not_do_is_refused(source, options, tmp_path, destination, message):
    source.write_h5ad(tmp_path / "source.h5ad")
    before = (tmp_path / "source.h5ad").read_bytes()

    with pytest.raises(OptionError, match=message):
        curate_file(tmp_path / "source.h5ad", tmp_path / destination, options)

    assert (tmp_path / "source.h5ad").read_bytes() == before


def test_a_zarr_store_that_cannot_be_written_leaves_nothing(source, options, tmp_path):
    source.write_h5ad(tmp_path / "source.h5ad")
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(StoreError):
        curate_file(tmp_path / "source.h5ad", tmp_path / "file" / "toy.zarr", options)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "source.h5ad"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"context": "K562"}, "one of --context-column and --context"),
        ({"context_column": None}, "one of --context-column and --context"),
        ({"modality": None}, "one of --modality"),
        ({"modality_column": "kind"}, "one of --modality"),
        ({"counts_layer": "umi", "expression": "lognorm"}, "holds counts, not lognorm"),
        ({"dose_unit": "uM"}, "--dose-column"),
        ({"target_sum": 1e4}, "--expression lognorm"),
        ({"min_cells": 1}, "the least is 2"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options, changes, message):
    with pytest.raises(OptionError, match=message):
        replace(options, **changes)


REAL = CurateOptions(
    perturbation_column="perturbation",
    context_column="context",
    modality_column="perturbation_type",
)


@pytest.mark.parametrize(
    ("name", "changes", "n_conditions"),
    [
        ("kang2018_pbmc", {"counts_layer": "counts", "total_counts_column": "n_counts"}, 7),
        (
            "norman2019_mcfaline2023_small",
            {
                "counts_layer": "counts",
                "total_counts_column": "ncounts",
                "combination_separator": "+",
            },
            60,
        ),
        ("papalexi2021_thp1", {"where": ("confident_assignment=True",)}, 25),
        ("zhao2021_glioblastoma", {"dose_column": "dose", "dose_unit": "uM"}, 5),
        (
            "tggates_hepatocytes",
            {
                "expression": "log2",
                "control_group_column": "compound",
                "dose_column": "dose",
                "dose_unit": "uM",
                "time_column": "time",
                "replicate_column": "replicate",
            },
            855,
        ),
    ],
)
def test_real_screens_are_curated(tmp_path, name, changes, n_conditions):
    path = REAL_DATA / f"{name}.h5ad"
    if not path.exists():
        pytest.skip(f"{path} is not there; name the folder in WILDCELL_TEST_DATA")

    curate_file(path, tmp_path / f"{name}.h5ad", replace(REAL, **changes))

    dataset = load_dataset(tmp_path / f"{name}.h5ad")
    assert len(dataset.conditions) == n_conditions
    assert (dataset.conditions["n_cells"] > 1).all()
