"""Predictions scored as another package scores them: files or matrices in, its numbers out."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

from wildcell.datasets.open import open_cells
from wildcell.errors import DataError
from wildcell.metrics.evidence import Evidence, Side
from wildcell.metrics.preset import PRESETS, Preset
from wildcell.names import CONDITION, Expression, Kind, Status
from wildcell.parallel import cores
from wildcell.preset_rows import (
    Rows,
    common_target_sum,
    conditions_of,
    in_logs,
    on_genes,
    predicted_sides,
    rows_of,
    sizes_of,
    true_sides,
)
from wildcell.results.preset_scores import score_evidence, unscored
from wildcell.results.score import label
from wildcell.scenarios.answer import check_conditions, check_some_conditions
from wildcell.scenarios.outside import QUESTION
from wildcell.scenarios.reading import Labels

CATEGORY = "as given"


@dataclass(frozen=True)
class PresetScores:
    """What predictions come to under a preset.

    Attributes
    ----------
    preset
        Under which.
    scores
        The long table.
    notes
        How the files were read, in sentences.
    """

    preset: Preset
    scores: pd.DataFrame
    notes: Sequence[str] = field(default=())

    @property
    def means(self) -> pd.DataFrame:
        """Mean of each metric over what is scored, as packages take it.

        Columns metric, best, model, mean, scored, expected; the metrics in the preset's order. A
        perturbation without a score is left out of the mean, which rewards silence.
        """
        by_metric = self.scores.groupby(["metric", "model"], sort=False)["value"]
        best = {metric.name: metric.best for metric in self.preset.metrics}
        table = by_metric.agg(mean="mean", scored="count", expected="size").reset_index()
        table.insert(1, "best", table["metric"].map(best))
        return table


def score_by_preset(
    prediction: Path | ad.AnnData,
    truth: Path | ad.AnnData,
    preset: str,
    *,
    labels: Labels | None = None,
    expression: Expression | None = None,
    is_on_common_genes: bool = False,
    must_match: bool = True,
    model: str = "prediction",
) -> PresetScores:
    """Score a prediction as a package would.

    Parameters
    ----------
    prediction, truth
        h5ad or zarr files, or cells in memory; the truth has test cells and controls, or is a
        judge's file, whose two halves of the controls count as one.
    preset
        Which package's way: see `wildcell presets`.
    labels
        Where they say what their cells are.
    expression
        The prediction's scale, where it does not say.
    is_on_common_genes
        Whether genes that the prediction lacks are left out, rather than an error.
    must_match
        Whether the prediction must have just the truth's conditions.
    model
        What the prediction is called.

    Raises
    ------
    BenchmarkError
        A file cannot be read or used, the two do not fit, or no preset is called so.

    Examples
    --------
    >>> from wildcell.datasets.load import load_dataset
    >>> truth = load_dataset("simulated", n_genes=40, n_perturbations=4, n_contexts=1).cells
    >>> result = score_by_preset(truth, truth, "systema")
    >>> result.scores["value"].unique().tolist()
    [1.0]
    """
    return score_all_by_preset(
        {model: prediction},
        truth,
        preset,
        labels=labels,
        expression=expression,
        is_on_common_genes=is_on_common_genes,
        must_match=must_match,
    )


def score_all_by_preset(
    predictions: Mapping[str, Path | ad.AnnData],
    truth: Path | ad.AnnData,
    preset: str,
    *,
    labels: Labels | None = None,
    expression: Expression | None = None,
    is_on_common_genes: bool = False,
    must_match: bool = True,
) -> PresetScores:
    """Score predictions as a package would, with what depends on the truth alone computed once.

    Parameters
    ----------
    predictions
        By the name that each is given in the results.
    truth, preset, labels, expression, is_on_common_genes, must_match
        As in `score_by_preset`; genes in common are those of all.
    """
    way, labels = PRESETS.get(preset), labels or Labels()
    with ThreadPoolExecutor(cores()) as pool:
        opened = open_cells(truth, "the truth")
        of_truth = pool.submit(rows_of, opened, labels, None, is_measured=True)
        given = [open_cells(source, "the prediction") for source in predictions.values()]
        answers = pool.map(lambda cells: rows_of(cells, labels, expression), given)
        measured, note = of_truth.result()
        if measured.kind is Kind.MEAN:
            raise DataError("The truth holds means; give its cells and controls.")
        read = dict(zip(predictions, answers, strict=True))
    if is_on_common_genes:
        for answered, _ in read.values():
            measured = on_genes(measured, measured.genes[np.isin(measured.genes, answered.genes)])
    held_to, notes, tables = _Measured(way, measured), [note], []
    dataset = truth.stem if isinstance(truth, Path) else "truth"
    for name, (answered, read_as) in read.items():
        scores, more = _score(held_to, answered, must_match=must_match)
        notes += [read_as, *more]
        tables.append(_labelled(scores, way, {"model": name, "dataset": dataset}))
    return PresetScores(way, pd.concat(tables, ignore_index=True), list(dict.fromkeys(notes)))


@dataclass(frozen=True)
class _Measured:
    """A truth, with each of its sides made once for all predictions that are held to it."""

    preset: Preset
    rows: Rows
    memo: dict[Any, Side] = field(default_factory=dict)

    def sides(
        self, asked: Mapping[str, Sequence[str]], target_sum: float | None
    ) -> dict[str, Side]:
        """Return the sides of some perturbations of each context, counts at a target sum."""
        keys = {context: (target_sum, context, *names) for context, names in asked.items()}
        new = {context: asked[context] for context, key in keys.items() if key not in self.memo}
        made = true_sides(_scaled(self.preset, self.rows, target_sum), new, self.preset)
        self.memo.update({keys[context]: side for context, side in made.items()})
        return {context: self.memo[key] for context, key in keys.items()}


def _scaled(preset: Preset, rows: Rows, target_sum: float | None) -> Rows:
    """Return rows on the scale that a preset works on: counts, or log values at a target sum."""
    return rows if preset.needs_counts else in_logs(rows, target_sum)


def _score(
    held_to: _Measured, answered: Rows, *, must_match: bool
) -> tuple[pd.DataFrame, list[str]]:
    """Return the scores of one prediction, and what was done to bring it to the truth's scale."""
    preset, measured = held_to.preset, held_to.rows
    answered = on_genes(answered, measured.genes)
    _check_match(answered, measured, must_match=must_match)
    if preset.needs_counts and {answered.expression, measured.expression} != {Expression.COUNTS}:
        return _without_counts(preset, answered, measured), []
    target_sum, notes = None, list[str]()
    if not preset.needs_counts:
        target_sum, notes = common_target_sum(preset, answered, measured)
    left_out = _left_out(preset, answered, measured)
    asked = {
        context: scored
        for context, names in conditions_of(measured).items()
        if (scored := [name for name in names if name not in left_out[context]])
    }
    true = held_to.sides(asked, target_sum)
    answered = _scaled(preset, answered, target_sum)
    predicted = predicted_sides(answered, asked, preset, measured, true)
    tables = []
    for context, reasons in left_out.items():
        if context in asked:
            names = tuple(asked[context])
            evidence = Evidence(names, measured.genes, true[context], predicted[context])
            tables.append(score_evidence(preset, evidence).assign(context=context))
        if reasons:
            tables.append(unscored(preset, reasons).assign(context=context))
    return pd.concat(tables, ignore_index=True), notes


def _without_counts(preset: Preset, answered: Rows, measured: Rows) -> pd.DataFrame:
    """Return the rows of what works on counts alone, where one side has none."""
    status = Status.NEEDS_CELLS if answered.kind is Kind.MEAN else Status.NEEDS_COUNTS
    tables = [
        unscored(preset, dict.fromkeys(names, status)).assign(context=context)
        for context, names in conditions_of(measured).items()
    ]
    return pd.concat(tables, ignore_index=True)


def _left_out(preset: Preset, answered: Rows, measured: Rows) -> dict[str, dict[str, Status]]:
    """Return why which perturbations of each context are not compared."""
    reasons: dict[str, dict[str, Status]] = {}
    for context, names in conditions_of(measured).items():
        sizes, given = sizes_of(measured, context), sizes_of(answered, context)
        few = [name for name in names if sizes[name] < preset.min_cells]
        missing = [name for name in names if name not in given]
        reasons[context] = {
            **dict.fromkeys(few, Status.TOO_FEW_CELLS),
            **dict.fromkeys(missing, Status.MISSING),
        }
    return reasons


def _check_match(answered: Rows, measured: Rows, *, must_match: bool) -> None:
    asked = pd.DataFrame(
        [(context, name) for context, names in conditions_of(measured).items() for name in names],
        columns=CONDITION,
    )
    check_some_conditions(answered.obs, asked)
    if must_match:
        check_conditions(answered.obs, asked)


def _labelled(scores: pd.DataFrame, preset: Preset, words: Mapping[str, str]) -> pd.DataFrame:
    return label(
        scores,
        scenario=QUESTION.name,
        arm=QUESTION.default_arm,
        seed=0,
        fold=0,
        preset=preset.name,
        level="condition",
        category=CATEGORY,
        numerator=np.nan,
        denominator=np.nan,
        **words,
    )
