"""Which models ran where they could not have reached the truth, and which might have."""

import pandas as pd

from wildcell.results.words import listed

SEALED = "sealed"
IN_PROCESS = "in process"
UNKNOWN = ""


def sealing(runs: pd.DataFrame) -> dict[str, str]:
    """Return, for each model, whether all its runs were sealed, or none was said to be.

    Parameters
    ----------
    runs
        Records of runs: model, and is_sealed where it is known.

    Examples
    --------
    >>> runs = pd.DataFrame({"model": ["a", "b", "ceiling"], "is_sealed": [True, False, None]})
    >>> sealing(runs)
    {'a': 'sealed', 'b': 'in process', 'ceiling': ''}
    """
    if "is_sealed" not in runs:
        return dict.fromkeys(runs["model"], UNKNOWN)
    return {
        str(model): UNKNOWN if said.isna().all() else SEALED if said.eq(True).all() else IN_PROCESS
        for model, said in runs.groupby("model", sort=False)["is_sealed"]
    }


def sealing_sentence(runs: pd.DataFrame) -> str:
    """Say which models were sealed, where some were."""
    found = sealing(runs)
    sealed = sorted(model for model, where in found.items() if where == SEALED)
    if not sealed:
        return ""
    open_ones = any(where == IN_PROCESS for where in found.values())
    others = "; the others ran inside wildcell, where a model could reach the truth"
    return f"Sealed, in processes of their own: {listed(sealed)}{others if open_ones else ''}."
