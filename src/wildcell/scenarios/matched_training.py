"""Training sets that differ in one thing alone: as many contexts, conditions and cells in each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from wildcell.arrays import Codes
from wildcell.names import CONDITION, Role

MATCHED = "left out so that all arms train on as much"
NEVER_TRAINED = "perturbation never trained on"

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class MeasuredCells:
    """Perturbed cells counted by condition, in an order drawn at random.

    Attributes
    ----------
    contexts, perturbations
        Their names, sorted.
    context, perturbation
        Code of each cell's, shape (n_cells,).
    place
        Place of each cell among those of its condition, from 0, shape (n_cells,).
    counts
        Cells of each condition, shape (n_contexts, n_perturbations).
    """

    contexts: pd.Index
    perturbations: pd.Index
    context: Codes
    perturbation: Codes
    place: Codes
    counts: Counts

    def codes(self, names: Sequence[str]) -> Codes:
        """Return the codes of contexts."""
        return self.contexts.get_indexer(list(names))


def measure(cells: pd.DataFrame, rng: np.random.Generator) -> MeasuredCells:
    """Count the cells of a table by condition, and draw their order within each."""
    context, contexts = pd.factorize(cells["context"], sort=True)
    perturbation, perturbations = pd.factorize(cells["perturbation"], sort=True)
    counts = np.zeros((len(contexts), len(perturbations)), dtype=np.int64)
    np.add.at(counts, (context, perturbation), 1)
    shuffled = cells.iloc[rng.permutation(len(cells))]
    place = shuffled.groupby(CONDITION, sort=False).cumcount().reindex(cells.index)
    return MeasuredCells(
        pd.Index(contexts),
        pd.Index(perturbations),
        context,
        perturbation,
        place.to_numpy(),
        counts,
    )


def align(sets: Sequence[Codes], counts: Counts, rng: np.random.Generator) -> Codes:
    """Let each context of one set stand for one of each other set.

    Those that share most perturbations stand for each other; of equals, by chance.

    Parameters
    ----------
    sets
        Codes of contexts, of which as many are taken as the smallest set has.
    counts
        Shape (n_contexts, n_perturbations).

    Returns
    -------
    Shape (n_aligned, n_sets).
    """
    first, *others = (rng.permutation(codes) for codes in sets)
    rows = first[:, None]
    for codes in others:
        shared = (counts[rows].min(axis=1) > 0).astype(np.int64) @ (counts[codes] > 0).T
        own, partner = linear_sum_assignment(shared, maximize=True)
        rows = np.column_stack([rows[own], codes[partner]])
    return rows


def least_counts(aligned: Codes, counts: Counts) -> Counts:
    """Return the cells of each perturbation that every context of a row can give.

    Shape (n_aligned, n_perturbations).
    """
    return np.asarray(counts[aligned].min(axis=1))


@dataclass(frozen=True)
class Training:
    """What is trained on for one tested context.

    Attributes
    ----------
    tested
        Code of the context.
    quota
        Cells of each condition that are trained on, shape (n_contexts, n_perturbations).
    set_aside
        Codes of the contexts whose quota is for validation.
    reasons
        Why other contexts are left out, by code.
    """

    tested: int
    quota: Counts
    set_aside: Codes
    reasons: Mapping[int, str] = field(default_factory=dict)

    @property
    def n_trained(self) -> Counts:
        """Cells of each perturbation in training, shape (n_perturbations,)."""
        trained = self.quota.copy()
        trained[self.set_aside] = 0
        return np.asarray(trained.sum(axis=0))

    def asks(self, counts: Counts) -> bool:
        """Whether a perturbation of the tested context is trained on."""
        return bool(((self.n_trained > 0) & (counts[self.tested] > 0)).any())


def roles_for(measured: MeasuredCells, training: Training, *, category: str) -> pd.DataFrame:
    """Return the role of each cell: the first cells of each condition fill its quota."""
    context, perturbation = measured.context, measured.perturbation
    is_tested = context == training.tested
    is_val = np.isin(context, training.set_aside)
    in_quota = measured.place < training.quota[context, perturbation]
    is_trained = training.n_trained[perturbation] > 0
    is_untrained = (is_tested | (is_val & in_quota)) & ~is_trained
    roles = [Role.UNUSED, Role.TEST, Role.VAL, Role.TRAIN]
    role = np.select([is_untrained, is_tested, is_val & in_quota, in_quota], range(4), 0)
    told = [training.reasons.get(code, MATCHED) for code in range(len(measured.contexts))]
    reasons = list(dict.fromkeys(["", NEVER_TRAINED, *told]))
    of_context = np.array([reasons.index(words) for words in told])
    why = np.where(role > 0, 0, np.where(is_untrained, 1, of_context[context]))
    return pd.DataFrame(
        {
            "role": pd.Categorical.from_codes(role, [str(name) for name in roles]),
            "reason": pd.Categorical.from_codes(why, reasons),
            "category": pd.Categorical.from_codes(np.zeros(len(role), dtype=int), [category]),
        }
    )
