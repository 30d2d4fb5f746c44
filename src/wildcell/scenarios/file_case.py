"""A prediction file and the truth file it is held to, read, scaled and checked against each other.

Where nothing is trained beside them, their numbers stay where they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

import anndata as ad
import numpy as np

from wildcell.datasets.dataset import Dataset
from wildcell.datasets.open import OpenCells, open_cells
from wildcell.errors import OptionError, PredictionError
from wildcell.names import SHAM, Expression, Kind
from wildcell.scenarios.answer import check_conditions
from wildcell.scenarios.folder import is_truth, prediction_from, read_task
from wildcell.scenarios.outside import as_dataset, on_genes, pose_from_files
from wildcell.scenarios.prediction import Prediction
from wildcell.scenarios.reading import (
    Labels,
    ReadCells,
    check_source,
    labelled,
    library_size,
    prediction_kind,
    stated_library_size,
    stated_or_detected,
)
from wildcell.scenarios.task import Task, Truth, cells_on
from wildcell.scenarios.unread import UnreadPrediction, UnreadTruth, judges_truth, posed_truth


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
class FileCase:
    """A prediction and the truth it is held to, with a task for baselines where there is one.

    Attributes
    ----------
    prediction
        The answer; predicted cells stay in their file where the truth does.
    truth
        What it is held to, with its numbers or without.
    unread
        Where the truth's numbers are, if they are not read.
    task
        For baselines; None without training cells.
    notes
        What was read, detected and flagged, in sentences.
    """

    prediction: Prediction | UnreadPrediction
    truth: Truth
    unread: UnreadTruth | None
    task: Task | None
    notes: Sequence[str]


def open_case(prediction: Source, truth: Source, train: Path | None, reading: Reading) -> FileCase:
    """Read the files' labels, settle their scales, and check that they fit.

    Parameters
    ----------
    prediction, truth
        Files, or cells in memory.
    train
        Training cells, or a task folder.
    reading
        How they are to be read.
    """
    answered = labelled(open_cells(prediction, "the prediction"), reading.labels)
    expression, note = stated_or_detected(answered, reading.expression)
    kind = prediction_kind(answered.cells)
    if kind is Kind.MEAN and expression is Expression.COUNTS:
        raise PredictionError(
            f"{answered.file} holds counts in one row a condition; a mean is the mean of cells' "
            "log1p values. Give these, or cells."
        )
    depth = _depth_of(answered, expression, kind, reading)
    rows = "cells" if kind is Kind.CELLS else "means"
    opened = open_cells(truth, "the truth")
    held_to, unread, task, more = _open_truth(opened, train, reading, depth, expression)
    notes = [note, f"{answered.file}: rows are {rows}.", *more]
    if reading.is_on_common_genes:
        genes = np.array(answered.cells.var_names, dtype=object)
        unread = None if unread is None else unread.on_genes(genes)
        held_to = on_genes(held_to, genes) if unread is None else unread.truth
        notes.append(f"Scored on the {len(held_to.test.genes)} genes in common.")
        task = None if task is None else _task_on(task, held_to)
    if reading.must_match:
        asked = held_to.conditions["category"] != SHAM
        check_conditions(answered.cells.obs, held_to.conditions[asked])
    if depth is None and expression is Expression.LOGNORM and held_to.test.target_sum is not None:
        notes.append(
            f"{answered.file}: taken to be at the truth's library size of "
            f"{held_to.test.target_sum:.6g}; say --target-sum if it is not."
        )
    notes += [f"{opened.name}: {flag}." for flag in held_to.origin.flags]
    given: Prediction | UnreadPrediction = UnreadPrediction(answered, expression, depth)
    if unread is None or kind is Kind.MEAN:
        given = prediction_from(answered.in_memory, expression=expression, kind=kind)
        given = replace(given, target_sum=depth)
    return FileCase(given, held_to, unread, task, notes)


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
    depth: float | None,
    predicted: Expression,
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
    is_free = expression is Expression.COUNTS and predicted is Expression.LOGNORM
    if is_free and depth is None:
        raise OptionError(
            "The library size that the prediction's log1p values refer to cannot be seen; "
            "say it with --target-sum, such as --target-sum 10000."
        )
    target_sum = depth if is_free else None
    if train is None:
        unread = posed_truth(
            shown,
            as_dataset(shown, expression, own_depth, with_numbers=False),
            seed=reading.seed,
            target_sum=target_sum,
            is_anchored_to_all=reading.is_anchored_to_all,
        )
        return unread.truth, unread, None, [note]
    question = pose_from_files(
        as_dataset(shown, expression, own_depth),
        _training(train, reading, expression),
        seed=reading.seed,
        target_sum=target_sum,
        is_anchored_to_all=reading.is_anchored_to_all,
    )
    return question.truth, None, question.task, [note]


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
