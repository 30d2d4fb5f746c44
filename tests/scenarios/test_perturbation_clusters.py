"""Which perturbations are alike, and that they are held out together."""

import gzip

import numpy as np
import pandas as pd
import pytest

from wildcell.errors import DataError, OptionError, SplitError, UnknownNameError
from wildcell.names import Role
from wildcell.scenarios.families import cluster_by_family, read_families
from wildcell.scenarios.feature_clusters import cluster_by_features
from wildcell.scenarios.folds import held_out_groups
from wildcell.scenarios.split import SPLITTERS, Division

RNG = np.random.default_rng


def tables(*perturbations, contexts=("c1", "c2")):
    """Return conditions and components of keys such as A@10 or A+B, in all contexts."""
    keys = [(context, key) for context in contexts for key in perturbations]
    conditions = pd.DataFrame(keys, columns=["context", "perturbation"])
    conditions["n_components"] = conditions["perturbation"].str.count(r"\+") + 1
    components = pd.DataFrame(
        [(key, part.split("@")[0]) for key in perturbations for part in key.split("+")],
        columns=["perturbation", "component"],
    )
    return conditions, components


def divided(conditions, components, *, seed=0, **options) -> Division:
    options = {"features": None, "val_share": 0.0, **options}
    rule = SPLITTERS.get("perturbation-clusters")
    return rule.divide(conditions, components, RNG(seed), **options)


def asked_in(conditions, fold):
    return set(conditions.loc[fold["role"] == Role.TEST, "perturbation"])


AROUND = pd.DataFrame(
    [[1, 0, 0], [0.9, 0.1, 0], [0, 1, 0], [0, 0.9, 0.1], [0, 0, 1], [0.1, 0, 0.9]],
    index=list("ABCDEF"),
    columns=["x", "y", "z"],
)
ALIKE = [{"A", "B"}, {"C", "D"}, {"E", "F"}]


def test_those_with_like_features_are_held_out_together_in_all_contexts():
    conditions, components = tables(*"ABCDEF")
    found = divided(conditions, components, features=AROUND, n_clusters=3, n_folds=-1)
    assert sorted(map(sorted, (asked_in(conditions, fold) for fold in found.folds))) == [
        sorted(names) for names in ALIKE
    ]
    for fold in found.folds:
        assert (fold["role"] == Role.TEST).sum() == 4


def test_clusters_and_tree_are_kept_beside_the_split():
    found = divided(*tables(*"ABCDEF"), features=AROUND, n_clusters=3)
    clusters = found.tables["clusters"].groupby("cluster")["component"].agg(set)
    assert sorted(map(sorted, clusters)) == [sorted(names) for names in ALIKE]
    tree = found.tables["tree"]
    assert list(tree.columns) == ["node", "left", "right", "height", "n_components"]
    assert tree["n_components"].tolist()[-1] == 6
    assert set(tree["left"]) | set(tree["right"]) | {tree["node"].iloc[-1]} == {
        *"ABCDEF",
        *(f"node-{number}" for number in range(1, 6)),
    }


def test_doses_stay_together_and_combinations_with_a_relative_are_left_out():
    conditions, components = tables("A@1", "A@10", "B@1", "C@1", "D@1", "B@1+C@1", "Z+C@1")
    features = pd.concat([AROUND, AROUND.loc[["A"]].set_axis(["Z"])])  # never alone, like A
    for fold in divided(conditions, components, features=features, n_clusters=2, n_folds=-1).folds:
        by_key = dict(zip(conditions["perturbation"], fold["role"], strict=True))
        asked = asked_in(conditions, fold)
        assert asked in ({"A@1", "A@10", "B@1"}, {"C@1", "D@1"})
        assert by_key["B@1+C@1"] == by_key["Z+C@1"] == Role.UNUSED


def test_placebo_has_clusters_of_the_same_sizes_whose_members_are_not_alike():
    features = pd.DataFrame(np.repeat(np.eye(6), 5, axis=0), index=[f"P{i:02d}" for i in range(30)])
    screen = tables(*features.index)
    options = {"features": features, "n_clusters": 6}
    real, placebo = (
        divided(*screen, **options, placebo=value).tables["clusters"].set_index("component")
        for value in (False, True)
    )
    sizes = [table["cluster"].value_counts().sort_index() for table in (real, placebo)]
    assert sizes[0].equals(sizes[1])
    assert not real.equals(placebo)


def test_components_without_features_are_named_or_do_what_is_asked():
    conditions, components = tables(*"ABCDEF", "X", "A+Y")
    with pytest.raises(SplitError, match=r"2 of 8 components are without features: X, Y\. Give"):
        divided(conditions, components, features=AROUND)
    blank = pd.concat([AROUND, pd.DataFrame(0.0, index=["X", "Y"], columns=AROUND.columns)])
    with pytest.raises(SplitError, match="2 of 8 components are without features: X, Y"):
        divided(conditions, components, features=blank)
    left = divided(conditions, components, features=AROUND, lacking="leave-out", n_folds=2)
    for fold in left.folds:
        reason = dict(zip(conditions["perturbation"], fold["reason"], strict=True))
        assert reason["X"] == reason["A+Y"] == "component without features"
    alone = divided(conditions, components, features=AROUND, lacking="alone", n_clusters=3)
    assert {"alone: X", "alone: Y"} < set(alone.tables["clusters"]["cluster"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "need features of them: name some with --features"),
        ({"features": AROUND.iloc[:1], "lacking": "alone"}, "2 components with features at least"),
        ({"features": AROUND * 0, "lacking": "leave-out"}, "2 components with features at least"),
    ],
)
def test_what_cannot_be_clustered_is_refused(options, message):
    with pytest.raises(SplitError, match=message):
        divided(*tables(*"ABCDEF"), **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"linkage": "averge"}, "Did you mean 'average'"),
        ({"metric": "cosinus"}, "Did you mean 'cosine'"),
        ({"linkage": "ward"}, "euclidean distances alone|of euclidean distances"),
        ({"n_clusters": 1}, "n_clusters must be at least 2"),
        ({"lacking": "zero"}, "refuse, alone, leave-out; got 'zero'"),
        ({"features": AROUND.replace(1, np.nan)}, "are not finite"),
    ],
)
def test_options_that_cannot_be_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        divided(*tables(*"ABCDEF"), **{"features": AROUND, **options})


def test_the_tree_agrees_with_an_independent_one():
    from sklearn.cluster import AgglomerativeClustering
    from sklearn.metrics import adjusted_rand_score

    values = RNG(0).normal(size=(40, 5))
    features = pd.DataFrame(values, index=[f"P{number:02d}" for number in range(40)])
    for metric, linkage in [("cosine", "average"), ("euclidean", "ward"), ("euclidean", "single")]:
        mine = cluster_by_features(features, n_clusters=7, metric=metric, linkage=linkage).names
        peer = AgglomerativeClustering(7, metric=metric, linkage=linkage).fit_predict(values)
        assert adjusted_rand_score(mine, peer) == 1


def test_components_that_do_not_differ_are_never_parted_and_ties_give_the_number_asked():
    features = pd.DataFrame(np.repeat(np.eye(3), 2, axis=0), index=list("ABCDEF"))
    for asked, n in ((2, 2), (3, 3), (5, 3)):
        found = cluster_by_features(features, n_clusters=asked).names
        assert found.nunique() == n
        assert all(found[first] == found[second] for first, second in ("AB", "CD", "EF"))


def test_jaccard_looks_at_which_bits_are_set():
    bits = pd.DataFrame([[1, 1, 0, 0], [1, 7, 0, 0], [0, 0, 1, 1]], index=list("ABC"))
    found = cluster_by_features(bits, n_clusters=2, metric="jaccard").names
    assert found["A"] == found["B"] != found["C"]


def test_families_of_a_table_or_a_gmt_file_are_held_out_together(tmp_path):
    table, gmt = tmp_path / "families.csv.gz", tmp_path / "families.gmt"
    rows = "component,family\nA,one\nB,one\nC,two\nD,three\nE,three\nW,one\n"
    table.write_bytes(gzip.compress(rows.encode()))
    gmt.write_text("one\t-\tA\tB\tW\ntwo\t-\tC\nthree\t-\tD\tE\n")
    conditions, components = tables(*"ABCDE")
    for path in (table, gmt):
        found = divided(conditions, components, families=str(path), n_folds=-1)
        asked = sorted(sorted(asked_in(conditions, fold)) for fold in found.folds)
        assert asked == [["A", "B"], ["C"], ["D", "E"]]
        assert set(found.tables) == {"clusters", "families"}


def test_families_that_share_a_member_are_one_unless_the_large_one_is_left_out(tmp_path):
    path = tmp_path / "families.gmt"
    path.write_text("all\t-\tA\tB\tC\tD\nfirst\t-\tA\tB\nsecond\t-\tC\tD\n")
    joined = cluster_by_family(read_families(path)).names
    assert set(joined) == {"all"}
    apart = cluster_by_family(read_families(path, largest=3)).names
    assert apart.to_dict() == {"A": "first", "B": "first", "C": "second", "D": "second"}
    with pytest.raises(SplitError, match=r"of 4 components are in 1\. .* smaller families"):
        divided(*tables(*"ABCD"), families=str(path))


def test_families_that_cannot_be_used_are_refused(tmp_path):
    path = tmp_path / "families.csv"
    path.write_text("component,family\nW,one\n")
    with pytest.raises(SplitError, match="None of the 2 components, such as 'A', is in a family"):
        divided(*tables(*"AB"), families=str(path))
    path.write_text("component,family\nA,one\n")
    with pytest.raises(SplitError, match="1 of 2 components are without a family: B"):
        divided(*tables(*"AB"), families=str(path))
    with pytest.raises(DataError, match="There is no file"):
        divided(*tables(*"AB"), families=str(tmp_path / "absent.gmt"))
    path.write_text("component,family\nA,one\nB,one\n")
    with pytest.raises(DataError, match="no family of at most 1 members"):
        read_families(path, largest=1)
    path.write_text("component,group\nA,one\n")
    with pytest.raises(UnknownNameError, match="family"):
        read_families(path)


def test_groups_are_dealt_evenly_by_their_members():
    sizes = {f"g{number}": size for number, size in enumerate([9, 5, 4, 3, 3, 2, 1])}
    folds = held_out_groups(sizes, RNG(0), n_folds=3, test_share=0.0, val_share=0.0)
    tests = [test for test, _ in folds]
    assert sorted(name for test in tests for name in test) == sorted(sizes)
    assert sorted(sum(sizes[name] for name in test) for test in tests) == [9, 9, 9]


def test_a_share_is_not_exceeded_but_by_the_smallest_group():
    sizes = {"large": 70, "a": 10, "b": 10, "c": 10}
    for seed in range(20):
        ((test, val),) = held_out_groups(sizes, RNG(seed), n_folds=1, test_share=0.2, val_share=0.1)
        assert len(test) == 2
        assert not val
        ((test, _),) = held_out_groups(sizes, RNG(seed), n_folds=1, test_share=0.05, val_share=0.0)
        assert len(test) == 1
        assert "large" not in test
