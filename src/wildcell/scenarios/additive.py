"""What the parts of combinations did by themselves in training, added up, with its noise."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd

from wildcell.arrays import Floats
from wildcell.names import CONDITION
from wildcell.scenarios.task import Cells, Task
from wildcell.scenarios.treatments import identities

Key: TypeAlias = tuple[str, str, Hashable]
"""Context, control group and treatment."""


@dataclass(frozen=True, eq=False)
class SumOfSingles:
    """Sums of the deltas of single perturbations.

    Attributes
    ----------
    conditions
        Columns context, perturbation.
    delta
        Sum of the deltas of the parts, shape (n_conditions, n_genes); NaN where a condition is no
        combination, or a part was not measured alone in the context.
    error
        Squared standard error of `delta`, the same shape. Each delta is taken against the same
        controls, so that their error counts by the square of the number of parts.
    """

    conditions: pd.DataFrame
    delta: Floats
    error: Floats

    def of(self, conditions: pd.DataFrame) -> "SumOfSingles":
        """Return the sums for other conditions, in their order; NaN for those unknown here."""
        keys = pd.MultiIndex.from_frame(self.conditions[CONDITION])
        rows = keys.get_indexer(pd.MultiIndex.from_frame(conditions[CONDITION]))
        is_known = (rows >= 0)[:, None]
        delta, error = (
            np.where(is_known, values[rows], np.nan) for values in (self.delta, self.error)
        )
        return SumOfSingles(conditions[CONDITION], delta, error)


def sum_of_singles(task: Task) -> SumOfSingles:
    """Return the additive expectation of every combination that a task asks about.

    A part counts as measured if it was trained on, or given for validation, alone at its dose and
    time, in the context and beside the control group of the combination.

    Examples
    --------
    >>> from wildcell.testing import toy_questions
    >>> task, _ = toy_questions()["unseen-combination"]
    >>> found = sum_of_singles(task)
    >>> is_known = ~np.isnan(found.delta).any(axis=1)
    >>> sorted(set(task.query.conditions["category"][is_known]))
    ['combo-0']
    """
    asked = task.query.conditions
    components = task.query.components.assign(identity=identities(task.query.components))
    parts = {key: list(rows) for key, rows in components.groupby("perturbation")["identity"]}
    singles = _singles([task.val, task.train], {k: v[0] for k, v in parts.items() if len(v) == 1})
    groups, control = task.query.controls.control_moments()
    shape = (len(asked), len(task.train.genes))
    delta, error = np.full(shape, np.nan), np.full(shape, np.nan)
    rows = zip(asked["context"], asked["control_group"], asked["perturbation"], strict=True)
    for row, (context, group, perturbation) in enumerate(rows):
        own = [singles.get((context, group, part)) for part in parts.get(perturbation, [])]
        known = [single for single in own if single is not None]
        if len(known) < max(len(own), 2):
            continue
        at, n = groups.get_loc(group), len(known)
        delta[row] = sum(mean for mean, _ in known) - n * control.mean[at]
        error[row] = sum(noise for _, noise in known) + n**2 * control.squared_error[at]
    return SumOfSingles(asked[CONDITION], delta, error)


def _singles(
    sides: Iterable[Cells], treatment: dict[str, Hashable]
) -> dict[Key, tuple[Floats, Floats]]:
    """Return mean and squared standard error of each single that was measured, by its key."""
    found = {}
    for cells in sides:
        conditions, moments = cells.condition_moments()
        names = zip(
            conditions["context"].astype(str),
            conditions["control_group"].astype(str),
            conditions["perturbation"].astype(str),
            strict=True,
        )
        for row, (context, group, name) in enumerate(names):
            if name in treatment:
                key = (context, group, treatment[name])
                found[key] = (moments.mean[row], moments.squared_error[row])
    return found
