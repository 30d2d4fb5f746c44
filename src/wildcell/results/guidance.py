"""From settings to models: what to use where, computed from runs, a row a setting and family."""

from typing import Any

import pandas as pd

from wildcell.parallel import in_processes
from wildcell.results.advice import (
    FAMILIES,
    SETTINGS,
    evidence_rows,
    scores_of,
    settled,
    short_list,
)
from wildcell.results.rank import QUESTION
from wildcell.results.words import count, listed, signed, span

SOME, NONE, UNTOLD = "some model", "none beats the baseline", "cannot be told"
GENERAL = "in general"
"""What matters where no family of metrics is named."""

GUIDE_COLUMNS = ["unseen", "matters", "says", "use", "why", "n_questions", "n_datasets"]


def guide(
    scores: pd.DataFrame,
    references: dict[str, str],
    costs: pd.DataFrame,
    usable: dict[tuple[str, ...], set[str]],
) -> pd.DataFrame:
    """Return what `wildcell advise` would answer in every setting that the runs ask about.

    Parameters
    ----------
    scores, references, costs, usable
        As for `wildcell.results.advice.evidence`.

    Returns
    -------
    A row a setting (`unseen`) and what `matters` there, a family of metrics or nothing in
    particular: what the runs say, the models to `use` or the reference baseline, best first, the
    best one's evidence (`why`), and from how many questions and data sets.
    """
    there = [name for name in SETTINGS if len(scores_of(scores, name))]
    every = (None, *FAMILIES)
    found = in_processes(
        lambda unseen: evidence_rows(
            scores, references, costs, every, unseen=unseen, usable=usable
        ),
        there,
    )
    rows = [
        _row(settled(table, family), unseen=unseen, matters=family or GENERAL)
        for unseen, table in zip(there, found, strict=True)
        for family in every
    ]
    return pd.DataFrame(rows, columns=GUIDE_COLUMNS)


def _row(found: pd.DataFrame, *, unseen: str, matters: str) -> dict[str, Any]:
    told = {
        "unseen": unseen,
        "matters": matters,
        "n_questions": len(found[QUESTION].drop_duplicates()),
        "n_datasets": found["dataset"].nunique(),
    }
    if found.empty:
        why = "no usable metric of this family, or no model beside the naive ones"
        return {**told, "says": UNTOLD, "use": "", "why": why}
    chosen = short_list(found)
    if chosen.empty:
        nearest = found.loc[found["gain_on_naive"].fillna(-float("inf")).idxmax()]
        use = listed(sorted(set(found["reference"])))
        return {**told, "says": NONE, "use": use, "why": f"nearest: {_told(nearest)}"}
    best = found[found["model"] == chosen["model"].iloc[0]]
    named = [f"{row['model']} ({row['beats']} of {row['n']})" for _, row in chosen.iterrows()]
    return {
        **told,
        "says": SOME,
        "use": ", ".join(named),
        "why": _told(best.loc[best["gain"].idxmax()]),
    }


def _told(row: pd.Series) -> str:
    return (
        f"{row['model']} on {row['dataset']}, {row['metric']}: {signed(row['gain'])} "
        f"({span(row['low'], row['high'])}) over {row['reference']}, "
        f"{count(int(row['n_conditions']), 'condition')}"
    )
