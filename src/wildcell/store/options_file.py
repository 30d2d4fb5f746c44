"""Options of models in a TOML file: a table a model."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wildcell.errors import DataError, OptionError
from wildcell.guards.texts import parse_toml, read_text


def options_text(options: Mapping[str, Mapping[str, Any]], *, said: str = "") -> str:
    """Return the text of a file of options.

    Parameters
    ----------
    options
        Numbers, texts and booleans by name, by model.
    said
        What stands above them.

    Examples
    --------
    >>> print(options_text({"ridge": {"alpha": 10.0}}, said="Found."))
    # Found.
    <BLANKLINE>
    [ridge]
    alpha = 10.0
    <BLANKLINE>
    """
    lines = [f"# {line}" for line in said.splitlines()]
    for model, table in options.items():
        key = model if model.replace("-", "").replace("_", "").isalnum() else json.dumps(model)
        lines += ["", f"[{key}]", *(f"{name} = {_literal(value)}" for name, value in table.items())]
    return "\n".join(lines).lstrip("\n") + "\n"


def _literal(value: Any) -> str:
    is_bare = isinstance(value, float)
    return repr(value) if is_bare else json.dumps(value)


def read_options(path: Path) -> dict[str, dict[str, Any]]:
    """Read the options of models from a TOML file.

    Raises
    ------
    OptionError
        There is no such file, or it is not tables of options by model.
    """
    try:
        found = parse_toml(read_text(path), str(path))
    except (OSError, UnicodeDecodeError, DataError) as error:
        raise OptionError(f"{path} cannot be read as TOML: {error}") from error
    for model, table in found.items():
        if not isinstance(table, dict):
            raise OptionError(
                f"{path} holds options in a table a model, such as [ridge] above alpha = 10.0; "
                f"{model!r} stands outside of any."
            )
    return found
