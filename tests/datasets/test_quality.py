from dataclasses import replace

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from wildcell.datasets.check import check_cells
from wildcell.datasets.curate import curate, curate_file
from wildcell.datasets.curate_options import CurateOptions
from wildcell.datasets.load import load_dataset
from wildcell.datasets.quality import are_most_measured, without_labels
from wildcell.errors import DataError, OptionError, UnknownNameError

N_GENES = 12
OPTIONS = CurateOptions(
    perturbation_column="guide", control="NT", context_column="line", modality="crispri"
)


@pytest.fixture
def source():
    """Counts of lines A and B: 6 controls, 5 KLF1, 4 BAK1, 3 SPI1 of each; all genes seen."""
    guides = ["NT"] * 6 + ["KLF1"] * 5 + ["BAK1"] * 4 + ["SPI1"] * 3
    obs = pd.DataFrame({"line": ["A"] * 18 + ["B"] * 18, "guide": guides * 2})
    obs["call"] = pd.Categorical(["singlet"] * 36, categories=["singlet", "doublet", "unused"])
    obs.index = [f"cell{i}" for i in range(36)]
    counts = np.random.default_rng(0).poisson(3, (36, N_GENES)) + 1
    var = pd.DataFrame(index=[f"G{i}" for i in range(N_GENES)])
    return ad.AnnData(sparse.csr_matrix(counts.astype(float)), obs=obs, var=var)


def told(done, words):
    """Return the sentences that hold some words."""
    return [sentence for sentence in done if words in sentence]


def test_by_default_nothing_is_dropped(source):
    curated, done = curate(source, OPTIONS)

    assert curated.shape == source.shape
    assert told(done, "Dropped") == []


def test_cells_with_unwanted_labels_are_dropped_and_counted_by_label(source):
    source.obs.iloc[[6, 7], source.obs.columns.get_loc("call")] = "doublet"
    source.obs.iloc[0, source.obs.columns.get_loc("guide")] = "*"

    curated, done = curate(
        source, replace(OPTIONS, drop=("call=doublet", "guide=*", "guide=unassigned"))
    )

    assert curated.n_obs == 33
    assert told(done, "Dropped") == [
        "Dropped 2 cells with call=doublet.",
        "Dropped 1 cell with guide=*.",
    ]


@pytest.mark.parametrize(
    ("clause", "error", "message"),
    [
        ("call", OptionError, "COLUMN=VALUE"),
        ("call!=singlet", OptionError, "COLUMN=VALUE"),
        ("=doublet", OptionError, "COLUMN=VALUE"),
        ("cal=doublet", UnknownNameError, "call"),
    ],
)
def test_what_to_drop_must_be_said_rightly(source, clause, error, message):
    with pytest.raises(error, match=message):
        without_labels(source.obs, [clause], [])


def test_shallow_cells_are_dropped_before_conditions_are_counted(source):
    counts = source.X.toarray()
    counts[[15, 16], 2:] = 0  # two of the three SPI1 in A
    source.X = sparse.csr_matrix(counts)

    curated, done = curate(source, replace(OPTIONS, min_genes=3))

    assert told(done, "genes.") == ["Dropped 2 cells with fewer than 3 genes."]
    [about_conditions] = told(done, "conditions")
    assert "Dropped 1 of 6 conditions with fewer than 2 cells (1 cells): 'SPI1 in A'" in (
        about_conditions
    )
    assert curated.n_obs == 33


def test_contexts_with_few_controls_are_dropped(source):
    source = source[5:].copy()  # one control left in A

    with pytest.raises(DataError, match="too few to be halved"):
        curate(source, OPTIONS)
    curated, done = curate(source, replace(OPTIONS, min_controls=6))

    assert set(curated.obs["context"]) == {"B"}
    assert told(done, "control groups") == [
        "Dropped 1 of 2 control groups with fewer than 6 controls (13 cells): 'A'."
    ]


def test_the_perturbations_with_most_cells_are_kept(source):
    curated, done = curate(source, replace(OPTIONS, max_perturbations=2))

    assert set(curated.obs["perturbation"]) == {"control", "KLF1", "BAK1"}
    assert set(curated.uns["wildcell"]["components"]["component"]) == {"KLF1", "BAK1"}
    assert told(done, "perturbations") == [
        "Dropped 1 of 3 perturbations to keep the 2 with most cells (6 cells, at most 6 of one)."
    ]


def test_ties_are_broken_by_name_whatever_the_order_of_cells():
    labels = ["B", "A", "control", "C"]
    for order in ([0, 1, 2, 3], [3, 2, 1, 0]):
        obs = pd.DataFrame({"perturbation": [labels[i] for i in order]})
        is_kept = are_most_measured(obs, 1, [])

        assert sorted(obs.loc[is_kept, "perturbation"]) == ["A", "control"]


def test_rare_genes_are_dropped_and_library_sizes_stay(source):
    counts = source.X.toarray()
    counts[1:, 0] = 0
    source.X = sparse.csr_matrix(counts)

    curated, done = curate(source, replace(OPTIONS, min_cells_per_gene=2))

    assert "G0" not in curated.var_names
    assert curated.n_vars == N_GENES - 1
    assert curated.obs["total_counts"].tolist() == counts.sum(axis=1).tolist()
    assert curated.uns["wildcell"]["gene_subset"]
    assert told(done, "genes seen") == ["Dropped 1 of 12 genes seen in fewer than 2 cells."]
    assert check_cells(curated) == []


def test_genes_never_seen_can_go_without_making_a_subset(source):
    counts = source.X.toarray()
    counts[:, 0] = 0
    source.X = sparse.csr_matrix(counts)

    curated, _ = curate(source, replace(OPTIONS, min_cells_per_gene=1))

    assert curated.n_vars == N_GENES - 1
    assert not curated.uns["wildcell"]["gene_subset"]


def test_to_want_too_much_is_refused(source):
    with pytest.raises(DataError, match="None of the 12 genes is seen in 99 cells"):
        curate(source, replace(OPTIONS, min_cells_per_gene=99))
    with pytest.raises(OptionError, match="the least is 1"):
        replace(OPTIONS, max_perturbations=0)
    with pytest.raises(DataError):
        curate(source, replace(OPTIONS, min_genes=99))


def test_a_dense_file_is_the_same_as_a_sparse_one(source, tmp_path):
    source.write_h5ad(tmp_path / "sparse.h5ad")
    source.X = source.X.toarray()
    source.write_h5ad(tmp_path / "dense.h5ad")

    curated = {}
    for kind in ("sparse", "dense"):
        path = tmp_path / f"{kind}-curated.h5ad"
        curate_file(tmp_path / f"{kind}.h5ad", path, replace(OPTIONS, name="toy"))
        curated[kind] = load_dataset(path).cells

    assert (curated["sparse"].X != curated["dense"].X).nnz == 0
    pd.testing.assert_frame_equal(curated["sparse"].obs, curated["dense"].obs)
