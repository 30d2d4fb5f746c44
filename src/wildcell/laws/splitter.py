"""The laws of splitters, each a function of one splitter applied to one table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from wildcell.datasets.dataset import Dataset
from wildcell.laws.law import Law
from wildcell.names import CONDITION, Role
from wildcell.scenarios.split import (
    ROLE_COLUMNS,
    Splitter,
    divide,
    evidence_for,
    table_at_level,
)
from wildcell.store.fingerprint import fingerprint


@dataclass(frozen=True)
class SplitCase:
    """A splitter, and what it is asked to split.

    Attributes
    ----------
    rule
        The splitter.
    table
        One row a condition, or a cell where the splitter's level says so.
    components
        The parts of the perturbations.
    seed
        Of the generator that it draws from.
    options
        Options of the splitter, and the evidence that it needs.
    """

    rule: Splitter
    table: pd.DataFrame
    components: pd.DataFrame
    seed: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)

    def folds(self) -> Sequence[pd.DataFrame]:
        """Return the tables of roles, one a fold."""
        rng = np.random.default_rng(self.seed)
        return divide(self.rule, self.table, self.components, rng, **self.options).folds


def split_case(rule: Splitter, dataset: Dataset, *, seed: int, **options: Any) -> SplitCase:
    """Return the application of a splitter to a data set, at the splitter's level."""
    table = table_at_level(dataset, rule.level)
    return SplitCase(
        rule, table, dataset.components, seed, {**evidence_for(rule, dataset), **options}
    )


def every_row_has_a_role(case: SplitCase) -> str:
    """Every row has one known role in each fold, in the order of the table."""
    folds = case.folds()
    if len(folds) == 0:
        return "there are no folds."
    for fold in folds:
        if not isinstance(fold, pd.DataFrame) or not set(ROLE_COLUMNS) <= set(fold.columns):
            return f"a fold is no table with the columns {', '.join(ROLE_COLUMNS)}."
        if not fold.index.equals(case.table.index):
            return (
                f"a fold has {len(fold)} rows, of a table of {len(case.table)}; or another order."
            )
        unknown = set(fold["role"]) - set(Role)
        if unknown:
            return f"the roles {sorted(map(str, unknown))}; there are {', '.join(Role)}."
    return ""


def something_is_trained_on_and_tested(case: SplitCase) -> str:
    """Each fold has something to train on and something to test."""
    for number, fold in enumerate(case.folds()):
        for role in (Role.TRAIN, Role.TEST):
            if not (fold["role"] == role).any():
                return f"fold {number} has nothing for {role}."
    return ""


def same_seed_same_roles(case: SplitCase) -> str:
    """The same seed gives the same roles."""
    if fingerprint(list(case.folds())) != fingerprint(list(case.folds())):
        return f"two calls with seed {case.seed} differ; draw from the generator given alone."
    return ""


def order_of_rows_does_not_matter(case: SplitCase) -> str:
    """The order of the rows does not change what becomes of them."""
    rng = np.random.default_rng(case.seed + 1)
    order = rng.permutation(len(case.table))
    parts = rng.permutation(len(case.components))
    shuffled = replace(
        case,
        table=case.table.iloc[order].reset_index(drop=True),
        components=case.components.iloc[parts].reset_index(drop=True),
    )
    for first, second in zip(case.folds(), shuffled.folds(), strict=True):
        before, after = _counted_roles(case.table, first), _counted_roles(shuffled.table, second)
        if not before.equals(after):
            both = before.compare(after.reindex(before.index, fill_value=0)) if len(before) else ""
            return f"with the rows shuffled other roles were given: {both}"
    return ""


def _counted_roles(table: pd.DataFrame, roles: pd.DataFrame) -> "pd.Series[int]":
    """Count the rows of each condition with each role; cells of a condition are all alike."""
    columns = [*CONDITION, *ROLE_COLUMNS]
    joined = pd.concat([table[CONDITION], roles[ROLE_COLUMNS]], axis=1).astype(str)
    return joined.groupby(columns).size().sort_index()


def tables_are_left_unchanged(case: SplitCase) -> str:
    """The tables that it is given are left as they are."""
    table, components = case.table.copy(), case.components.copy()
    case.rule.divide(table, components, np.random.default_rng(case.seed), **case.options)
    for name, before, after in [
        ("conditions", case.table, table),
        ("components", case.components, components),
    ]:
        if not before.equals(after):
            return f"the table of {name} was changed; work on a copy."
    return ""


def unused_says_why(case: SplitCase) -> str:
    """What is left out has a reason, and what is tested a category."""
    for fold in case.folds():
        is_unused, is_test = fold["role"] == Role.UNUSED, fold["role"] == Role.TEST
        if not fold.loc[is_unused, "reason"].astype(bool).all():
            return "unused rows without a reason."
        if not fold.loc[is_test, "category"].astype(bool).all():
            return "test rows without a category."
    return ""


SPLITTER_LAWS: tuple[Law[SplitCase], ...] = (
    every_row_has_a_role,
    something_is_trained_on_and_tested,
    same_seed_same_roles,
    order_of_rows_does_not_matter,
    tables_are_left_unchanged,
    unused_says_why,
)
