"""Questions posed from files that were not split here: a truth, a prediction, training cells."""

from collections.abc import Collection
from dataclasses import replace

import anndata as ad
import numpy as np
import pandas as pd
from scipy import sparse

from wildcell.arrays import Names, as_csr
from wildcell.datasets.dataset import Dataset
from wildcell.errors import DataError, OptionError, PredictionError
from wildcell.names import (
    CEILING,
    CONDITION,
    CONTROL,
    REPLICATE,
    UNS,
    Expression,
    Role,
    with_options,
)
from wildcell.scenarios.control_labels import where_controls_may_be
from wildcell.scenarios.controls import common_controls
from wildcell.scenarios.panel import CELL_COLUMNS
from wildcell.scenarios.parts import components_of
from wildcell.scenarios.pose import Question, pose
from wildcell.scenarios.preprocess import median_depth
from wildcell.scenarios.reading import ReadCells
from wildcell.scenarios.scenario import Scenario
from wildcell.scenarios.split import Split
from wildcell.scenarios.task import Cells, Truth, cells_on

SEEN_BOTH_HALVES = (
    "the controls were halved after the fact. A model that learnt from the kept half scores too "
    "high; one that adds its effects to the mean of all controls scores too low, unless it is "
    "judged with --anchor all. A task folder from wildcell split has neither"
)

REPEATED_BY_CHANCE = 0.05
"""Share of the test cells that training cells may equal: shallow cells of a few genes do."""

BASELINES = ["no-change", "perturbed-mean", "context-transfer", "additive", "matching-mean"]
"""Baselines that need no more than training cells."""

QUESTION = Scenario(
    name="files",
    version=1,
    question="How good is a prediction that was made elsewhere?",
    splitter="",
    reference="perturbed-mean",
    arms={"as-given": {}},
    default_arm="as-given",
    genes="all",
)


def check_names(names: Collection[str]) -> None:
    """Raise `OptionError` unless predictions have names of their own, one at least."""
    if not names:
        raise OptionError("There is no prediction; give one at least.")
    for name in names:
        if name in {*BASELINES, REPLICATE, CEILING}:
            raise OptionError(
                f"{name!r} is the name of a baseline; call the prediction something else."
            )


def as_dataset(
    read: ReadCells,
    expression: Expression,
    target_sum: float | None,
    *,
    with_numbers: bool = True,
) -> Dataset:
    """Return labelled cells as a screen whose perturbations have the parts that it states.

    Parameters
    ----------
    read
        The cells.
    expression, target_sum
        Their scale.
    with_numbers
        Whether their numbers are read into memory; else there are but labels.
    """
    screen = read.in_memory.copy() if with_numbers else read.cells.copy()
    metadata = dict(screen.uns[UNS])
    metadata["components"] = components_of(read)
    metadata["expression"] = str(expression)
    metadata["target_sum"] = target_sum
    screen.uns[UNS] = metadata
    if expression is Expression.COUNTS and "total_counts" not in screen.obs:
        screen.obs["total_counts"] = read.look.row_sums
    return Dataset(read.stem, screen)


def pose_from_files(
    truth: Dataset,
    train: Dataset | None,
    *,
    seed: int,
    target_sum: float | None,
    is_anchored_to_all: bool = False,
) -> Question:
    """Pose the question that a truth file answers, its controls halved here.

    Parameters
    ----------
    truth
        Test cells and controls.
    train
        Training cells for naive baselines; controls that the truth has, too, are left out.
    seed
        Of the halving.
    target_sum
        The library size of the log values that are compared; the median of the truth's given
        controls if None.
    is_anchored_to_all
        Whether predictions are measured against all controls, the kept half included, since they
        were made from these.

    Returns
    -------
    Flagged: a model may have seen the half of the controls that is kept here.
    """
    _check_truth(truth)
    screen = truth if train is None else _joined(truth, train)
    is_test = np.arange(screen.cells.n_obs) < truth.cells.n_obs
    perturbed = ~screen.is_control
    roles = np.where(is_test, str(Role.TEST), str(Role.TRAIN))[perturbed].astype(object)
    split = Split(QUESTION.name, QUESTION.default_arm, seed, 0, 1, _tested(screen, truth), roles)
    question = pose(screen, split, QUESTION)
    if is_anchored_to_all:
        question = _anchored_to_all(question)
    level = _library_size(truth, seed=seed) if target_sum is None else target_sum
    task, judged = question if level is None else at_library_size(question, level)
    words = {} if target_sum is None else {"target_sum": f"{target_sum:g}"}
    if is_anchored_to_all:
        words["anchor"] = "all"
    name = with_options(judged.origin.scenario, words)
    origin = replace(judged.origin, scenario=name, flags=(*judged.origin.flags, SEEN_BOTH_HALVES))
    return Question(task, replace(judged, origin=origin))


def _library_size(truth: Dataset, *, seed: int) -> float | None:
    """Return the median library size of the given controls; None where values are no counts."""
    if truth.expression is not Expression.COUNTS:
        return None
    sizes = truth.cells.obs["total_counts"].to_numpy(float)
    return median_depth(sizes[common_controls(truth, seed=seed)])


def _anchored_to_all(question: Question) -> Question:
    """Return a question whose given controls are all there are."""
    task, truth = question
    every = replace(
        truth.given,
        X=sparse.vstack([truth.given.X, truth.kept.X], format="csr"),
        obs=pd.concat([truth.given.obs, truth.kept.obs], ignore_index=True),
    )
    query = replace(task.query, controls=every)
    return Question(replace(task, query=query), replace(truth, given=every))


def at_library_size(question: Question, target_sum: float) -> Question:
    """Return a question on counts with its log values taken at another library size."""

    def rescaled(cells: Cells) -> Cells:
        return replace(cells, target_sum=target_sum)

    task, truth = question
    query = replace(task.query, controls=rescaled(task.query.controls))
    return Question(
        replace(task, train=rescaled(task.train), val=rescaled(task.val), query=query),
        replace(
            truth,
            test=rescaled(truth.test),
            kept=rescaled(truth.kept),
            given=rescaled(truth.given),
        ),
    )


def on_genes(truth: Truth, genes: Names) -> Truth:
    """Return a truth on the genes that it shares with others, in its own order."""
    shared = truth.test.genes[np.isin(truth.test.genes, genes)]
    if len(shared) == 0:
        raise PredictionError("The prediction and the truth have no genes in common.")
    return replace(
        truth,
        test=cells_on(truth.test, shared),
        kept=cells_on(truth.kept, shared),
        given=cells_on(truth.given, shared),
        targets=truth.targets[truth.targets["gene"].isin(shared)].reset_index(drop=True),
    )


def _check_truth(truth: Dataset) -> None:
    """Refuse a truth that nothing can be measured in."""
    if not truth.is_control.any():
        likely = where_controls_may_be(truth.cells.obs["perturbation"])
        raise DataError(f"{truth.name} has no control cells. {likely}")
    if truth.is_control.all():
        raise DataError(f"{truth.name} has no perturbed cells.")
    groups = truth.cells.obs.loc[truth.is_control, "control_group"]
    lacking = sorted(set(truth.conditions["control_group"]) - set(groups))
    if lacking:
        raise DataError(
            f"{truth.name} has no controls in {len(lacking)} of its contexts: "
            f"{', '.join(lacking[:3])}. Leave these contexts out, or add their controls."
        )


def _joined(truth: Dataset, train: Dataset) -> Dataset:
    if train.expression is not truth.expression:
        raise DataError(
            f"{train.name} holds {train.expression} and {truth.name} {truth.expression}; "
            "bring them to one scale."
        )
    lacking = sorted(set(truth.cells.var_names) - set(train.cells.var_names))
    if lacking:
        raise DataError(
            f"{train.name} lacks {len(lacking)} of the truth's genes, such as {lacking[0]}."
        )
    own = _without_cells_of(truth, train)
    own.obs["control_group"] = _groups_apart(own.obs)
    cells = ad.concat([truth.cells, own], index_unique="-", keys=["truth", "train"])
    parts = pd.concat([truth.components, train.components]).drop_duplicates()
    cells.uns[UNS] = {**truth.metadata, "components": parts.reset_index(drop=True)}
    for column in CELL_COLUMNS:
        cells.obs[column] = cells.obs[column].astype(str)
    return Dataset(truth.name, cells)


def _without_cells_of(truth: Dataset, train: Dataset) -> ad.AnnData:
    """Return the training cells on the truth's genes, less those that are the truth's own.

    Cells are known by their numbers, for names change when files are joined. More than a few
    test cells among them are an error.
    """
    cells = train.cells[:, truth.cells.var_names].copy()
    known = set(_contents(truth.cells))
    is_repeated = np.array([content in known for content in _contents(cells)], dtype=bool)
    n_tested = int((is_repeated & ~train.is_control).sum())
    if n_tested > REPEATED_BY_CHANCE * int((~truth.is_control).sum()):
        raise DataError(
            f"{train.name} holds test cells of {truth.name}: {n_tested} have the same numbers. "
            "Give training cells alone."
        )
    return cells[~is_repeated].copy()


def _contents(cells: ad.AnnData) -> list[bytes]:
    """Return what the numbers of each cell are, as bytes that can be compared."""
    rows = as_csr(cells.X)
    return [
        rows.indices[start:stop].tobytes() + rows.data[start:stop].tobytes()
        for start, stop in zip(rows.indptr[:-1], rows.indptr[1:], strict=True)
    ]


def _groups_apart(obs: pd.DataFrame) -> pd.Series:
    """Name control groups that have controls in training apart from those of the truth."""
    groups = obs["control_group"].astype(str)
    own = set(groups[obs["perturbation"] == CONTROL])
    return groups.where(~groups.isin(own), "train: " + groups)


def _tested(screen: Dataset, truth: Dataset) -> pd.DataFrame:
    """Conditions with the role test where the truth has them."""
    conditions = screen.conditions.copy()
    keys = pd.MultiIndex.from_frame(truth.conditions[CONDITION])
    is_tested = pd.MultiIndex.from_frame(conditions[CONDITION]).isin(keys)
    conditions["role"] = np.where(is_tested, str(Role.TEST), str(Role.TRAIN))
    conditions["reason"] = ""
    conditions["category"] = "as given"
    return conditions
