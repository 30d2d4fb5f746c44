"""Options given as text: key=value, and model.key=value."""

import ast
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from wildcell.errors import OptionError
from wildcell.store.options_file import read_options


def parse_options(texts: Iterable[str]) -> dict[str, Any]:
    """Read key=value texts; values are Python literals, and else text.

    Examples
    --------
    >>> parse_options(["n_cells=40", "modality=crispra"])
    {'n_cells': 40, 'modality': 'crispra'}
    """
    options = {}
    for text in texts:
        key, sign, value = text.partition("=")
        if not sign or not key:
            raise OptionError(f"Options are given as key=value; got {text!r}.")
        options[key] = _literal(value)
    return options


def parse_model_options(texts: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Read model.key=value texts into the options of each model.

    Examples
    --------
    >>> parse_model_options(["ridge.alpha=10.0"])
    {'ridge': {'alpha': 10.0}}
    """
    options: dict[str, dict[str, Any]] = {}
    for key, value in parse_options(texts).items():
        model, dot, name = key.rpartition(".")
        if not dot:
            raise OptionError(f"Options of models are given as model.key=value; got {key!r}.")
        options.setdefault(model, {})[name] = value
    return options


def options_of_models(file: Path | None, texts: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the options of each model: those of a file, and before them those given as text."""
    told = {} if file is None else read_options(file)
    given = parse_model_options(texts)
    return {name: {**told.get(name, {}), **given.get(name, {})} for name in {**told, **given}}


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
