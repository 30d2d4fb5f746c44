"""Components that are alike by their features: a tree of them, cut into clusters."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.cluster.hierarchy import linkage as grow
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import pdist

from wildcell.errors import OptionError, SplitError
from wildcell.registry import did_you_mean

CHOOSE_CLUSTERS = 0
LINKAGES = ("average", "complete", "single", "ward")
METRICS = ("cosine", "correlation", "euclidean", "jaccard")

NO_DISTANCE = 1e-12

MOST_COMPONENTS = 30_000
"""Distances between so many take 4 GB."""


class Clusters(NamedTuple):
    """Components in clusters.

    Attributes
    ----------
    names
        The cluster of each component, indexed by component, sorted.
    tables
        What they follow from, by name.
    """

    names: "pd.Series[str]"
    tables: dict[str, pd.DataFrame]


def cluster_by_features(
    features: pd.DataFrame,
    *,
    n_clusters: int = CHOOSE_CLUSTERS,
    linkage: str = "average",
    metric: str = "cosine",
) -> Clusters:
    """Grow a hierarchical tree of components and cut it.

    Parameters
    ----------
    features
        Shape (n_components, n_features), indexed by component.
    n_clusters
        How many clusters the tree is cut into, fewer where components are equal; 0 for the root of
        the number of components.
    linkage
        average, complete, single or ward, the last of euclidean distances alone.
    metric
        cosine, correlation, euclidean, or jaccard of what is not 0, for fingerprints.

    Returns
    -------
    Tables `clusters` (component, cluster) and `tree` (node, left, right, height, n_components).

    Raises
    ------
    OptionError
        An option is none of these, or there are too many components for a tree.
    SplitError
        There are fewer than two components.

    Examples
    --------
    >>> features = pd.DataFrame({"x": [1.0, 1.1, 0.0], "y": [0.0, 0.1, 1.0]}, index=["A", "B", "C"])
    >>> cluster_by_features(features, n_clusters=2).names.to_dict()
    {'A': 'cluster-1', 'B': 'cluster-1', 'C': 'cluster-2'}
    """
    _check_options(n_clusters, linkage, metric)
    table = features.sort_index()
    n = len(table)
    if n < 2:
        raise SplitError(f"Clusters need 2 components with features at least; found {n}.")
    if n > MOST_COMPONENTS:
        raise OptionError(
            f"A tree of {n} components takes {n * n * 4 / 2**30:.0f} GB; give families instead."
        )
    values = table.to_numpy(float)
    distance = pdist(values != 0 if metric == "jaccard" else values, metric)
    merges = grow(np.maximum(distance, 0.0), linkage)
    number = n_clusters or max(2, round(np.sqrt(n)))
    codes = pd.factorize(_cut(merges, number))[0]
    index = pd.Index(table.index.astype(str), name="component")
    names = pd.Series([f"cluster-{code + 1}" for code in codes], index=index, name="cluster")
    return Clusters(names, {"clusters": names.reset_index(), "tree": _tree(merges, list(index))})


def _check_options(n_clusters: int, linkage: str, metric: str) -> None:
    for name, value, known in (("linkage", linkage, LINKAGES), ("metric", metric, METRICS)):
        if value not in known:
            raise OptionError(f"There is no {name} {value!r}. {did_you_mean(str(value), known)}")
    if linkage == "ward" and metric != "euclidean":
        raise OptionError(f"The linkage ward is of euclidean distances; got {metric}.")
    if not isinstance(n_clusters, int) or (n_clusters < 2 and n_clusters != CHOOSE_CLUSTERS):
        raise OptionError(f"n_clusters must be at least 2, or 0 to choose; got {n_clusters!r}.")


def _cut(merges: np.ndarray, n_clusters: int) -> np.ndarray:
    """Undo the last merges; those of components that do not differ stay."""
    n = len(merges) + 1
    n_equal = int((merges[:, 2] <= NO_DISTANCE).sum())
    done = np.arange(max(n - n_clusters, n_equal))
    pairs = merges[done, :2].astype(int).T.ravel()
    nodes = np.tile(n + done, 2)
    graph = sparse.coo_matrix((np.ones(len(nodes)), (pairs, nodes)), shape=(2 * n, 2 * n))
    return connected_components(graph, directed=False)[1][:n]


def _tree(merges: np.ndarray, components: list[str]) -> pd.DataFrame:
    nodes = np.array([*components, *(f"node-{step + 1}" for step in range(len(merges)))])
    return pd.DataFrame(
        {
            "node": nodes[len(components) :],
            "left": nodes[merges[:, 0].astype(int)],
            "right": nodes[merges[:, 1].astype(int)],
            "height": merges[:, 2],
            "n_components": merges[:, 3].astype(int),
        }
    )


def without_features(features: pd.DataFrame, metric: str) -> list[str]:
    """Name the components that a distance can say nothing of: all their features are 0.

    Of correlation, those whose features are all the same.
    """
    values = features.to_numpy(float)
    first = values[:, :1] if metric == "correlation" else 0.0
    return features.index[(values == first).all(axis=1)].astype(str).tolist()
