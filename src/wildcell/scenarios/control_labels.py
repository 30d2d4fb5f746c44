"""Labels that look like those of controls."""

import re
from collections.abc import Iterable

N_NAMED = 5
"""How many labels are named where none looks like that of controls."""

LOOKS_LIKE_CONTROLS = re.compile(
    r"(neg\w*[\W_]*)?(ctrl|control|ctl)s?\d*|ntc?s?\d*|(sg)?non[\W_]*target\w*|safe[\W_]*target\w*"
    r"|dmso\w*|vehicle|untreated|unperturbed|mock|scrambled?\w*|wild[\W_]*type",
    re.IGNORECASE,
)


def where_controls_may_be(labels: Iterable[str]) -> str:
    """Return sentences on labels of which none is known as that of controls.

    Examples
    --------
    >>> where_controls_may_be(["KLF1", "non-targeting"])
    "'non-targeting' looks like controls: give --control 'non-targeting'."
    >>> where_controls_may_be(["KLF1", "BAK1"])
    'Perturbations found: BAK1, KLF1. Name the label of controls with --control.'
    """
    names = sorted(set(map(str, labels)))
    if likely := [name for name in names if LOOKS_LIKE_CONTROLS.fullmatch(name)]:
        return f"{likely[0]!r} looks like controls: give --control {likely[0]!r}."
    more = f" and {len(names) - N_NAMED} more" if len(names) > N_NAMED else ""
    found = ", ".join(names[:N_NAMED])
    return f"Perturbations found: {found}{more}. Name the label of controls with --control."
