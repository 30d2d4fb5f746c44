"""Where the two towers meet: truth and prediction become responses, and responses scores."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import pairwise
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from wildcell.arrays import Booleans, Codes, Floats
from wildcell.evidence import (
    Answer,
    Controls,
    Evidence,
    Tests,
    answer_of,
    control_groups,
    controls_of,
)
from wildcell.metrics.cell_blocks import EXPLAINED, deal_blocks, explained_by_blocks
from wildcell.metrics.control_blocks import WithoutBlocks, shaken_scores, without_blocks
from wildcell.metrics.convention import OURS, Convention
from wildcell.metrics.grouped import GroupedCells
from wildcell.metrics.headline import find_metrics
from wildcell.metrics.looks import looks
from wildcell.metrics.mann_whitney import RankTest
from wildcell.metrics.metric import Metric
from wildcell.metrics.profile import Profiles
from wildcell.metrics.response import Halves, Response
from wildcell.metrics.tested import Means
from wildcell.names import (
    ABSTENTIONS,
    CEILING,
    CONDITION,
    N_BLOCKS,
    REPLICATE,
    SHAM,
    Expression,
    Kind,
    Need,
    Status,
)
from wildcell.results.calibrate import both_ways, ceiling_scores
from wildcell.results.score import Case, score_case, too_few_controls
from wildcell.scenarios.additive import SumOfSingles
from wildcell.scenarios.answer import as_cells, mean_rows, to_truth, with_shams_answered
from wildcell.scenarios.controls import halve
from wildcell.scenarios.merge import stacked
from wildcell.scenarios.prediction import Prediction
from wildcell.scenarios.scenario import DEFAULT_METRICS
from wildcell.scenarios.synthesis import control_sources, synthesise
from wildcell.scenarios.task import Cells, Truth
from wildcell.scenarios.thinning import Source
from wildcell.store.keeping import Shelf

Makers: TypeAlias = Mapping[str, Callable[[Answer], Answer]]
"""By name, what makes an answer of one half of the test cells."""


def score_prediction(
    truth: Truth,
    prediction: Prediction,
    *,
    metrics: Sequence[str] = DEFAULT_METRICS,
    convention: Convention = OURS,
) -> pd.DataFrame:
    """Score one prediction against the truth.

    Returns
    -------
    One row a condition and metric: context, perturbation, category, metric, value, numerator,
    denominator, null, n_truth, n_prediction, level, preset, status.

    Raises
    ------
    PredictionError
        The prediction does not fit the truth in genes, scale or values.

    Examples
    --------
    >>> from wildcell.datasets.load import load_dataset
    >>> from wildcell.models.means import NoChange
    >>> from wildcell.scenarios.pose import pose
    >>> from wildcell.scenarios.scenario import load_scenario
    >>> from wildcell.scenarios.split import make_splits
    >>> dataset, scenario = load_dataset("simulated"), load_scenario("unseen-context")
    >>> task, truth = pose(dataset, make_splits(scenario, dataset, seed=0)[0], scenario)
    >>> model = NoChange()
    >>> model.fit(task)
    >>> scores = score_prediction(truth, model.predict(task.query), metrics=["pearson_delta"])
    >>> scores["status"].unique().tolist()
    ['flat']
    """
    return Judge(truth, find_metrics(metrics), convention).score(prediction)


class Judged(NamedTuple):
    """What an answer comes to.

    Attributes
    ----------
    scores
        What `Judge.score` returns.
    shaken
        How far they move with blocks of the cells: columns context, perturbation, those of
        `wildcell.metrics.control_blocks.shaken_scores` and, where `effect_r2` is scored, of
        `wildcell.metrics.cell_blocks.explained_by_blocks`; no rows where no metric follows from
        means.
    looks
        Some genes and cells of each condition: context, and columns of
        `wildcell.metrics.looks.looks`.
    """

    scores: pd.DataFrame
    shaken: pd.DataFrame
    looks: pd.DataFrame


class Block(NamedTuple):
    """Conditions that are judged beside each other: those of a context, or its shams."""

    context: str
    is_sham: bool


@dataclass(frozen=True)
class Judge:
    """The truth of one question, with all that depends on it alone computed once.

    Attributes
    ----------
    truth
        The judge's side of the question.
    metrics
        What is computed.
    convention
        How it is computed.
    reference
        The answer of the reference baseline, where there is one.
    singles
        What the parts of the combinations asked about did by themselves in training.
    evidence
        What the truth's cells say, where they are left in a file.
    shelf
        Where what is computed of the truth alone is kept, if anywhere.
    """

    truth: Truth
    metrics: Sequence[Metric]
    convention: Convention = field(default=OURS)
    reference: Prediction | None = None
    singles: SumOfSingles | None = None
    evidence: Evidence | None = None
    shelf: Shelf | None = None

    def score(
        self, prediction: Prediction, *, is_applicable: Booleans | None = None
    ) -> pd.DataFrame:
        """Score a prediction; see `score_prediction`.

        Parameters
        ----------
        prediction
            The answer; conditions that it lacks are `missing`.
        is_applicable
            Which conditions of the query the model can answer at all, shams apart, shape
            (n_asked,); the others are `not_applicable`.
        """
        scores = self.score_answer(self._answer_of(self._answers(prediction)))
        return scores if is_applicable is None else self.excuse(scores, is_applicable)

    def score_answer(self, answer: Answer) -> pd.DataFrame:
        """Score what predicted cells say of all conditions."""
        return self._score(self._measured, self._responses(answer, self._given), self._few_or_noisy)

    def judged(self, prediction: Prediction, *, is_applicable: Booleans) -> Judged:
        """Score a prediction, and keep what its scores cannot tell; see `Judged`."""
        answered = self._responses(self._answer_of(self._answers(prediction)), self._given)
        scores = self._score(self._measured, answered, self._few_or_noisy)
        blocks = [block for block in self._rows if not block.is_sham]
        shaken = [
            self._shaken(block, answered[block]).assign(context=block.context) for block in blocks
        ]
        shown = [
            looks(self._measured[block], answered[block], has_cells=self._looks_at_cells).assign(
                context=block.context
            )
            for block in blocks
        ]
        return Judged(
            self.excuse(scores, is_applicable),
            pd.concat(shaken, ignore_index=True),
            pd.concat(shown, ignore_index=True),
        )

    @property
    def _looks_at_cells(self) -> bool:
        return any(Need.CELLS in item.needs for item in self.metrics)

    def _shaken(self, block: Block, answered: Response) -> pd.DataFrame:
        """Return how the scores of some conditions move with the controls and the test cells."""
        rows, truth = self._rows[block], self._measured[block]
        moved = shaken_scores(
            truth, answered, self.metrics, self._kept_without_blocks, self._kept.group[rows]
        )
        if not any(item.name == EXPLAINED for item in self.metrics):
            return moved
        where, blocks = ([part[row] for row in rows] for part in self._test_blocks)
        cells = GroupedCells(self.truth.test.lognorm, tuple(where))
        explained = explained_by_blocks(truth, answered, cells, blocks)
        return moved.merge(explained, on=["perturbation", "metric"], how="left")

    @cached_property
    def _test_blocks(self) -> tuple[list[Codes], list[Codes]]:
        """Rows of the test cells of each condition, and the block that each is dealt to."""
        code = self._keys.get_indexer(pd.MultiIndex.from_frame(self.truth.test.obs[CONDITION]))
        order = np.argsort(code, kind="stable")
        ends = np.searchsorted(code[order], np.arange(self._n + 1))
        rows = [order[start:end] for start, end in pairwise(ends)]
        rng = np.random.default_rng([self.truth.origin.seed, N_BLOCKS, 1])
        return rows, deal_blocks([len(some) for some in rows], rng)

    @cached_property
    def _kept_without_blocks(self) -> WithoutBlocks:
        cells = self._controls("kept")
        groups = control_groups(self.truth.conditions)
        codes = groups.get_indexer(cells.obs["control_group"])
        names = groups.astype(str).tolist()
        return without_blocks(cells.lognorm, codes, names, self.truth.origin.seed)

    def prepare(self) -> None:
        """Compute what depends on the truth alone, for all who score by this judge afterwards."""
        self.failed()
        _ = self._kept_without_blocks

    def not_applicable(self) -> pd.DataFrame:
        """Return the scores of a model that can answer nothing that is asked."""
        return self._silence(Status.NOT_APPLICABLE)

    def failed(self) -> pd.DataFrame:
        """Return the scores of a model that gave no answer because it crashed."""
        return self._silence(Status.ERROR)

    def replicate(self, rng: np.random.Generator | None = None) -> pd.DataFrame:
        """Score one half of the test cells as the answer for the other half, both ways.

        The answering half is measured against the given controls, the other against the kept.
        `n_truth` and `n_prediction` are the sizes of the halves. It is scored where the controls
        are too noisy for models, too: that is what it is there to show.

        Parameters
        ----------
        rng
            Draws the halves, where `evidence` does not have them already.
        """
        ways = self._by_halves({REPLICATE: lambda half: half}, rng)
        return both_ways(*(tables[REPLICATE] for tables in ways))

    def by_halves(
        self, makers: Makers, rng: np.random.Generator | None = None
    ) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
        """Score answers that are made of one half of the test cells by the other half.

        Returns
        -------
        By name, scores by the first half, and by the second; with those of the noise-free effect,
        which has the name of the ceiling, where a metric has one. Controls are as for
        `replicate`.
        """
        first, second = self._by_halves(makers, rng, has_ceiling=True)
        return first, second

    def _by_halves(
        self, makers: Makers, rng: np.random.Generator | None, *, has_ceiling: bool = False
    ) -> Iterator[dict[str, pd.DataFrame]]:
        halves = self._halves_by(rng)
        for judging, known in (halves, halves[::-1]):
            truth = self._responses(judging, self._kept)
            tables = {
                name: self._score(truth, self._responses(make(known), self._given), self._few)
                for name, make in makers.items()
            }
            if has_ceiling and any(item.ceiling is not None for item in self.metrics):
                tables[CEILING] = self._ceilings_of(truth, self._few)
            yield tables

    def ceilings(self) -> pd.DataFrame:
        """Return the analytic scores of the noise-free effect."""
        return self._ceilings_of(self._measured, self._few_or_noisy)

    def answered(self, prediction: Prediction) -> Answer:
        """Return what a prediction says of all conditions."""
        return self._answer_of(self._answers(prediction))

    def delta_of(self, prediction: Prediction) -> Floats:
        """Return the delta that a prediction is, shape (n_conditions, n_genes); NaN for none."""
        answered = self._answers(prediction)
        if answered.kind is Kind.MEAN:
            return mean_rows(answered, self.truth.conditions) - self._given.profiles.mean
        return self._answer_of_cells(as_cells(answered)).profiles.mean - self._given.profiles.mean

    def shifted(self, delta: Floats) -> Answer:
        """Return the answer that the given controls are with deltas added.

        Parameters
        ----------
        delta
            Of each condition, shape (n_conditions, n_genes); a row with a NaN is no answer.
        """
        conditions, test = self.truth.conditions, self.truth.test
        is_known = np.isfinite(delta).all(axis=1)
        mean = (self._given.profiles.mean + delta)[is_known]
        is_array = test.expression is Expression.LOG2
        return self._answer_of_means(
            Prediction(
                X=mean if is_array else np.maximum(mean, 0.0),
                obs=conditions.loc[is_known, CONDITION].reset_index(drop=True),
                genes=test.genes,
                kind=Kind.MEAN,
                expression=Expression.LOG2 if is_array else Expression.LOGNORM,
                target_sum=test.target_sum,
            )
        )

    @property
    def given(self) -> Profiles:
        """Mean profiles of the given controls of each condition."""
        return self._given.profiles

    def measured(self) -> Iterator[tuple[Codes, Response]]:
        """Yield the true responses, with the rows of the truth's conditions that each is of."""
        for block, rows in self._rows.items():
            yield rows, self._measured[block]

    @property
    def has_all_tests(self) -> bool:
        """Whether all test cells can be tested for differential expression, not some drawn."""
        return self.evidence is None or self.evidence.test.tests is not None

    @cached_property
    def _n(self) -> int:
        return len(self.truth.conditions)

    @cached_property
    def _keys(self) -> pd.MultiIndex:
        return pd.MultiIndex.from_frame(self.truth.conditions[CONDITION])

    @cached_property
    def _rows(self) -> dict[Block, Codes]:
        """Rows of each context's conditions, its shams apart: they are no one's candidates."""
        table = self.truth.conditions
        blocks = table.groupby(["context", table["category"] == SHAM], sort=True).indices
        return {Block(str(name), bool(is_sham)): rows for (name, is_sham), rows in blocks.items()}

    @cached_property
    def _needs_more_than_means(self) -> bool:
        return any({Need.CELLS, Need.LFC} & item.needs for item in self.metrics)

    @cached_property
    def _sources(self) -> dict[str, Source]:
        return control_sources(self.truth.given)

    @cached_property
    def _kept(self) -> Controls:
        if self.evidence is not None:
            return self.evidence.kept
        return controls_of(self._controls("kept"), self.truth.conditions, self.convention, "kept")

    @cached_property
    def _given(self) -> Controls:
        if self.evidence is not None:
            return self.evidence.given
        return controls_of(self._controls("given"), self.truth.conditions, self.convention, "given")

    def _controls(self, side: Literal["kept", "given"]) -> Cells:
        """Return the controls of one side, or of both where the convention shares them."""
        if self.convention.shares_controls:
            return stacked([self.truth.given, self.truth.kept])
        return self.truth.kept if side == "kept" else self.truth.given

    @cached_property
    def _tested(self) -> Answer:
        if self.evidence is not None:
            return self.evidence.test
        return self._answer_of_cells(self.truth.test)

    @cached_property
    def _measured(self) -> dict[Block, Response]:
        found = self._responses(self._tested, self._kept)
        if any(Need.HALVES in item.needs for item in self.metrics):
            found = {
                block: replace(response, halves=self._halves_of(self._rows[block]))
                for block, response in found.items()
            }
        if self.shelf is None:
            return found
        return {
            block: replace(response, keep=self.shelf.part(*block))
            for block, response in found.items()
        }

    @cached_property
    def _split(self) -> tuple[Answer, Answer]:
        return self._halves_by(None)

    def _halves_of(self, rows: Codes) -> Halves:
        """Return the means of either half of the test cells of some conditions."""
        first, second = (half.profiles.take(rows) for half in self._split)
        return (
            Means(first.n, first.mean, first.error),
            Means(second.n, second.mean, second.error),
        )

    @cached_property
    def _unchanged(self) -> dict[Block, Response]:
        cells, group = self._given.cells, self._given.group
        of_condition = replace(cells, rows=tuple(cells.rows[code] for code in group))
        sizes = self._given.library_sizes
        answer = Answer(
            self._given.profiles,
            of_condition,
            None if sizes is None else tuple(sizes[code] for code in group),
            lambda _: self._same_on_both_sides,
        )
        return self._responses(answer, self._given)

    @property
    def _same_on_both_sides(self) -> RankTest:
        """Rank tests of the given controls against themselves: half of all pairs, p = 1."""
        shape = self._given.profiles.mean.shape
        n = self._given.profiles.n[:, None].astype(float)
        return RankTest(np.broadcast_to(n**2 / 2, shape), np.broadcast_to(np.ones(1), shape))

    @cached_property
    def _few(self) -> dict[Block, Booleans]:
        """Conditions of each context that have too few controls to be judged at all."""
        return {
            block: too_few_controls(truth, self._unchanged[block])
            for block, truth in self._measured.items()
        }

    @cached_property
    def _few_or_noisy(self) -> dict[Block, Booleans]:
        """Conditions of each context whose delta the controls cannot carry."""
        is_noisy = self.truth.conditions["control_group"].isin(self.truth.noisy_groups).to_numpy()
        return {block: few | is_noisy[self._rows[block]] for block, few in self._few.items()}

    def _score(
        self,
        truth: dict[Block, Response],
        prediction: dict[Block, Response],
        few: dict[Block, Booleans],
    ) -> pd.DataFrame:
        return self._over_contexts(
            lambda block: score_case(
                Case(truth[block], prediction[block], self._unchanged[block], few[block]),
                self.metrics,
            )
        )

    def _ceilings_of(
        self, truth: dict[Block, Response], few: dict[Block, Booleans]
    ) -> pd.DataFrame:
        return self._over_contexts(
            lambda block: ceiling_scores(truth[block], self.metrics, has_few_controls=few[block])
        )

    def _over_contexts(self, table_of: Callable[[Block], pd.DataFrame]) -> pd.DataFrame:
        tables = [table_of(block).assign(context=block.context) for block in self._rows]
        categories = self.truth.conditions[[*CONDITION, "category"]]
        return pd.concat(tables, ignore_index=True).merge(categories, on=CONDITION, how="left")

    def _silence(self, status: Status) -> pd.DataFrame:
        """Return scores of no answer at all: what the truth defines has one status."""
        nothing = Answer(self._given.profiles.take(np.full(self._n, -1)), None)
        scores = self._score(
            self._measured, self._responses(nothing, self._given), self._few_or_noisy
        )
        return _relabel(scores, scores["status"].isin(ABSTENTIONS), status)

    def excuse(self, scores: pd.DataFrame, is_applicable: Booleans) -> pd.DataFrame:
        """Return scores in which what cannot be answered at all is not applicable; see `score`."""
        is_excused = np.zeros(self._n, dtype=bool)
        is_excused[self.truth.conditions["category"] != SHAM] = ~is_applicable
        keys = self._keys[is_excused[self.truth.answered_by]]
        of_excused = pd.MultiIndex.from_frame(scores[CONDITION]).isin(keys)
        return _relabel(
            scores, of_excused & (scores["status"] == Status.MISSING), Status.NOT_APPLICABLE
        )

    @cached_property
    def _detected(self) -> dict[Block, Booleans]:
        """Genes found in enough of the given controls of each context, shape (n_genes,)."""
        return {
            block: self._given.share_expressed(rows) >= self.convention.detected_share
            for block, rows in self._rows.items()
        }

    def _responses(self, answer: Answer, controls: Controls) -> dict[Block, Response]:
        ranks = None if answer.tests is None else self._shared_out(answer.tests, controls)
        return {
            block: replace(
                self._response(answer, controls, block),
                ranks=None if ranks is None else partial(ranks, block),
            )
            for block in self._rows
        }

    def _response(self, answer: Answer, controls: Controls, block: Block) -> Response:
        rows = self._rows[block]
        shown, beside = answer.profiles.take(rows), controls.profiles.take(rows)
        groups, group = np.unique(controls.group[rows], return_inverse=True)
        return Response(
            perturbations=tuple(self.truth.conditions["perturbation"].iloc[rows]),
            genes=self.truth.test.genes,
            mean=shown.mean,
            control=beside.mean,
            n_cells=shown.n,
            n_controls=beside.n,
            error=shown.error,
            control_error=beside.error,
            linear_mean=shown.linear,
            linear_control=beside.linear,
            cells=None if answer.cells is None else answer.cells.take(rows),
            control_cells=controls.cells.take(groups),
            control_group=group,
            library_sizes=None
            if answer.library_sizes is None
            else tuple(answer.library_sizes[row] for row in rows),
            targets=self.truth.is_target[rows],
            shared=None if self._shared is None else self._shared[rows],
            additive=None if self._additive is None else self._additive.delta[rows],
            additive_error=None if self._additive is None else self._additive.error[rows],
            detected=self._detected[block],
            convention=self.convention,
        )

    def _answers(self, prediction: Prediction) -> Prediction:
        """Return a prediction in the truth's genes and scale, with its answers to shams."""
        return with_shams_answered(to_truth(prediction, self.truth), self.truth)

    def _shared_out(self, tests: Tests, controls: Controls) -> Callable[[Block], RankTest]:
        """Test all conditions at once, when a block asks; each block's are held until it does."""
        waiting: dict[Block, RankTest] = {}

        def of_block(block: Block) -> RankTest:
            if block not in waiting:
                whole = tests(controls.side)
                waiting.update({one: whole.take(rows) for one, rows in self._rows.items()})
            return waiting.pop(block)

        return of_block

    @cached_property
    def _shared(self) -> Floats | None:
        """The delta that the reference baseline predicts, shape (n_conditions, n_genes)."""
        if self.reference is None:
            return None
        return self.delta_of(self.reference)

    @cached_property
    def _additive(self) -> SumOfSingles | None:
        """The sums of singles of the conditions of the truth; NaN for those that have none."""
        return None if self.singles is None else self.singles.of(self.truth.conditions)

    def _answer_of(self, prediction: Prediction) -> Answer:
        if prediction.kind is Kind.CELLS:
            return self._answer_of_cells(as_cells(prediction))
        return self._answer_of_means(prediction)

    def _answer_of_cells(self, cells: Cells) -> Answer:
        return answer_of(cells, self.truth.conditions, self.convention)

    @property
    def makes_cells(self) -> bool:
        """Whether cells are made for a model of means: there are counts to make them of."""
        return self.truth.given.expression is Expression.COUNTS and bool(
            (self._given.profiles.n > 0).all()
        )

    def _answer_of_means(self, prediction: Prediction) -> Answer:
        """Means as predicted; cells and linear means made from the given controls."""
        mean = mean_rows(prediction, self.truth.conditions)
        unknown = np.full(mean.shape, np.nan)
        if not (self.makes_cells and self._needs_more_than_means):
            n = np.zeros(self._n, dtype=np.int64)
            return Answer(Profiles(n, mean, unknown, None), None)
        made = synthesise(
            prediction,
            self.truth.given,
            self.truth.conditions,
            sources=self._sources,
            max_cells=self.convention.max_cells,
            library_size=self.convention.lfc_target_sum,
        )
        cells = self._answer_of_cells(as_cells(to_truth(made.cells, self.truth)))
        shown = replace(cells.profiles, mean=mean, error=unknown, linear=made.linear_mean)
        return Answer(shown, cells.cells, cells.library_sizes)

    def _halves_by(self, rng: np.random.Generator | None) -> tuple[Answer, Answer]:
        if self.evidence is not None:
            return self.evidence.halves()
        first, second = self._halves(rng or np.random.default_rng(self.truth.origin.seed))
        return self._answer_of_cells(first), self._answer_of_cells(second)

    def _halves(self, rng: np.random.Generator) -> tuple[Cells, Cells]:
        obs = self.truth.test.obs
        strata = obs[[*CONDITION, "batch", "replicate"]].agg("\x1f".join, axis=1).to_numpy(object)
        first = halve(strata, rng)
        return self.truth.test.select(first), self.truth.test.select(~first)


def _relabel(scores: pd.DataFrame, rows: "pd.Series | Booleans", status: Status) -> pd.DataFrame:
    """Return scores in which some rows have no value, for the reason given."""
    result = scores.copy()
    result.loc[rows, "status"] = str(status)
    result.loc[rows, ["value", "numerator"]] = np.nan
    return result
