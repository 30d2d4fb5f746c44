"""The command and the fingerprints to make some runs again."""

import shlex
from itertools import chain

import pandas as pd

from wildcell.results.rank import PSEUDO_MODELS
from wildcell.results.words import listed

SHOWN_DIGITS = 12


def fingerprints(runs: pd.DataFrame) -> dict[str, str]:
    """Return the hashes that tell whether another has asked the same."""
    table = pd.DataFrame(list(runs["fingerprints"])).fillna("")
    shown = [
        name for name in ("dataset", "scenario", "split", "features", "graph") if name in table
    ]
    return {
        name: listed([text[:SHOWN_DIGITS] for text in table[name].unique() if text])
        for name in shown
        if table[name].any()
    }


def command(runs: pd.DataFrame) -> str:
    """Return the command that makes these runs; files are named as placeholders."""
    first = runs.iloc[0]
    of_models = runs[~runs["model"].isin(PSEUDO_MODELS)].drop_duplicates("model")
    options = [
        f"{_bare(name)}.{key}={value}"
        for name, found in zip(of_models["model"], of_models["options"], strict=True)
        for key, value in found.items()
    ]
    words = {
        "--data": [_bare(first["dataset"])],
        "--data-option": _bracketed(first["dataset"]),
        "--arm": [first["arm"]],
        "--genes": [first["genes"]],
        "--model": sorted({_bare(name) for name in of_models["model"]}),
        "--model-option": sorted(options),
        "--seed": [str(seed) for seed in sorted(set(runs["seed"]))],
        "--features": ["features.parquet"] if first["fingerprints"].get("features") else [],
        "--graph": ["graph.parquet"] if first["fingerprints"].get("graph") else [],
    }
    pairs = [(option, value) for option, values in words.items() for value in values]
    return shlex.join(["wildcell", "run", _bare(first["scenario"]), *chain.from_iterable(pairs)])


def _bare(name: str) -> str:
    """Return a name without the options that it bears in brackets."""
    return name.partition("[")[0]


def _bracketed(name: str) -> list[str]:
    return [text for text in name.partition("[")[2].removesuffix("]").split(",") if text]
