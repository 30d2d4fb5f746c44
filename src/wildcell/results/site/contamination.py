"""Which models have learned from what they are asked about, by their own word."""

import re
from collections.abc import Sequence

SHORTEST_STEM = 6
"""Names that begin alike count as related from so many letters on."""


def learned_from(trained_on: Sequence[str], dataset: str) -> list[str]:
    """Return what a model was trained on that is, or contains, a data set.

    Names are compared without case, spaces and signs, and without options in brackets; one that
    begins as the other does is a part of it, or another version.

    Examples
    --------
    >>> learned_from(["Norman 2019", "kang2018"], "norman2019")
    ['Norman 2019']
    >>> learned_from(["replogle2022"], "replogle2022-k562")
    ['replogle2022']
    """
    asked = _plain(dataset)
    return [name for name in trained_on if _is_related(_plain(name), asked)]


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.partition("[")[0].casefold())


def _is_related(one: str, other: str) -> bool:
    if not one or not other:
        return False
    short, long = sorted((one, other), key=len)
    return one == other or (len(short) >= SHORTEST_STEM and long.startswith(short))
