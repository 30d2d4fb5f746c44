"""From the labels a source uses to perturbation keys and the table of their components."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from wildcell.datasets.dataset import COMPONENT_COLUMNS, Component, perturbation_key
from wildcell.datasets.labels import as_text, some_of
from wildcell.errors import DataError
from wildcell.names import CONDITION, CONTROL


def name_perturbations(
    labels: "pd.Series[str]",
    doses: "pd.Series[Any] | None" = None,
    *,
    control: str = CONTROL,
    separator: str | None = None,
    unit: str = "",
) -> tuple["pd.Series[str]", pd.DataFrame]:
    """Make the perturbation key of each cell, and the table of components of all keys.

    Parameters
    ----------
    labels
        What the source calls the perturbation of each cell, shape (n_cells,).
    doses
        Dose of each cell, as numbers or text; ignored for controls. Each component of a
        combination takes the dose of the cell.
    control
        The label of an unperturbed cell, also where it stands for one half of a combination.
    separator
        What joins the components of a combination; by default a label is one component.
    unit
        Unit of the doses.

    Raises
    ------
    DataError
        No label is the control's, a label would be taken for a control that is none, or a dose
        is not a number.

    Examples
    --------
    >>> import pandas as pd
    >>> labels = pd.Series(["ctrl", "KLF1+ctrl", "KLF1+BAK1"])
    >>> keys, components = name_perturbations(labels, control="ctrl", separator="+")
    >>> keys.tolist()
    ['control', 'KLF1', 'BAK1+KLF1']
    >>> components["component"].tolist()
    ['BAK1', 'KLF1', 'KLF1']
    """
    parts = {label: _parts(label, control, separator) for label in labels.unique()}
    _check_control(parts, control)
    is_perturbed = np.array([bool(parts[label]) for label in labels])
    amounts = _numbers(doses, is_perturbed, "dose")
    pairs = list(zip(labels, amounts, strict=True))
    components = {
        (label, dose): [
            Component(name, dose, "" if dose is None else unit) for name in parts[label]
        ]
        for label, dose in dict.fromkeys(pairs)
    }
    key_of_pair = {pair: perturbation_key(listed) for pair, listed in components.items()}
    keys = pd.Series([key_of_pair[pair] for pair in pairs], index=labels.index, dtype=object)
    return keys, _component_table({key_of_pair[pair]: components[pair] for pair in components})


def perturbation_times(
    conditions: pd.DataFrame, times: "pd.Series[Any]"
) -> tuple["pd.Series[float]", list[str]]:
    """Find the time of each perturbation, where it has one.

    Parameters
    ----------
    conditions
        Context and perturbation of each cell.
    times
        Time after the perturbation of each cell, as numbers or text; ignored for controls.

    Returns
    -------
    The time of each perturbation key, NaN where it differs between contexts, and a sentence about
    these.

    Raises
    ------
    DataError
        A time is not a number, or the cells of one condition are of several times.
    """
    is_perturbed = np.asarray(conditions["perturbation"] != CONTROL)
    numbers = _numbers(times, is_perturbed, "time")
    perturbed = conditions.assign(time=pd.array(numbers, dtype="Float64"))[is_perturbed]
    n_times = perturbed.groupby(CONDITION)["time"].nunique()
    mixed = n_times[n_times > 1]
    if len(mixed):
        raise DataError(
            f"{len(mixed)} conditions mix several times: "
            f"{some_of(f'{name} in {context}' for context, name in mixed.index)}. Keep one time "
            "(--where), or let the context column tell the times apart."
        )
    of_key = perturbed.groupby("perturbation")["time"].agg(["nunique", "first"])
    varies = of_key["nunique"] > 1
    times_of_keys = of_key["first"].astype(float).mask(varies)
    if not varies.any():
        return times_of_keys, []
    sentence = (
        f"The time of {varies.sum()} perturbations differs between contexts, so it is not noted as "
        f"theirs: {some_of(of_key.index[varies])}."
    )
    return times_of_keys, [sentence]


def _parts(label: str, control: str, separator: str | None) -> tuple[str, ...]:
    if label == control:
        return ()
    parts = [part.strip() for part in label.split(separator)] if separator else [label]
    # Two guides against one gene are a perturbation of that gene.
    return tuple(dict.fromkeys(part for part in parts if part not in {"", control}))


def _check_control(parts: dict[str, tuple[str, ...]], control: str) -> None:
    if all(parts.values()):
        raise DataError(
            f"No cell has the control label {control!r}; the labels are "
            f"{some_of(sorted(parts), 10)}. Say which one the controls have (--control)."
        )
    if any(CONTROL in names for names in parts.values()):
        raise DataError(
            f"Some perturbations are called {CONTROL!r}, which is the house's word for controls, "
            f"but the controls are said to be {control!r}. Relabel them, or leave them out "
            "(--where)."
        )


def _numbers(
    values: "pd.Series[Any] | None", is_wanted: "np.ndarray[Any, Any]", what: str
) -> Sequence[float | None]:
    if values is None:
        return [None] * len(is_wanted)
    text = as_text(values).where(is_wanted, "")
    numbers = pd.to_numeric(text.replace("", None), errors="coerce").to_numpy(dtype=float)
    is_bad = np.asarray(text != "") & ~(np.isfinite(numbers) & (numbers >= 0))
    if is_bad.any():
        raise DataError(
            f"The {what} of {is_bad.sum()} cells in column {values.name!r} is not a number: "
            f"{some_of(sorted(set(text[is_bad])))}. Give it as plain numbers, with the unit apart."
        )
    # Six digits, as in keys, so that one key is one dose.
    return [None if np.isnan(number) else float(f"{number:g}") for number in numbers]


def _component_table(components: dict[str, list[Component]]) -> pd.DataFrame:
    rows = [
        (key, *component)
        for key, listed in sorted(components.items())
        for component in sorted(listed, key=lambda component: component.name)
        if key != CONTROL
    ]
    table = pd.DataFrame(rows, columns=COMPONENT_COLUMNS)
    return table.astype({"dose": float, "time": float})
