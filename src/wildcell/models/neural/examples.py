"""Cells arranged by condition, so that pairs are drawn and gathered as whole arrays."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from wildcell.arrays import Booleans, Codes, Floats, Matrix
from wildcell.errors import DataError
from wildcell.models.neural.backend import Tensor, torch
from wildcell.models.neural.batch import Batch, dense, to_device, treatment_arrays
from wildcell.models.neural.gaps import Gaps
from wildcell.models.neural.treatment import Treatments
from wildcell.names import CONDITION
from wildcell.scenarios.task import Cells


@dataclass(frozen=True)
class Runs:
    """Row numbers grouped: `rows[starts[i] : starts[i] + sizes[i]]` are those of group i."""

    rows: Codes
    starts: Codes
    sizes: Codes

    def draw(self, groups: Codes, rng: np.random.Generator) -> Codes:
        """Draw one row of each of `groups`, with replacement."""
        sizes = self.sizes[groups]
        within = (rng.random(len(groups)) * sizes).astype(np.intp)
        return self.rows[self.starts[groups] + within]

    def of(self, group: int) -> Codes:
        """Return the rows of one group."""
        start = self.starts[group]
        return self.rows[start : start + self.sizes[group]]


def runs_of(groups: Codes, n_groups: int) -> Runs:
    """Group row numbers; negative groups are passed over.

    Examples
    --------
    >>> runs_of(np.array([1, -1, 0, 1]), 2).of(1).tolist()
    [0, 3]
    """
    order = np.argsort(groups, kind="stable").astype(np.intp)
    rows = order[groups[order] >= 0]
    sizes = np.bincount(groups[groups >= 0], minlength=n_groups).astype(np.intp)
    return Runs(rows, np.cumsum(sizes) - sizes, sizes)


@dataclass(frozen=True)
class Source:
    """Conditions that pairs are drawn of.

    Attributes
    ----------
    perturbed
        Conditions in which something was done.
    controls
        Controls that stand as a condition.
    """

    perturbed: Codes
    controls: Codes

    def draw(self, n: int, rng: np.random.Generator, *, control_share: float) -> Codes:
        """Draw conditions uniformly, controls in their share of the draws; none where none are."""
        if not len(self.perturbed):
            return self.perturbed
        drawn = self.perturbed[rng.integers(len(self.perturbed), size=n)]
        if control_share > 0 and len(self.controls):
            of_controls = self.controls[rng.integers(len(self.controls), size=n)]
            drawn = np.where(rng.random(n) < control_share, of_controls, drawn)
        return drawn


@dataclass(frozen=True)
class Examples:
    """Conditions, the cells of each, and the controls of its control group.

    Attributes
    ----------
    values
        Log values of all cells, sparse, shape (n_cells, n_genes).
    state
        Cell embedding, shape (n_cells, n_dimensions), or `values` where there is none.
    treatments
        The perturbations.
    perturbation
        Of each condition, a row of `treatments`; -1 for controls that stand as a condition.
    context
        Of each condition, a column of the covariates; -1 for one that was not trained on.
    n_contexts
        Number of columns of the covariates.
    control_group
        Of each condition, a group of `controls`.
    cells
        Cells of each condition.
    controls
        Control cells of each control group.
    own, foreign
        Conditions of the screen that is asked about, and those of other screens beside them; of
        all screens where there are none of its own.
    gaps
        Genes that screens did not measure; None where all measured all.
    screen
        Of each condition, a row of `gaps.is_measured`.
    """

    values: Matrix
    state: Matrix | Floats
    treatments: Treatments
    perturbation: Codes
    context: Codes
    n_contexts: int
    control_group: Codes
    cells: Runs
    controls: Runs
    own: Source
    foreign: Source
    gaps: Gaps | None
    screen: Codes

    @property
    def fullest(self) -> Matrix:
        """Values of the cells of the screens that lack least, nothing at the genes they lack."""
        if self.gaps is None:
            return self.values
        n_measured = self.gaps.is_measured.sum(axis=1)[self.screen]
        screen = self.screen[np.argmax(n_measured)]
        chosen = np.flatnonzero(self.screen == screen)
        rows = np.concatenate([self.cells.of(int(condition)) for condition in chosen])
        values = self.values[np.sort(rows)].multiply(self.gaps.is_measured[screen])
        return sparse.csr_matrix(values)

    def n_foreign(self, n: int, *, at_most: float) -> int:
        """Return how many foreign pairs go beside `n` of the screen that is asked about.

        As many for each foreign condition as there are for each own one, and at most `at_most`
        times `n`.
        """
        share = len(self.foreign.perturbed) / max(1, len(self.own.perturbed))
        return round(n * min(share, at_most))

    def draw(
        self,
        n: int,
        rng: np.random.Generator,
        *,
        set_size: int = 1,
        control_share: float = 0.0,
        n_foreign: int = 0,
    ) -> tuple[Codes, Codes, Codes]:
        """Draw pairs of control and perturbed cells, uniformly over conditions.

        Foreign pairs come after the others, of which there are as many with them as without.

        Parameters
        ----------
        n
            Pairs of the screen that is asked about, brought up to a multiple of `set_size`.
        rng
            Of the draws.
        set_size
            Consecutive pairs that are of one condition.
        control_share
            Share of the draws in which controls stand as the perturbed cells.
        n_foreign
            Pairs of other screens, brought up likewise.

        Returns
        -------
        The condition, the control cell and the perturbed cell of each pair, shape (n + n_foreign,)
        each.
        """
        drawn = [
            source.draw(-(-pairs // set_size), rng, control_share=control_share)
            for source, pairs in ((self.own, n), (self.foreign, n_foreign))
        ]
        conditions = np.repeat(np.concatenate(drawn), set_size)
        controls = self.controls.draw(self.control_group[conditions], rng)
        return conditions, controls, self.cells.draw(conditions, rng)

    def batch(
        self,
        conditions: Codes,
        controls: Codes,
        perturbed: Codes | None,
        *,
        device: Any,
        set_size: int = 1,
    ) -> Batch:
        """Gather drawn pairs as one batch; `perturbed` is None where it is what is asked."""
        measured = self._measured(conditions, device)
        values, state = self._gather(controls, measured, device)
        inputs, weights, rows, components = treatment_arrays(
            self.treatments, self.perturbation[conditions]
        )
        shown, shown_state = (
            (None, None) if perturbed is None else self._gather(perturbed, measured, device)
        )
        return Batch(
            values,
            state,
            shown,
            shown_state,
            to_device(inputs, device),
            to_device(weights, device),
            to_device(rows, device),
            to_device(self._covariates(conditions), device),
            conditions,
            components,
            set_size,
            measured,
        )

    def _measured(self, conditions: Codes, device: Any) -> Tensor | None:
        if self.gaps is None:
            return None
        marks = self.gaps.is_measured[self.screen[conditions]]
        return to_device(marks.astype(np.float32), device)

    def _gather(self, rows: Codes, measured: Tensor | None, device: Any) -> tuple[Tensor, Tensor]:
        values = to_device(dense(self.values, rows), device)
        if self.gaps is not None and measured is not None:
            values = torch.where(measured > 0, values, to_device(self.gaps.usual, device))
        if self.state is self.values:
            return values, values
        return values, to_device(dense(self.state, rows), device)

    def _covariates(self, conditions: Codes) -> NDArray[np.float32]:
        context = self.context[conditions]
        known = np.eye(self.n_contexts, dtype=np.float32)
        unknown = np.full((1, self.n_contexts), 1 / self.n_contexts, dtype=np.float32)
        return np.concatenate([known, unknown])[context]


def arrange(
    cells: Cells,
    conditions: pd.DataFrame,
    perturbation: Codes,
    treatments: Treatments,
    contexts: pd.Index,
    *,
    is_foreign: Booleans,
    gaps: Gaps | None = None,
) -> Examples:
    """Arrange cells for conditions, and after them the controls of each group as conditions.

    Parameters
    ----------
    cells
        The cells; only those of the conditions, and controls, are looked at.
    conditions
        Columns context, perturbation, control_group, is_foreign.
    perturbation
        Of each condition, a row of `treatments`.
    treatments
        The perturbations, each once.
    contexts
        Those trained on, sorted.
    is_foreign
        Which cells are of other screens than the one asked about, shape (n_cells,).
    gaps
        Genes that screens did not measure, where there are any.

    Raises
    ------
    DataError
        A condition has no controls.
    """
    names = pd.Index(np.unique(cells.obs.loc[cells.is_control, "control_group"].astype(str)))
    group = names.get_indexer(conditions["control_group"].astype(str))
    if (group < 0).any():
        lost = conditions.iloc[int(np.argmin(group))]
        raise DataError(
            f"Condition ({lost['context']}, {lost['perturbation']}) has no controls; give controls "
            f"of its control group {lost['control_group']!r}, or leave it out."
        )
    is_beside = conditions["is_foreign"].to_numpy(dtype=bool)
    condition_of = _keys(conditions, is_beside).get_indexer(_keys(cells.obs, is_foreign))
    group_of = names.get_indexer(cells.obs["control_group"].astype(str))
    group_of = np.where(cells.is_control, group_of, -1)
    n = len(conditions)
    controls = cells.obs[cells.is_control].drop_duplicates("control_group")
    context_of_group = controls.set_index("control_group")["context"].astype(str).reindex(names)
    values = cells.lognorm
    own, foreign = (
        Source(np.flatnonzero(are_perturbed), n + np.unique(group_of[are_controls]))
        for are_perturbed, are_controls in (
            (~is_beside, cells.is_control & ~is_foreign),
            (is_beside, cells.is_control & is_foreign),
        )
    )
    if not len(own.perturbed):
        own, foreign = foreign, own
    runs = runs_of(np.where(group_of < 0, condition_of, n + group_of), n + len(names))
    no_screen = np.full(len(runs.sizes), -1)
    return Examples(
        values=values,
        state=values if cells.embedding is None else cells.embedding.astype(np.float32),
        treatments=treatments,
        perturbation=np.append(perturbation, np.full(len(names), -1)),
        context=contexts.get_indexer([*conditions["context"].astype(str), *context_of_group]),
        n_contexts=len(contexts),
        control_group=np.append(group, np.arange(len(names))),
        cells=runs,
        controls=runs_of(group_of, len(names)),
        own=own,
        foreign=foreign,
        gaps=gaps,
        screen=no_screen if gaps is None else gaps.screen_of(cells)[runs.rows[runs.starts]],
    )


def _keys(table: pd.DataFrame, is_foreign: Booleans) -> pd.MultiIndex:
    names = [table[name].astype(str) for name in CONDITION]
    return pd.MultiIndex.from_arrays([*names, is_foreign])
