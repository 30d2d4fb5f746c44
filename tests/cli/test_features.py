"""What making features prints, writes and refuses."""

import pandas as pd
import pytest

from wildcell.cli.features import app
from wildcell.datasets.load import load_dataset
from wildcell.errors import OptionError
from wildcell.scenarios.feature_file import read_origin
from wildcell.scenarios.features import read_features
from wildcell.scenarios.graph_file import read_graph

DATA = (
    "--data",
    "simulated",
    "--data-option",
    "n_perturbations=4",
    "--data-option",
    "n_contexts=1",
)


def call(*words):
    app([str(word) for word in words], result_action="return_value", exit_on_error=False)


@pytest.fixture
def components():
    return sorted(
        set(load_dataset("simulated", n_perturbations=4, n_contexts=1).components["component"])
    )


def gmt(path, components):
    """Write two gene sets: of all components but the last, and of the first two, in other case."""
    first, second, *others, _ = components
    sets = {
        "large": [first, second, *others, "OTHER"],
        "small": [first, second],
        "elsewhere": ["OTHER", "THIRD"],
    }
    path.write_text("".join(f"{name}\t\t{chr(9).join(genes)}\n" for name, genes in sets.items()))
    return path


def test_one_hot_features_are_of_all_components(tmp_path, capsys, components):
    call("one-hot", *DATA, "--out", tmp_path / "f.parquet")

    found = read_features(tmp_path / "f.parquet")
    assert list(found.index) == components
    assert (found.to_numpy().sum(axis=0) == 1).all()
    assert "4 of 4 components have features." in capsys.readouterr().out


def test_components_outside_all_gene_sets_are_named_and_have_no_row(tmp_path, capsys, components):
    source = gmt(tmp_path / "s.gmt", components)

    call("gene-sets", source, "--min-size", 2, *DATA, "--out", tmp_path / "f.parquet")

    found, origin = read_features(tmp_path / "f.parquet"), read_origin(tmp_path / "f.parquet")
    told = capsys.readouterr().out
    assert list(found.index) == components[:-1]
    assert "3 of 4 components have features." in told
    assert f"Without: {components[-1]}." in told
    assert list(origin["lacking"].values()) == [components[-1:]]
    assert list(origin["sources"]) == ["s.gmt"]
    assert origin["options"]["min_size"] == 2


def test_features_are_the_same_whatever_data_they_are_for(tmp_path, components):
    source = gmt(tmp_path / "s.gmt", components)

    call("gene-sets", source, "--min-size", 2, *DATA, "--out", tmp_path / "some.parquet")
    call("gene-sets", source, "--min-size", 2, "--out", tmp_path / "all.parquet")

    some, every = (read_features(tmp_path / name) for name in ("some.parquet", "all.parquet"))
    pd.testing.assert_frame_equal(every.loc[some.index], some)
    assert "OTHER" in every.index


def test_other_case_is_offered_and_taken_when_asked(tmp_path, capsys, components):
    source = gmt(tmp_path / "s.gmt", [name.lower() for name in components])
    words = ("gene-sets", source, "--min-size", 2, *DATA, "--out", tmp_path / "f.parquet")

    with pytest.raises(OptionError, match="None of the components"):
        call(*words)
    assert "3 components would be found with --ignore-case." in capsys.readouterr().out
    call(*words, "--ignore-case")

    assert list(read_features(tmp_path / "f.parquet").index) == components[:-1]


def test_regulons_are_read_by_the_columns_named(tmp_path, components):
    rows = [f"T,{name},{weight}" for weight, name in enumerate(components, start=1)]
    (tmp_path / "r.csv").write_text("\n".join(["TF,gene,w", *rows, "U,OTHER,1", "U,THIRD,2"]))

    call(
        *("regulons", tmp_path / "r.csv", "--source-column", "TF", "--target-column", "gene"),
        *("--weight-column", "w", "--out", tmp_path / "f.parquet"),
    )

    origin = read_origin(tmp_path / "f.parquet")
    assert (origin["kind"], origin["options"]["weight_column"]) == ("regulons", "w")
    assert set(components) < set(read_features(tmp_path / "f.parquet").index)


def test_drugs_without_a_structure_are_named(tmp_path, capsys, components):
    pytest.importorskip("rdkit")
    first, second, third, _ = components
    (tmp_path / "d.csv").write_text(
        f"name,smiles\n{first},CCO\n{second},nonsense\n{third},CCN.Cl\nunasked,worse\n"
    )

    call("drug", tmp_path / "d.csv", *DATA, "--n-bits", 64, "--out", tmp_path / "f.parquet")

    told = capsys.readouterr().out
    assert read_features(tmp_path / "f.parquet").shape == (2, 64)
    assert f"1 have no features: a SMILES that cannot be read: {second}." in told
    assert f"1 are salts or mixtures, seen by their largest part: {third}." in told
    assert "2 of 4 components have features." in told
    assert "unasked" not in told


def test_a_file_is_shown_with_its_origin_and_all_it_lacks(tmp_path, capsys, components):
    call(
        "gene-sets",
        gmt(tmp_path / "s.gmt", components),
        "--min-size",
        2,
        "--out",
        tmp_path / "f.parquet",
    )
    (tmp_path / "own.csv").write_text("component,x\nOTHER,1\n")
    capsys.readouterr()

    call("show", tmp_path / "f.parquet", *DATA)
    made = capsys.readouterr().out
    call("show", tmp_path / "own.csv", *DATA)
    own = capsys.readouterr().out

    assert "kind: gene-sets" in made
    assert "min_size=2" in made
    assert f"Without: {components[-1]}." in made
    assert f"Without: {', '.join(components)}." in own


def test_a_graph_joins_components_that_share_sets_and_names_the_others(
    tmp_path, capsys, components
):
    source, out = gmt(tmp_path / "s.gmt", components), tmp_path / "g.parquet"

    call("graph", source, "--min-size", 2, *DATA, "--out", out)
    told = capsys.readouterr().out
    call("show", out, *DATA)
    shown = capsys.readouterr().out

    first, second, third, lone = components
    weights = {(one, other): weight for one, other, weight in read_graph(out).to_numpy()}
    assert weights == {
        **dict.fromkeys([(first, second), (second, first)], 1.0),
        **dict.fromkeys([(first, third), (third, first), (second, third), (third, second)], 0.5),
    }
    assert list(read_origin(out)["lacking"].values()) == [[lone]]
    for text in (told, shown):
        assert "3 of 4 components have neighbours." in text
        assert f"Without: {lone}." in text
        assert "3 components, 6 neighbours" in text
    assert "kind: graph" in shown
    assert "measure=jaccard" in shown


def test_a_graph_of_genes_that_are_in_sets_and_lack_neighbours_names_them(
    tmp_path, capsys, components
):
    source, out = gmt(tmp_path / "s.gmt", components), tmp_path / "g.parquet"

    call("graph", source, "--min-size", 2, "--above", 0.6, "--out", out)

    assert set(read_graph(out)["component"]) == set(components[:2])
    assert "are in gene sets and have no neighbours: " in capsys.readouterr().out
    with pytest.raises(OptionError, match="None of the components has neighbours"):
        call("graph", source, "--min-size", 2, "--above", 1, "--out", out)


def test_a_graph_finds_components_in_other_case(tmp_path, components):
    source = gmt(tmp_path / "s.gmt", [name.lower() for name in components])

    call("graph", source, "--min-size", 2, *DATA, "--ignore-case", "--out", tmp_path / "g.parquet")

    assert set(read_graph(tmp_path / "g.parquet")["component"]) == set(components[:-1])


def test_a_data_set_named_twice_is_refused(tmp_path):
    with pytest.raises(OptionError, match="called alike"):
        call("one-hot", *DATA, "--data", "simulated", "--out", tmp_path / "f.parquet")
