"""How far answers of some forms can go: answers that know one half of the test cells.

Each is the best of its form by squared error on that half, measured against the given controls, and
is scored by the other half, measured against the kept ones. By other scores than squared error
another one of the form may do better.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np

from wildcell.arrays import Booleans, Floats
from wildcell.evidence import Answer
from wildcell.judge import Judge, Makers
from wildcell.names import ORACLES
from wildcell.scenarios.task import Task
from wildcell.scenarios.trained_deltas import trained_deltas

SMALLEST = 1e-10
"""A direction that is shorter than this share of the longest is rounding."""


class Known(NamedTuple):
    """What an oracle sees of one half, each of shape (n_conditions, n_genes).

    Attributes
    ----------
    delta
        Of the half, beside the given controls.
    noise
        Squared standard errors of `delta`; NaN where they are unknown.
    kept
        Genes that are judged: all but the targets.
    """

    delta: Floats
    noise: Floats
    kept: Booleans


Form = Callable[[Known], Floats]


def oracles(judge: Judge, task: Task, shared: Floats) -> Makers:
    """Return what makes the answer of each oracle of one half of the test cells.

    Parameters
    ----------
    judge
        Who scores them.
    task
        What models are given.
    shared
        The delta that the reference baseline predicts, shape (n_conditions, n_genes).
    """
    trained = trained_deltas(task, judge.truth.test.genes)
    forms: Mapping[str, Form] = dict(
        zip(
            ORACLES,
            (
                partial(true_amplitude, shared=shared),
                partial(nearest, trained=trained),
                partial(spanned, trained=trained),
            ),
            strict=True,
        )
    )
    return {name: partial(_made, judge, form) for name, form in forms.items()}


def _made(judge: Judge, form: Form, half: Answer) -> Answer:
    given, kept = judge.given, ~judge.truth.is_target
    known = Known(half.profiles.mean - given.mean, half.profiles.error + given.error, kept)
    return judge.shifted(form(known))


def true_amplitude(known: Known, shared: Floats) -> Floats:
    """Return the reference baseline's delta times the factor that fits best.

    Parameters
    ----------
    known
        One half of the test cells.
    shared
        What the reference predicts, shape (n_conditions, n_genes).

    Examples
    --------
    >>> delta = np.array([[2.0, -2.0]])
    >>> known = Known(delta, np.zeros_like(delta), np.ones_like(delta, dtype=bool))
    >>> true_amplitude(known, np.array([[1.0, 0.0]])).tolist()
    [[2.0, 0.0]]
    """
    along = np.where(known.kept, shared, 0.0)
    length = np.einsum("pg,pg->p", along, along)
    factor = np.einsum("pg,pg->p", along, known.delta) / np.where(length > 0, length, np.nan)
    return np.where((length == 0)[:, None], shared, factor[:, None] * shared)


def nearest(known: Known, trained: Floats) -> Floats:
    """Return the training delta that is nearest to each delta by squared error.

    Parameters
    ----------
    known
        One half of the test cells.
    trained
        Deltas of the training conditions, shape (n_trained, n_genes).

    Examples
    --------
    >>> delta = np.array([[2.0, 0.1]])
    >>> known = Known(delta, np.zeros_like(delta), np.ones_like(delta, dtype=bool))
    >>> nearest(known, np.array([[0.0, 2.0], [1.5, 0.0]])).tolist()
    [[1.5, 0.0]]
    """
    if not len(trained):
        return np.full(known.delta.shape, np.nan)
    kept = known.kept.astype(float)
    gain = 2 * (kept * known.delta) @ trained.T - kept @ (trained**2).T
    is_known = np.asarray(np.isfinite(gain).all(axis=1))
    chosen = np.where(is_known, np.argmax(gain, axis=1), 0)
    return np.where(is_known[:, None], trained[chosen], np.nan)


def spanned(known: Known, trained: Floats) -> Floats:
    """Return the combination of training deltas that is nearest to each delta, without its noise.

    Along each direction of the training deltas there is as much as was measured, less what noise
    explains of it.

    Parameters
    ----------
    known
        One half of the test cells.
    trained
        Deltas of the training conditions, shape (n_trained, n_genes).

    Examples
    --------
    >>> delta = np.array([[2.0, 1.0, 5.0]])
    >>> known = Known(delta, np.zeros_like(delta), np.ones_like(delta, dtype=bool))
    >>> spanned(known, np.array([[1.0, 1.0, 0.0], [1.0, -1.0, 0.0]])).round(6).tolist()
    [[2.0, 1.0, 0.0]]
    """
    if not len(trained):
        return np.full(known.delta.shape, np.nan)
    basis = _directions(trained)
    along = np.where(known.kept, known.delta, 0.0) @ basis.T
    noise = np.nan_to_num(np.where(known.kept, known.noise, 0.0)) @ (basis**2).T
    share = 1 - noise / np.where(along != 0, along**2, np.nan)
    return (along * np.maximum(np.nan_to_num(share), 0.0)) @ basis


def _directions(rows: Floats) -> Floats:
    """Return an orthonormal basis of what rows span, the longest directions first."""
    if len(rows) > rows.shape[1]:
        rows = np.asarray(np.linalg.qr(rows, mode="r"))
    _, lengths, basis = np.linalg.svd(rows, full_matrices=False)
    return np.asarray(basis[lengths > SMALLEST * lengths.max(initial=0.0)])
