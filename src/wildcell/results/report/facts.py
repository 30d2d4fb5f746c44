"""What was asked: contexts, seeds, genes, and sizes of the split."""

import pandas as pd

from wildcell.names import SHAM, Role
from wildcell.results.words import listed


def facts(scores: pd.DataFrame, runs: pd.DataFrame) -> dict[str, str]:
    """Return what was asked, by what it is called."""
    contexts = sorted(set(scores["context"]))
    seeds = sorted(set(runs["seed"]))
    rules = listed(sorted(set(runs["genes"])))
    return {
        "Contexts tested": f"{len(contexts)}: {listed(contexts)}",
        "Seeds": f"{len(seeds)}: {listed([str(seed) for seed in seeds])}",
        "Folds a seed": _extent(runs["n_folds"]),
        "Genes": f"{_extent(runs['n_genes'])} (chosen by the rule {rules})",
        "Expression": listed([str(name) for name in sorted(set(runs["expression"]))]),
        "Cells brought to a depth of": _extent(runs["target_sum"]) or "not applicable",
    }


def sizes(runs: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Return what, conditions, cells; as ranges over seeds and folds."""
    sizes = pd.json_normalize(list(runs.drop_duplicates(["seed", "fold"])["sizes"]))
    roles = [
        (str(role), _extent(sizes[f"{role}.conditions"]), _extent(sizes[f"{role}.cells"]))
        for role in (*Role, SHAM)
    ]
    halves = [
        (f"controls {half}", "", _extent(sizes[f"controls_{half}"])) for half in ("given", "kept")
    ]
    return [*roles, *halves]


def _extent(values: pd.Series) -> str:
    """Return the one value there is, or the least and the greatest."""
    known = pd.to_numeric(values, errors="coerce").dropna()
    if known.empty:
        return ""
    low, high = f"{known.min():,.0f}", f"{known.max():,.0f}"
    return low if low == high else f"{low} to {high}"
