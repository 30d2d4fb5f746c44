"""Clusters of contexts held out together, so that no relative of a tested context is trained on."""

import numpy as np
import pandas as pd

from wildcell.scenarios.context_tree import CHOOSE_CLUSTERS, context_tree
from wildcell.scenarios.folds import held_out_folds
from wildcell.scenarios.roles import folds_with_tests, hold_out_contexts
from wildcell.scenarios.split import Division, splitter
from wildcell.scenarios.task import Cells


@splitter("context-clusters", needs=("controls",))
def context_clusters(
    conditions: pd.DataFrame,
    components: pd.DataFrame,  # noqa: ARG001
    rng: np.random.Generator,
    *,
    controls: Cells,
    n_folds: int = 1,
    test_share: float = 0.1,
    val_share: float = 0.1,
    n_clusters: int = CHOOSE_CLUSTERS,
    linkage: str = "average",
    metric: str = "euclidean",
    n_components: int = 20,
) -> Division:
    """Hold out whole clusters of contexts, found in a tree that is grown from controls alone.

    Shares and folds are of clusters; otherwise as `unseen-context`. A fold in which nothing can be
    tested is left out. For the tree and the number of
    clusters see `wildcell.scenarios.context_tree.context_tree`.
    """
    tree = context_tree(
        conditions,
        controls,
        n_clusters=n_clusters,
        linkage=linkage,
        metric=metric,
        n_components=n_components,
    )
    folds = held_out_folds(
        tree.clusters, rng, n_folds=n_folds, test_share=test_share, val_share=val_share
    )
    roles = [
        hold_out_contexts(conditions, *(tree.contexts_in(names) for names in both))
        for both in folds
    ]
    return Division(folds_with_tests(roles), tree.tables())
