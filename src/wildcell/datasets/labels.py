"""Labels as files hold them: categories, numbers, missing values; all read as text."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from wildcell.arrays import Booleans
from wildcell.errors import OptionError, UnknownNameError
from wildcell.registry import did_you_mean


def some_of(names: Iterable[object], at_most: int = 5) -> str:
    """Quote the first few of many names.

    Examples
    --------
    >>> some_of(["a", "b", "c"], at_most=2)
    "'a', 'b' and 1 more"
    """
    quoted = [repr(str(name)) for name in names]
    listing = ", ".join(quoted[:at_most])
    return f"{listing} and {len(quoted) - at_most} more" if len(quoted) > at_most else listing


def find_column(table: pd.DataFrame, name: str, option: str) -> "pd.Series[Any]":
    """Return a column that an option names.

    Raises
    ------
    UnknownNameError
        There is none; the message suggests one.
    """
    if name not in table:
        hint = did_you_mean(name, map(str, table.columns))
        raise UnknownNameError(f"{option} names the column {name!r}, which is not there. {hint}")
    return table[name]


def as_text(labels: "pd.Series[Any]") -> "pd.Series[str]":
    """Return labels as stripped text, '' where missing; whole numbers are written without '.0'.

    Examples
    --------
    >>> import pandas as pd
    >>> as_text(pd.Series([24.0, 0.5, None])).tolist()
    ['24', '0.5', '']
    """
    codes, values = pd.factorize(labels.astype(object))
    text = np.array([*map(_text, values), ""], dtype=object)
    return pd.Series(text[codes], index=labels.index, name=labels.name)


def is_missing(labels: "pd.Series[Any]") -> Booleans:
    """Tell which labels are NaN, empty, or the text that NaN becomes."""
    return np.asarray(as_text(labels) == "")


def modality_words(labels: "pd.Series[Any]") -> "pd.Series[str]":
    """Return words for modalities without case, hyphens and spaces, '' where missing.

    Examples
    --------
    >>> import pandas as pd
    >>> modality_words(pd.Series(["Drug", "CRISPR-i", None])).tolist()
    ['drug', 'crispri', '']
    """
    return as_text(labels).str.lower().str.replace("[-_ ]", "", regex=True)


def matches(table: pd.DataFrame, clauses: Sequence[str]) -> Booleans:
    """Tell which rows satisfy all clauses `COLUMN=VALUE` and `COLUMN!=VALUE`, compared as text.

    Raises
    ------
    OptionError
        A clause that is not of this form, or that no row satisfies.
    UnknownNameError
        A clause about a column that is not there.

    Examples
    --------
    >>> import pandas as pd
    >>> matches(pd.DataFrame({"time": [6.0, 24.0]}), ["time=24"]).tolist()
    [False, True]
    """
    is_match = np.ones(len(table), dtype=bool)
    for clause in clauses:
        is_match &= _satisfies(table, clause)
    if len(table) and not is_match.any():
        raise OptionError(f"No cell is left by --where {' '.join(clauses)}.")
    return is_match


def _text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = str(value).strip()
    return "" if text.lower() == "nan" else text


def _satisfies(table: pd.DataFrame, clause: str) -> Booleans:
    name, equals, value = clause.partition("=")
    if not equals or not name:
        raise OptionError(f"--where {clause!r} must be of the form COLUMN=VALUE or COLUMN!=VALUE.")
    column = find_column(table, name.removesuffix("!").strip(), "--where")
    text = as_text(column)
    is_equal = np.asarray(text == _like(column, value))
    if not is_equal.any():
        raise OptionError(
            f"--where {clause!r}: no cell has this value; {column.name!r} holds "
            f"{some_of(sorted(set(text)), 10)}."
        )
    return ~is_equal if name.endswith("!") else is_equal


def _like(column: "pd.Series[Any]", value: str) -> str:
    """Write a number as the numbers of a column are written, so that 24.0 is found as 24."""
    is_number = pd.api.types.is_float_dtype(column) and not np.isnan(_number(value))
    return _text(_number(value)) if is_number else value.strip()


def _number(value: str) -> float:
    return float(pd.to_numeric(value, errors="coerce"))
