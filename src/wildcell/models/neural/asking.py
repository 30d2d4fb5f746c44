"""What a network answers on average: its response for some controls of each condition."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from wildcell.arrays import Codes, Floats
from wildcell.models.neural.backend import Tensor, torch
from wildcell.models.neural.batch import Batch
from wildcell.models.neural.examples import Examples
from wildcell.names import CONDITION, Expression, Kind
from wildcell.scenarios.prediction import Prediction
from wildcell.scenarios.task import Query

ROWS_AT_ONCE = 2048

Floats32: TypeAlias = NDArray[np.float32]

Respond = Callable[[Batch], Tensor]
"""From a batch to the log values of each of its control cells under its perturbation."""


class Asked(NamedTuple):
    """Conditions of one control group, and the controls that they are asked of."""

    conditions: Codes
    controls: Codes
    set_size: int


def asked_of(
    examples: Examples,
    conditions: Codes,
    rng: np.random.Generator,
    *,
    n_controls: int,
    set_size: int = 1,
) -> list[Asked]:
    """Choose controls for conditions: the same for all conditions of a control group.

    Parameters
    ----------
    examples
        Where the conditions and controls are from.
    conditions
        Numbers of conditions.
    rng
        Of the choice.
    n_controls
        Controls of a group at most; brought down to a multiple of `set_size`.
    set_size
        Cells that a network reads together.
    """
    asked = []
    for group in np.unique(examples.control_group[conditions]):
        controls = rng.permutation(examples.controls.of(group))[:n_controls]
        size = min(set_size, len(controls))
        controls = controls[: len(controls) // size * size]
        members = conditions[examples.control_group[conditions] == group]
        at_once = max(1, ROWS_AT_ONCE // len(controls))
        asked += [
            Asked(members[start : start + at_once], controls, size)
            for start in range(0, len(members), at_once)
        ]
    return asked


def responses(
    respond: Respond, examples: Examples, asked: list[Asked], device: Any
) -> Iterator[tuple[Codes, NDArray[np.float32]]]:
    """Yield conditions, and what is answered for each control, (n_conditions, n_controls, n_genes).

    Nothing is learned from it.
    """
    for conditions, controls, size in asked:
        with torch.no_grad():
            batch = examples.batch(
                np.repeat(conditions, len(controls)),
                np.tile(controls, len(conditions)),
                None,
                device=device,
                set_size=size,
            )
            found = respond(batch).float().cpu().numpy()
        yield conditions, found.reshape(len(conditions), len(controls), -1)


def mean_responses(respond: Respond, examples: Examples, asked: list[Asked], device: Any) -> Floats:
    """Return the mean response of each condition asked, NaN of others, (n_conditions, n_genes)."""
    means = np.full((len(examples.perturbation), examples.values.shape[1]), np.nan)
    for conditions, found in responses(respond, examples, asked, device):
        means[conditions] = found.mean(axis=1, dtype=np.float64)
    return means


def anchored(means: Floats, control_mean: Floats, examples: Examples) -> Floats:
    """Return mean responses less that of the controls left alone, plus what these measured.

    Parameters
    ----------
    means
        Of all conditions, those that stand for controls included, shape (n_conditions, n_genes).
    control_mean
        Measured mean of each control group, shape (n_groups, n_genes).
    examples
        Whose conditions these are.
    """
    alone = np.flatnonzero(examples.perturbation < 0)
    return means + (control_mean - means[alone])[examples.control_group]


def predicted_cells(query: Query, cells: Sequence[Floats32]) -> Prediction:
    """Wrap cells of each condition of a query as a prediction.

    Parameters
    ----------
    query
        What was asked.
    cells
        Of each condition, in the order of the query, shape (n_cells, n_genes). Values below 0 are
        raised to 0 unless the scale is that of arrays.
    """
    is_array = query.controls.expression is Expression.LOG2
    X = np.concatenate(cells)
    rows = np.repeat(np.arange(len(cells)), [len(found) for found in cells])
    return Prediction(
        X=sparse.csr_matrix(X if is_array else np.maximum(X, 0.0)),
        obs=query.conditions[CONDITION].iloc[rows].reset_index(drop=True),
        genes=query.controls.genes,
        kind=Kind.CELLS,
        expression=Expression.LOG2 if is_array else Expression.LOGNORM,
        target_sum=query.controls.target_sum,
    )
