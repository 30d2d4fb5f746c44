"""The tree of contexts is that of their controls, and finds the clusters that were planted."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform
from sklearn.metrics import silhouette_score

from wildcell.errors import OptionError, SplitError
from wildcell.names import CONTROL
from wildcell.scenarios.context_tree import context_tree, mean_silhouette
from wildcell.scenarios.panel import control_cells
from wildcell.scenarios.scenario import load_scenario
from wildcell.scenarios.split import make_splits
from wildcell.testing import toy_screen

PAIRS = {
    f"cluster-{number}": {f"context-{number}", f"context-{number + 4}"} for number in range(1, 5)
}


def screen_of(**options):
    return toy_screen(n_contexts=8, n_context_clusters=4, n_combinations=0, **options)


def tree_of(screen, **options):
    return context_tree(screen.conditions, control_cells(screen), **options)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("linkage", ["average", "complete", "single", "ward"])
def test_planted_clusters_and_their_number_are_found(linkage, seed):
    tree = tree_of(screen_of(cluster_spread=0.8, seed=seed), linkage=linkage)
    assert {name: set(found) for name, found in tree.clusters.items()} == PAIRS
    assert tree.relatives("context-6") == ["context-2"]


@pytest.mark.parametrize("metric", ["euclidean", "cosine", "correlation", "cityblock"])
def test_distance_within_planted_clusters_is_smaller_in_every_metric(metric):
    tree = tree_of(screen_of(cluster_spread=0.8), metric=metric)
    of_relative = tree.distance[np.arange(8), (np.arange(8) + 4) % 8]
    others = tree.distance + np.where(np.eye(8) + np.roll(np.eye(8), 4, axis=0) > 0, np.inf, 0)
    assert (of_relative < others.min(axis=1)).all()


def test_silhouette_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    for _ in range(10):
        distance = squareform(pdist(rng.normal(size=(12, 3))))
        cluster = np.unique(rng.integers(0, 4, 12), return_inverse=True)[1]
        expected = silhouette_score(distance, cluster, metric="precomputed")
        assert mean_silhouette(distance, cluster) == pytest.approx(expected)


@pytest.mark.parametrize("n_clusters", [2, 3, 5, 8])
def test_tree_is_cut_into_as_many_clusters_as_are_asked_for(n_clusters):
    tree = tree_of(screen_of(), n_clusters=n_clusters)
    assert len(tree.clusters) == n_clusters
    assert sorted(name for found in tree.clusters.values() for name in found) == list(tree.contexts)


def test_tables_hold_the_whole_tree():
    tables = tree_of(screen_of(cluster_spread=0.8)).tables()
    assert len(tables["tree"]) == 7
    assert tables["tree"]["n_contexts"].iloc[-1] == 8
    assert tables["tree"]["height"].is_monotonic_increasing
    merged = [*tables["tree"]["left"], *tables["tree"]["right"], tables["tree"]["node"].iloc[-1]]
    assert sorted(merged) == sorted([*tables["clusters"]["context"], *tables["tree"]["node"]])
    assert sorted(tables["clusters"]["position"]) == list(range(1, 9))
    assert len(tables["distances"]) == 28


def test_an_embedding_of_the_controls_takes_the_place_of_their_expression():
    screen = screen_of(cluster_spread=0.8)
    controls = control_cells(screen)
    number = controls.obs["context"].str.removeprefix("context-").astype(int).to_numpy()
    line = replace(
        controls, embedding=np.column_stack([number // 3, np.ones(controls.n)]).astype(float)
    )
    tree = context_tree(screen.conditions, line, n_clusters=3)
    assert sorted(map(len, tree.clusters.values())) == [2, 3, 3]
    assert set(tree.relatives("context-1")) == {"context-2"}


def test_embedding_of_a_scenario_reaches_the_splitter():
    screen = screen_of()
    number = screen.cells.obs["context"].astype(str).str.removeprefix("context-").astype(float)
    screen.cells.obsm["X_line"] = np.column_stack([number, number])
    words = load_scenario("unseen-context")
    arm = {"splitter": "context-clusters", "n_folds": -1, "n_clusters": 2}
    arms = {"told": {**arm, "embedding": "obsm:X_line"}, "fitted": {**arm, "embedding": "pca:5"}}
    words = replace(words, arms=arms, default_arm="told")
    distances = [
        make_splits(words, screen, seed=0, arm=name)[0].tables["distances"] for name in arms
    ]
    assert distances[0]["distance"].iloc[0] == pytest.approx(np.sqrt(2))
    assert distances[1]["distance"].iloc[0] == tree_of(screen).distance[0, 1]


def test_contexts_that_share_controls_are_alike():
    screen = screen_of()
    table = screen.conditions.replace({"control_group": {"context-8": "context-3"}})
    tree = context_tree(table, control_cells(screen))
    assert tree.distance[2, 7] == pytest.approx(0, abs=1e-9)
    assert tree.relatives("context-8")[0] == "context-3"


def test_perturbed_cells_do_not_matter():
    screen = screen_of(cluster_spread=0.8)
    cells = screen.cells.copy()
    cells.X = cells.X.multiply(
        np.where(cells.obs["perturbation"] == CONTROL, 1, 3)[:, None]
    ).tocsr()
    other = replace(screen, cells=cells)
    assert (tree_of(other).distance == tree_of(screen).distance).all()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"linkage": "centroid"}, OptionError, "no linkage 'centroid'"),
        ({"metric": "cosin"}, OptionError, "Did you mean 'cosine'"),
        ({"linkage": "ward", "metric": "cosine"}, OptionError, "ward is of euclidean"),
        ({"n_clusters": 1}, OptionError, "n_clusters must be a number of at least 2, or 0"),
        ({"n_components": 0}, OptionError, "n_components must be a number of at least 1"),
        ({"n_clusters": 9}, SplitError, "needs 9 of them at least; found context-1"),
    ],
)
def test_tree_that_cannot_be_grown_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        tree_of(screen_of(), **options)


def test_context_without_controls_is_named():
    screen = screen_of()
    controls = control_cells(screen)
    some = controls.select((controls.obs["context"] != "context-2").to_numpy())
    with pytest.raises(SplitError, match="'context-2' has no controls"):
        context_tree(screen.conditions, some)
