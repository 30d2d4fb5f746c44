"""On what terms models run in processes of their own."""

from dataclasses import dataclass
from math import isfinite

from wildcell.errors import OptionError

INSTALLERS = ("pip", "uv")


@dataclass(frozen=True)
class Terms:
    """What a model in a process of its own may take, and how its environment is made.

    They are no part of what a run is: one that kept within them is the same without them.

    Attributes
    ----------
    max_seconds
        Wall time, after which its processes are killed; None for no limit.
    max_memory
        Memory of all its processes together, what they share counted once, in GiB; None for no
        limit.
    installer
        `pip`, or `uv` where that is installed.
    has_network
        Whether it may use the network, which is cut where the system allows that.
    """

    max_seconds: float | None = None
    max_memory: float | None = None
    installer: str = "pip"
    has_network: bool = False

    def __post_init__(self) -> None:
        for option, value in (
            ("--max-seconds", self.max_seconds),
            ("--max-memory", self.max_memory),
        ):
            if value is not None and not (isfinite(value) and value > 0):
                raise OptionError(f"{option} must be a positive number; got {value}.")
        if self.installer not in INSTALLERS:
            raise OptionError(
                f"--installer must be one of {', '.join(INSTALLERS)}; got {self.installer!r}."
            )
