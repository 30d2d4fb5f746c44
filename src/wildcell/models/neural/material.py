"""From a task to what a network is trained and looked at on."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from wildcell.arrays import Booleans, Floats, moments
from wildcell.errors import DataError
from wildcell.models.neural.examples import Examples, arrange
from wildcell.models.neural.gaps import Gaps, gaps_of
from wildcell.models.neural.treatment import Encoding, learn_encoding
from wildcell.names import CONDITION
from wildcell.scenarios.task import Cells, Query, Task

HELD_OUT_SHARE = 0.1
"""Of the cells of each training condition, where a task sets no conditions aside."""


@dataclass(frozen=True)
class Side:
    """Cells to train on, or to look at.

    Attributes
    ----------
    examples
        The cells by condition; controls of each group stand as conditions after the others.
    conditions
        Columns context, perturbation, control_group, is_foreign.
    mean
        Measured mean log values of the conditions, shape (n_conditions, n_genes); NaN where a gene
        was not measured.
    control_mean
        The same of each control group, shape (n_groups, n_genes).
    """

    examples: Examples
    conditions: pd.DataFrame
    mean: Floats
    control_mean: Floats


@dataclass(frozen=True)
class Material:
    """Both sides, how what is asked later is to be encoded, and which components are near."""

    train: Side
    val: Side
    encoding: Encoding
    contexts: pd.Index
    graph: pd.DataFrame | None


def prepare(task: Task, rng: np.random.Generator, *, use_embedding: bool = True) -> Material:
    """Return what a network is trained on, and what it is looked at on.

    Validation is that of the task. Where there is none, or nothing in it can be answered, a tenth
    of the cells of each training condition is set aside, and all of them serve where that is none.

    Parameters
    ----------
    task
        The task.
    rng
        Of the cells set aside.
    use_embedding
        Whether encoders read the cell embedding, where there is one.

    Raises
    ------
    DataError
        There are no perturbed cells, or a condition has no controls.
    """
    query, trained = task.query, task.train.obs.loc[~task.train.is_control]
    if trained.empty:
        raise DataError("There are no perturbed cells to learn from; give the task some.")
    encoding = learn_encoding(query.components, query.features, trained["perturbation"])
    contexts = pd.Index(sorted(set(trained["context"].astype(str))))
    gaps = gaps_of(task)
    train, val = task.train, _answerable(task.val, query, encoding)
    if val.is_control.all():
        train, val = _held_out(task, rng)
    if not use_embedding:
        train, val = _without_embedding(train), _without_embedding(val)
    return Material(
        _side(replace(task, train=train), encoding, contexts, gaps),
        _side(replace(task, train=val), encoding, contexts, gaps),
        encoding,
        contexts,
        query.graph,
    )


def ask_examples(query: Query, material_encoding: Encoding, contexts: pd.Index) -> Examples:
    """Return the conditions of a query and their given controls; no cell of them is known."""
    cells, conditions = query.controls, query.conditions.assign(is_foreign=False)
    none = np.zeros(cells.n, dtype=bool)
    return _arranged(cells, conditions, query, material_encoding, contexts, is_foreign=none)


def _side(task: Task, encoding: Encoding, contexts: pd.Index, gaps: Gaps | None) -> Side:
    """Arrange the training cells of a task; those given over and over are conditions apart."""
    cells, is_foreign = task.train, task.is_foreign
    keys = [*CONDITION, "is_foreign"]
    obs = cells.obs[[*CONDITION, "control_group"]].assign(is_foreign=is_foreign)
    conditions = (
        obs.loc[~cells.is_control]
        .drop_duplicates(keys)
        .sort_values(["is_foreign", *CONDITION])
        .reset_index(drop=True)
    )
    groups = pd.MultiIndex.from_frame(conditions[keys]).get_indexer(
        pd.MultiIndex.from_frame(obs[keys])
    )
    perturbed = moments(cells.lognorm, groups, len(conditions))
    _, control = cells.control_moments()
    examples = _arranged(
        cells, conditions, task.query, encoding, contexts, is_foreign=is_foreign, gaps=gaps
    )
    mean = perturbed.mean
    if gaps is not None:
        mean = np.where(gaps.is_measured[examples.screen[: len(mean)]], mean, np.nan)
    return Side(examples, conditions, mean, control.mean)


def _arranged(
    cells: Cells,
    conditions: pd.DataFrame,
    query: Query,
    encoding: Encoding,
    contexts: pd.Index,
    *,
    is_foreign: Booleans,
    gaps: Gaps | None = None,
) -> Examples:
    codes, keys = pd.factorize(conditions["perturbation"].astype(str))
    treatments = encoding.encode(query.components, keys)
    return arrange(cells, conditions, codes, treatments, contexts, is_foreign=is_foreign, gaps=gaps)


def _answerable(cells: Cells, query: Query, encoding: Encoding) -> Cells:
    """Return the cells whose perturbations can be encoded, and the controls."""
    known = set(encoding.features.index) | set(encoding.own)
    is_known = query.components["component"].isin(known)
    unknown = set(query.components.loc[~is_known, "perturbation"])
    rows = ~cells.obs["perturbation"].isin(unknown).to_numpy(dtype=bool)
    return cells if rows.all() else cells.select(rows)


def _held_out(task: Task, rng: np.random.Generator) -> tuple[Cells, Cells]:
    """Set a tenth of the cells of each condition aside; both sides have all controls.

    Those of other screens are trained on only, unless there are no others.
    """
    cells, is_aside = task.train, _drawn_from_each(task.train, rng)
    if not (task.is_foreign | cells.is_control).all():
        is_aside &= ~task.is_foreign
    if not is_aside.any():
        return cells, cells
    return cells.select(~is_aside), cells.select(is_aside | cells.is_control)


def _drawn_from_each(cells: Cells, rng: np.random.Generator) -> Booleans:
    order = pd.Series(rng.permutation(cells.n))
    groups = [cells.obs[name].astype(str) for name in CONDITION]
    rank = order.groupby(groups).rank(method="first") - 1
    size = order.groupby(groups).transform("size")
    return (rank < (size * HELD_OUT_SHARE).astype(int)).to_numpy() & ~cells.is_control


def _without_embedding(cells: Cells) -> Cells:
    own = Cells(cells.X, cells.genes, cells.obs, cells.expression, cells.target_sum)
    own.__dict__["lognorm"] = cells.lognorm
    return own
