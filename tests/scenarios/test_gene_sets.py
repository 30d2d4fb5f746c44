"""Features of genes from gene sets and regulons."""

import gzip
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from wildcell.errors import DataError, OptionError, UnknownNameError
from wildcell.scenarios.gene_sets import membership_of, read_gene_sets, reduce_membership
from wildcell.scenarios.regulons import membership_in_regulons, read_regulons
from wildcell.scenarios.truncated_svd import truncated_svd

FOLDER = Path(os.environ.get("WILDCELL_TEST_DATA", Path(__file__).parents[3] / "shared")) / "data"


def real(name):
    if not (FOLDER / name).is_file():
        pytest.skip(f"{FOLDER / name} is not there; name the folder in WILDCELL_TEST_DATA")
    return FOLDER / name


@pytest.fixture
def sets():
    """Random sets of 60 genes."""
    rng = np.random.default_rng(0)
    genes = np.array([f"G{number:02d}" for number in range(60)])
    return {
        f"S{n}": list(rng.choice(genes, size=rng.integers(3, 15), replace=False)) for n in range(25)
    }


def test_gene_sets_are_read_gzipped_or_not(tmp_path):
    text = "a\tof a\tX\tY\tX\n\nb\t\tY\t\tNA\r\n"
    (tmp_path / "s.gmt").write_text(text)
    (tmp_path / "s.gmt.gz").write_bytes(gzip.compress(text.encode()))

    for name in ("s.gmt", "s.gmt.gz"):
        assert read_gene_sets(tmp_path / name) == {"a": ("X", "Y"), "b": ("Y", "NA")}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\tof a\n", "line 1"),
        (b"a\t\tX\na\t\tY\n", "line 2.*two sets"),
        (b"", "no gene sets"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_files_that_are_no_gmt_are_refused(tmp_path, content, message):
    (tmp_path / "s.gmt").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_gene_sets(tmp_path / "s.gmt")
    with pytest.raises(DataError, match="no file"):
        read_gene_sets(tmp_path / "absent.gmt")


def test_sets_of_other_sizes_are_left_out_with_genes_in_no_other():
    found = membership_of(
        {"a": ["X", "Y"], "b": ["Z"], "c": ["X", "Y", "W"]}, min_size=2, max_size=2
    )

    assert (found.genes, found.sets) == (["X", "Y"], ["a"])
    with pytest.raises(OptionError, match="sizes are 1 to 3"):
        membership_of({"b": ["Z"], "c": ["X", "Y", "W"]}, min_size=2, max_size=2)


def test_features_are_the_cosines_of_weighted_memberships(sets):
    membership = membership_of(sets, min_size=1)
    dense = membership.weights.toarray() * np.log(
        len(membership.genes) / membership.weights.toarray().sum(axis=0)
    )
    unit = dense / np.linalg.norm(dense, axis=1, keepdims=True)

    found = reduce_membership(membership, n_dimensions=100).table.to_numpy()

    np.testing.assert_allclose(found @ found.T, unit @ unit.T, atol=1e-10)


def test_what_is_kept_is_the_length_left(sets):
    membership = membership_of(sets, min_size=1)
    few = reduce_membership(membership, n_dimensions=3)
    singular = np.linalg.svd(
        reduce_membership(membership, n_dimensions=100).table.to_numpy(), compute_uv=False
    )

    assert few.table.shape[1] == 3
    assert few.kept.between(0, 1).all()
    assert few.kept.sum() == pytest.approx((singular[:3] ** 2).sum())


def test_features_do_not_depend_on_the_order_of_sets_and_genes(sets):
    turned = {name: sets[name][::-1] for name in reversed(sets)}

    first, second = (
        reduce_membership(membership_of(some, min_size=1), n_dimensions=5).table
        for some in (sets, turned)
    )

    pd.testing.assert_frame_equal(first, second, check_exact=True)


def test_sets_that_tell_nothing_apart_are_refused():
    with pytest.raises(OptionError, match="tell none apart"):
        reduce_membership(membership_of({"a": ["X", "Y"]}, min_size=1))
    with pytest.raises(OptionError, match="1 dimension"):
        reduce_membership(membership_of({"a": ["X"], "b": ["Y"]}, min_size=1), n_dimensions=0)


def test_truncated_svd_is_that_of_the_dense_matrix():
    rng = np.random.default_rng(1)
    dense = rng.normal(size=(40, 30)) * (rng.random((40, 30)) < 0.3)
    values = np.linalg.svd(dense, compute_uv=False)

    for k in (4, 29, 30, 99):
        found = truncated_svd(sparse.csr_matrix(dense), k)
        rank_k = found.left * found.strengths @ found.right

        np.testing.assert_allclose(found.strengths, values[:k], atol=1e-9)
        assert np.linalg.norm(dense - rank_k) == pytest.approx(
            np.sqrt((values[k:] ** 2).sum()), abs=1e-9
        )
        largest = np.abs(found.right).argmax(axis=1)
        assert (found.right[np.arange(len(largest)), largest] > 0).all()


def test_truncated_svd_has_no_dimensions_beyond_the_rank():
    rank_one = sparse.csr_matrix(np.outer(np.arange(20.0), np.ones(10)))

    assert len(truncated_svd(rank_one, 5).strengths) == 1


def test_truncated_svd_is_the_same_at_every_call(sets):
    weights = membership_of(sets, min_size=1).weights

    assert (truncated_svd(weights, 3).right == truncated_svd(weights, 3).right).all()


def table_of(tmp_path, text):
    (tmp_path / "r.csv").write_text(text)
    return tmp_path / "r.csv"


def test_a_pair_listed_twice_gets_its_mean_weight(tmp_path):
    path = table_of(tmp_path, "source,target,w\nT,A,1\nT,A,3\nT,B,-2\n,C,1\n")

    found = read_regulons(path, weight="w")

    assert found.to_numpy().tolist() == [["T", "A", 2.0], ["T", "B", -2.0]]
    assert read_regulons(path)["weight"].tolist() == [1.0, 1.0]


def test_words_make_a_regulon_each(tmp_path):
    path = table_of(tmp_path, "TF,target,how\nT,A,Activation\nT,A,Repression\nT,B,Activation\n")

    found = read_regulons(path, source="TF", weight="how")

    assert found["source"].tolist() == ["T Activation", "T Activation", "T Repression"]
    assert (found["weight"] == 1).all()


def test_regulons_that_cannot_be_used_are_refused(tmp_path):
    with pytest.raises(UnknownNameError, match="--source-column"):
        read_regulons(table_of(tmp_path, "TF,target\nT,A\n"))
    with pytest.raises(DataError, match="1 weights are no finite numbers, such as 'much'"):
        read_regulons(table_of(tmp_path, "source,target,w\nT,A,1\nT,B,much\n"), weight="w")
    with pytest.raises(DataError, match="no pairs"):
        read_regulons(table_of(tmp_path, "source,target\n"))


def test_a_gene_may_be_seen_as_target_as_source_or_as_both():
    pairs = pd.DataFrame(
        {"source": ["T", "T", "A"], "target": ["A", "B", "B"], "weight": [1.0, -1.0, 2.0]}
    )

    as_target, as_source, both = (
        membership_in_regulons(pairs, side=side, min_size=1)
        for side in ("target", "source", "both")
    )

    assert (as_target.genes, as_source.genes, both.genes) == (
        ["A", "B"],
        ["A", "T"],
        ["A", "B", "T"],
    )
    assert as_target.sets == ["regulated by A", "regulated by T"]
    assert as_target.weights.toarray().tolist() == [[0.0, 1.0], [2.0, -1.0]]
    assert both.sets == [*as_target.sets, *as_source.sets]


def test_the_unit_of_weights_does_not_matter():
    pairs = pd.DataFrame(
        {
            "source": ["T", "T", "U", "U"],
            "target": ["A", "B", "B", "C"],
            "weight": [1.0, -3.0, 2.0, 1.0],
        }
    )
    scaled = pairs.assign(weight=pairs["weight"] * np.where(pairs["source"] == "T", 10.0, 1.0))

    first, second = (
        reduce_membership(membership_in_regulons(some), n_dimensions=2).table
        for some in (pairs, scaled)
    )

    np.testing.assert_allclose(first, second, atol=1e-12)


def test_real_gene_sets_bring_genes_of_one_complex_together():
    found = reduce_membership(membership_of(read_gene_sets(real("reactome_2023.2.gmt")))).table
    unit = found.div(np.sqrt((found**2).sum(axis=1)), axis=0)
    likeness = unit @ unit.loc["RPL3"]

    assert found.shape[1] == 50
    assert likeness["RPL5"] > 0.9
    assert likeness["RPL5"] > likeness.drop("RPL3").quantile(0.9)


def test_real_regulons_are_read_by_their_own_columns():
    ttrust = read_regulons(real("ttrust_tf_targets.csv.gz"), source="TF", weight="modulation")
    progeny = read_regulons(
        real("progeny_top500.csv.gz"), source="pathway", target="gene", weight="weight"
    )

    assert not ttrust.duplicated(["source", "target"]).any()
    assert len(progeny) == 7000
    assert reduce_membership(membership_in_regulons(progeny)).table.shape == (5782, 14)
