"""Perturbations held out with all that are like them, by their features or their families."""

from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import pandas as pd

from wildcell.errors import OptionError, SplitError
from wildcell.names import Role
from wildcell.scenarios.families import cluster_by_family, read_families
from wildcell.scenarios.feature_arms import checked_features
from wildcell.scenarios.feature_clusters import (
    CHOOSE_CLUSTERS,
    Clusters,
    cluster_by_features,
    without_features,
)
from wildcell.scenarios.folds import CHOOSE_FOLDS, held_out_groups
from wildcell.scenarios.roles import has_part, hold_out_components, set_role
from wildcell.scenarios.split import Division, splitter

Lacking: TypeAlias = Literal["refuse", "alone", "leave-out"]


@splitter("perturbation-clusters", needs=("features",))
def perturbation_clusters(
    conditions: pd.DataFrame,
    components: pd.DataFrame,
    rng: np.random.Generator,
    *,
    features: pd.DataFrame | None = None,
    families: str = "",
    largest_family: int = 0,
    n_clusters: int = CHOOSE_CLUSTERS,
    linkage: str = "average",
    metric: str = "cosine",
    lacking: Lacking = "refuse",
    placebo: bool = False,
    n_folds: int = CHOOSE_FOLDS,
    test_share: float = 0.2,
    val_share: float = 0.1,
) -> Division:
    """Hold out single perturbations in all contexts, with all others of their cluster.

    Clusters are of components, so that doses of one compound stay together, and combinations with
    a part of a held-out cluster are left out. They are cut from a tree of the components' features
    or, where `families` names a file, are families that share no member.

    Parameters
    ----------
    features
        Of components, shape (n_components, n_features), indexed by component.
    families, largest_family
        As for `wildcell.scenarios.families.read_families`.
    n_clusters, linkage, metric
        As for `wildcell.scenarios.feature_clusters.cluster_by_features`.
    lacking
        What becomes of components without features or family: `refuse` names them and stops,
        `alone` makes each a cluster of its own, `leave-out` leaves their perturbations unused.
    placebo
        Whether components are dealt out anew among the clusters, whose sizes stay.
    n_folds
        Folds that clusters are dealt into, even in components; 0 chooses by the number of clusters.
    test_share, val_share
        Of the components, in whole clusters: never more, unless the smallest cluster is more.

    Raises
    ------
    OptionError
        An option cannot be used.
    SplitError
        There is nothing to cluster by, components lack it, or fewer than two clusters come out.
    """
    if lacking not in get_args(Lacking):
        choices = ", ".join(get_args(Lacking))
        raise OptionError(f"lacking must be one of {choices}; got {lacking!r}.")
    names = sorted(set(components["component"].astype(str)))
    if families:
        found, what = _by_family(names, families, largest_family), "a family"
    else:
        options = {"n_clusters": n_clusters, "linkage": linkage, "metric": metric}
        found, what = _by_features(names, features, options), "features"
    unknown = [name for name in names if name not in found.names.index]
    if unknown and lacking == "refuse":
        raise SplitError(_refusal(unknown, len(names), what))
    cluster = _with_alone(found.names, unknown) if lacking == "alone" else found.names
    if placebo:
        cluster = pd.Series(rng.permutation(cluster.to_numpy(object)), index=cluster.index)
    folds = held_out_groups(
        _sizes(conditions, components, cluster),
        rng,
        n_folds=n_folds,
        test_share=test_share,
        val_share=val_share,
    )
    left_out = has_part(conditions, components, set(unknown if lacking == "leave-out" else []))
    roles = []
    for both in folds:
        members = [set(cluster.index[cluster.isin(chosen)]) for chosen in both]
        fold = hold_out_components(conditions, components, *members)
        set_role(fold, left_out, Role.UNUSED, f"component without {what}")
        roles.append(fold)
    table = cluster.rename_axis("component").rename("cluster").reset_index()
    return Division(roles, {**found.tables, "clusters": table})


def _with_alone(cluster: "pd.Series[str]", unknown: list[str]) -> "pd.Series[str]":
    alone = pd.Series([f"alone: {name}" for name in unknown], index=unknown, dtype=object)
    return pd.concat([cluster, alone]).sort_index()


def _by_family(names: list[str], families: str, largest_family: int) -> Clusters:
    members = read_families(Path(families), largest=largest_family)
    of_screen = members[members["component"].isin(names)].reset_index(drop=True)
    if of_screen.empty:
        raise SplitError(
            f"None of the {len(names)} components, such as {names[0]!r}, is in a family of "
            f"{families}."
        )
    return cluster_by_family(of_screen)


def _by_features(
    names: list[str], features: pd.DataFrame | None, options: dict[str, Any]
) -> Clusters:
    if features is None:
        raise SplitError(
            "Clusters of perturbations need features of them: name some with --features (make "
            "them with: wildcell features), or families in the scenario."
        )
    table = checked_features(features)
    table = table[table.index.isin(names)]
    blank = without_features(table, options["metric"])
    return cluster_by_features(table.drop(index=blank), **options)


def _refusal(unknown: list[str], n: int, what: str) -> str:
    listed = ", ".join(unknown[:5]) + (f" and {len(unknown) - 5} more" if len(unknown) > 5 else "")
    return (
        f"{len(unknown)} of {n} components are without {what}: {listed}. Give them some, or say "
        'what becomes of them: lacking = "alone" makes each a cluster of its own, "leave-out" '
        "leaves their perturbations unused."
    )


def _sizes(
    conditions: pd.DataFrame, components: pd.DataFrame, cluster: "pd.Series[str]"
) -> dict[str, int]:
    """Return how many components were perturbed alone, of each cluster that has any."""
    single = conditions.loc[conditions["n_components"] == 1, "perturbation"]
    alone = components.loc[components["perturbation"].isin(single), "component"].unique()
    sizes = cluster[cluster.index.isin(alone)].value_counts()
    if len(sizes) < 2:
        raise SplitError(
            "Unseen clusters need single perturbations of 2 clusters at least; those of "
            f"{len(alone)} components are in {len(sizes)}. Ask for more clusters with n_clusters, "
            "or for smaller families with largest_family."
        )
    return {str(name): int(size) for name, size in sizes.items()}
