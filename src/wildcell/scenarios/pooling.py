"""How screens are pooled, in words: the table `pool` of a scenario or an arm, checked."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

from wildcell.errors import OptionError
from wildcell.registry import did_you_mean


class Data(StrEnum):
    """Whose cells are trained on."""

    TARGET = "target"
    TARGET_AND_FOREIGN = "target+foreign"
    TARGET_AND_SHUFFLED = "target+shuffled"
    TARGET_TWICE = "target+target"
    FOREIGN = "foreign"

    @property
    def uses_foreign(self) -> bool:
        """Whether foreign cells are trained on."""
        return self not in (Data.TARGET, Data.TARGET_TWICE)


CHOICES: Mapping[str, tuple[str, ...]] = {
    "data": tuple(Data),
    "panel": ("target", "pooled", "union"),
    "scaling": ("none", "thinned"),
    "asked": ("all", "shared"),
    "held_out": ("keep", "drop"),
    "order": (
        "random",
        "nearest-contexts",
        "farthest-contexts",
        "nearest-perturbations",
        "farthest-perturbations",
    ),
    "unit": ("conditions", "cells"),
}
"""The words that each key may have."""


@dataclass(frozen=True)
class Pooling:
    """What becomes of foreign screens beside the one that is asked about, the target.

    Attributes
    ----------
    data
        Whose cells are trained on: the `target`'s, with those of the foreign screens
        (`target+foreign`), these under each other's perturbations (`target+shuffled`), the
        target's own over and over (`target+target`), or the foreign ones alone (`foreign`).
    panel
        The genes that models are given: the `target`'s own choice; those chosen on all cells
        `pooled`; or the `union` of what is chosen in each screen.
    scaling
        `thinned` brings the foreign screens that are deeper to the target's depth, by binomial
        thinning, before anything is chosen or learned.
    asked
        `shared` asks about the perturbations alone that a foreign screen has, too.
    held_out
        Whether foreign cells of the perturbations held out are trained on (`keep`) or not (`drop`).
    share, unit
        The share of the foreign `conditions` that is used, or of the `cells` of each condition.
    order
        Which foreign conditions come first: `random`; or by the distance of the controls of
        their contexts to those of the tested ones; or of their perturbations' features.
    """

    data: str = Data.TARGET
    panel: str = "target"
    scaling: str = "none"
    asked: str = "all"
    held_out: str = "keep"
    share: float = 1.0
    unit: str = "conditions"
    order: str = "random"

    def __post_init__(self) -> None:
        for key, choices in CHOICES.items():
            if getattr(self, key) not in choices:
                raise OptionError(
                    f"pool.{key} is {getattr(self, key)!r}; it must be one of {', '.join(choices)}."
                )
        if type(self.share) not in (int, float) or not 0 < self.share <= 1:
            raise OptionError(
                f"pool.share must be a number above 0 and at most 1; got {self.share!r}."
            )
        if self.unit == "cells" and self.order != "random":
            raise OptionError(
                f"pool.order is {self.order!r}, which orders conditions; with pool.unit = 'cells' "
                "it must be random."
            )
        if self.asked == "shared" and self.held_out == "drop":
            raise OptionError(
                "pool.asked = 'shared' asks about what foreign screens have measured, and "
                "pool.held_out = 'drop' drops it; choose one."
            )

    @property
    def needs_foreign(self) -> bool:
        """Whether there must be a foreign screen."""
        return self != Pooling()

    def changed(self, table: object) -> "Pooling":
        """Return the words with those of a table in their place.

        Raises
        ------
        OptionError
            It is no table, or has a key or a word that there is not.

        Examples
        --------
        >>> Pooling(panel="union").changed({"data": "foreign"}).panel
        'union'
        """
        if isinstance(table, Pooling):
            return table
        if not isinstance(table, Mapping):
            raise OptionError(f"pool must be a table; got {table!r}.")
        known = [item.name for item in fields(self)]
        for key in table:
            if key not in known:
                raise OptionError(
                    f"pool has an unknown key {key!r}. {did_you_mean(key, known)} "
                    f"All keys: {', '.join(known)}."
                )
        words: dict[str, Any] = dict(table)
        return replace(self, **words)
