"""What was given: with its dose and time, and whatever these are.

The latter is the unit that is held out where doses must not help.
"""

from collections.abc import Hashable

import pandas as pd

IDENTITY = ["component", "dose", "unit", "time"]
"""What makes two components the same treatment."""


def identities(components: pd.DataFrame) -> list[Hashable]:
    """Return the treatment that each component is; missing doses and times equal each other."""
    table = components[IDENTITY].astype(object)
    return list(table.where(table.notna(), None).itertuples(index=False, name=None))


def treatments_of(components: pd.DataFrame) -> "pd.Series[str]":
    r"""Return what each perturbation consists of, its doses and times left out.

    Parameters
    ----------
    components
        The parts of each perturbation: perturbation, component.

    Returns
    -------
    Names of the different components, sorted and joined, indexed by perturbation.

    Examples
    --------
    >>> parts = pd.DataFrame(
    ...     {"perturbation": ["A@1", "A@5+B@1", "A@5+B@1"], "component": ["A", "B", "A"]}
    ... )
    >>> treatments_of(parts).str.replace("\x1f", " and ").tolist()
    ['A', 'A and B']
    """
    parts = components[["perturbation", "component"]].astype(str).drop_duplicates()
    parts = parts.sort_values(["perturbation", "component"])
    place = parts.groupby("perturbation").cumcount()
    columns = parts.assign(place=place).pivot(  # noqa: PD010  nothing is aggregated
        index="perturbation", columns="place", values="component"
    )
    names = columns[0]
    for later in list(columns.columns)[1:]:
        names = names + ("\x1f" + columns[later]).fillna("")
    return names
