"""Fingerprints of drugs, and what is said of those that have none."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from wildcell.errors import DataError, MissingExtraError, OptionError, UnknownNameError
from wildcell.scenarios.drug_features import morgan_features, read_smiles

FOLDER = Path(os.environ.get("WILDCELL_TEST_DATA", Path(__file__).parents[3] / "shared")) / "data"


@pytest.fixture
def rdkit():
    return pytest.importorskip("rdkit")


def test_smiles_are_read_by_name_and_missing_ones_are_kept_as_such(tmp_path):
    path = tmp_path / "drugs.csv"
    path.write_text("drug,structure\nNA,CCO\nA,nan\nB,CCO\nB,OCC\nB,CCO\n,C\nC,-666\n")

    found = read_smiles(path, name_column="drug", smiles_column="structure")

    assert found == {"NA": ["CCO"], "A": [], "B": ["CCO", "OCC"], "C": []}


def test_tables_may_be_tsv_or_gzipped(tmp_path):
    import gzip

    (tmp_path / "drugs.tsv").write_text("name\tsmiles\nA\tC,C\n")
    (tmp_path / "drugs.csv.gz").write_bytes(gzip.compress(b"name,smiles\nA,CC\n"))

    assert read_smiles(tmp_path / "drugs.tsv") == {"A": ["C,C"]}
    assert read_smiles(tmp_path / "drugs.csv.gz") == {"A": ["CC"]}


def test_tables_that_cannot_be_used_are_refused(tmp_path):
    path = tmp_path / "drugs.csv"
    with pytest.raises(DataError, match="no file"):
        read_smiles(path)
    path.write_text("name,SMILES\nA,CC\n")
    with pytest.raises(UnknownNameError, match=r"--smiles-column.*Known: SMILES, name"):
        read_smiles(path)
    path.write_text("name,smiles\n")
    with pytest.raises(DataError, match="names no drugs"):
        read_smiles(path)
    (tmp_path / "drugs.csv.gz").write_bytes(b"no gzip")
    with pytest.raises(DataError, match="cannot be read"):
        read_smiles(tmp_path / "drugs.csv.gz")


def test_without_rdkit_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "rdkit", None)

    with pytest.raises(MissingExtraError, match=r"wildcell\[chem\]"):
        morgan_features({"A": ["CC"]})


def test_fingerprints_are_those_of_rdkit(rdkit):
    from rdkit import Chem
    from rdkit.Chem import AllChem

    aspirin = "CC(=O)Oc1ccccc1C(=O)O"
    for radius, n_bits in [(2, 2048), (3, 512)]:
        found = morgan_features({"aspirin": [aspirin]}, radius=radius, n_bits=n_bits).table
        bits = AllChem.GetMorganFingerprintAsBitVect(
            Chem.MolFromSmiles(aspirin), radius, nBits=n_bits
        )

        assert list(np.flatnonzero(found.loc["aspirin"])) == list(bits.GetOnBits())
        assert found.shape == (1, n_bits)


def test_one_molecule_has_one_fingerprint_however_it_is_written(rdkit):
    found = morgan_features({"a": ["CCO"], "b": ["OCC"], "c": ["CCO", "OCC"], "d": ["CCN"]}).table

    assert found.loc["a"].equals(found.loc["b"])
    assert found.loc["a"].equals(found.loc["c"])
    assert not found.loc["a"].equals(found.loc["d"])


def test_drugs_without_a_structure_are_named_and_have_no_row(rdkit):
    smiles = {
        "none": [],
        "bad": ["CCO", "no smiles"],
        "two": ["CCO", "CCN"],
        "empty": [" "],
        "good": ["C"],
    }

    found = morgan_features(smiles)

    assert found.lacking == {
        "none": "no SMILES",
        "bad": "a SMILES that cannot be read",
        "two": "SMILES of several structures",
        "empty": "a SMILES that cannot be read",
    }
    assert list(found.table.index) == ["good"]
    assert (found.table.sum(axis=1) > 0).all()


def test_salts_are_seen_by_their_largest_part_with_carbon_and_named(rdkit):
    smiles = {
        "base": ["CCN"],
        "salt": ["CCN.OS(=O)(=O)OS(=O)(=O)O"],
        "both": ["CCN", "CCN.Cl"],
        "inorganic": ["[Li+].[Cl-]"],
    }

    found = morgan_features(smiles)
    whole = morgan_features(smiles, is_whole=True)

    assert found.table.loc["salt"].equals(found.table.loc["base"])
    assert found.stripped == ["salt", "both", "inorganic"]
    assert found.lacking == {}
    assert whole.stripped == []
    assert whole.lacking == {"both": "SMILES of several structures"}
    assert not whole.table.loc["salt"].equals(whole.table.loc["base"])


def test_counts_say_how_often(rdkit):
    bits = morgan_features({"hexane": ["CCCCCC"]}, radius=0).table
    counts = morgan_features({"hexane": ["CCCCCC"]}, radius=0, is_counted=True).table

    assert int(counts.sum(axis=1).iloc[0]) == 6
    assert ((counts > 0) == (bits > 0)).all(axis=None)


def test_no_drugs_are_no_rows(rdkit):
    assert morgan_features({}).table.shape == (0, 2048)


def test_odd_options_are_refused():
    for options in ({"radius": -1}, {"n_bits": 0}):
        with pytest.raises(OptionError, match="radius"):
            morgan_features({"a": ["C"]}, **options)


def test_the_drugs_of_lincs_have_fingerprints(rdkit):
    path = FOLDER / "drug_info.csv.gz"
    if not path.is_file():
        pytest.skip(f"{path} is not there; name the folder in WILDCELL_TEST_DATA")
    smiles = read_smiles(path, name_column="pert_iname", smiles_column="canonical_smiles")
    some = {name: smiles[name] for name in sorted(smiles)[:400]}

    found = morgan_features(some, n_bits=256)

    assert len(smiles) == 8140
    assert len(found.table) + len(found.lacking) == 400
    assert set(found.lacking.values()) == {"no SMILES"}
