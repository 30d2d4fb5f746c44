"""Each recipe on a small file of its source's layout, with the traps of that layout."""

import json
import os
import warnings
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from wildcell.datasets.check import check_cells
from wildcell.datasets.dataset import DATASETS
from wildcell.datasets.fetch import fetch
from wildcell.datasets.load import load_dataset
from wildcell.datasets.recipe import RECIPES
from wildcell.errors import DataError, OptionError, UnknownNameError
from wildcell.names import CONTROL
from wildcell.testing import check_dataset

REAL_DATA = (
    Path(os.environ.get("WILDCELL_TEST_DATA", Path(__file__).parents[3] / "shared")) / "data"
)
PUBLIC = [
    "adamson2016-10x001",
    "adamson2016-10x010",
    "kang2018",
    "mcfarland2020",
    "norman2019",
    "replogle2022-k562",
    "srivatsan2020",
]
N_GENES = 240


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache, which is also the one that `load_dataset` looks into."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("WILDCELL_CACHE", str(folder))
    return folder


def raw(rows, **columns):
    """Return counts as floats in CSC, with repeated symbols, of rows (n_cells, labels...)."""
    names = list(columns) or ["perturbation"]
    labels = [label for n_cells, *label in rows for _ in range(n_cells)]
    obs = pd.DataFrame(labels, columns=names)
    for name, dtype in columns.items():
        obs[name] = obs[name].astype(dtype)
    obs.index = [f"cell{i % 50}" for i in range(len(obs))]  # repeated, as barcodes of lanes are
    counts = np.random.default_rng(0).poisson(4, (len(obs), N_GENES)).astype(float)
    counts[:, -1] = 0
    symbols = [f"GENE{i}" for i in range(N_GENES - 2)] + ["GENE0", "SILENT"]
    var = pd.DataFrame(
        {"ensembl_id": [f"ENSG{i:011d}" for i in range(N_GENES)]}, index=pd.Index(symbols)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return ad.AnnData(sparse.csc_matrix(counts), obs=obs, var=var)


def made(name, cells, tmp_path):
    """Fetch a recipe from a file; return the data set and the account."""
    source = tmp_path / f"{name}-source.h5ad"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        cells.write_h5ad(source)
    account = fetch(name, source=source).account
    screen = load_dataset(name)
    check_dataset(screen)
    return screen, account


def n_cells(screen):
    """Return the cells of each perturbation."""
    return screen.cells.obs["perturbation"].astype(str).value_counts().to_dict()


def has(account, words):
    return any(words in sentence for sentence in account)


def test_all_of_the_benchmark_have_a_recipe_and_are_listed():
    assert set(PUBLIC) <= set(RECIPES.names())
    assert set(RECIPES.names()) <= set(DATASETS.names())


@pytest.mark.parametrize("name", RECIPES.names())
def test_a_recipe_says_what_it_is_and_whose_the_data_are(name):
    recipe = RECIPES.get(name)

    assert DATASETS.get(name).__doc__ == recipe.summary
    assert recipe.summary.endswith(".")
    assert recipe.options.licence
    assert "20" in recipe.options.citation
    assert (recipe.file is None) == (recipe.options.min_genes == 0)


@pytest.mark.parametrize("name", [*PUBLIC, "papalexi2021"])
def test_before_it_is_fetched_the_command_is_said(name, cache):
    by_hand = " --from FILE" if RECIPES.get(name).file is None else ""

    with pytest.raises(DataError) as caught:
        load_dataset(name)

    assert str(caught.value) == f"{name} is not in {cache} yet; run: wildcell fetch {name}{by_hand}"


def test_adamson_guides_become_genes_and_replicates(tmp_path):
    cells = raw(
        [
            (20, "62(mod)_pBA581"),
            (15, "63(mod)_pBA580"),
            (12, "Gal4-4(mod)_pBA582"),
            (12, "ATF4_pBA576"),
            (9, "ATF4_pBA577"),
            (14, "XBP1_pBA578"),
            (4, "YIPF5_pDS001"),
            (7, "*"),
            (5, None),
        ],
        perturbation="category",
    )
    cells.obs["perturbation"] = cells.obs["perturbation"].cat.add_categories(["SPI1_pDS255"])

    screen, account = made("adamson2016-10x010", cells, tmp_path)

    assert n_cells(screen) == {CONTROL: 47, "ATF4": 21, "XBP1": 14}
    assert set(screen.cells.obs.loc[screen.is_control, "replicate"]) == {
        "pBA581",
        "pBA580",
        "pBA582",
    }
    assert set(screen.conditions["modality"]) == {"crispri"}
    assert set(screen.conditions["context"]) == {"K562"}
    assert has(account, "Dropped 12 cells without a perturbation (7 *, 5 no label).")
    assert has(account, "Took 7 guides for those of 3 genes and the control.")
    assert has(account, "Dropped 1 of 3 conditions with fewer than 10 cells (4 cells): 'YIPF5")
    assert has(account, "but about 65337 were expected")


def test_both_screens_of_adamson_are_made_alike(tmp_path):
    cells = raw([(20, "62(mod)_pBA581"), (12, "SPI1_pDS255"), (2, "*")])

    screen, account = made("adamson2016-10x001", cells, tmp_path)

    assert n_cells(screen) == {CONTROL: 20, "SPI1": 12}
    assert has(account, "The source has 1 perturbations, but about 7 were expected")


def test_norman_pairs_are_combinations(tmp_path):
    cells = raw(
        [
            (20, CONTROL, "1"),
            (12, "KLF1", "1"),
            (12, "AHR_KLF1", "2"),
            (11, "KLF1_AHR", "2"),
            (9, "BAK1", "1"),
            (3, None, "1"),
        ],
        perturbation="category",
        gemgroup="category",
    )

    screen, account = made("norman2019", cells, tmp_path)

    assert n_cells(screen) == {CONTROL: 20, "KLF1": 12, "AHR+KLF1": 23}
    assert set(screen.cells.obs["batch"]) == {"1", "2"}
    assert set(screen.conditions["modality"]) == {"crispra"}
    assert has(account, "No replicate is known: there is no column 'guide_id'.")
    assert has(account, "Dropped 3 cells without a perturbation label.")
    assert has(account, "Dropped 1 of 239 genes seen in fewer than 10 cells.")
    assert has(account, "Summed the counts of 1 gene names")
    assert "SILENT" not in screen.cells.var_names


def test_replogle_is_dense_and_its_labels_are_no_combinations(tmp_path):
    cells = raw([(20, CONTROL), (12, "HLA-A"), (12, "A_B"), (4, "RARE")])
    cells.X = cells.X.toarray().astype(np.float32)

    screen, account = made("replogle2022-k562", cells, tmp_path)

    assert n_cells(screen) == {CONTROL: 20, "HLA-A": 12, "A_B": 12}
    assert sparse.issparse(screen.cells.X)
    assert has(account, "No batch is known")


def test_replogle_keeps_500_perturbations(tmp_path):
    cells = raw([(20, CONTROL), *((10 + (i < 500), f"P{i}") for i in range(502))])

    screen, account = made("replogle2022-k562", cells, tmp_path)

    assert len(screen.conditions) == 500
    assert set(screen.conditions["n_cells"]) == {11}
    assert has(account, "Dropped 2 of 502 perturbations")


def drugs(rows):
    """Return a raw drug screen: cells, drug, dose, line, time."""
    return raw(rows, perturbation="category", dose_value=object, cell_line="category", time=object)


def test_srivatsan_names_with_a_plus_are_one_compound(tmp_path):
    salt = "ENMD-2076 L-(+)-Tartaric acid"
    cells = drugs(
        [
            (20, CONTROL, 0.0, "A549", 24.0),
            (20, CONTROL, 0.0, "K562", 24.0),
            (12, "(+)-JQ1", 10.0, "A549", 24.0),
            (12, "(+)-JQ1", 10000.0, "A549", 24.0),
            (12, salt, 10.0, "K562", 24.0),
            (12, salt, 10.0, "A549", 72.0),
            (3, "(+)-JQ1", np.nan, "A549", 24.0),
            (5, None, 10.0, "A549", 24.0),
            (6, "(+)-JQ1", 10.0, None, 24.0),
        ]
    )
    for column in ["dose_value", "time"]:
        cells.obs[column] = cells.obs[column].astype(float)
    cells.obs["dose_unit"] = "nM"

    screen, account = made("srivatsan2020", cells, tmp_path)

    components = screen.components.set_index("perturbation")
    assert n_cells(screen) == {
        CONTROL: 40,
        "(%2B)-JQ1@10": 12,
        "(%2B)-JQ1@10000": 12,
        "ENMD-2076 L-(%2B)-Tartaric acid@10": 12,
    }
    assert set(components["component"]) == {"(+)-JQ1", salt}
    assert set(components["unit"]) == {"nM"}
    assert set(components["time"]) == {24.0}
    assert has(account, "Dropped 12 cells of other times than 24 h.")
    assert has(account, "Dropped 3 cells of a drug at no known dose.")
    assert has(account, "Dropped 5 cells without a perturbation (5 no label).")
    assert has(account, "Dropped 6 cells without a context label.")


def test_mcfarland_keeps_drugs_at_one_time_on_single_cells(tmp_path):
    lines = ["NCIH226_LUNG", "RARE_LINE"]
    cells = drugs(
        [
            (20, CONTROL, None, lines[0], "24"),
            (9, CONTROL, None, lines[0], "6"),
            (12, "Idasanutlin", "2.5", lines[0], "24"),
            (12, "Trametinib", "0.1 µM", lines[0], "24"),
            (12, "Trametinib", "100 nM", lines[0], "24"),
            (12, "Trametinib", "0.1", lines[0], "6"),
            (12, "sgGPX4-1", None, lines[0], "72_96"),
            (12, "Navitoclax", "2.5", lines[0], "24"),
            (4, CONTROL, None, lines[1], "24"),
            (12, "Navitoclax", "2.5", lines[1], "24"),
        ]
    )
    is_guide = cells.obs["perturbation"].astype(str).str.startswith("sg")
    cells.obs["perturbation_type"] = np.where(is_guide, "CRISPR", "drug")
    quality = np.full(cells.n_obs, "normal", dtype=object)
    is_navitoclax = np.flatnonzero(cells.obs["perturbation"] == "Navitoclax")
    quality[is_navitoclax[:2]] = "doublet"
    quality[is_navitoclax[2]] = "low_quality"
    cells.obs["cell_quality"] = pd.Categorical(quality)

    screen, account = made("mcfarland2020", cells, tmp_path)

    assert n_cells(screen) == {CONTROL: 20, "Idasanutlin@2.5": 12, "Trametinib@0.1": 24}
    assert set(screen.conditions["context"]) == {lines[0]}
    assert set(screen.components["time"]) == {24.0}
    assert has(
        account, "Dropped 3 cells whose cell_quality is not normal (2 doublet, 1 low_quality)."
    )
    assert has(account, "Dropped 12 cells whose perturbation_type is not drug (12 CRISPR).")
    assert has(account, "Dropped 21 cells of other times than 24 h.")
    assert has(account, "fewer than 20 controls (16 cells): 'RARE_LINE'.")
    assert has(account, "Dropped 1 of 3 conditions with fewer than 10 cells (9 cells)")


def blood():
    patients = ["patient_101", "patient_1015"]
    return raw(
        [
            (12 + 2 * (label == "ctrl"), label, kind, patient)
            for patient in patients
            for kind in ["CD4 T cells", "CD14+ Monocytes"]
            for label in ["ctrl", "stim"]
        ],
        label="category",
        cell_type="category",
        replicate="category",
    )


def test_kang_has_the_cd4_t_cells_of_patients(tmp_path):
    screen, account = made("kang2018", blood(), tmp_path)

    assert n_cells(screen) == {CONTROL: 28, "IFNB1": 24}
    assert set(screen.conditions["context"]) == {"101", "1015"}
    assert set(screen.conditions["modality"]) == {"cytokine"}
    assert has(account, "Kept the 52 CD4 T cells of 104 cells.")


def test_kang_may_have_cell_types_for_contexts(tmp_path):
    screen, _ = made("kang2018-cell-types", blood(), tmp_path)

    assert n_cells(screen) == {CONTROL: 56, "IFNB1": 48}
    assert set(screen.conditions["context"]) == {"CD4 T cells", "CD14+ Monocytes"}
    assert set(screen.cells.obs["replicate"]) == {"101", "1015"}


def test_kang_without_cd4_t_cells_is_refused(tmp_path):
    cells = blood()
    cells.obs["cell_type"] = cells.obs["cell_type"].astype(str).str.replace("CD4", "CD8")

    with pytest.raises(DataError, match="No cell is of the type 'CD4 T cells'"):
        made("kang2018", cells, tmp_path)


@pytest.mark.parametrize("name", PUBLIC)
def test_another_file_is_refused_and_leaves_nothing(name, tmp_path, cache):
    cells = raw([(20, CONTROL), (12, "A")], label_of_something_else="category")

    with pytest.raises(DataError, match=r"lacks the columns .*another file"):
        made(name, cells, tmp_path)

    assert [path.name for path in cache.iterdir() if not path.name.startswith(".")] == []


def test_a_data_set_that_is_there_is_left_and_forced_is_made_again(tmp_path, cache):
    cells = raw([(20, CONTROL), (12, "KLF1"), (12, "BAK1")])
    made("norman2019", cells, tmp_path)
    before = (cache / "norman2019.h5ad").stat().st_mtime_ns

    assert fetch("norman2019").account == []
    assert (cache / "norman2019.h5ad").stat().st_mtime_ns == before
    source = tmp_path / "norman2019-source.h5ad"
    assert fetch("norman2019", source=source, is_forced=True).account
    assert (cache / "norman2019.h5ad").stat().st_mtime_ns > before


def test_the_account_is_kept_beside_the_data_set(tmp_path, cache):
    screen, account = made("norman2019", raw([(20, CONTROL), (12, "KLF1")]), tmp_path)

    record = json.loads((cache / "norman2019.json").read_text())

    assert record["account"] == account
    assert record["licence"] == screen.metadata["licence"] == "CC-BY-4.0"
    assert len(screen.metadata["sha256"]) == 64
    assert screen.metadata["source"] == "norman2019-source.h5ad"


def test_symbols_can_be_harmonised_on_the_way(tmp_path):
    names = tmp_path / "names.csv"
    names.write_text("from,to\nOLD,NEW\nGENE1,GENE2\n")
    source = tmp_path / "source.h5ad"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        raw([(20, CONTROL), (12, "OLD_KLF1"), (12, "NEW")]).write_h5ad(source)

    account = fetch("norman2019", source=source, gene_names=names).account

    screen = load_dataset("norman2019")
    assert n_cells(screen) == {CONTROL: 20, "KLF1+NEW": 12, "NEW": 12}
    assert "GENE1" not in screen.cells.var_names
    assert has(account, "Summed the counts of 2 gene names")


def test_a_name_without_a_recipe_is_refused():
    with pytest.raises(UnknownNameError, match="Did you mean 'norman2019'"):
        fetch("norman219")
    with pytest.raises(UnknownNameError, match="No recipe"):
        fetch("simulated")


def test_a_recipe_has_no_options():
    with pytest.raises(OptionError, match="norman2019 has no options; drop n_cells"):
        load_dataset("norman2019", n_cells=5)


def test_what_cannot_be_downloaded_or_is_not_there_is_said(tmp_path):
    with pytest.raises(DataError, match=r"no public file.*wildcell fetch tggates --from FILE"):
        fetch("tggates")
    with pytest.raises(DataError, match="There is no file"):
        fetch("tggates", source=tmp_path / "absent.h5ad")


@pytest.mark.parametrize(
    ("name", "file", "n_conditions"),
    [
        ("kang2018-pbmc", "kang2018_pbmc", 7),
        ("norman2019-mcfaline2023-small", "norman2019_mcfaline2023_small", 60),
        ("papalexi2021", "papalexi2021_thp1", 25),
        ("zhao2021", "zhao2021_glioblastoma", 5),
        ("tggates", "tggates_hepatocytes", 855),
    ],
)
def test_small_real_screens_are_made_from_their_files(name, file, n_conditions):
    path = REAL_DATA / f"{file}.h5ad"
    if not path.exists():
        pytest.skip(f"{path} is not there; name the folder in WILDCELL_TEST_DATA")

    account = fetch(name, source=path).account

    screen = load_dataset(name)
    assert check_cells(screen.cells) == []
    assert len(screen.conditions) == n_conditions
    assert sum("as expected" in sentence for sentence in account) == 3
