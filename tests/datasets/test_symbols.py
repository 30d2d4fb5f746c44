from dataclasses import replace

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from wildcell.datasets.check import check_cells
from wildcell.datasets.curate import curate
from wildcell.datasets.curate_options import CurateOptions
from wildcell.datasets.symbols import read_gene_names
from wildcell.errors import DataError

HGNC = """\
hgnc_id\tsymbol\tname\tprev_symbol\talias_symbol\tensembl_gene_id
1\tPRELID3B\tone\t"C20orf45|SLMO2"\tdJ543J19.5\tENSG00000101166
2\tATP5F1B\ttwo\tATP5B\tATPSB|HSP\tENSG00000110955
3\tEIF2AK3\tthree\t\tPERK|HSP\tENSG00000172071
4\tERN1\tfour\t\tIRE1|IRE1P\tENSG00000178607
5\tSARS1\tfive\tSARS\t\tENSG00000031698
6\tSARS2\tsix\tSARS\t\tENSG00000104835
7\tNA\tseven\t\t\tENSG00000999999
"""


@pytest.fixture
def hgnc(tmp_path):
    path = tmp_path / "hgnc_complete_set.txt"
    path.write_text(HGNC)
    return path


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("ERN1", ("ERN1", "")),
        ("SLMO2", ("PRELID3B", "previous symbol")),
        ("dJ543J19.5", ("PRELID3B", "alias")),
        ("PERK", ("EIF2AK3", "alias")),
        ("ENSG00000110955", ("ATP5F1B", "Ensembl id")),
        ("ENSG00000110955.12", ("ATP5F1B", "Ensembl id")),
        ("ENSG00000000001", ("ENSG00000000001", "")),
        ("HSP", ("HSP", "ambiguous")),
        ("SARS", ("SARS", "ambiguous")),
        ("NA", ("NA", "")),
        ("", ("", "")),
        ("unheard-of", ("unheard-of", "")),
    ],
)
def test_names_are_resolved_where_they_stand_for_one_gene(hgnc, name, found):
    assert read_gene_names(hgnc).resolve(name) == found


@pytest.mark.parametrize(("ending", "separator"), [("csv", ","), ("tsv", "\t"), ("csv.gz", ",")])
def test_a_table_of_two_columns_will_do(tmp_path, ending, separator):
    path = tmp_path / f"names.{ending}"
    table = pd.DataFrame({"from": ["OLD", "TWO", "TWO"], "to": ["NEW", "A", "B"]})
    table.to_csv(path, sep=separator, index=False)

    names = read_gene_names(path)

    assert names.resolve("OLD") == ("NEW", "table")
    assert names.resolve("TWO") == ("TWO", "ambiguous")


@pytest.mark.parametrize("content", ["a,b,c\n1,2,3\n", "", "\x00\xff"])
def test_another_table_is_refused(tmp_path, content):
    path = tmp_path / "names.csv"
    path.write_text(content, encoding="latin-1")

    with pytest.raises(DataError, match=r"neither HGNC's|cannot be read"):
        read_gene_names(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_gene_names(tmp_path / "absent.csv")


GENES = ["SLMO2", "PRELID3B", "ENSG00000178607", "SARS", "PERK", "EIF2AK3", "HSP", "OTHER"]


@pytest.fixture
def source():
    """Counts of 20 cells: 4 controls, and 4 each of SLMO2, PRELID3B, IRE1_SLMO2, SARS."""
    guides = np.repeat(["NT", "SLMO2", "PRELID3B", "IRE1_SLMO2", "SARS"], 4)
    obs = pd.DataFrame({"guide": guides}, index=[f"cell{i}" for i in range(20)])
    counts = np.random.default_rng(0).poisson(3, (20, len(GENES))) + 1.0
    var = pd.DataFrame({"ensembl_id": [""] * len(GENES)}, index=GENES)
    var.loc["SARS", "ensembl_id"] = "ENSG00000031698"
    return ad.AnnData(sparse.csr_matrix(counts), obs=obs, var=var)


@pytest.fixture
def options(hgnc):
    return CurateOptions(
        perturbation_column="guide",
        control="NT",
        context="K562",
        modality="crispri",
        combination_separator="_",
        gene_names=hgnc,
    )


def test_genes_get_their_symbols_and_those_that_become_one_are_summed(source, options):
    curated, done = curate(source, options)

    assert curated.var_names.tolist() == [
        "PRELID3B",
        "ERN1",
        "SARS1",  # its Ensembl id tells what the symbol does not
        "PERK",  # an alias of a symbol that another gene has
        "EIF2AK3",
        "HSP",
        "OTHER",
    ]
    of_both = source[:, ["SLMO2", "PRELID3B"]].X.sum(axis=1).A1
    assert curated[:, "PRELID3B"].X.toarray().ravel().tolist() == of_both.tolist()
    assert curated.X.sum() == source.X.sum()
    assert check_cells(curated) == []
    assert (
        "Renamed 3 genes (2 by Ensembl id, 1 by previous symbol): 'SLMO2 to PRELID3B', "
        "'ENSG00000178607 to ERN1', 'SARS to SARS1'."
    ) in done
    assert "Kept the names of 1 genes that may stand for several symbols: 'HSP'." in done
    assert any("1 genes that are aliases of symbols which other" in sentence for sentence in done)
    assert "Summed the counts of 1 gene names that occur more than once." in done


def test_perturbed_genes_get_theirs_and_old_and_new_are_one(source, options):
    curated, done = curate(source, options)

    assert set(curated.obs["perturbation"]) == {"control", "PRELID3B", "ERN1+PRELID3B", "SARS"}
    assert (curated.obs["perturbation"] == "PRELID3B").sum() == 8
    assert (
        "Renamed 2 perturbed genes (1 by alias, 1 by previous symbol): 'IRE1 to ERN1', "
        "'SLMO2 to PRELID3B'."
    ) in done
    assert "1 perturbed genes are the same as another under its current symbol." in done
    assert "Kept the names of 1 perturbed genes that may stand for several symbols: 'SARS'." in done


def test_drugs_are_not_taken_for_genes(source, options):
    curated, _ = curate(source, replace(options, modality="drug", combination_separator=None))

    assert set(curated.obs["perturbation"]) == {
        "control",
        "SLMO2",
        "PRELID3B",
        "IRE1_SLMO2",
        "SARS",
    }


def test_of_mixed_modalities_the_genetic_ones_alone_are_renamed(source, options):
    source.obs["kind"] = np.where(np.arange(20) < 12, "CRISPRi", "drug")

    curated, _ = curate(source, replace(options, modality=None, modality_column="kind"))

    assert set(curated.obs["perturbation"]) == {"control", "PRELID3B", "IRE1+SLMO2", "SARS"}


def test_without_a_table_names_are_left(source, options):
    curated, done = curate(source, replace(options, gene_names=None))

    assert curated.var_names.tolist() == GENES
    assert not any("Renamed" in sentence for sentence in done)
