"""Where clouds of cells are compared: in the genes, or in principal components of the truth.

All distances look at the same cells, those that `Response.sample` draws, and in the same
components. What a perturbation's own target genes say is left out on both sides.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, overload

import numpy as np

from wildcell.arrays import Booleans, Floats, Matrix
from wildcell.metrics.conditions import over_conditions
from wildcell.metrics.pairwise import Cells
from wildcell.metrics.remembered import remembered
from wildcell.metrics.response import Response

Space: TypeAlias = Literal["genes", "components"]
Clouds: TypeAlias = Sequence[Cells]


@dataclass(frozen=True, eq=False)
class _OnGenes(Sequence[Matrix]):
    """Cells on those genes that count, taken out when they are looked at."""

    cells: Sequence[Matrix]
    kept: Booleans

    def __len__(self) -> int:
        return len(self.cells)

    @overload
    def __getitem__(self, item: int) -> Matrix: ...
    @overload
    def __getitem__(self, item: slice) -> "_OnGenes": ...
    def __getitem__(self, item: int | slice) -> "Matrix | _OnGenes":
        if isinstance(item, slice):
            return _OnGenes(self.cells[item], self.kept[item])
        kept = self.kept[item]
        return self.cells[item] if kept.all() else self.cells[item][:, np.flatnonzero(kept)]


def clouds(response: Response, truth: Response, space: Space) -> Clouds:
    """Return the drawn cells of each perturbation in a space of the truth.

    Empty clouds where the truth has too few cells for components.

    Examples
    --------
    >>> from wildcell.laws.evidence import draw_clouds, response_of
    >>> truth = response_of(draw_clouds(np.random.default_rng(0)))
    >>> clouds(truth, truth, "genes")[0].shape, clouds(truth, truth, "components")[0].shape
    ((20, 149), (20, 50))
    """
    if space == "components":
        return _in_components(response, truth)
    assert response.sample is not None
    return _OnGenes(response.sample, truth.kept_genes)


@remembered
def _in_components(response: Response, truth: Response) -> Clouds:
    """Return where the drawn cells lie in the truth's components, (n_cells, n_components) each."""
    components, sample = truth.components, response.sample
    if components is None or sample is None:
        return [np.empty((0, 1))] * len(truth.perturbations)

    def transformed(row: int) -> Floats:
        kept = truth.kept_genes[row]
        seen = components if kept.all() else components.without(~kept)
        return seen.transform(sample[row])

    return tuple(over_conditions(transformed, range(len(sample))))


def over_clouds(
    measure: Callable[..., float],
    first: Clouds,
    second: Clouds,
    *columns: Sequence[object] | Floats,
) -> Floats:
    """Return a measure of each perturbation's two clouds, shape (n_perturbations,).

    Parameters
    ----------
    measure
        Takes two clouds and one entry of each of `columns`.
    first, second
        Of each perturbation; only those at work are in memory.
    columns
        One entry a perturbation.
    """

    def of_condition(row: int) -> float:
        return measure(first[row], second[row], *(column[row] for column in columns))

    return np.array(over_conditions(of_condition, range(len(first))))


def of_clouds(measure: Callable[[Cells], object], of: Clouds) -> Floats:
    """Return what a measure says of each perturbation's own cloud, a row each."""
    return np.array(over_conditions(lambda row: measure(of[row]), range(len(of))))
