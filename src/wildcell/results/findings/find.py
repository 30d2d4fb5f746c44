"""Every claim looked for in a folder of runs."""

from collections.abc import Sequence

import pandas as pd

from wildcell.errors import UnknownNameError
from wildcell.registry import did_you_mean
from wildcell.results.findings.claim import Answer, Claim, Finding, Material, nothing_found
from wildcell.results.findings.merging import MERGING
from wildcell.results.findings.models import COST, DISAGREE, NONE_BEATS
from wildcell.results.findings.specific import SPECIFIC_CLAIM
from wildcell.results.findings.splits import FALLS, OVER_ESTIMATE
from wildcell.results.naive import check_margin

CLAIMS = {
    claim.id: claim
    for claim in (OVER_ESTIMATE, MERGING, FALLS, SPECIFIC_CLAIM, DISAGREE, COST, NONE_BEATS)
}


def find_all(material: Material, *, claims: Sequence[str] | None = None) -> pd.DataFrame:
    """Answer claims.

    Parameters
    ----------
    material
        Tables of a folder of runs.
    claims
        Their identifiers; all if None.

    Returns
    -------
    A row a finding, with the fields of `Finding`: first, of each claim and question, that of
    all models together (`model` is ""), then those of single models and metrics. A claim of which
    no run asks has one row that says what runs it takes.

    Raises
    ------
    UnknownNameError
        There is no such claim.
    """
    check_margin(material.margin)
    for name in claims or []:
        if name not in CLAIMS:
            raise UnknownNameError(f"No claim {name!r}. {did_you_mean(name, CLAIMS)}")
    chosen: list[Claim] = [CLAIMS[name] for name in claims or CLAIMS]
    rows: list[Finding] = []
    for claim in chosen:
        rows += list(claim.find(material)) or [nothing_found(claim)]
    return pd.DataFrame(rows, columns=Finding._fields).astype({"answer": str})


def as_markdown(found: pd.DataFrame) -> str:
    """Return the findings as a page: each claim, its answers as a whole, and its evidence."""
    parts = ["# Findings\n"]
    for name, rows in found.groupby("claim", sort=True):
        claim = CLAIMS[str(name)]
        parts.append(f"## {claim.id}: {claim.statement}\n\nEstimated: {claim.estimand}.\n")
        whole = rows[rows["model"] == ""]
        for _, row in whole.iterrows():
            where = " / ".join(filter(None, (row["scenario"], row["dataset"], row["part"])))
            lead = f"**{row['answer']}**" + (f" ({where})" if where else "")
            settles = f" *To settle it:* {row['settles']}." if row["settles"] else ""
            parts.append(f"- {lead}. {row['sentence']}{settles}")
        parts.append(_evidence(rows[rows["model"] != ""]))
    return "\n".join(parts) + "\n"


def _evidence(rows: pd.DataFrame) -> str:
    if rows.empty:
        return ""
    head = (
        "| where | part | model | metric | answer | effect | 95 % interval |\n" + "|---" * 7 + "|"
    )
    lines = [
        f"| {row['scenario']} | {row['part']} | {row['model']} | {row['metric']} | {row['answer']} "
        f"| {row['effect']:.3f} | {_interval(row)} |"
        for _, row in rows.iterrows()
    ]
    return "\n".join(["", head, *lines, ""])


def _interval(row: pd.Series) -> str:
    return f"{row['low']:.3f} to {row['high']:.3f}" if row["low"] == row["low"] else ""


def answers(found: pd.DataFrame) -> dict[str, str]:
    """Return the answer to each claim over all questions: what they give, or untold."""
    told: dict[str, str] = {}
    for name, rows in found[found["model"] == ""].groupby("claim", sort=True):
        given = set(rows["answer"]) - {str(Answer.UNTOLD)}
        told[str(name)] = " / ".join(sorted(given)) if given else str(Answer.UNTOLD)
    return told
