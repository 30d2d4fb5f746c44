"""The two sides of one question: what a model may see, and what only the judge may."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd
from scipy import sparse

from wildcell.arrays import Booleans, Codes, Floats, Matrix, Moments, Names, log_normalise, moments
from wildcell.errors import SplitError
from wildcell.names import CONDITION, CONTROL, SHAM, Expression
from wildcell.streams.matrix import Stream, stream_of
from wildcell.streams.normalise import LogRows, LogStream
from wildcell.streams.spilled import (
    are_rows_spilled,
    let_go,
    moments_in_chunks,
    rows_of,
    spill,
)


@dataclass(frozen=True)
class Cells:
    """Cells as bare arrays: nothing here points back at the data set they came from.

    Attributes
    ----------
    X
        Expression in the scale that `expression` names, shape (n_cells, n_genes); None where it is
        left in a file. One that is too large to be held is spilled (`wildcell.streams.spilled`).
    genes
        Gene symbols, shape (n_genes,).
    obs
        One row a cell, index 0 to n_cells - 1: context, perturbation, control_group, batch,
        replicate, dataset (where the cells are of a screen), and total_counts (library size over
        all genes; NaN where there are no counts).
    expression
        What the numbers of `X` are.
    target_sum
        The library size that log-normalised values refer to; None where it is unknown or, as
        for arrays, without meaning.
    embedding
        Cell embedding, shape (n_cells, n_dimensions), where one was given.
    """

    X: Matrix
    genes: Names
    obs: pd.DataFrame
    expression: Expression
    target_sum: float | None = None
    embedding: Floats | None = None

    @property
    def n(self) -> int:
        """Number of cells."""
        return len(self.obs)

    @cached_property
    def lognorm(self) -> Matrix:
        """Log values, shape (n_cells, n_genes): log1p at `target_sum`, or `X` where it is log."""
        if self.expression is not Expression.COUNTS:
            return self.X
        assert self.target_sum is not None
        if are_rows_spilled(self.X):
            return spill(self._log_chunks.chunks(), self.X.shape[1], np.dtype(np.float32))
        return log_normalise(self.X, self.obs["total_counts"].to_numpy(float), self.target_sum)

    @property
    def _log_chunks(self) -> Stream:
        """What `lognorm` is, to be read in chunks."""
        return LogRows(self.stream(1.0))

    def moments(self, groups: Codes, n_groups: int) -> Moments:
        """Return the moments of `lognorm` by group, as `wildcell.arrays.moments` does."""
        if are_rows_spilled(self.X):
            return moments_in_chunks(self._log_chunks, groups, n_groups)
        return moments(self.lognorm, groups, n_groups)

    def stream(self, linear_target_sum: float) -> LogStream:
        """Return log values, and linear values at a library size, to be read in chunks."""
        is_counts = self.expression is Expression.COUNTS
        return LogStream(
            stream_of(self.X),
            self.expression,
            self.target_sum,
            linear_target_sum,
            total_counts=self.obs["total_counts"].to_numpy(float) if is_counts else None,
        )

    @cached_property
    def is_control(self) -> Booleans:
        """Which cells are unperturbed, shape (n_cells,)."""
        return np.asarray(self.obs["perturbation"] == CONTROL)

    def select(self, rows: Booleans | Codes) -> "Cells":
        """Return the cells where `rows` holds, or with these numbers, as copies."""
        marked = rows.astype(bool) if rows.dtype == bool and are_rows_spilled(self.X) else None
        X = self.X[rows].copy() if marked is None else rows_of(self.X, marked)
        let_go(self.X)
        return replace(
            self,
            X=X,
            obs=self.obs.loc[rows].reset_index(drop=True),
            embedding=None if self.embedding is None else self.embedding[rows].copy(),
        )

    def condition_moments(self) -> tuple[pd.DataFrame, Moments]:
        """Return the perturbed conditions and the moments of their log values.

        Returns
        -------
        conditions
            Columns context, perturbation, control_group; one row a condition, sorted.
        moments
            Moments of `lognorm`, groups in the order of `conditions`.
        """
        conditions = (
            self.obs.loc[~self.is_control, [*CONDITION, "control_group"]]
            .drop_duplicates(CONDITION)
            .sort_values(CONDITION)
            .reset_index(drop=True)
        )
        keys = pd.MultiIndex.from_frame(conditions[CONDITION])
        groups = keys.get_indexer(pd.MultiIndex.from_frame(self.obs[CONDITION]))
        return conditions, self.moments(groups, len(conditions))

    def control_moments(self) -> tuple[pd.Index, Moments]:
        """Return the control groups, sorted, and the moments of their controls' log values."""
        names = pd.Index(np.unique(self.obs.loc[self.is_control, "control_group"].astype(str)))
        groups = np.where(self.is_control, names.get_indexer(self.obs["control_group"]), -1)
        return names, self.moments(groups, len(names))


def cells_on(cells: Cells, genes: Names) -> Cells:
    """Return cells on some of their genes, in the order given."""
    columns = pd.Index(cells.genes).get_indexer(genes)
    X = None if cells.X is None else cells.X[:, columns]
    return replace(cells, X=X, genes=genes)


@dataclass(frozen=True)
class Query:
    """What is asked: the response of these conditions, given their controls.

    Attributes
    ----------
    conditions
        Columns context, perturbation, control_group, category; index 0 to n - 1.
    controls
        The given controls of the control groups asked about.
    components
        The parts of every perturbation asked about or trained on: perturbation, component, dose,
        unit, time.
    features
        Features of the components, shape (n_components, n_features), indexed by component name;
        a component that is absent has none.
    graph
        Which components are near others: columns component, neighbour and weight, above 0; a
        component that is absent has no neighbours, and neighbours need not be mutual.
    """

    conditions: pd.DataFrame
    controls: Cells
    components: pd.DataFrame
    features: pd.DataFrame | None = None
    graph: pd.DataFrame | None = None

    @cached_property
    def control_mean(self) -> Floats:
        """Mean log values of each condition's given controls, shape (n_conditions, n_genes)."""
        names, control = self.controls.control_moments()
        rows = names.get_indexer(self.conditions["control_group"])
        if (rows < 0).any():
            lacking = sorted(set(self.conditions["control_group"][rows < 0]))
            raise SplitError(
                f"No controls are given for {lacking[0]!r}: a control group needs two at least, "
                "one to give and one to keep."
            )
        return control.mean[rows]

    def select(self, rows: Booleans) -> "Query":
        """Return the question about the conditions where `rows` holds, with all controls."""
        return replace(self, conditions=self.conditions.loc[rows].reset_index(drop=True))


@dataclass(frozen=True)
class Task:
    """All that a model may see. There is no field the truth could be in.

    Attributes
    ----------
    train
        Perturbed training cells, and the given controls of their control groups.
    val
        Cells of the conditions set aside for choosing models and options, with their given
        controls; what they are used for is the model's affair.
    query
        What is asked.
    target
        Name of the screen that is asked about, as in column dataset of training cells; "" where
        all cells are of one.
    epoch_cells
        Perturbed training cells of that screen in its split, the same number whatever else is
        trained on: a model that counts its steps in passes over so many cells, drawing others
        beside them, takes equal steps in all arms. 0 where it is all training cells.
    unmeasured
        Genes that a screen did not measure, by the name of the screen: zeros of its cells there
        say nothing.
    """

    train: Cells
    val: Cells
    query: Query
    target: str = ""
    epoch_cells: int = 0
    unmeasured: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def is_foreign(self) -> Booleans:
        """Which training cells are of another screen than the one asked about, (n_cells,).

        The target's own cells given over and over count as foreign, but for the first time.
        """
        if "dataset" not in self.train.obs or not self.target:
            return np.zeros(self.train.n, dtype=bool)
        return np.asarray(self.train.obs["dataset"] != self.target)

    def is_measured(self, dataset: str) -> Booleans:
        """Mark the genes that a screen measured, shape (n_genes,)."""
        return ~np.isin(self.train.genes, self.unmeasured.get(dataset, ()))


def protected(task: Task) -> Task:
    """Return a task of one's own: tables are copies, arrays are shared but cannot be written to.

    So no model can change what the next one sees.
    """
    query = replace(
        task.query,
        conditions=task.query.conditions.copy(),
        controls=_protected(task.query.controls),
        components=task.query.components.copy(),
        features=None if task.query.features is None else task.query.features.copy(),
        graph=None if task.query.graph is None else task.query.graph.copy(),
    )
    return replace(task, train=_protected(task.train), val=_protected(task.val), query=query)


def _protected(cells: Cells) -> Cells:
    own = replace(
        cells,
        X=_read_only(cells.X),
        genes=cells.genes.copy(),
        obs=cells.obs.copy(),
        embedding=None if cells.embedding is None else cells.embedding.copy(),
    )
    if not are_rows_spilled(cells.X):  # whose log values few ask for, and no one can write to
        own.__dict__["lognorm"] = own.X if cells.lognorm is cells.X else _read_only(cells.lognorm)
    return own


def _read_only(matrix: Matrix) -> Matrix:
    parts = [array.view() for array in (matrix.data, matrix.indices, matrix.indptr)]
    for part in parts:
        part.flags.writeable = False
    return sparse.csr_matrix(tuple(parts), shape=matrix.shape, copy=False)


@dataclass(frozen=True)
class Origin:
    """Where a question comes from, in the words that results are joined by.

    Attributes
    ----------
    scenario, arm, dataset, seed, fold, n_folds
        Which question it is.
    question, reference, genes
        The scenario's words: what is asked, the baseline that is the 0, the rule for genes.
    flags
        What speaks against the question, in sentences.
    sizes
        Conditions and cells by role, those of shams apart, controls by side, and foreign screens.
    pool
        What became of foreign screens, in the scenario's words; empty where there are none.
    audit
        What the leak audit looked for (`checks`), could not look for and why (`skipped`), and
        found (`leaks`); empty where there was none.
    """

    scenario: str
    arm: str
    dataset: str
    seed: int
    fold: int
    n_folds: int
    question: str
    reference: str
    genes: str
    flags: tuple[str, ...]
    sizes: Mapping[str, Any]
    pool: Mapping[str, Any] = field(default_factory=dict)
    audit: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Truth:
    """The judge's side, never given to a model.

    Attributes
    ----------
    conditions
        Columns context, perturbation, control_group, category, modality, n_cells; index 0 to
        n - 1.
    test
        The test cells.
    kept
        The half of the controls that the truth is measured against.
    given
        The half that models were given and predictions are measured against.
    targets
        Columns perturbation, gene: genes targeted directly, where they are in the panel.
    noisy_groups
        Control groups whose kept half is too noisy to measure effects against.
    origin
        Where the question comes from.
    unseen_genes
        Genes that are judged and that models were not given: whatever they answer, no change is
        what they said of these.
    """

    conditions: pd.DataFrame
    test: Cells
    kept: Cells
    given: Cells
    targets: pd.DataFrame
    origin: Origin
    noisy_groups: tuple[str, ...] = ()
    unseen_genes: tuple[str, ...] = ()

    @cached_property
    def answered_by(self) -> Codes:
        """The row whose prediction answers each condition, shape (n_conditions,).

        It is the condition's own, but for shams, of which models never hear: what is predicted
        of a tested perturbation of the same controls, drawn at random, is held against them.
        """
        rows = np.arange(len(self.conditions))
        is_sham = (self.conditions["category"] == SHAM).to_numpy()
        places = self.conditions[["context", "control_group"]].agg("\x1f".join, axis=1)
        for place in sorted(set(places[is_sham])):
            is_here = (places == place).to_numpy()
            shams = np.flatnonzero(is_sham & is_here)
            rng = np.random.default_rng([self.origin.seed // 2, crc32(place.encode())])
            asked = rng.permutation(np.flatnonzero(~is_sham & is_here))
            rows[shams] = asked[np.arange(len(shams)) % len(asked)]
        return rows

    @cached_property
    def is_target(self) -> Booleans:
        """Which genes each condition's perturbation targets, shape (n_conditions, n_genes).

        Those of a sham are of the perturbation whose prediction answers it.
        """
        marked = np.zeros((len(self.conditions), len(self.test.genes)), dtype=bool)
        columns = pd.Index(self.test.genes)
        for perturbation, genes in self.targets.groupby("perturbation")["gene"]:
            rows = np.flatnonzero(self.conditions["perturbation"] == perturbation)
            marked[np.ix_(rows, columns.get_indexer(genes))] = True
        return marked[self.answered_by]
