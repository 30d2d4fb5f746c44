"""Truth and prediction whose numbers stay in their files, to be streamed when they are needed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

import anndata as ad
import numpy as np
import pandas as pd
from scipy import sparse

from wildcell.arrays import Codes, Floats, Matrix, Names, as_csr
from wildcell.datasets.dataset import Dataset
from wildcell.datasets.open import OpenCells
from wildcell.datasets.values import ValueSummary, summarise_values
from wildcell.errors import DataError, PredictionError
from wildcell.names import CONDITION, CONTROL, Expression
from wildcell.scenarios.answer import (
    COUNTS_BESIDE_LOGS,
    LEAST_SHARE,
    check_values,
    gene_columns,
    true_sizes,
)
from wildcell.scenarios.controls import kept_controls
from wildcell.scenarios.folder import TRUTH_SIDES, truth_from
from wildcell.scenarios.outside import on_genes, pose_from_files
from wildcell.scenarios.reading import ReadCells
from wildcell.scenarios.task import Cells, Truth
from wildcell.streams.matrix import SelectedRows, Stream, read_all
from wildcell.streams.normalise import LogStream


@dataclass(frozen=True)
class UnreadTruth:
    """The judge's side of a question, whose numbers are in a file.

    Attributes
    ----------
    truth
        All but numbers: the `X` of its cells is None.
    X
        The numbers of all cells of the file on the truth's genes, shape (n_cells, n_genes).
    rows
        For each side, `test`, `kept` and `given`, where its cells stand in the file.
    sums
        What the linear values of each cell of the file sum to on the truth's genes, (n_cells,).
    is_posed_here
        Whether the question was posed by labels alone, so that noise is not yet known.
    """

    truth: Truth
    X: Stream
    rows: Mapping[str, Codes]
    sums: Floats
    is_posed_here: bool

    def on_genes(self, genes: Names) -> "UnreadTruth":
        """Return a truth on the genes that it shares with others, in its own order."""
        own = pd.Index(self.truth.test.genes)
        chosen = on_genes(self.truth, genes)
        if len(chosen.test.genes) == len(own):
            return self
        X = SelectedRows(self.X, columns=own.get_indexer(chosen.test.genes))
        return replace(self, truth=chosen, X=X, sums=_sums_in(X, chosen.test.expression))

    def stream(self, linear_target_sum: float) -> LogStream:
        """Return the log values of all cells of the file."""
        cells, depth = self.truth.test, None
        if cells.expression is Expression.COUNTS:
            depth = np.ones(self.X.shape[0])
            for side, rows in self.rows.items():
                depth[rows] = getattr(self.truth, side).obs["total_counts"].to_numpy(float)
        return LogStream(
            self.X, cells.expression, cells.target_sum, linear_target_sum, total_counts=depth
        )

    def read(self, side: str) -> Cells:
        """Return the cells of one side, read."""
        rows = self.rows[side]
        taken = np.zeros(self.X.shape[0], dtype=bool)
        taken[rows] = True
        X = as_csr(read_all(SelectedRows(self.X, taken)))
        return replace(getattr(self.truth, side), X=X[np.argsort(np.argsort(rows))])

    def read_all(self) -> Truth:
        """Return the truth with the numbers of all its cells."""
        test, kept, given = map(self.read, TRUTH_SIDES)
        return replace(self.truth, test=test, kept=kept, given=given)

    @property
    def is_panel_of_more(self) -> bool:
        """Whether the truth's library sizes are well above what its genes sum to."""
        sizes = true_sizes(self.truth.test)
        sums = self.sums[self.rows["test"]].sum()
        return bool(sums < LEAST_SHARE * sizes)


def judges_truth(opened: OpenCells) -> UnreadTruth:
    """Return the truth that a judge's file holds.

    Raises
    ------
    DataError
        A part is not there.
    """
    if "side" not in opened.obs:
        raise DataError(
            f"{opened.name} says that it is a truth, and its obs has no column 'side': make it "
            "anew with: wildcell split"
        )
    side = opened.obs["side"].astype(str).to_numpy()
    truth = truth_from(
        ad.AnnData(
            X=_nothing(opened.X.shape),
            obs=opened.obs,
            var=pd.DataFrame(index=opened.genes),
            uns=dict(opened.uns),
        )
    )
    return UnreadTruth(
        _without_numbers(truth),
        opened.X,
        {name: np.flatnonzero(side == name) for name in TRUTH_SIDES},
        _sums_in(opened.X, truth.test.expression),
        is_posed_here=False,
    )


def posed_truth(
    read: ReadCells,
    screen: Dataset,
    *,
    seed: int,
    target_sum: float | None,
    is_anchored_to_all: bool,
) -> UnreadTruth:
    """Pose the question that a file of test cells and controls answers, by its labels alone.

    Whether groups of controls are too noisy cannot be told without numbers: none is said to be.

    Parameters
    ----------
    read
        The file.
    screen
        The same as a screen, with library sizes and without numbers.
    seed, target_sum, is_anchored_to_all
        As in `pose_from_files`.
    """
    cells = screen.cells.copy()
    cells.X = _nothing(cells.shape)
    posed = Dataset(screen.name, cells)
    truth = pose_from_files(
        posed,
        None,
        seed=seed,
        target_sum=target_sum,
        is_anchored_to_all=is_anchored_to_all,
    ).truth
    groups = set(truth.conditions["control_group"])
    is_kept = kept_controls(posed, groups, seed=seed)
    is_given = posed.is_control & ~is_kept
    is_given &= cells.obs["control_group"].isin(groups).to_numpy()
    given = np.flatnonzero(is_given)
    if is_anchored_to_all:
        given = np.concatenate([given, np.flatnonzero(is_kept)])
    rows = {
        "test": np.flatnonzero(~posed.is_control),
        "kept": np.flatnonzero(is_kept),
        "given": given,
    }
    sums = _linear_sums(read.look, truth.test.expression)
    return UnreadTruth(_without_numbers(truth), read.X, rows, sums, is_posed_here=True)


@dataclass(frozen=True)
class UnreadPrediction:
    """Predicted cells, whose numbers are in a file.

    Attributes
    ----------
    read
        The file.
    expression
        What its numbers are.
    target_sum
        The library size that log1p values refer to; None for the truth's own.
    """

    read: ReadCells
    expression: Expression
    target_sum: float | None

    @property
    def genes(self) -> Names:
        """Names of its genes."""
        return np.array(self.read.cells.var_names, dtype=object)

    @property
    def conditions(self) -> pd.MultiIndex:
        """The condition of each cell; controls have that of no condition."""
        return pd.MultiIndex.from_frame(self.read.cells.obs[CONDITION])

    @property
    def is_control(self) -> Codes:
        """Which cells are controls."""
        return np.asarray(self.read.cells.obs["perturbation"] == CONTROL)

    def stream(self, truth: UnreadTruth, linear_target_sum: float) -> LogStream:
        """Return the log values in the truth's genes and scale.

        Raises
        ------
        PredictionError
            As of `to_truth`.
        """
        own, to = self.read, truth.truth.test
        columns = gene_columns(self.genes, to.genes)
        check_values(own.look, self.expression, own.cells.obs)
        is_same = len(columns) == own.X.shape[1] and (columns == np.arange(len(columns))).all()
        X = own.X if is_same else SelectedRows(own.X, columns=columns)
        if (self.expression is Expression.LOG2) != (to.expression is Expression.LOG2):
            raise PredictionError(
                f"The prediction is {self.expression} and the truth {to.expression}; "
                "bring the prediction to the truth's scale."
            )
        if self.expression is not Expression.COUNTS:
            return self._of_log(X, to, linear_target_sum)
        depth = self._depth(X, truth)
        return LogStream(X, self.expression, to.target_sum, linear_target_sum, total_counts=depth)

    def _of_log(self, X: Stream, to: Cells, linear_target_sum: float) -> LogStream:
        if self.target_sum not in {None, to.target_sum} and to.target_sum is None:
            raise PredictionError(
                f"The prediction's log values are at a library size of {self.target_sum:g}, the "
                "truth's at an unknown one; state the latter in the truth's "
                "uns['wildcell']['target_sum'], or give the prediction at it."
            )
        own = None if self.expression is Expression.LOG2 else self.target_sum
        return LogStream(X, self.expression, to.target_sum, linear_target_sum, own_target_sum=own)

    def _depth(self, X: Stream, truth: UnreadTruth) -> Floats:
        """Return library sizes: as stated, or what the counts `X` on the truth's genes sum to."""
        to = truth.truth.test
        if to.target_sum is None:
            raise PredictionError(COUNTS_BESIDE_LOGS)
        obs = self.read.cells.obs
        if "total_counts" in obs:
            return obs["total_counts"].to_numpy(float)
        if truth.is_panel_of_more:
            raise PredictionError(
                "The prediction holds counts of a panel of genes, so that its library sizes are "
                "not known. State them in obs['total_counts'], or predict log1p values at a "
                f"library size of {to.target_sum:g}."
            )
        if X.shape[1] == self.read.X.shape[1]:
            return self.read.look.row_sums
        return summarise_values(X).row_sums


def _sums_in(X: Stream, expression: Expression) -> Floats:
    return _linear_sums(summarise_values(X), expression)


def _linear_sums(look: ValueSummary, expression: Expression) -> Floats:
    """Return what counts sum to, or what log values are the logarithms of, shape (n_cells,)."""
    return look.row_sums if expression is Expression.COUNTS else look.linear_row_sums


def _nothing(shape: tuple[int, int]) -> Matrix:
    return sparse.csr_matrix(shape, dtype=np.float32)


def _without_numbers(truth: Truth) -> Truth:
    def emptied(cells: Cells) -> Cells:
        return replace(cells, X=cast("Matrix", None))

    return replace(
        truth, test=emptied(truth.test), kept=emptied(truth.kept), given=emptied(truth.given)
    )
