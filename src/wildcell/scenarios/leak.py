"""What an audit is given and what it finds: sides, cases, leaks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple

import pandas as pd

from wildcell.names import CONDITION, CONTROL, SHAM
from wildcell.scenarios.duplicates import (
    Copies,
    Pile,
    Suspects,
    Suspicion,
    find_copies,
    suspect,
)
from wildcell.scenarios.task import Truth

N_EXAMPLES = 5

JUDGE_SIDES = ("test", "kept")

LEARNED_SIDES = ("train", "val")
"""Perturbed cells that a model may learn from, or choose its options by."""


class Kind(StrEnum):
    """What has leaked."""

    COPIED_CELLS = "copied_cells"
    THINNED_CELLS = "thinned_cells"
    POOLED_CELLS = "pooled_cells"
    KEPT_CONTROLS = "kept_controls"
    TRAINED_CONDITIONS = "trained_conditions"
    BROKEN_CLAIM = "broken_claim"
    RENAMED_PERTURBATION = "renamed_perturbation"
    REORDERED_COMPONENTS = "reordered_components"
    CHOSEN_GENES = "chosen_genes"
    SHARED_REPLICATES = "shared_replicates"
    TEST_FEATURES = "test_features"
    TEST_GRAPH = "test_graph"


class Severity(StrEnum):
    """Whether a leak stops the scenario or marks it."""

    STOP = "stop"
    MARK = "mark"


@dataclass(frozen=True)
class Leak:
    """One thing that has leaked.

    Attributes
    ----------
    kind, severity
        What it is, and whether it stops the scenario.
    what
        A sentence.
    n
        How many cells, perturbations, samples, genes, features or edges.
    examples
        The first few.
    """

    kind: Kind
    severity: Severity
    what: str
    n: int
    examples: tuple[str, ...] = ()

    @property
    def stops(self) -> bool:
        """Whether no score of this scenario should be believed."""
        return self.severity is Severity.STOP

    def __str__(self) -> str:
        listed = f": {', '.join(self.examples)}" if self.examples else ""
        more = f" and {self.n - len(self.examples)} more" if 0 < len(self.examples) < self.n else ""
        return f"{self.what}{listed}{more}."


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes
    ----------
    leaks
        Those that stop first.
    checks
        What was checked, in a few words each.
    skipped
        What could not be checked, by the words of the check: the reason. What of the cells could
        not be told, by what it is.
    n_test, n_train
        Cells on either side.
    """

    leaks: tuple[Leak, ...]
    checks: tuple[str, ...]
    skipped: Mapping[str, str]
    n_test: int
    n_train: int

    @property
    def record(self) -> dict[str, Any]:
        """What was checked, what could not be and why, and what was found, in plain words."""
        return {
            "checks": list(self.checks),
            "skipped": dict(self.skipped),
            "leaks": [f"{leak.kind} ({leak.severity}): {leak}" for leak in self.leaks],
        }

    @property
    def stops(self) -> bool:
        """Whether a leak stops the scenario."""
        return any(leak.stops for leak in self.leaks)


class Side(NamedTuple):
    """Cells of one side: their labels, and their rows where they can be had."""

    obs: pd.DataFrame
    pile: Pile | None


@dataclass(frozen=True)
class Case:
    """What is laid before the auditor.

    Attributes
    ----------
    sides
        Any of train, val, given, test and kept.
    tested
        Columns context, perturbation, category: the conditions that are asked about.
    components
        The parts of each perturbation.
    genes
        Names of the genes.
    is_strict
        Whether leaks stop the scenario.
    flags
        What the question says against itself.
    truth, features, feature_origin
        The judge's side and the features of components, where they are known, and what the
        features say of how they were made.
    graph, graph_origin
        The same of the graph between components.
    aliases
        What other names of genes and compounds stand for.
    panels
        The genes that the scenario's rule chooses on `train` and on `all` cells, where known.
    claims_of
        The screen whose training cells alone count against what is claimed, "" for all.
    claim
        What is claimed of all held-out conditions (see `wildcell.scenarios.claims.Claim`), "" for
        what their categories say.
    """

    sides: Mapping[str, Side]
    tested: pd.DataFrame
    components: pd.DataFrame
    genes: Sequence[str]
    is_strict: bool
    flags: tuple[str, ...] | None = None
    truth: Truth | None = None
    features: pd.DataFrame | None = None
    feature_origin: Mapping[str, Any] = field(default_factory=dict)
    graph: pd.DataFrame | None = None
    graph_origin: Mapping[str, Any] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    panels: Mapping[str, frozenset[str]] = field(default_factory=dict)
    claims_of: str = ""
    claim: str = ""

    @cached_property
    def copies(self) -> dict[tuple[str, str], Copies]:
        """Copies of judged cells among those seen, by the two sides."""
        suspicion, suspects = self.suspects
        return {
            (judged, seen): find_copies(suspects[judged], suspects[seen], suspicion)
            for judged, seen in self._pairs
        }

    @cached_property
    def suspects(self) -> tuple[Suspicion, dict[str, Suspects]]:
        """How much evidence a copy must show, and what the cells of each side can bear."""
        piles = {name: side.pile for name, side in self.sides.items() if side.pile is not None}
        sizes = {name: float(len(pile.index)) for name, pile in piles.items()}
        n_pairs = sum(sizes[judged] * sizes[seen] for judged, seen in self._pairs)
        return suspect(piles, n_pairs=n_pairs)

    @property
    def _pairs(self) -> list[tuple[str, str]]:
        """The sides that are held against each other, judged and seen."""
        there = [name for name, side in self.sides.items() if side.pile is not None]
        return [
            (judged, seen)
            for judged in JUDGE_SIDES
            for seen in there
            if judged in there and seen not in JUDGE_SIDES
        ]

    @property
    def learned(self) -> pd.DataFrame:
        """The perturbed conditions of training and validation, with the side of each."""
        obs = self.learned_obs
        if self.claims_of:
            obs = obs[obs["dataset"] == self.claims_of]
        conditions = obs[[*CONDITION, "side"]].astype(str).drop_duplicates()
        return conditions[conditions["perturbation"] != CONTROL]

    @property
    def learned_obs(self) -> pd.DataFrame:
        """The labels of all cells of training and validation, with the side of each."""
        there = [side for side in LEARNED_SIDES if side in self.sides]
        return pd.concat([self.sides[side].obs.assign(side=side) for side in there])

    @property
    def held_out(self) -> pd.DataFrame:
        """The tested conditions, without shams."""
        return self.tested[self.tested["category"] != SHAM]

    def leak(self, kind: Kind, what: str, n: int, examples: Sequence[str] = ()) -> Leak:
        """Return a leak as grave as the scenario makes it."""
        severity = Severity.STOP if self.is_strict else Severity.MARK
        return Leak(kind, severity, what, n, tuple(examples[:N_EXAMPLES]))
