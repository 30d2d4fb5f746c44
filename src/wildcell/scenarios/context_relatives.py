"""One tested context, with and without its relatives in training, all else alike."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from wildcell.arrays import Codes
from wildcell.errors import OptionError, SplitError
from wildcell.registry import did_you_mean
from wildcell.scenarios.context_tree import CHOOSE_CLUSTERS, ContextTree, context_tree
from wildcell.scenarios.folds import check_share, n_of
from wildcell.scenarios.matched_training import (
    MeasuredCells,
    Training,
    align,
    least_counts,
    measure,
    roles_for,
)
from wildcell.scenarios.split import Division, splitter
from wildcell.scenarios.task import Cells

NEAR, FAR = 0, 1
RELATIONS = {
    "near": (NEAR, False),
    "far": (FAR, False),
    "placebo-near": (NEAR, True),
    "placebo-far": (FAR, True),
}
"""Which side of each pair is trained on, and whether relatives are drawn at random."""

ALL_CONTEXTS = 0
RELATIVE = "relative of the tested context"
STOOD_FOR = "a relative of the tested context is in its place"


class Pairs(NamedTuple):
    """A tested context, and the pairs of a relative and another that stand for each other.

    Attributes
    ----------
    tested
        Code of the context.
    pairs
        Codes of the relative and of the other, shape (n_pairs, 2).
    common
        Codes of the contexts that are trained on beside either.
    left_out
        Codes of relatives without a partner.
    """

    tested: int
    pairs: Codes
    common: Codes
    left_out: Codes


@splitter("context-relatives", level="cell", needs=("controls",))
def context_relatives(
    cells: pd.DataFrame,
    components: pd.DataFrame,  # noqa: ARG001
    rng: np.random.Generator,
    *,
    controls: Cells,
    relation: str = "near",
    max_contexts: int = ALL_CONTEXTS,
    val_share: float = 0.1,
    n_clusters: int = CHOOSE_CLUSTERS,
    linkage: str = "average",
    metric: str = "euclidean",
    n_components: int = 20,
) -> Division:
    """Test one context a fold, with relatives in training (near) or none (far).

    Far trains on the contexts outside of the tested one's cluster. Near has its relatives in the
    place of as many of them. A relative and the context that it takes the place of give the same
    number of cells of the same perturbations, so that both arms have as many contexts, conditions
    and cells, and every perturbation in as many of them. The placebo arms are built in the same
    way, with as many contexts drawn at random in the place of the relatives.

    Parameters
    ----------
    relation
        near, far, placebo-near or placebo-far.
    max_contexts
        How many contexts are tested, spread over the clusters; 0 for all that have relatives.
    val_share
        Share of the contexts that both arms train on, set aside for validation.
    n_clusters, linkage, metric, n_components
        Of the tree of contexts, see `wildcell.scenarios.context_tree.context_tree`.

    Raises
    ------
    SplitError
        No context has a relative and another context to compare it with.
    """
    side, is_placebo = _sides_of(relation)
    check_share("val_share", val_share)
    tree = context_tree(
        cells,
        controls,
        n_clusters=n_clusters,
        linkage=linkage,
        metric=metric,
        n_components=n_components,
    )
    tested = _tested(tree, max_contexts, rng)
    measured = measure(cells, rng)
    folds, told = [], []
    for drawn in _draw(tree, measured, tested, rng, is_placebo=is_placebo):
        training = _training(measured, drawn, side, val_share, rng)
        told.append(_described(measured, drawn))
        if told[-1]["n_cells"].sum() and training.asks(measured.counts):
            folds.append(roles_for(measured, training, category="unseen context"))
    if not folds:
        raise SplitError(
            "No tested context shares perturbations with a relative and with a context of another "
            f"cluster. {_sizes(tree)}"
        )
    return Division(folds, {**tree.tables(), "relatives": pd.concat(told, ignore_index=True)})


def _sides_of(relation: str) -> tuple[int, bool]:
    if relation not in RELATIONS:
        hint = did_you_mean(str(relation), RELATIONS)
        raise OptionError(f"There is no relation {relation!r}. {hint}")
    return RELATIONS[relation]


def _sizes(tree: ContextTree) -> str:
    sizes = ", ".join(f"{name} of {len(found)}" for name, found in tree.clusters.items())
    return f"The {len(tree.contexts)} contexts lie in {sizes}; choose n_clusters, or another tree."


def _tested(tree: ContextTree, at_most: int, rng: np.random.Generator) -> list[str]:
    """Return the contexts with relatives, or some of them, from each cluster in turn."""
    if not isinstance(at_most, int) or at_most < 0:
        raise OptionError(f"max_contexts must be a number, or 0 for all; got {at_most!r}.")
    clusters = [list(rng.permutation(names)) for names in tree.clusters.values() if len(names) > 1]
    if not clusters or len(tree.clusters) < 2:
        raise SplitError(
            "Near and far need a context with relatives, and contexts of another cluster. "
            f"{_sizes(tree)}"
        )
    turns = [
        names[turn] for turn in range(len(tree.contexts)) for names in clusters if turn < len(names)
    ]
    return sorted(map(str, turns[: at_most or None]))


def _draw(
    tree: ContextTree,
    measured: MeasuredCells,
    tested: list[str],
    rng: np.random.Generator,
    *,
    is_placebo: bool,
) -> Iterator[Pairs]:
    for context in tested:
        kin = tree.relatives(context)
        strangers = [name for name in tree.contexts if name not in {context, *kin}]
        if is_placebo:
            shuffled = [str(name) for name in rng.permutation(sorted([*kin, *strangers]))]
            kin, strangers = shuffled[: len(kin)], shuffled[len(kin) :]
        relatives, others = measured.codes(kin), measured.codes(strangers)
        pairs = align([relatives, others], measured.counts, rng)
        yield Pairs(
            int(measured.codes([context])[0]),
            pairs,
            np.setdiff1d(others, pairs[:, FAR]),
            np.setdiff1d(relatives, pairs[:, NEAR]),
        )


def _training(
    measured: MeasuredCells, drawn: Pairs, side: int, val_share: float, rng: np.random.Generator
) -> Training:
    quota = np.zeros_like(measured.counts)
    quota[drawn.pairs[:, side]] = least_counts(drawn.pairs, measured.counts)
    quota[drawn.common] = measured.counts[drawn.common]
    n_val = 0 if val_share == 0 or len(drawn.common) < 3 else n_of(val_share, len(drawn.common))
    set_aside = rng.permutation(drawn.common)[:n_val]
    return Training(drawn.tested, quota, set_aside, _reasons(drawn, side))


def _reasons(drawn: Pairs, side: int) -> dict[int, str]:
    """Return why contexts are left out that are, by code."""
    if side == NEAR:
        return dict.fromkeys(drawn.pairs[:, FAR].tolist(), STOOD_FOR)
    return dict.fromkeys([*drawn.pairs[:, NEAR].tolist(), *drawn.left_out.tolist()], RELATIVE)


def _described(measured: MeasuredCells, drawn: Pairs) -> pd.DataFrame:
    least = least_counts(drawn.pairs, measured.counts)
    return pd.DataFrame(
        {
            "tested": measured.contexts[drawn.tested],
            "relative": measured.contexts[drawn.pairs[:, NEAR]],
            "other": measured.contexts[drawn.pairs[:, FAR]],
            "n_conditions": (least > 0).sum(axis=1),
            "n_cells": least.sum(axis=1),
        }
    )
