"""Another package's way to score, under its own names: what a preset is, and where they are."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from wildcell.arrays import Floats
from wildcell.metrics.evidence import Evidence, Side
from wildcell.names import Need, Status
from wildcell.registry import Registry

Best: TypeAlias = Literal["high", "low", "neither"]
Compute: TypeAlias = Callable[[Evidence], Floats]


@dataclass(frozen=True)
class PresetMetric:
    """One score of a preset.

    Attributes
    ----------
    name
        The package's own name of it.
    compute
        `evidence -> scores`, one number a perturbation; NaN where the package has none.
    best
        Whether high or low values are good; neither of diagnostics.
    null
        What silence scores, the value an abstention takes in means; None where it has none.
    needs
        What must be there: predicted cells, counts, controls to take a delta against.
    undefined
        The status of a NaN that a present and varied prediction has.
    scores_controls
        Whether there is one more number, of the controls held against themselves.
    max_cells
        Cells of a perturbation that are looked at, at most; None for all.
    """

    name: str
    compute: Compute
    best: Best
    null: float | None = None
    needs: frozenset[Need] = frozenset()
    undefined: Status = Status.UNDEFINED
    scores_controls: bool = False
    max_cells: int | None = None


@dataclass(frozen=True)
class Preset:
    """The switches and the scores of another package.

    Attributes
    ----------
    name
        What the scores' `preset` column says.
    mirrors
        The package and the version whose output it is held to.
    summary
        What it is, in a sentence.
    controls
        Whether predictions are measured against the truth's controls or against their own.
    metrics
        Its scores, in its order.
    target_sum
        The library size that counts are brought to; None for the median of each file.
    min_cells
        True cells a perturbation must have to be scored.
    needs_counts
        Whether it works on counts alone.
    of_cells
        All that its scores take of the cells of a side and its controls besides their means, each
        remembered by `once`: the cells are let go of when these are computed. None where they are
        needed until all is scored.
    """

    name: str
    mirrors: str
    summary: str
    controls: Literal["truth", "prediction"]
    metrics: tuple[PresetMetric, ...]
    target_sum: float | None = None
    min_cells: int = 1
    needs_counts: bool = False
    of_cells: tuple[Callable[[Side], object], ...] | None = None

    def reduced(self, side: Side) -> Side:
        """Return a side that has what is taken of its cells in their place, where that is known."""
        if self.of_cells is None:
            return side
        for of_cells in self.of_cells if side.controls else ():
            of_cells(side)
        return side.without_cells()


PRESETS: Registry[Preset] = Registry("preset", "wildcell.metrics.presets")
