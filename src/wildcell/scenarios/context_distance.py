"""One tested context, trained for on the nearest, the middle or the farthest of the others."""

import numpy as np
import pandas as pd

from wildcell.arrays import Codes
from wildcell.errors import OptionError, SplitError
from wildcell.registry import did_you_mean
from wildcell.scenarios.context_tree import ContextTree, context_tree
from wildcell.scenarios.matched_training import (
    MATCHED,
    MeasuredCells,
    Training,
    align,
    least_counts,
    measure,
    roles_for,
)
from wildcell.scenarios.split import Division, splitter
from wildcell.scenarios.task import Cells

DISTANCES = ("near", "middle", "far")


@splitter("context-distance", level="cell", needs=("controls",))
def context_distance(
    cells: pd.DataFrame,
    components: pd.DataFrame,  # noqa: ARG001
    rng: np.random.Generator,
    *,
    controls: Cells,
    distance: str = "near",
    metric: str = "euclidean",
    n_components: int = 20,
) -> Division:
    """Test one context a fold, trained for on a third of the others by their distance.

    The three sets have as many contexts, conditions and cells, and every perturbation in as many
    of them: how a score falls with distance is seen within each tested context. Nothing is set
    aside for validation.

    Parameters
    ----------
    distance
        near, middle or far.
    metric, n_components
        Of the distances, see `wildcell.scenarios.context_tree.context_tree`.

    Raises
    ------
    SplitError
        There are fewer than four contexts, or the sets share no perturbations.
    """
    if distance not in DISTANCES:
        hint = did_you_mean(str(distance), DISTANCES)
        raise OptionError(f"There is no distance {distance!r}. {hint}")
    contexts = sorted(set(cells["context"]))
    if len(contexts) < 4:
        raise SplitError(
            "Near, middle and far contexts need one more to be tested, 4 in all; found "
            f"{', '.join(contexts)}."
        )
    tree = context_tree(cells, controls, metric=metric, n_components=n_components)
    measured = measure(cells, rng)
    folds, told = [], []
    for tested in range(len(contexts)):
        aligned = align(_thirds(tree.distance[tested], tested), measured.counts, rng)
        training = _training(measured, tested, aligned, DISTANCES.index(distance))
        told.append(_described(tree, measured, tested, aligned))
        if training.asks(measured.counts):
            folds.append(roles_for(measured, training, category="unseen context"))
    if not folds:
        raise SplitError("No tested context shares perturbations with near, middle and far ones.")
    return Division(folds, {**tree.tables(), "training": pd.concat(told, ignore_index=True)})


def _thirds(distance: Codes, tested: int) -> list[Codes]:
    """Return as many contexts that are near, in the middle and far."""
    order = np.argsort(distance, kind="stable")
    order = order[order != tested]
    n = len(order) // 3
    middle = (len(order) - n) // 2
    return [order[:n], order[middle : middle + n], order[len(order) - n :]]


def _training(measured: MeasuredCells, tested: int, aligned: Codes, which: int) -> Training:
    quota = np.zeros_like(measured.counts)
    quota[aligned[:, which]] = least_counts(aligned, measured.counts)
    trained = set(aligned[:, which].tolist())
    elsewhere = "at another distance from the tested context"
    reasons = {
        code: MATCHED if code in trained else elsewhere for code in range(len(measured.contexts))
    }
    return Training(tested, quota, np.array([], dtype=np.intp), reasons)


def _described(
    tree: ContextTree, measured: MeasuredCells, tested: int, aligned: Codes
) -> pd.DataFrame:
    """Return a row a context in each set: how far it is, and what it gives."""
    least = least_counts(aligned, measured.counts)
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "tested": measured.contexts[tested],
                    "set": name,
                    "context": measured.contexts[codes],
                    "distance": tree.distance[tested, codes],
                    "n_conditions": (least > 0).sum(axis=1),
                    "n_cells": least.sum(axis=1),
                }
            )
            for name, codes in zip(DISTANCES, aligned.T, strict=True)
        ],
        ignore_index=True,
    )
