"""What can be tuned of a model: its options, and between what bounds they are looked for."""

from dataclasses import dataclass
from inspect import signature

from wildcell.errors import OptionError
from wildcell.models.model import ModelCard
from wildcell.registry import did_you_mean

Value = int | float | str | bool


@dataclass(frozen=True, kw_only=True)
class Searched:
    """An option that is looked for: a number between bounds, or one of some choices.

    A model's class declares them beside its options, as a tuple `searched`.

    Attributes
    ----------
    name
        Of the option.
    low, high
        The bounds; whole numbers are looked for where both are whole.
    log
        Whether the number's logarithm is drawn.
    choices
        What it may be, in the place of bounds.

    Examples
    --------
    >>> Searched(name="alpha", low=0.1, high=10.0, log=True).is_whole
    False
    """

    name: str
    low: float = 0
    high: float = 0
    log: bool = False
    choices: tuple[Value, ...] = ()

    def __post_init__(self) -> None:
        """Check the bounds."""
        if self.choices:
            return
        if not self.low < self.high or (self.log and not self.low > 0):
            raise OptionError(
                f"{self.name!r} is looked for between {self.low:g} and {self.high:g}; give bounds "
                "in order, above 0 for a logarithm, or choices."
            )

    @property
    def is_whole(self) -> bool:
        """Whether whole numbers are looked for."""
        return isinstance(self.low, int) and isinstance(self.high, int)


def search_space(card: ModelCard) -> tuple[Searched, ...]:
    """Return what a model declares that can be tuned.

    Raises
    ------
    OptionError
        It declares nothing, or an option that it does not take.

    Examples
    --------
    >>> from wildcell.models.find import find_model
    >>> [item.name for item in search_space(find_model("ridge"))]
    ['alpha']
    """
    space: tuple[Searched, ...] = tuple(getattr(card.make, "searched", ()))
    if not space:
        raise OptionError(
            f"Model {card.name!r} declares nothing to tune. A class of your own does so with "
            "searched = (Searched(name=..., low=..., high=...), ...)."
        )
    taken = signature(card.make).parameters
    for item in space:
        if item.name not in taken:
            hint = did_you_mean(item.name, sorted(taken))
            raise OptionError(f"Model {card.name!r} has no option {item.name!r} to tune. {hint}")
    return space
