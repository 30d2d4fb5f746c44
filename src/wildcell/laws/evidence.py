"""Truths drawn at random, and answers to them of every quality."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import sparse

from wildcell.arrays import Codes, Floats
from wildcell.metrics.response import Halves, Response
from wildcell.metrics.tested import Means

N_PERTURBATIONS = 8
N_GENES = 150
"""Three times the top genes, so that to find these is not to name all."""

N_CELLS = 20
"""Enough for ten differentially expressed genes on the second panel."""
UNDETECTED = 5
"""One of so many genes is not on the second panel."""

ANOTHER = 3
"""The parts of each perturbation do together what the one so many places before it does."""
ADDITIVE_ERROR = 0.01
"""Squared standard error of that, of each gene."""

EFFECT = 0.5
"""Standard deviation over genes of the planted deltas, in log units."""


@dataclass(frozen=True)
class Clouds:
    """Log values of the cells of some perturbations, and of the controls that all share.

    Attributes
    ----------
    cells
        Shape (n_perturbations, n_cells, n_genes).
    control
        Shape (n_controls, n_genes).
    """

    cells: Floats
    control: Floats

    @cached_property
    def delta(self) -> Floats:
        """Mean of each perturbation minus that of the controls, (n_perturbations, n_genes)."""
        return self.cells.mean(axis=1) - self.control.mean(axis=0)

    def with_delta(self, delta: Floats) -> "Clouds":
        """Return the cells moved, all alike, towards another delta; no value falls below 0."""
        moved = self.cells + (delta - self.delta)[:, None, :]
        return replace(self, cells=np.maximum(moved, 0.0))

    def with_spread(self, factor: Floats) -> "Clouds":
        """Return the cells drawn towards their means or away, by (n_perturbations,) factors."""
        mean = self.cells.mean(axis=1, keepdims=True)
        spread = mean + factor[:, None, None] * (self.cells - mean)
        return replace(self, cells=np.maximum(spread, 0.0))

    def unchanged(self, change: float = 0.0) -> "Clouds":
        """Return the controls as the answer, all values of all genes changed alike."""
        cells = np.repeat(self.control[None] + change, len(self.cells), axis=0)
        return replace(self, cells=cells)


def draw_clouds(rng: np.random.Generator, *, n: int = N_PERTURBATIONS) -> Clouds:
    """Draw cells of `n` perturbations with a shared response and one of their own each."""
    base = rng.uniform(0.0, 3.0, N_GENES)
    effects = EFFECT * (rng.normal(size=N_GENES) + rng.normal(size=(n, N_GENES))) / np.sqrt(2)
    cells = base + effects[:, None, :] + rng.normal(size=(n, N_CELLS, N_GENES))
    control = base + rng.normal(size=(2 * N_CELLS, N_GENES))
    return Clouds(np.maximum(cells, 0.0), np.maximum(control, 0.0))


def response_of(clouds: Clouds) -> Response:
    """Return the response that some cells are, with everything that can be had of cells.

    Perturbation i targets gene i.
    """
    n, n_cells, n_genes = clouds.cells.shape
    n_controls = len(clouds.control)
    alike = np.ones((n, n_genes))
    return Response(
        perturbations=tuple(f"P{number}" for number in range(n)),
        genes=np.array([f"G{number}" for number in range(n_genes)], dtype=object),
        mean=clouds.cells.mean(axis=1),
        control=alike * clouds.control.mean(axis=0),
        n_cells=np.full(n, n_cells),
        n_controls=np.full(n, n_controls),
        error=clouds.cells.var(axis=1, ddof=1) / n_cells,
        control_error=alike * clouds.control.var(axis=0, ddof=1) / n_controls,
        linear_mean=np.expm1(clouds.cells).mean(axis=1),
        linear_control=alike * np.expm1(clouds.control).mean(axis=0),
        cells=tuple(sparse.csr_matrix(cells) for cells in clouds.cells),
        control_cells=(sparse.csr_matrix(clouds.control),),
        library_sizes=tuple(np.expm1(clouds.cells).sum(axis=2)),
        targets=np.eye(n, n_genes, dtype=bool),
        shared=alike * clouds.delta.mean(axis=0),
        additive=np.roll(clouds.delta, ANOTHER, axis=0),
        additive_error=ADDITIVE_ERROR * alike,
        detected=np.arange(n_genes) % UNDETECTED != UNDETECTED - 1,
        halves=(_means(clouds.cells[:, ::2]), _means(clouds.cells[:, 1::2])),
    )


def _means(cells: Floats) -> Means:
    n, n_cells = cells.shape[:2]
    return Means(np.full(n, n_cells), cells.mean(axis=1), cells.var(axis=1, ddof=1) / n_cells)


def answers_to(truth: Clouds, rng: np.random.Generator) -> dict[str, Clouds]:
    """Return answers that share the controls of a truth, none of them the truth, by their names."""
    delta = truth.delta
    noise = rng.normal(0, EFFECT, delta.shape)
    return {
        "the truth with noise": truth.with_delta(delta + noise),
        "half of the delta": truth.with_delta(delta / 2),
        "twice the delta": truth.with_delta(2 * delta),
        "copies of the mean": truth.with_spread(np.zeros(len(delta))),
        "the mean delta of all": truth.with_delta(0 * delta + delta.mean(axis=0)),
        "the next perturbation's delta": truth.with_delta(np.roll(delta, 1, axis=0)),
        "noise alone": truth.with_delta(noise),
        "the opposite delta": truth.with_delta(-delta),
    }


def random_answer(truth: Clouds, rng: np.random.Generator) -> Clouds:
    """Return an answer with something of the truth, of another one, of noise and of a shift.

    How much of each, whether the noise is on few genes or on many, and how far the cells spread
    is drawn for each perturbation; a shift is of all genes alike.
    """
    delta, n = truth.delta, len(truth.cells)
    own, other, size = (factors[:, None] for factors in rng.uniform(-1, 2, (3, n)))
    is_noisy = rng.random(delta.shape) < rng.uniform(0.02, 1, (n, 1))
    noise = EFFECT * size * is_noisy * rng.standard_t(3, delta.shape)
    shift = rng.normal(0, EFFECT / 2, (n, 1))
    moved = truth.with_delta(own * delta + other / 2 * np.roll(delta, 1, axis=0) + noise + shift)
    return moved.with_spread(rng.uniform(0.3, 2, n))


def beside_others(answer: Clouds, rng: np.random.Generator) -> Clouds:
    """Return an answer beside controls drawn anew, with replacement, from its own.

    In a run the truth and its answers are measured against two halves of the controls.
    """
    rows = rng.integers(len(answer.control), size=len(answer.control))
    return replace(answer, control=answer.control[rows])


def take(response: Response, perturbations: Codes, genes: Codes) -> Response:
    """Return a response with its perturbations and genes in another order, or fewer of them."""
    both = np.ix_(perturbations, genes)

    def chosen(values: Floats | None) -> Floats | None:
        return None if values is None else values[both]

    return replace(
        response,
        perturbations=tuple(response.perturbations[row] for row in perturbations),
        genes=response.genes[genes],
        mean=response.mean[both],
        control=response.control[both],
        n_cells=response.n_cells[perturbations],
        n_controls=response.n_controls[perturbations],
        error=chosen(response.error),
        control_error=chosen(response.control_error),
        linear_mean=chosen(response.linear_mean),
        linear_control=chosen(response.linear_control),
        cells=None
        if response.cells is None
        else tuple(response.cells[row][:, genes] for row in perturbations),
        control_cells=None
        if response.control_cells is None
        else tuple(cells[:, genes] for cells in response.control_cells),
        library_sizes=None
        if response.library_sizes is None
        else tuple(response.library_sizes[row] for row in perturbations),
        detected=None if response.detected is None else response.detected[genes],
        targets=None if response.targets is None else response.targets[both],
        shared=chosen(response.shared),
        additive=chosen(response.additive),
        additive_error=chosen(response.additive_error),
        halves=None
        if response.halves is None
        else _each(
            response.halves,
            lambda half: Means(half.n[perturbations], half.mean[both], half.squared_error[both]),
        ),
    )


def _each(halves: Halves, change: Callable[[Means], Means]) -> Halves:
    first, second = map(change, halves)
    return first, second


def without(response: Response, row: int) -> Response:
    """Return a response in which one perturbation has no answer."""
    lost = np.arange(len(response.perturbations)) == row

    def blank(values: Floats | None) -> Floats | None:
        return None if values is None else np.where(lost[:, None], np.nan, values)

    return replace(
        response,
        mean=np.where(lost[:, None], np.nan, response.mean),
        n_cells=np.where(lost, 0, response.n_cells),
        error=blank(response.error),
        linear_mean=blank(response.linear_mean),
        cells=None
        if response.cells is None
        else tuple(
            cells[:0] if is_lost else cells
            for cells, is_lost in zip(response.cells, lost, strict=True)
        ),
        library_sizes=None
        if response.library_sizes is None
        else tuple(
            sizes[:0] if is_lost else sizes
            for sizes, is_lost in zip(response.library_sizes, lost, strict=True)
        ),
        halves=None
        if response.halves is None
        else _each(
            response.halves,
            lambda half: Means(
                np.where(lost, 0, half.n),
                np.where(lost[:, None], np.nan, half.mean),
                np.where(lost[:, None], np.nan, half.squared_error),
            ),
        ),
    )


def bare(response: Response) -> Response:
    """Return the means of a response alone: no cells, no errors, no counts."""
    return replace(
        response,
        error=None,
        control_error=None,
        linear_mean=None,
        linear_control=None,
        cells=None,
        control_cells=None,
        library_sizes=None,
        halves=None,
    )
