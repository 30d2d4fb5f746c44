"""Templates for what one may add: a model, a metric, a scenario, a data set."""

from importlib.resources import files
from pathlib import Path
from typing import Literal

from wildcell.cli.progress import say

SUFFIXES = {
    "model": ".py",
    "metric": ".py",
    "scenario": ".toml",
    "dataset": ".py",
    "card": ".toml",
}


def new(kind: Literal["model", "metric", "scenario", "dataset", "card"], out: Path, /) -> None:
    """Write a working template to start from.

    Parameters
    ----------
    kind
        What to add.
    out
        The file to write; it must not exist. A scenario and a card are
        .toml files, the others are .py.
    """
    from wildcell.errors import OptionError, StoreError
    from wildcell.store.atomic import write_text

    suffix = SUFFIXES[kind]
    if out.suffix != suffix:
        raise OptionError(f"A {kind} is a {suffix} file; got {out}.")
    if out.exists():
        raise StoreError(f"{out} exists; name another file.")
    template = files("wildcell.cli").joinpath("templates", f"{kind}{suffix}.txt")
    write_text(out, template.read_text(encoding="utf-8").replace("NAME", out.stem))
    say(f"Wrote {out}; its first lines say how to use it.")
