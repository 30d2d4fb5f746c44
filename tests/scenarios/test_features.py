"""Features read from files of one's own, written with their origin, and found by name."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest

from wildcell.errors import DataError, MissingExtraError, OptionError
from wildcell.scenarios.feature_file import (
    FeatureOrigin,
    lacking_features,
    read_origin,
    write_features,
)
from wildcell.scenarios.features import read_features
from wildcell.scenarios.name_match import match_names, n_matched_but_for_case
from wildcell.store.fingerprint import fingerprint
from wildcell.testing import toy_screen

EXPECTED = pd.DataFrame(
    {"x": [1.0, 3.0], "y": [2.0, 4.5]}, index=pd.Index(["KLF1", "BAK1"], name="component")
)


def written(path, table=EXPECTED):
    """Write a table in the format of the path's suffix."""
    if path.suffix == ".parquet":
        table.to_parquet(path)
    elif path.suffix == ".csv":
        table.to_csv(path)
    else:
        np.savez(path, names=np.array(table.index, dtype=str), features=table.to_numpy())
    return path


@pytest.mark.parametrize("name", ["f.parquet", "f.csv", "f.npz"])
def test_every_format_holds_the_same_features(tmp_path, name):
    found = read_features(written(tmp_path / name))

    assert found.index.name == "component"
    assert (found.dtypes == np.float64).all()
    assert (found.to_numpy() == EXPECTED.to_numpy()).all()
    assert list(found.index) == ["KLF1", "BAK1"]


def test_names_of_a_parquet_table_may_stand_in_its_first_column(tmp_path):
    EXPECTED.reset_index().to_parquet(tmp_path / "f.parquet")

    pd.testing.assert_frame_equal(read_features(tmp_path / "f.parquet"), EXPECTED)


def test_names_that_look_like_numbers_or_nothing_stay_names(tmp_path):
    (tmp_path / "f.csv").write_text("gene,x\nNA,1\n007,2\nnan,3\n1e5,4\n")

    assert list(read_features(tmp_path / "f.csv").index) == ["NA", "007", "nan", "1e5"]


def test_small_and_logical_numbers_become_floats(tmp_path):
    table = pd.DataFrame({"x": np.array([1, 0], dtype=bool)}, index=["A", "B"])
    table["y"] = np.array([0.5, 2], dtype=np.float16)
    np.savez(
        tmp_path / "f.npz", names=np.array(["A", "B"]), features=table["y"].to_numpy()[:, None]
    )
    table.astype({"y": np.float32}).to_parquet(tmp_path / "f.parquet")

    assert read_features(tmp_path / "f.parquet").loc["A"].tolist() == [1.0, 0.5]
    assert read_features(tmp_path / "f.npz").loc["B"].tolist() == [2.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gene,x\nA,1\nA,2\n", "twice"),
        ("gene,x\nA,one\n", "numbers"),
        ("gene,x,y\nA,1,2\nB,3\n", "not finite"),
        ("gene,x\nA,inf\n", "not finite"),
        ("gene,x\nA,1\nB,2,3\n", "cannot be read"),
        ("x,y\nA,1,2\nB,3,4\n", "more values than its first line"),
        ("gene,x\n ,1\n", "without the name"),
        ("gene,x\n", "no features"),
        ("gene\nA\n", "no features"),
        ("", "cannot be read"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_by_name(tmp_path, text, message):
    (tmp_path / "f.csv").write_text(text)

    with pytest.raises(DataError, match=f"f.csv.*{message}"):
        read_features(tmp_path / "f.csv")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"names": np.array(["A"])}, "names.*features"),
        ({"names": np.array(["A", "B"]), "features": np.ones((1, 2))}, "do not fit"),
        ({"names": np.array(["A"]), "features": np.ones(1)}, "do not fit"),
        ({"names": np.array(["A"], dtype=object), "features": np.ones((1, 1))}, "run code"),
        ({"names": np.array(["A"]), "features": np.array([["x"]])}, "numbers"),
        ({"names": np.array(["A", "A"]), "features": np.ones((2, 1))}, "twice"),
    ],
)
def test_arrays_that_cannot_be_used_are_refused(tmp_path, arrays, message):
    np.savez(tmp_path / "f.npz", **arrays)

    with pytest.raises(DataError, match=message):
        read_features(tmp_path / "f.npz")


def test_damaged_files_and_other_formats_are_refused(tmp_path):
    for name in ("f.parquet", "f.npz"):
        (tmp_path / name).write_bytes(b"PK\x03\x04 nothing of the kind")
        with pytest.raises(DataError, match=f"{name} cannot be read"):
            read_features(tmp_path / name)
    (tmp_path / "f.pkl").write_bytes(pickle.dumps({"A": [1.0]}))
    with pytest.raises(DataError, match="features are read from"):
        read_features(tmp_path / "f.pkl")
    with pytest.raises(DataError, match="There is no file"):
        read_features(tmp_path / "absent.csv")


def test_a_pt_file_says_which_extra_it_needs(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    (tmp_path / "f.pt").write_bytes(b"")

    with pytest.raises(MissingExtraError, match=r"wildcell\[torch\]"):
        read_features(tmp_path / "f.pt")


def test_a_dictionary_of_tensors_is_read(tmp_path):
    torch = pytest.importorskip("torch")
    vectors = {"KLF1": torch.tensor([1.0, 2.0]), "BAK1": torch.tensor([3, 4.5]).bfloat16()}
    torch.save(vectors, tmp_path / "f.pt")

    found = read_features(tmp_path / "f.pt")

    assert found.loc["BAK1"].tolist() == [3.0, 4.5]
    assert list(found.index) == ["KLF1", "BAK1"]


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("code of the file was run",))


def test_a_pt_file_never_runs_code(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save({"A": Bomb()}, tmp_path / "f.pt")

    with pytest.raises(DataError, match="run code"):
        read_features(tmp_path / "f.pt")


def test_tensors_that_are_no_vectors_of_one_length_are_refused(tmp_path):
    torch = pytest.importorskip("torch")
    for vectors, message in [
        ({"A": torch.ones(2), "B": torch.ones(3)}, "2 to 3 features"),
        ({"A": torch.ones(2, 2)}, "no vectors"),
        ({"A": [1.0]}, "dictionary"),
        (torch.ones(2), "dictionary"),
    ]:
        torch.save(vectors, tmp_path / "f.pt")
        with pytest.raises(DataError, match=message):
            read_features(tmp_path / "f.pt")


def test_a_file_says_what_it_was_made_of(tmp_path):
    path = tmp_path / "f.parquet"
    origin = FeatureOrigin(
        kind="gene-sets", options={"min_size": 5}, lacking={"screen": ["KLF1"]}, remarks={"odd": []}
    )

    identity = write_features(path, EXPECTED, origin)
    found = read_origin(path)

    assert found["fingerprint"] == identity == fingerprint(read_features(path))
    assert (found["kind"], found["options"]) == ("gene-sets", {"min_size": 5})
    assert found["lacking"] == {"screen": ["KLF1"]}
    assert found["versions"]["wildcell"]
    assert json.dumps(found)


def test_the_same_features_make_the_same_file(tmp_path):
    for name in ("a.parquet", "b.parquet"):
        write_features(tmp_path / name, EXPECTED.astype(np.float32), FeatureOrigin("matrix"))

    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_a_file_made_elsewhere_says_nothing_of_its_origin(tmp_path):
    assert read_origin(written(tmp_path / "f.parquet")) == {}
    assert read_origin(written(tmp_path / "f.csv")) == {}
    (tmp_path / "bad.parquet").write_bytes(b"nothing")
    with pytest.raises(DataError, match="Parquet"):
        read_origin(tmp_path / "bad.parquet")


def test_no_features_are_no_file(tmp_path):
    with pytest.raises(OptionError, match="None of the components"):
        write_features(tmp_path / "f.parquet", EXPECTED.iloc[:0], FeatureOrigin("drug"))
    with pytest.raises(OptionError, match="parquet"):
        write_features(tmp_path / "f.csv", EXPECTED, FeatureOrigin("drug"))
    with pytest.raises(OptionError, match="not finite"):
        write_features(tmp_path / "f.parquet", EXPECTED * np.inf, FeatureOrigin("drug"))
    assert list(tmp_path.iterdir()) == []


def test_components_without_features_are_named():
    screen = toy_screen()
    components = sorted(set(screen.components["component"]))

    assert lacking_features(screen, pd.Index(components)) == []
    assert lacking_features(screen, pd.Index(components[1:])) == components[:1]


def test_case_matters_unless_asked():
    names = ["aspirin", "KLF1"]

    assert match_names(["Aspirin", "KLF1", "none"], names) == {"KLF1": "KLF1"}
    assert match_names(["Aspirin", "KLF1"], names, ignore_case=True) == {
        "Aspirin": "aspirin",
        "KLF1": "KLF1",
    }
    assert n_matched_but_for_case(["Aspirin", "KLF1", "none"], names) == 1


def test_names_that_differ_in_case_alone_are_not_chosen_between():
    assert match_names(["Klf1"], ["KLF1", "Klf1"], ignore_case=True) == {"Klf1": "Klf1"}
    with pytest.raises(OptionError, match="'KLF1', 'Klf1'"):
        match_names(["klf1"], ["KLF1", "Klf1"], ignore_case=True)
