"""What was given, whatever the dose: the unit that is held out where doses must not help."""

import pandas as pd


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
