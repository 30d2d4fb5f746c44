import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from wildcell.datasets.check import check_cells
from wildcell.datasets.dataset import COMPONENT_COLUMNS

CELLS_OF_CONDITION = 3


@pytest.fixture
def curated():
    """A small curated screen: contexts A and B, perturbations KLF1 and BAK1@2."""
    conditions = [(c, p) for c in "AB" for p in ("control", "KLF1", "BAK1@2")]
    labels = [pair for pair in conditions for _ in range(CELLS_OF_CONDITION)]
    obs = pd.DataFrame(labels, columns=["context", "perturbation"])
    obs.index = [f"cell{i}" for i in range(len(obs))]
    obs = obs.assign(
        dataset="toy", modality="drug", batch="", replicate="", control_group=obs["context"]
    )
    counts = np.random.default_rng(0).poisson(3, (len(obs), 4)).astype(np.float32)
    counts[:, 0] += 1
    obs["total_counts"] = counts.sum(axis=1)
    components = [("KLF1", "KLF1", np.nan, "", np.nan), ("BAK1@2", "BAK1", 2.0, "uM", np.nan)]
    cells = ad.AnnData(sparse.csr_matrix(counts), obs=obs, var=pd.DataFrame(index=list("abcd")))
    cells.uns["wildcell"] = {
        "schema_version": 1,
        "expression": "counts",
        "gene_subset": False,
        "source": "",
        "sha256": "",
        "licence": "",
        "citation": "",
        "recipe_version": 1,
        "components": pd.DataFrame(components, columns=COMPONENT_COLUMNS),
    }
    return cells


def the_problem(cells):
    problems = check_cells(cells)
    assert len(problems) == 1, problems
    return problems[0]


def test_a_curated_screen_has_no_problems(curated):
    assert check_cells(curated) == []


def test_dense_expression_has_no_problems(curated):
    curated.X = curated.X.toarray()

    assert check_cells(curated) == []


def test_a_file_on_disk_is_checked_without_being_read_whole(curated, tmp_path):
    del curated.obs["total_counts"]
    curated.X[4, 2] = 0.5
    curated.write_h5ad(tmp_path / "toy.h5ad")

    backed = ad.read_h5ad(tmp_path / "toy.h5ad", backed="r")

    assert "'cell4', gene 'c'" in the_problem(backed)
    backed.file.close()


def test_all_problems_are_listed_at_once(curated):
    curated.uns["wildcell"]["schema_version"] = 99
    curated.obs["modality"] = "magic"
    curated.X[0, 0] = np.nan

    problems = check_cells(curated)

    assert len(problems) == 3
    assert "99" in problems[0]
    assert "'magic'" in problems[1]
    assert "nan" in problems[2]


def test_an_uncurated_file_is_told_what_would_do():
    problems = check_cells(ad.AnnData(np.ones((2, 2))))

    assert "wildcell curate" in problems[0]
    assert "'perturbation'" in problems[1]


def test_no_cells_are_a_problem(curated):
    assert "0 cells, 4 genes" in the_problem(curated[:0].copy())


@pytest.mark.parametrize("key", ["expression", "gene_subset", "components", "licence"])
def test_missing_metadata_are_named(curated, key):
    del curated.uns["wildcell"][key]

    assert repr(key) in the_problem(curated)


@pytest.mark.parametrize("column", ["control_group", "batch", "dataset"])
def test_a_missing_column_is_named(curated, column):
    del curated.obs[column]

    assert repr(column) in the_problem(curated)


def test_an_unknown_expression_is_told_the_known_ones(curated):
    curated.uns["wildcell"]["expression"] = "tpm"

    assert "'tpm'; it must be one of counts, lognorm, log2" in the_problem(curated)


@pytest.mark.filterwarnings("ignore:.* names are not unique")
def test_repeated_genes_and_cells_are_named(curated):
    curated.var_names = ["a", "a", "b", "c"]
    curated.obs_names = ["same", "same", *curated.obs_names[2:]]

    assert check_cells(curated) == [
        "1 gene names occur more than once: 'a'.",
        "1 cell names occur more than once: 'same'.",
    ]


@pytest.mark.parametrize("label", [np.nan, "", "nan"])
def test_cells_without_a_label_are_counted(curated, label):
    curated.obs.loc["cell3", "dataset"] = label

    assert "1 of 18 cells have no dataset ('cell3')" in the_problem(curated)


def test_an_unknown_replicate_is_empty_but_never_nan(curated):
    curated.obs.loc["cell3", "replicate"] = np.nan

    assert "no replicate" in the_problem(curated)


def test_a_screen_without_controls_is_told_its_labels(curated):
    perturbed = curated[curated.obs["perturbation"] != "control"].copy()

    assert "no control cells: no perturbation is 'control' among 'BAK1@2', 'KLF1'" in the_problem(
        perturbed
    )


def test_a_context_without_controls_is_named(curated):
    is_control_of_b = (curated.obs["perturbation"] == "control") & (curated.obs["context"] == "B")

    problem = the_problem(curated[~is_control_of_b].copy())

    assert problem.startswith(
        "1 of 2 control groups have perturbed cells but no control cells: 'B'"
    )


def test_a_single_control_cannot_be_halved(curated):
    problem = the_problem(curated[2:].copy())

    assert "fewer than 2 control cells" in problem
    assert "'A'" in problem


def test_a_screen_of_controls_alone_has_nothing_to_predict(curated):
    controls = curated[curated.obs["perturbation"] == "control"].copy()

    assert "All 6 cells are controls" in check_cells(controls)[0]


def test_a_condition_lies_in_one_control_group(curated):
    curated.obs["control_group"] = curated.obs["context"] + "|1"
    is_other = np.arange(curated.n_obs) % CELLS_OF_CONDITION == 0
    curated.obs.loc[is_other, "control_group"] = "A|2"
    curated.obs.loc[curated.obs["perturbation"] == "KLF1", "control_group"] = "A|1"

    problem = check_cells(curated)[-1]

    assert (
        "2 of 4 conditions lie in several control groups: 'BAK1@2 in A', 'BAK1@2 in B'" in problem
    )


def test_a_condition_of_one_cell_is_named(curated):
    problem = the_problem(curated[[i for i in range(18) if i not in {3, 4}]].copy())

    assert "1 of 4 conditions have fewer than 2 cells" in problem
    assert "'KLF1 in A'" in problem


def test_components_and_perturbations_are_the_same(curated):
    components = curated.uns["wildcell"]["components"]
    components.loc[0, "perturbation"] = "GATA1"

    problems = check_cells(curated)

    assert problems == [
        "1 perturbations of cells are not in the table of components: 'KLF1'.",
        "1 perturbations in the table of components have no cells: 'GATA1'.",
    ]


def test_a_component_is_listed_once(curated):
    components = curated.uns["wildcell"]["components"]
    curated.uns["wildcell"]["components"] = pd.concat([components, components[:1]])

    assert "1 perturbations list a component twice: 'KLF1'" in the_problem(curated)


def test_components_have_all_columns(curated):
    curated.uns["wildcell"]["components"] = curated.uns["wildcell"]["components"].drop(
        columns="dose"
    )

    assert "lacks the columns 'dose'" in the_problem(curated)


@pytest.mark.parametrize(
    ("value", "found"),
    [(np.nan, "1 nan values"), (np.inf, "1 infinite values"), (-2.0, "1 negative values")],
)
def test_impossible_values_are_counted_and_placed(curated, value, found):
    del curated.obs["total_counts"]
    curated.X[7, 1] = value

    problem = the_problem(curated)

    assert found in problem
    assert "cell 'cell7', gene 'b'" in problem


def test_impossible_values_are_found_in_every_chunk(curated, monkeypatch):
    monkeypatch.setattr("wildcell.datasets.values.CHUNK_ROWS", 4)
    del curated.obs["total_counts"]
    curated.X[7, 1] = 0.5
    curated.X[17, 3] = 0.5

    problem = the_problem(curated)

    assert "2 of its" in problem
    assert "cell 'cell7', gene 'b'" in problem


def test_log_normalised_data_called_counts_are_found_out(curated):
    curated.X = sparse.csr_matrix(np.log1p(curated.X.toarray()))
    del curated.obs["total_counts"]

    assert "looks like log-normalised data called counts" in the_problem(curated)


@pytest.mark.parametrize("expression", ["lognorm", "log2"])
def test_counts_called_logarithms_are_found_out(curated, expression):
    curated.uns["wildcell"]["expression"] = expression

    assert f"looks like counts called {expression}" in the_problem(curated)


def test_normalised_data_without_the_logarithm_are_found_out(curated):
    curated.uns["wildcell"]["expression"] = "lognorm"
    curated.X = curated.X * 7.3

    assert "logarithms stay below 20" in the_problem(curated)


def test_logarithms_of_arrays_may_be_negative(curated):
    curated.uns["wildcell"]["expression"] = "log2"
    curated.X = sparse.csr_matrix(curated.X.toarray() - 2.5)

    assert check_cells(curated) == []


@pytest.mark.parametrize(
    ("size", "found"),
    [
        (np.nan, "no number in total_counts"),
        (1.0, "a total_counts below the sum of their counts"),
        (1000.0, "a total_counts above the sum of their counts"),
    ],
)
def test_a_library_size_that_cannot_be_is_found(curated, size, found):
    curated.obs["total_counts"] = curated.obs["total_counts"].astype(float)
    curated.obs.loc["cell5", "total_counts"] = size

    assert f"1 of 18 cells ('cell5') have {found}" in the_problem(curated)


def test_library_sizes_of_a_subset_of_genes_exceed_the_row_sums(curated):
    curated.uns["wildcell"]["gene_subset"] = True
    curated.obs["total_counts"] += 1000

    assert check_cells(curated) == []


def test_a_subset_of_genes_needs_library_sizes(curated):
    curated.uns["wildcell"]["gene_subset"] = True
    del curated.obs["total_counts"]

    assert "obs has no total_counts" in the_problem(curated)


@pytest.mark.parametrize("has_sizes", [True, False])
def test_cells_without_counts_are_found(curated, has_sizes):
    curated.X[5] = 0
    curated.obs.loc["cell5", "total_counts"] = 0
    if not has_sizes:
        del curated.obs["total_counts"]

    assert "1 of 18 cells ('cell5') have zero counts" in the_problem(curated)
