"""What the perturbations did in training, and models that answer by adding a delta."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from wildcell.arrays import Booleans, Floats
from wildcell.errors import DataError
from wildcell.names import CONDITION
from wildcell.scenarios.prediction import Prediction, predicted_means
from wildcell.scenarios.task import Cells, Query, Task


@dataclass(frozen=True)
class Effects:
    """The deltas of the conditions that a model may learn from.

    Attributes
    ----------
    conditions
        Columns context, perturbation; one row a condition, index 0 to n - 1.
    delta
        Mean log values minus those of the controls, shape (n_conditions, n_genes); NaN where the
        condition's screen did not measure the gene.
    """

    conditions: pd.DataFrame
    delta: Floats

    @property
    def n(self) -> int:
        """Number of conditions."""
        return len(self.conditions)

    def select(self, rows: Booleans) -> "Effects":
        """Return the conditions where `rows` holds."""
        return Effects(self.conditions.loc[rows].reset_index(drop=True), self.delta[rows])

    def shared(self, contexts: Iterable[str]) -> Floats:
        """Return the response that the perturbations have in common in each of `contexts`.

        It is the mean over the conditions of the context, each with the same weight; of a context
        without any, it is the mean over all contexts, each with the same weight. Shape
        (n_contexts, n_genes).
        """
        names, means = self._by_context
        over_all = pd.DataFrame(means).mean().to_numpy(float)
        own = np.vstack([means, over_all])[names.get_indexer(list(contexts))]
        return np.where(np.isnan(own), over_all, own)

    def transferred(self, contexts: Iterable[str], perturbations: Iterable[str]) -> Floats:
        """Return what each perturbation did: in its context, or else on average over contexts.

        Shape (n_pairs, n_genes); a perturbation that was never seen has a row of NaN, and one that
        was seen where a gene is not measured NaN at the gene.
        """
        contexts, perturbations = list(contexts), list(perturbations)
        own = self._rows_of.get_indexer(pd.MultiIndex.from_arrays([contexts, perturbations]))
        names, means = self._by_perturbation
        elsewhere = np.vstack([means, np.full(means.shape[1], np.nan)])
        return np.where(
            (own >= 0)[:, None], self.delta[own], elsewhere[names.get_indexer(perturbations)]
        )

    @cached_property
    def _rows_of(self) -> pd.MultiIndex:
        return pd.MultiIndex.from_frame(self.conditions)

    @cached_property
    def _by_context(self) -> tuple[pd.Index, Floats]:
        return group_means(self.delta, self.conditions["context"])

    @cached_property
    def _by_perturbation(self) -> tuple[pd.Index, Floats]:
        return group_means(self.delta, self.conditions["perturbation"])


def group_means(values: Floats, labels: Iterable[str]) -> tuple[pd.Index, Floats]:
    """Return the labels there are, sorted, and the mean of the rows of `values` that bear each.

    Examples
    --------
    >>> names, means = group_means(np.array([[1.0], [3.0], [5.0]]), ["b", "b", "a"])
    >>> list(names), means.tolist()
    (['a', 'b'], [[5.0], [2.0]])
    """
    codes, names = pd.factorize(np.array(list(labels), dtype=object), sort=True)
    return pd.Index(names), pd.DataFrame(values).groupby(codes).mean().to_numpy(float)


def training_effects(task: Task) -> Effects:
    """Return the deltas of the training and validation conditions of `task`.

    Each is taken against the controls of its own control group in its own cells. A condition with
    cells on both sides has the mean over all of its cells.

    Raises
    ------
    DataError
        There is no perturbed cell, or a condition has no controls.
    """
    sides = [
        _side_effects(cells, task) for cells in (task.train, task.val) if not cells.is_control.all()
    ]
    if not sides:
        raise DataError("There are no perturbed cells to learn from; give the task some.")
    conditions = pd.concat([side for side, _ in sides], ignore_index=True)
    n_cells = conditions["n_cells"].to_numpy(float)
    table = pd.DataFrame(np.vstack([delta for _, delta in sides]) * n_cells[:, None])
    keys = [conditions[name] for name in CONDITION]
    total = table.groupby(keys, sort=True).sum(min_count=1)
    share = conditions.groupby(CONDITION, sort=True)["n_cells"].sum().to_numpy(float)
    return Effects(total.index.to_frame(index=False), total.to_numpy(float) / share[:, None])


def _side_effects(cells: Cells, task: Task) -> tuple[pd.DataFrame, Floats]:
    conditions, perturbed = cells.condition_moments()
    groups, control = cells.control_moments()
    rows = groups.get_indexer(conditions["control_group"].astype(str))
    if (rows < 0).any():
        lost = conditions.iloc[int(np.argmin(rows))]
        raise DataError(
            f"Condition ({lost['context']}, {lost['perturbation']}) has no controls: its control "
            f"group is {lost['control_group']!r}, and there are controls of "
            f"{', '.join(groups) or 'none'}. Give controls of its group, or leave it out."
        )
    table = conditions[CONDITION].astype(str).assign(n_cells=perturbed.n)
    delta = perturbed.mean - control.mean[rows]
    if task.unmeasured:
        delta[~_measured(cells, task, conditions)] = np.nan
    return table, delta


def _measured(cells: Cells, task: Task, conditions: pd.DataFrame) -> Booleans:
    """Mark what the screen of each condition measured, shape (n_conditions, n_genes)."""
    of_cell = cells.obs.drop_duplicates(CONDITION).set_index(CONDITION)["dataset"]
    names = of_cell.reindex(pd.MultiIndex.from_frame(conditions[CONDITION]))
    masks = {name: task.is_measured(name) for name in set(names)}
    return np.array([masks[name] for name in names])


class DeltaModel(ABC):
    """A model whose answer is the mean of the given controls plus a delta.

    Parameters
    ----------
    seed
        Seed of whatever it draws.
    """

    def __init__(self, *, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, task: Task) -> None:
        """Learn the deltas of the training and validation conditions of `task`."""
        self.effects = training_effects(task)

    def predict(self, query: Query) -> Prediction:
        """Answer every condition of `query` with mean log values.

        A gene of which no screen tells anything stays as it is in the controls.
        """
        return predicted_means(query, query.control_mean + np.nan_to_num(self.deltas(query)))

    @abstractmethod
    def deltas(self, query: Query) -> Floats:
        """Return the predicted delta of each condition, shape (n_conditions, n_genes)."""
