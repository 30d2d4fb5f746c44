"""Prediction files and the truth file they are held to, read, scaled and checked for fit.

Where nothing is trained beside them, their numbers stay where they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

import anndata as ad
import numpy as np

from wildcell.arrays import Names
from wildcell.datasets.dataset import Dataset
from wildcell.datasets.open import OpenCells, open_cells
from wildcell.datasets.values import summarise_values
from wildcell.errors import OptionError, PredictionError
from wildcell.names import SHAM, Expression, Kind
from wildcell.scenarios.answer import (
    LEAST_SHARE,
    check_conditions,
    check_some_conditions,
    is_panel_of_more,
)
from wildcell.scenarios.folder import is_truth, prediction_from, read_task
from wildcell.scenarios.outside import as_dataset, on_genes, pose_from_files
from wildcell.scenarios.parts import notes_on_parts
from wildcell.scenarios.prediction import Prediction
from wildcell.scenarios.reading import (
    Labels,
    ReadCells,
    check_mean_scale,
    check_source,
    check_stated_sizes,
    is_one_size,
    labelled,
    library_size,
    prediction_kind,
    size_notes,
    stated_library_size,
    stated_or_detected,
)
from wildcell.scenarios.task import Task, Truth, cells_on
from wildcell.scenarios.unread import UnreadPrediction, UnreadTruth, judges_truth, posed_truth
from wildcell.streams.matrix import SelectedRows


@dataclass(frozen=True)
class Reading:
    """How the files are to be read.

    Attributes
    ----------
    labels
        Where they say what their cells are.
    expression, target_sum
        The prediction's scale, where its file does not say.
    is_on_common_genes
        Whether genes that the prediction lacks are left out, rather than an error.
    must_match
        Whether the prediction must have just the truth's conditions.
    seed
        Of the halving of controls.
    is_anchored_to_all
        Whether the prediction was made from all controls of a file that is halved here.
    """

    labels: Labels = field(default_factory=Labels)
    expression: Expression | None = None
    target_sum: float | None = None
    is_on_common_genes: bool = False
    must_match: bool = True
    seed: int = 0
    is_anchored_to_all: bool = False


Source: TypeAlias = Path | ad.AnnData
"""A file, or cells in memory."""


@dataclass(frozen=True)
class OpenAnswer:
    """A prediction whose labels are read and whose scale is settled.

    Attributes
    ----------
    read
        Its labels, and where its numbers are.
    expression
        What its numbers are.
    kind
        What its rows are.
    depth
        The library size that its log1p values refer to, where that is known.
    note
        How the scale is known, in a sentence.
    """

    read: ReadCells
    expression: Expression
    kind: Kind
    depth: float | None
    note: str

    @property
    def unread(self) -> UnreadPrediction:
        """Predicted cells, left where they are."""
        return UnreadPrediction(self.read, self.expression, self.depth)

    @property
    def prediction(self) -> Prediction:
        """The same, read whole."""
        whole = prediction_from(self.read.in_memory, expression=self.expression, kind=self.kind)
        return replace(whole, target_sum=self.depth)


@dataclass(frozen=True)
class FileCase:
    """Predictions and the truth they are held to, with a task for baselines where there is one.

    Attributes
    ----------
    answers
        The predictions, by name.
    truth
        What they are held to, with its numbers or without.
    unread
        Where the truth's numbers are, if they are not read.
    task
        For baselines; None without training cells.
    notes
        What was read, detected and flagged, in sentences.
    """

    answers: Mapping[str, OpenAnswer]
    truth: Truth
    unread: UnreadTruth | None
    task: Task | None
    notes: Sequence[str]

    def is_streamed(self, name: str) -> bool:
        """Whether a prediction's cells stay in their file, as the truth's do."""
        return self.unread is not None and self.answers[name].kind is Kind.CELLS


def open_case(
    predictions: Mapping[str, Source], truth: Source, train: Path | None, reading: Reading
) -> FileCase:
    """Read the files' labels, settle their scales, and check that they fit.

    Parameters
    ----------
    predictions
        Files, or cells in memory, by name; all are held to one truth on one set of genes.
    truth
        A file, or cells in memory.
    train
        Training cells, or a task folder.
    reading
        How they are to be read.
    """
    answers = {name: _open_answer(source, reading) for name, source in predictions.items()}
    opened = open_cells(truth, "the truth")
    held_to, unread, task, more = _open_truth(opened, train, reading, answers)
    notes = [
        sentence
        for answer in answers.values()
        for sentence in (
            answer.note,
            f"{answer.read.file}: rows are {_word_of(answer.kind)}.",
            *size_notes(answer.read, answer.depth, reading.target_sum),
        )
    ]
    notes += more
    _check_sizes_of_logs(answers, held_to if unread is None else unread)
    if reading.is_on_common_genes:
        genes = _common_genes(answers)
        unread = None if unread is None else unread.on_genes(genes)
        held_to = on_genes(held_to, genes) if unread is None else unread.truth
        notes.append(f"Scored on the {len(held_to.test.genes)} genes in common.")
        task = None if task is None else _task_on(task, held_to)
    for answer in answers.values():
        asked = held_to.conditions[held_to.conditions["category"] != SHAM]
        check_some_conditions(answer.read.cells.obs, asked)
        if reading.must_match:
            check_conditions(answer.read.cells.obs, asked)
        if _is_of_unseen_depth(answer) and held_to.test.target_sum is not None:
            notes.append(
                f"{answer.read.file}: taken to be at the truth's library size of "
                f"{held_to.test.target_sum:.6g}; say --target-sum if it is not."
            )
    notes += [f"{opened.name}: {flag}." for flag in held_to.origin.flags]
    return FileCase(answers, held_to, unread, task, notes)


def _open_answer(source: Source, reading: Reading) -> OpenAnswer:
    answered = labelled(open_cells(source, "the prediction"), reading.labels)
    expression, note = stated_or_detected(answered, reading.expression)
    kind = prediction_kind(answered.cells)
    check_mean_scale(answered.file, kind, expression)
    if expression is Expression.COUNTS:
        check_stated_sizes(answered)
    depth = _depth_of(answered, expression, kind, reading)
    return OpenAnswer(answered, expression, kind, depth, note)


def _word_of(kind: Kind) -> str:
    return "cells" if kind is Kind.CELLS else "means"


def _is_of_unseen_depth(answer: OpenAnswer) -> bool:
    return answer.depth is None and answer.expression is Expression.LOGNORM


def _common_genes(answers: Mapping[str, OpenAnswer]) -> Names:
    """Return the genes that all predictions have, in the order of the first."""
    first, *others = (answer.read.cells.var_names for answer in answers.values())
    is_common = np.ones(len(first), dtype=bool)
    for genes in others:
        is_common &= first.isin(genes)
    return np.array(first[is_common], dtype=object)


def _one_depth(answers: Mapping[str, OpenAnswer]) -> float | None:
    """Return the library size at which a truth of counts is held against log values.

    None where all predictions are counts, too: then it is the truth's own.
    """
    logs = {
        name: answer for name, answer in answers.items() if answer.expression is Expression.LOGNORM
    }
    depths: dict[str, float] = {}
    for name, answer in logs.items():
        if answer.depth is None:
            raise OptionError(
                f"The library size that the log1p values of {name!r} refer to cannot be seen; "
                "say it with --target-sum, such as --target-sum 10000."
            )
        depths[name] = answer.depth
    first = next(iter(depths.values()), None)
    if first is None:
        return None
    found = [f"{name!r} at {depth:g}" for name, depth in depths.items()]
    counts = [name for name, one in answers.items() if one.expression is Expression.COUNTS]
    if not counts and all(is_one_size(depth, first) for depth in depths.values()):
        return first
    found += [f"{name!r} holds counts, to be taken at the truth's own" for name in counts]
    raise OptionError(
        f"The predictions' log values are at several library sizes: {', '.join(found)}. Scores "
        "at two sizes do not compare; bring all to log values at one, or score them apart."
    )


def _check_sizes_of_logs(answers: Mapping[str, OpenAnswer], truth: Truth | UnreadTruth) -> None:
    """Refuse log values at library sizes of more genes than those of a truth of counts."""
    if isinstance(truth, UnreadTruth):
        cells, is_panel = truth.truth.test, truth.is_panel_of_more
    else:
        cells, is_panel = truth.test, is_panel_of_more(truth.test)
    if cells.expression is not Expression.COUNTS or is_panel:
        return
    for name, answer in answers.items():
        is_shared = np.isin(answer.read.cells.var_names, cells.genes)
        if answer.expression is not Expression.LOGNORM or is_shared.all() or not is_shared.any():
            continue
        shared = SelectedRows(answer.read.X, columns=np.flatnonzero(is_shared))
        share = summarise_values(shared).linear_row_sums.sum()
        if share < LEAST_SHARE * answer.read.look.linear_row_sums.sum():
            raise PredictionError(
                f"{name!r} holds log values of {len(is_shared)} genes, and the truth's library "
                f"sizes are sums over its own {len(cells.genes)}: they are not of one size. State "
                "the truth's over all genes in its obs['total_counts'], or take the prediction's "
                "log values over the truth's genes alone."
            )


def _depth_of(
    read: ReadCells, expression: Expression, kind: Kind, reading: Reading
) -> float | None:
    """Return the library size of log1p values: as said, or as the cells show it."""
    said, stated = reading.target_sum, stated_library_size(read)
    if said is not None and not (np.isfinite(said) and said > 0):
        raise OptionError(f"--target-sum must be a positive number; got {said}.")
    if said is not None and stated is not None and said != stated:
        raise OptionError(
            f"{read.file} states a target_sum of {stated:g}, and --target-sum says {said:g}; drop "
            "the option or mend the file."
        )
    if expression is not Expression.LOGNORM:
        return None
    if said is not None or kind is Kind.MEAN:
        return said or stated
    return library_size(read)


def _open_truth(
    opened: OpenCells,
    train: Path | None,
    reading: Reading,
    answers: Mapping[str, OpenAnswer],
) -> tuple[Truth, UnreadTruth | None, Task | None, list[str]]:
    """Return the truth, where its numbers are, a task for baselines, and what to say of them."""
    if is_truth(opened.uns):
        unread = judges_truth(opened)
        if train is None and not unread.truth.unseen_genes:
            return unread.truth, unread, None, []
        return unread.read_all(), None, None if train is None else _task_of(train), []
    shown = labelled(opened, reading.labels)
    expression, note = stated_or_detected(shown, None)
    check_source(shown, expression)
    own_depth = _own_depth(shown, expression)
    notes = [note, *notes_on_parts(shown), *size_notes(shown, own_depth)]
    target_sum = _one_depth(answers) if expression is Expression.COUNTS else None
    if train is None:
        unread = posed_truth(
            shown,
            as_dataset(shown, expression, own_depth, with_numbers=False),
            seed=reading.seed,
            target_sum=target_sum,
            is_anchored_to_all=reading.is_anchored_to_all,
        )
        return unread.truth, unread, None, notes
    question = pose_from_files(
        as_dataset(shown, expression, own_depth),
        _training(train, reading, expression),
        seed=reading.seed,
        target_sum=target_sum,
        is_anchored_to_all=reading.is_anchored_to_all,
    )
    return question.truth, None, question.task, notes


def _own_depth(read: ReadCells, expression: Expression) -> float | None:
    return library_size(read) if expression is Expression.LOGNORM else None


def _training(path: Path, reading: Reading, expected: Expression) -> Dataset:
    read = labelled(open_cells(path), reading.labels)
    expression, _ = stated_or_detected(read, None)
    check_source(read, expression)
    return as_dataset(read, expression, _own_depth(read, expected))


def _task_of(folder: Path) -> Task:
    if not folder.is_dir():
        raise OptionError(
            f"Beside a judge's file, --train names the task folder that belongs to it; {folder} "
            "is none."
        )
    return read_task(folder)


def _task_on(task: Task, truth: Truth) -> Task:
    """Return a task on the genes of a truth that models were given."""
    genes = truth.test.genes[~np.isin(truth.test.genes, truth.unseen_genes)]
    return replace(
        task,
        train=cells_on(task.train, genes),
        val=cells_on(task.val, genes),
        query=replace(task.query, controls=cells_on(task.query.controls, genes)),
    )
