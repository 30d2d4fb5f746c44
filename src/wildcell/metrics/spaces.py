"""Where clouds of cells are compared: in the genes, or in principal components of the truth.

All distances look at the same cells, those that `Response.sample` draws. Components are fitted to
half of the true cells and compare the other half, both ways round, so that the cells of an
independent replicate are seen as those of the truth are. What a perturbation's own target genes say
is left out on both sides.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, overload

import numpy as np

from wildcell.arrays import Booleans, Floats, Matrix
from wildcell.metrics.components import Components
from wildcell.metrics.conditions import over_conditions
from wildcell.metrics.grouped import dealt
from wildcell.metrics.pairwise import Cells
from wildcell.metrics.remembered import remembered
from wildcell.metrics.response import Response

Space: TypeAlias = Literal["genes", "components"]
Place: TypeAlias = Literal["genes", "first-fold", "second-fold"]
Clouds: TypeAlias = Sequence[Cells]

FOLDS: tuple[Place, Place] = ("first-fold", "second-fold")
PLACES: dict[Space, tuple[Place, ...]] = {"genes": ("genes",), "components": FOLDS}
"""Where a space shows cells: those of either fold of the truth have components of their own."""

NOTHING = np.empty((0, 1))


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


def true_clouds(truth: Response, place: Place) -> Clouds:
    """Return the drawn cells of each perturbation that are compared at a place.

    Empty clouds where there are too few cells for components.

    Examples
    --------
    >>> from wildcell.laws.evidence import draw_clouds, response_of
    >>> truth = response_of(draw_clouds(np.random.default_rng(0)))
    >>> true_clouds(truth, "genes")[0].shape, true_clouds(truth, "first-fold")[0].shape
    ((20, 149), (10, 50))
    """
    if place == "genes":
        return _on_kept_genes(truth, truth)
    return _true_folds(truth)[FOLDS.index(place)]


def predicted_clouds(prediction: Response, truth: Response, place: Place) -> Clouds:
    """Return all drawn cells of each predicted perturbation, as seen at a place of the truth."""
    if place == "genes":
        return _on_kept_genes(prediction, truth)
    return _in_components(prediction, truth)[FOLDS.index(place)]


def predicted_folds(prediction: Response, truth: Response, place: Place) -> Clouds:
    """Return predicted cells as `predicted_clouds` does, dealt as the truth's are.

    For distances that depend on how many cells there are, so that the truth is at none from itself.
    """
    clouds = predicted_clouds(prediction, truth, place)
    if place == "genes":
        return clouds
    fold, named = FOLDS.index(place), zip(clouds, truth.perturbations, strict=True)
    return [cloud[dealt(cloud.shape[0], name)[fold]] for cloud, name in named]


def over_places(measure: Callable[[Place], Floats], space: Space) -> Floats:
    """Return the mean of a measure over the places of a space, where it is defined at any."""
    values = np.array([measure(place) for place in PLACES[space]])
    n = np.sum(~np.isnan(values), axis=0)
    return np.asarray(np.nansum(values, axis=0) / np.where(n > 0, n, np.nan))


def _on_kept_genes(response: Response, truth: Response) -> Clouds:
    assert response.sample is not None
    return _OnGenes(response.sample, truth.kept_genes)


@remembered
def _true_folds(truth: Response) -> tuple[Clouds, Clouds]:
    """Return where each fold of the truth lies in its components, (n_cells, n_components) each."""
    folds = (None, None) if truth.folds is None else truth.folds

    def seen(components: Components | None, cells: Sequence[Matrix] | None) -> Clouds:
        if components is None or cells is None:
            return _nothing(truth)
        return over_conditions(
            lambda row: components.transform(cells[row], kept=truth.kept_genes[row]),
            range(len(cells)),
        )

    first, second = (seen(*one) for one in zip(truth.components, folds, strict=True))
    return first, second


@remembered
def _in_components(prediction: Response, truth: Response) -> tuple[Clouds, Clouds]:
    """Return where predicted cells lie in the components of either fold."""
    sample, components = prediction.sample, truth.components
    if sample is None:
        return _nothing(truth), _nothing(truth)

    def transformed(row: int) -> tuple[Floats, Floats]:
        cells = sample[row]  # taken out once, for both
        first, second = (
            NOTHING if one is None else one.transform(cells, kept=truth.kept_genes[row])
            for one in components
        )
        return first, second

    found = over_conditions(transformed, range(len(sample)))
    return [first for first, _ in found], [second for _, second in found]


def _nothing(truth: Response) -> Clouds:
    return [NOTHING] * len(truth.perturbations)


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
