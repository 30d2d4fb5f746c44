"""What each condition, or cell, is used for: made by a splitter, checked, and frozen."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wildcell.datasets.dataset import Dataset
from wildcell.errors import OptionError, SplitError
from wildcell.names import CONDITION, Role
from wildcell.registry import Registry
from wildcell.scenarios.elsewhere import beside_foreign, cells_beside_foreign
from wildcell.scenarios.panel import control_cells
from wildcell.scenarios.scenario import Scenario
from wildcell.store.fingerprint import fingerprint

Level: TypeAlias = Literal["condition", "cell"]
Evidence: TypeAlias = Literal["controls", "features"]

TOLD_OF_CELLS = [*CONDITION, "control_group"]
"""What a splitter of cells is told of each."""

ROLE_COLUMNS = ["role", "reason", "category"]

PRECEDENCE = {
    str(role): place for place, role in enumerate((Role.TEST, Role.TRAIN, Role.VAL, Role.UNUSED))
}
"""Which of its cells' roles is that of a condition: the first."""


class Division(NamedTuple):
    """What a splitter gives that has more to tell than roles.

    Attributes
    ----------
    folds
        A table of roles a fold.
    tables
        What the roles follow from, by name, such as a tree of contexts; kept beside the split.
    """

    folds: Sequence[pd.DataFrame]
    tables: Mapping[str, pd.DataFrame]


Divide: TypeAlias = Callable[..., Sequence[pd.DataFrame] | Division]


class Splitter(NamedTuple):
    """A rule that gives roles.

    `divide(table, components, rng, **options)` is given one row a condition, or a cell where
    `level` says so, and returns one table a fold: columns role, reason, category, in the rows'
    order; or a `Division` of such tables. It sees no expression, but what `needs` names is given
    by keyword: `controls`, the `Cells` of all controls alone, with their embedding where the
    scenario takes one from the data set or a file, and `features` of components, a table indexed
    by component or None.
    """

    name: str
    divide: Divide
    level: Level
    needs: tuple[Evidence, ...] = ()


SPLITTERS: Registry[Splitter] = Registry("splitter", "wildcell.scenarios")


def splitter(
    name: str, *, level: Level = "condition", needs: tuple[Evidence, ...] = ()
) -> Callable[[Divide], Divide]:
    """Register a function as a splitter."""

    def register(divide: Divide) -> Divide:
        SPLITTERS.add(name, Splitter(name, divide, level, needs))
        return divide

    return register


@dataclass(frozen=True)
class Split:
    """The roles of one fold.

    Attributes
    ----------
    scenario, arm, seed, fold, n_folds
        Which split it is.
    conditions
        The data set's conditions with role, reason and category. At cell level the role is the
        first of test, train, val and unused that any of the condition's cells has.
    cell_roles
        A role a perturbed cell of the data set, in order, where the split is at cell level.
    tables
        What the roles follow from, by name.
    """

    scenario: str
    arm: str
    seed: int
    fold: int
    n_folds: int
    conditions: pd.DataFrame
    cell_roles: NDArray[np.object_] | None = None
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    def conditions_in(self, role: Role) -> pd.DataFrame:
        """Return the conditions of one role, index 0 to n - 1."""
        return self.conditions[self.conditions["role"] == role].reset_index(drop=True)

    def roles_of_cells(self, dataset: Dataset) -> NDArray[np.object_]:
        """Return the role of every cell of the data set, "" for controls, shape (n_cells,)."""
        roles = np.full(dataset.cells.n_obs, "", dtype=object)
        if self.cell_roles is not None:
            roles[~dataset.is_control] = self.cell_roles
            return roles
        keys = pd.MultiIndex.from_frame(self.conditions[CONDITION])
        perturbed = dataset.cells.obs.loc[~dataset.is_control, CONDITION].astype(str)
        rows = keys.get_indexer(pd.MultiIndex.from_frame(perturbed))
        roles[~dataset.is_control] = self.conditions["role"].to_numpy(dtype=object)[rows]
        return roles

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the roles."""
        return fingerprint(
            self.scenario, self.arm, self.seed, self.fold, self.conditions, self.cell_roles
        )


def make_splits(
    scenario: Scenario,
    dataset: Dataset,
    *,
    seed: int,
    arm: str | None = None,
    features: pd.DataFrame | None = None,
    foreign: Sequence[Dataset] = (),
) -> list[Split]:
    """Split a data set as a scenario says, one split a fold.

    The arms of a scenario draw the same numbers, whatever their splitters, so that arms that hold
    out the same conditions are judged on the same.

    Parameters
    ----------
    scenario, dataset
        The question's words, and the screen.
    seed
        Of what is drawn.
    arm
        Arm of the scenario, the default one if None.
    features
        Features of components in the place of the data set's own, for splitters that need some.
    foreign
        Other screens that may be trained on. They have no roles; the category of a tested
        condition says whether one of them has measured it, and where the arm asks about such
        conditions alone, folds that have none are left out.

    Raises
    ------
    SplitError
        The scenario cannot be posed on this data set, or the splitter broke its promises.
    """
    if seed < 0:
        raise OptionError(f"Seeds are whole numbers of at least 0; got {seed}.")
    if not dataset.is_control.any():
        raise SplitError(
            f"Data set {dataset.name!r} has no controls, and effects are measured against "
            "some. Curate with --control if the source calls them otherwise."
        )
    arm = arm or scenario.default_arm
    words = scenario.in_arm(arm)
    rule = SPLITTERS.get(words.splitter)
    table = table_at_level(dataset, rule.level)
    rng = np.random.default_rng([seed, zlib.crc32(scenario.splitter.encode())])
    evidence = evidence_for(rule, dataset, features, embedding=words.embedding)
    folds, tables = divide(
        rule, table, dataset.components, rng, **evidence, **scenario.options(arm)
    )
    splits = []
    for fold, roles in enumerate(folds):
        check_roles(roles, table, rule)
        conditions, cell_roles = _at_condition_level(dataset, roles, rule.level)
        conditions = beside_foreign(conditions, foreign, words.pool)
        if cell_roles is not None:
            cell_roles = cells_beside_foreign(cell_roles, table, conditions)
        splits.append(
            Split(scenario.name, arm, seed, fold, len(folds), conditions, cell_roles, tables)
        )
    asked = [split for split in splits if len(split.conditions_in(Role.TEST))]
    if not asked:
        raise SplitError(
            f"No tested perturbation of {dataset.name} is in {_some(foreign)}; name other foreign "
            "data, or take an arm that asks about all."
        )
    return asked


def _some(foreign: Sequence[Dataset]) -> str:
    return " or ".join(screen.name for screen in foreign)


def evidence_for(
    rule: Splitter,
    dataset: Dataset,
    features: pd.DataFrame | None = None,
    *,
    embedding: str = "none",
) -> dict[str, Any]:
    """Return what a splitter declares that it needs, by the keyword it is given as.

    Parameters
    ----------
    rule, dataset
        The splitter, and what it is to split.
    features
        Features of components in the place of the data set's own.
    embedding
        The scenario's word for the embedding of cells; one that would be fitted is not given.
    """
    makers: dict[str, Callable[[], Any]] = {
        "controls": lambda: control_cells(dataset, embedding=embedding),
        "features": lambda: dataset.features if features is None else features,
    }
    return {name: makers[name]() for name in rule.needs}


def check_roles(roles: pd.DataFrame, table: pd.DataFrame, rule: Splitter) -> None:
    """Raise `SplitError` unless every row has one known role, and training and test have some."""
    if len(roles) != len(table):
        raise SplitError(
            f"Splitter {rule.name!r} gave {len(roles)} roles to {len(table)} {rule.level}s."
        )
    unknown = set(roles["role"]) - set(Role)
    if unknown:
        raise SplitError(f"Splitter {rule.name!r} gave unknown roles: {sorted(unknown)}.")
    for role in (Role.TRAIN, Role.TEST):
        if not (roles["role"] == role).any():
            raise SplitError(
                f"Splitter {rule.name!r} leaves no {rule.level} for {role} among {len(table)}."
            )


def divide(
    rule: Splitter,
    table: pd.DataFrame,
    components: pd.DataFrame,
    rng: np.random.Generator,
    **options: Any,
) -> Division:
    """Let a splitter divide copies of the tables.

    Raises
    ------
    OptionError
        It does not take these options.
    """
    try:
        result = rule.divide(table.copy(), components.copy(), rng, **options)
    except TypeError as error:
        if "unexpected keyword argument" not in str(error):
            raise
        raise OptionError(f"Splitter {rule.name!r}: {error}.") from error
    return result if isinstance(result, Division) else Division(result, {})


def table_at_level(dataset: Dataset, level: Level) -> pd.DataFrame:
    """Return the table that a splitter of a level is given: of conditions, or of perturbed cells.

    Raises
    ------
    SplitError
        There are no perturbed cells.
    """
    if dataset.conditions.empty:
        raise SplitError(f"Data set {dataset.name!r} has no perturbed cells.")
    if level == "condition":
        return dataset.conditions
    perturbed = dataset.cells.obs.loc[~dataset.is_control, TOLD_OF_CELLS]
    return perturbed.astype(str).reset_index(drop=True)


def _at_condition_level(
    dataset: Dataset, roles: pd.DataFrame, level: Level
) -> tuple[pd.DataFrame, NDArray[np.object_] | None]:
    conditions = dataset.conditions.copy()
    columns = roles[ROLE_COLUMNS].astype(str)
    if level == "condition":
        return conditions.join(columns.set_axis(conditions.index)), None
    of_cell = pd.concat([table_at_level(dataset, level)[CONDITION], columns], axis=1)
    first = of_cell.iloc[np.argsort(of_cell["role"].map(PRECEDENCE), kind="stable")]
    of_condition = first.drop_duplicates(CONDITION).set_index(CONDITION)
    found = of_condition.loc[pd.MultiIndex.from_frame(conditions[CONDITION])]
    cell_roles = columns["role"].to_numpy(dtype=object)
    return conditions.join(found.set_axis(conditions.index)), cell_roles
