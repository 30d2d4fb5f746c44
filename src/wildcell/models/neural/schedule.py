"""How a network is trained: steps, rates, and when to stop."""

from dataclasses import dataclass, fields
from math import inf

from wildcell.errors import OptionError


@dataclass(kw_only=True)
class Schedule:
    """The numbers that training goes by.

    Attributes
    ----------
    lr, weight_decay
        Of Adam. The rate rises to ten times `lr` and falls again in one cycle.
    batch_size
        Pairs of cells in a step.
    max_epochs, max_steps
        Training ends with whichever comes first; an epoch shows as many cells as there are.
    max_seconds
        Training stops when it took so long.
    n_checks, patience
        How often validation is looked at, and after how many looks without progress training
        stops.
    max_norm
        Gradients are cut to this length.
    """

    lr: float = 3e-4
    weight_decay: float = 1e-7
    batch_size: int = 128
    max_epochs: int = 50
    max_steps: int = 1500
    max_seconds: float = inf
    n_checks: int = 20
    patience: int = 8
    max_norm: float = 10.0

    def __post_init__(self) -> None:
        """Check the numbers."""
        for parameter in fields(Schedule):
            _check(parameter.name, getattr(self, parameter.name), is_whole=parameter.type is int)

    def n_steps(self, n_cells: int) -> int:
        """Return the steps of a training with so many perturbed cells.

        Examples
        --------
        >>> Schedule(batch_size=100, max_epochs=2).n_steps(250)
        6
        """
        steps_an_epoch = -(-n_cells // self.batch_size)
        return max(1, min(self.max_steps, self.max_epochs * steps_an_epoch))


def _check(name: str, value: object, *, is_whole: bool) -> None:
    wanted = "whole number of 1 or more" if is_whole else "number above 0"
    is_number = isinstance(value, int if is_whole else (int, float)) and not isinstance(value, bool)
    if name == "weight_decay" and value == 0:
        return
    if not is_number or not value > 0:  # type: ignore[operator]
        raise OptionError(f"{name} must be a {wanted}; it is {value!r}.")
