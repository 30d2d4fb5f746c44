"""Docstrings whose sections of what is returned have no types, which stand in the signature."""

import re
from textwrap import indent
from typing import Any

import griffe

RETURNS = re.compile(r"(?<=^Returns\n-------\n)(?P<body>.+?)(?=\n\n|\Z)", re.MULTILINE | re.DOTALL)


class UntypedReturns(griffe.Extension):
    """Tells griffe, which takes the first line for a type, what is a name and what are words."""

    def on_function(self, *, func: griffe.Function, **_: Any) -> None:
        """Rewrite the section of a function."""
        if func.docstring:
            func.docstring.value = RETURNS.sub(told, func.docstring.value)


def told(section: re.Match[str]) -> str:
    """Return the section with a colon behind each name, or before words that have none."""
    body = section["body"]
    if "\n    " in body:
        return re.sub(r"^(\w+)$", r"\1 :", body, flags=re.MULTILINE)
    return ":\n" + indent(body, "    ")
