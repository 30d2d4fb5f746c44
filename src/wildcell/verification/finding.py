"""What became of one check of one run."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import pandas as pd


class Verdict(StrEnum):
    """How a check ended: `UNTOLD` is neither good nor bad news, and is always said."""

    SAME = "same"
    DIFFERS = "differs"
    UNTOLD = "untold"


@dataclass(frozen=True)
class Finding:
    """What became of one check.

    Attributes
    ----------
    folder
        The run's folder below that of all runs.
    check
        What was looked at: files, inputs, versions, prediction, question, judged, scores, shaken,
        halves, or the file of scores by another convention.
    verdict
        How it ended.
    said
        What differs, or why it cannot be told; empty where all is the same.
    """

    folder: str
    check: str
    verdict: Verdict
    said: str = ""


def table_of(findings: Iterable[Finding]) -> pd.DataFrame:
    """Return findings as a table, a row a check of a run.

    Examples
    --------
    >>> table_of([Finding("run", "files", Verdict.SAME)]).loc[0, "verdict"]
    'same'
    """
    rows = [(item.folder, item.check, str(item.verdict), item.said) for item in findings]
    return pd.DataFrame(rows, columns=["folder", "check", "verdict", "said"])
