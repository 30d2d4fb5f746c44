"""Predictions scored as another package scores them: files or matrices in, its numbers out."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import anndata as ad
import numpy as np
import pandas as pd
from scipy import sparse

from wildcell.arrays import Codes, Matrix, Names, log_normalise
from wildcell.datasets.open import OpenCells, open_cells
from wildcell.errors import DataError, OptionError, PredictionError
from wildcell.metrics.evidence import Cloud, Evidence, Side, side_of_cells
from wildcell.metrics.preset import PRESETS, Preset
from wildcell.names import CONDITION, CONTROL, Expression, Kind, Status
from wildcell.parallel import cores
from wildcell.results.preset_scores import score_evidence, unscored
from wildcell.results.score import label
from wildcell.scenarios.answer import check_conditions, check_values, gene_columns
from wildcell.scenarios.folder import is_truth
from wildcell.scenarios.outside import QUESTION
from wildcell.scenarios.reading import (
    Labels,
    check_source,
    labelled,
    library_size,
    prediction_kind,
    stated_or_detected,
)
from wildcell.streams.matrix import read_all, stream_of

CATEGORY = "as given"


@dataclass(frozen=True)
class Rows:
    """What one file holds: cells or means, with their labels.

    Attributes
    ----------
    X
        Shape (n_rows, n_genes).
    obs
        Columns context, perturbation, control_group.
    genes
        Gene symbols, shape (n_genes,).
    expression
        What the numbers are.
    kind
        What the rows are.
    depth
        The library size of log values, where it is known.
    """

    X: Matrix
    obs: pd.DataFrame
    genes: Names
    expression: Expression
    kind: Kind
    depth: float | None = None


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
        of_truth = pool.submit(_read, opened, labels, None, is_measured=True)
        given = [open_cells(source, "the prediction") for source in predictions.values()]
        answers = pool.map(lambda cells: _read(cells, labels, expression), given)
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


def _read(
    given: OpenCells,
    labels: Labels,
    expression: Expression | None,
    *,
    is_measured: bool = False,
) -> tuple[Rows, str]:
    """Return what cells from elsewhere hold, and a sentence on how their scale is known.

    Their numbers are read once, and looked at in memory.
    """
    read = labelled(given, Labels() if is_truth(given.uns) else labels)
    if is_measured:
        _check_sides(read.cells.obs)
    X = read_all(read.X)
    read = replace(read, X=stream_of(X, read.file))
    found, note = stated_or_detected(read, expression)
    kind = Kind.CELLS if is_truth(given.uns) else prediction_kind(read.cells)
    if kind is Kind.MEAN and found is Expression.COUNTS:
        raise PredictionError(
            f"{read.file} holds counts in one row a condition; a mean is the mean of cells' log1p "
            "values. Give these, or cells."
        )
    obs = read.cells.obs[["context", "perturbation", "control_group"]].reset_index(drop=True)
    if is_measured and kind is Kind.CELLS:
        check_source(read, found)
    else:
        check_values(read.look, found, obs)
    rows = Rows(
        X=X,
        obs=obs,
        genes=read.cells.var_names.to_numpy(dtype=object),
        expression=found,
        kind=kind,
        depth=library_size(read) if found is Expression.LOGNORM else None,
    )
    return rows, note


@dataclass(frozen=True)
class _Measured:
    """A truth, with each of its sides made once for all predictions that are held to it."""

    preset: Preset
    rows: Rows
    memo: dict[Any, Any] = field(default_factory=dict)

    def at(self, target_sum: float | None) -> "_Measured":
        """Return the truth in log values."""
        if target_sum not in self.memo:
            self.memo[target_sum] = _Measured(self.preset, in_logs(self.rows, target_sum))
        return cast("_Measured", self.memo[target_sum])

    def side(self, context: str, names: Sequence[str]) -> Side:
        """Return the side of some perturbations of a context, and what was computed of it."""
        key = (context, *names)
        if key not in self.memo:
            controls = _controls(self.rows, _control_groups(self.rows, context))
            if controls is None:
                raise DataError(
                    f"The truth has no controls in {context!r}; add them, or leave it out."
                )
            cells = _cloud(self.rows, context, names)
            self.memo[key] = side_of_cells(cells, len(names), controls)
        return cast("Side", self.memo[key])


def _check_sides(obs: pd.DataFrame) -> None:
    """Refuse a truth of controls alone, or of none."""
    is_control = obs["perturbation"] == CONTROL
    if is_control.all():
        raise DataError(
            f"The truth has no perturbed cells: it holds controls alone, {len(obs)} cells. Give "
            "the cells that were perturbed, too."
        )
    if not is_control.any():
        found = sorted(set(obs["perturbation"]))[:5]
        raise DataError(
            f"The truth has no control cells; perturbations found: {', '.join(found)}. "
            "Name the label of controls with --control."
        )


def _score(
    held_to: _Measured, answered: Rows, *, must_match: bool
) -> tuple[pd.DataFrame, list[str]]:
    """Return the scores of one prediction, and what was done to bring it to the truth's scale."""
    preset, measured, notes = held_to.preset, held_to.rows, list[str]()
    answered = on_genes(answered, measured.genes)
    if must_match:
        _check_match(answered, measured)
    if preset.needs_counts:
        tables = _on_counts(held_to, answered)
    else:
        target_sum, notes = common_target_sum(preset, answered, measured)
        tables = _over_contexts(held_to.at(target_sum), in_logs(answered, target_sum))
    return pd.concat(tables, ignore_index=True), notes


def on_genes(rows: Rows, genes: Names) -> Rows:
    """Return rows on some of their genes, in the order given."""
    if len(genes) == 0:
        raise PredictionError("The prediction and the truth have no genes in common.")
    if np.array_equal(rows.genes, genes):
        return rows
    return replace(rows, X=rows.X[:, gene_columns(rows.genes, genes)], genes=genes)


def common_target_sum(
    preset: Preset, answered: Rows, measured: Rows
) -> tuple[float | None, list[str]]:
    """Return the library size that counts are brought to: the preset's, or that of given logs."""
    scales = {answered.expression, measured.expression}
    if scales != {Expression.COUNTS, Expression.LOGNORM}:
        if Expression.LOG2 in scales and len(scales) > 1:
            raise PredictionError(
                f"The prediction holds {answered.expression} and the truth {measured.expression} "
                "values; bring them to one scale."
            )
        return preset.target_sum, []
    given = answered if answered.expression is Expression.LOGNORM else measured
    assumed = preset.target_sum if given.kind is Kind.MEAN else None
    size = given.depth or assumed
    if size is None:
        raise OptionError(
            "One file holds counts and the other log values of a library size that cannot be "
            "seen; give both as counts or both as log values."
        )
    return size, [f"Counts are brought to the library size of the log values, {size:.6g}."]


def in_logs(rows: Rows, target_sum: float | None) -> Rows:
    """Return rows of log values: counts at a target sum, of None at the median of their sums.

    Library sizes are those of the genes at hand, as packages take them.
    """
    if rows.expression is not Expression.COUNTS:
        return rows
    depth = np.asarray(rows.X.sum(axis=1), dtype=float).ravel()
    size = float(np.median(depth[depth > 0])) if target_sum is None else target_sum
    return replace(rows, X=log_normalise(rows.X, depth, size), expression=Expression.LOGNORM)


def _on_counts(held_to: _Measured, answered: Rows) -> list[pd.DataFrame]:
    if {answered.expression, held_to.rows.expression} == {Expression.COUNTS}:
        return _over_contexts(held_to, answered)
    status = Status.NEEDS_CELLS if answered.kind is Kind.MEAN else Status.NEEDS_COUNTS
    return [
        unscored(held_to.preset, dict.fromkeys(names, status)).assign(context=context)
        for context, names in _conditions(held_to.rows).items()
    ]


def _over_contexts(held_to: _Measured, answered: Rows) -> list[pd.DataFrame]:
    tables = []
    for context, names in _conditions(held_to.rows).items():
        evidence, unanswered = _evidence_of(held_to, answered, context, names)
        if evidence is not None:
            tables.append(score_evidence(held_to.preset, evidence).assign(context=context))
        if unanswered:
            tables.append(unscored(held_to.preset, unanswered).assign(context=context))
    return tables


def _conditions(rows: Rows) -> dict[str, list[str]]:
    """Return the perturbations of each context, sorted."""
    perturbed = rows.obs[rows.obs["perturbation"] != CONTROL]
    groups = perturbed.groupby("context", sort=True)["perturbation"]
    return {str(context): sorted(set(names)) for context, names in groups}


def _evidence_of(
    held_to: _Measured, answered: Rows, context: str, names: Sequence[str]
) -> tuple[Evidence | None, dict[str, Status]]:
    """Return what is to be compared in one context, and why other perturbations are not."""
    preset, measured = held_to.preset, held_to.rows
    sizes = _sizes(measured, context)
    given = _sizes(answered, context)
    left_out = {name: Status.TOO_FEW_CELLS for name in names if sizes[name] < preset.min_cells}
    left_out |= {name: Status.MISSING for name in names if name not in given}
    scored = [name for name in names if name not in left_out]
    if not scored:
        return None, left_out
    truth = held_to.side(context, scored)
    controls = truth.controls
    if preset.controls == "prediction":
        controls = _controls(answered, _control_groups(measured, context))
    prediction = _predicted(answered, context, scored, controls)
    return Evidence(tuple(scored), measured.genes, truth, prediction), left_out


def _predicted(rows: Rows, context: str, names: Sequence[str], controls: Cloud | None) -> Side:
    if rows.kind is Kind.CELLS:
        return side_of_cells(_cloud(rows, context, names), len(names), controls)
    where = rows.obs.index[rows.obs["context"] == context]
    place = pd.Series(where, index=rows.obs.loc[where, "perturbation"])
    if not place.index.is_unique:
        raise PredictionError(
            f"The prediction has several means of one condition in {context!r}; give one row a "
            "condition, or cells."
        )
    mean = np.asarray(rows.X[place[list(names)].to_numpy()].toarray(), dtype=np.float64)
    control = None if controls is None else np.asarray(controls.X.mean(axis=0)).ravel()
    return Side(mean, np.zeros(len(names), dtype=np.int64), control, None, controls)


def _sizes(rows: Rows, context: str) -> dict[str, int]:
    return rows.obs.loc[rows.obs["context"] == context, "perturbation"].value_counts().to_dict()


def _control_groups(rows: Rows, context: str) -> set[str]:
    is_here = (rows.obs["context"] == context) & (rows.obs["perturbation"] != CONTROL)
    return set(rows.obs.loc[is_here, "control_group"])


def _controls(rows: Rows, groups: set[str]) -> Cloud | None:
    is_control = (rows.obs["perturbation"] == CONTROL) & rows.obs["control_group"].isin(groups)
    where = np.flatnonzero(is_control)
    return Cloud(taken(rows.X, where), np.zeros(len(where), dtype=np.intp)) if len(where) else None


def _cloud(rows: Rows, context: str, names: Sequence[str]) -> Cloud:
    codes = pd.Index(names).get_indexer(rows.obs["perturbation"])
    codes[(rows.obs["context"] != context).to_numpy()] = -1
    where: Codes = np.flatnonzero(codes >= 0)
    return Cloud(taken(rows.X, where), codes[where])


def taken(X: Matrix, rows: Codes) -> Matrix:
    """Return some rows, ascending; they share the memory of `X` where they are consecutive.

    Examples
    --------
    >>> from scipy import sparse
    >>> taken(sparse.csr_matrix(np.eye(3)), np.array([1, 2])).indices.tolist()
    [1, 2]
    """
    if len(rows) == 0 or rows[-1] - rows[0] >= len(rows):
        return X[rows]
    bounds = X.indptr[rows[0] : rows[-1] + 2]
    inside = slice(int(bounds[0]), int(bounds[-1]))
    parts = X.data[inside], X.indices[inside], bounds - bounds[0]
    return sparse.csr_matrix(parts, shape=(len(rows), X.shape[1]))


def _check_match(answered: Rows, measured: Rows) -> None:
    asked = pd.DataFrame(
        [(context, name) for context, names in _conditions(measured).items() for name in names],
        columns=CONDITION,
    )
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
