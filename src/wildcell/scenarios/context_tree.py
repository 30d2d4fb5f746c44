"""The tree of contexts: how alike their controls are, and which of them make a cluster."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import pdist, squareform

from wildcell.arrays import Codes, Floats, moments
from wildcell.errors import OptionError, SplitError
from wildcell.registry import did_you_mean
from wildcell.scenarios.task import Cells

CHOOSE_CLUSTERS = 0
LINKAGES = ("average", "complete", "single", "ward")
METRICS = ("euclidean", "cosine", "correlation", "cityblock")


@dataclass(frozen=True)
class ContextTree:
    """A hierarchical tree of contexts by what their controls express.

    Attributes
    ----------
    contexts
        Their names, sorted.
    n_controls
        Controls of each, shape (n_contexts,).
    distance
        Between each two, shape (n_contexts, n_contexts).
    merges
        In the order of height, each of the two nodes and the height, as scipy gives them, shape
        (n_contexts - 1, 4).
    cluster
        Number of the cluster of each context, from 0, shape (n_contexts,).
    """

    contexts: tuple[str, ...]
    n_controls: Codes
    distance: Floats
    merges: Floats
    cluster: Codes

    @cached_property
    def clusters(self) -> dict[str, list[str]]:
        """The contexts of each cluster, by its name."""
        found: dict[str, list[str]] = {}
        for context, name in zip(self.contexts, self.cluster_names, strict=True):
            found.setdefault(name, []).append(context)
        return found

    @cached_property
    def cluster_names(self) -> list[str]:
        """The name of each context's cluster."""
        return [f"cluster-{number + 1}" for number in self.cluster]

    def relatives(self, context: str) -> list[str]:
        """Return the other contexts of a context's cluster."""
        name = self.cluster_names[self.contexts.index(context)]
        return [other for other in self.clusters[name] if other != context]

    def contexts_in(self, clusters: Iterable[str]) -> set[str]:
        """Return the contexts of some clusters."""
        return {context for name in clusters for context in self.clusters[name]}

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the tree, the clusters and the distances as tables."""
        first, second = np.triu_indices(len(self.contexts), 1)
        names = np.array(self.contexts, dtype=object)
        nodes = [*self.contexts, *(f"node-{number + 1}" for number in range(len(self.merges)))]
        left, right = (self.merges[:, side].astype(int) for side in (0, 1))
        return {
            "clusters": pd.DataFrame(
                {
                    "context": names,
                    "cluster": self.cluster_names,
                    "n_controls": self.n_controls,
                    "position": np.argsort(leaves_list(self.merges)) + 1,
                }
            ),
            "tree": pd.DataFrame(
                {
                    "node": nodes[len(self.contexts) :],
                    "left": [nodes[number] for number in left],
                    "right": [nodes[number] for number in right],
                    "height": self.merges[:, 2],
                    "n_contexts": self.merges[:, 3].astype(int),
                }
            ),
            "distances": pd.DataFrame(
                {
                    "context": names[first],
                    "other": names[second],
                    "distance": self.distance[first, second],
                }
            ),
        }


def context_tree(
    table: pd.DataFrame,
    controls: Cells,
    *,
    n_clusters: int = CHOOSE_CLUSTERS,
    linkage: str = "average",
    metric: str = "euclidean",
    n_components: int = 20,
) -> ContextTree:
    """Grow the tree of the contexts of a table from their controls alone, and cut it.

    Parameters
    ----------
    table
        Columns context and control_group; a context's controls are those of its control groups.
    controls
        The controls. Where they have an embedding a context is at its mean; else at the principal
        components of the contexts' mean log values.
    n_clusters
        How many clusters the tree is cut into; 0 for the number, from 2 to half the contexts, at
        which the mean silhouette is widest.
    linkage
        average, complete, single or ward, the last of euclidean distances alone.
    metric
        euclidean, cosine, correlation or cityblock.
    n_components
        Principal components at most, where the controls have no embedding.

    Raises
    ------
    SplitError
        There are fewer than two contexts or than `n_clusters`, a context has no controls, or the
        distances are not defined.
    OptionError
        An option is none of these.

    Examples
    --------
    >>> from wildcell.scenarios.panel import control_cells
    >>> from wildcell.testing import toy_screen
    >>> screen = toy_screen(n_contexts=6, n_context_clusters=3, cluster_spread=1.0)
    >>> tree = context_tree(screen.conditions, control_cells(screen))
    >>> tree.relatives("context-1")
    ['context-4']
    """
    _check_options(n_clusters, linkage, metric, n_components)
    contexts = sorted(set(table["context"]))
    if len(contexts) < max(2, n_clusters):
        raise SplitError(
            f"A tree of contexts needs {max(2, n_clusters)} of them at least; found "
            f"{', '.join(contexts)}."
        )
    n_controls, place = _places(table, contexts, controls, n_components)
    distance = squareform(pdist(place, metric))
    if not np.isfinite(distance).all():
        raise SplitError(
            f"Contexts whose controls do not differ have no {metric} distance; "
            "take the euclidean one."
        )
    merges = _merges(distance, linkage)
    number = n_clusters or _widest(distance, merges)
    return ContextTree(tuple(contexts), n_controls, distance, merges, _cut(merges, number))


def _check_options(n_clusters: int, linkage: str, metric: str, n_components: int) -> None:
    for name, value, known in (("linkage", linkage, LINKAGES), ("metric", metric, METRICS)):
        if value not in known:
            raise OptionError(f"There is no {name} {value!r}. {did_you_mean(str(value), known)}")
    if linkage == "ward" and metric != "euclidean":
        raise OptionError(f"The linkage ward is of euclidean distances; got {metric}.")
    for name, count, least in (("n_clusters", n_clusters, 2), ("n_components", n_components, 1)):
        is_free = name == "n_clusters" and count == CHOOSE_CLUSTERS
        if not isinstance(count, int) or (count < least and not is_free):
            choice = ", or 0 to choose" if name == "n_clusters" else ""
            raise OptionError(f"{name} must be a number of at least {least}{choice}; got {count}.")


def _places(
    table: pd.DataFrame, contexts: list[str], controls: Cells, n_components: int
) -> tuple[Codes, Floats]:
    """Return the number of controls of each context, and where the mean of these lies."""
    groups = pd.Index(np.unique(table["control_group"].astype(str)))
    pairs = table[["context", "control_group"]].drop_duplicates()
    uses = np.zeros((len(contexts), len(groups)))
    rows = pd.Index(contexts).get_indexer(pairs["context"])
    uses[rows, groups.get_indexer(pairs["control_group"].astype(str))] = 1
    of_control = groups.get_indexer(controls.obs["control_group"].astype(str))
    n_of, total = _sums(controls, of_control, len(groups))
    n_controls = uses @ n_of
    if (n_controls == 0).any():
        lacking = contexts[int(np.argmin(n_controls))]
        raise SplitError(f"Context {lacking!r} has no controls, so that nothing is known of it.")
    mean = (uses @ total) / n_controls[:, None]
    if controls.embedding is None:
        mean = _principal(mean, n_components)
    return n_controls.astype(np.intp), mean


def _sums(controls: Cells, groups: Codes, n: int) -> tuple[Any, Floats]:
    """Return the number of controls of each group, and the sum of their values."""
    if controls.embedding is None:
        found = moments(controls.lognorm, groups, n)
        return found.n, found.total
    known = groups >= 0
    total = np.zeros((n, controls.embedding.shape[1]))
    np.add.at(total, groups[known], controls.embedding[known])
    return np.bincount(groups[known], minlength=n), total


def _principal(mean: Floats, n_components: int) -> Floats:
    left, size, _ = np.linalg.svd(mean - mean.mean(axis=0), full_matrices=False)
    return np.asarray((left * size)[:, :n_components])


def _merges(distance: Floats, method: str) -> Floats:
    return np.asarray(linkage(squareform(distance, checks=False), method))


def _cut(merges: Floats, n_clusters: int) -> Codes:
    """Return the cluster of each leaf, numbered by their first leaves, shape (n_leaves,)."""
    n = len(merges) + 1
    members = {leaf: [leaf] for leaf in range(n)}
    for step in range(n - n_clusters):
        first, second = (int(node) for node in merges[step, :2])
        members[n + step] = members.pop(first) + members.pop(second)
    cluster = np.empty(n, dtype=np.intp)
    for number, leaves in enumerate(sorted(members.values(), key=min)):
        cluster[leaves] = number
    return cluster


def _widest(distance: Floats, merges: Floats) -> int:
    """Return the number of clusters at which the mean silhouette is widest, the least of equals."""
    counts = range(2, max(2, len(distance) // 2) + 1)
    widths = [mean_silhouette(distance, _cut(merges, count)).round(9) for count in counts]
    return counts[int(np.argmax(widths))]


def mean_silhouette(distance: Floats, cluster: Codes) -> np.float64:
    """Return the mean over things of (b - a) / max(a, b); one alone in its cluster counts as 0.

    a is the mean distance to the others of the same cluster, b that to the nearest other cluster
    (Rousseeuw 1987, doi:10.1016/0377-0427(87)90125-7).

    Parameters
    ----------
    distance
        Shape (n, n).
    cluster
        Codes from 0 to at least 1, shape (n,).
    """
    own = np.eye(cluster.max() + 1)[cluster]
    size = own.sum(axis=0)
    total = distance @ own
    at = np.arange(len(cluster))
    others = size[cluster] - 1
    within = total[at, cluster] / np.maximum(others, 1)
    mean = total / size
    mean[at, cluster] = np.inf
    beyond = mean.min(axis=1)
    largest = np.maximum(within, beyond)
    is_known = (others > 0) & (largest > 0)
    width = np.where(is_known, (beyond - within) / np.where(largest > 0, largest, 1), 0.0)
    return np.float64(width.mean())
