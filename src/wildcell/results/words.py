"""How statuses, numbers and models are put into words, for verdicts, charts and reports."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from wildcell.names import Status

MINUS = "\N{MINUS SIGN}"

STATUS_WORDS = {
    Status.FLAT: "predicts no change",
    Status.MISSING: "gave no answer",
    Status.UNDEFINED: "nothing was measured that an answer could be compared with",
    Status.TOO_FEW_CELLS: "too few cells",
    Status.TOO_FEW_CONTROLS: "too few controls, or controls noisier than the effect",
    Status.TOO_FEW_CANDIDATES: "too few perturbations in the context to tell apart",
    Status.TOO_FEW_DE_GENES: "too few differentially expressed genes were measured",
    Status.NEEDS_CELLS: "needs single cells",
    Status.NEEDS_COUNTS: "needs counts",
    Status.NEEDS_REFERENCE: "needs a reference baseline, which needs training cells",
    Status.NO_HEADROOM: "no headroom between the reference baseline and the ceiling",
    Status.NOT_APPLICABLE: "not applicable: the model cannot answer this",
    Status.ERROR: "the run failed",
}


def number(value: float) -> str:
    """Return a number with two decimals, three below 0.1 and none from 1,000 on.

    Examples
    --------
    >>> number(0.0413), number(12.345), number(4321.0), number(float("nan"))
    ('0.041', '12.35', '4,321', '')
    """
    if not np.isfinite(value):
        return ""
    size = abs(value)
    decimals = 0 if size >= 1000 or value == 0 else 2 if size >= 0.1 else 3
    text = f"{size:,.{decimals}f}"
    return MINUS + text if value < 0 and text.strip("0.") else text


def signed(value: float) -> str:
    """Return a number with its sign.

    Examples
    --------
    >>> signed(0.5)
    '+0.50'
    """
    text = number(value)
    return text if not text or text.startswith(MINUS) else f"+{text}"


def span(low: float, high: float) -> str:
    """Return an interval, or nothing where there is none.

    Examples
    --------
    >>> span(0.15, 0.271), span(float("nan"), float("nan"))
    ('0.15 to 0.27', '')
    """
    return f"{number(low)} to {number(high)}" if np.isfinite(low) else ""


def count(n: int, noun: str) -> str:
    """Return a number of things.

    Examples
    --------
    >>> count(1, "context"), count(1234, "cell")
    ('1 context', '1,234 cells')
    """
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def listed(names: Sequence[str], *, at_most: int = 12) -> str:
    """Return names in a row; beyond `at_most` they are counted.

    Examples
    --------
    >>> listed(["a", "b", "c"]), listed(["a", "b", "c", "d"], at_most=2)
    ('a, b and c', 'a, b and 2 more')
    """
    if len(names) > at_most:
        names = [*names[:at_most], f"{len(names) - at_most} more"]
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def named_once(ranks: pd.DataFrame) -> pd.DataFrame:
    """Return one row for models that coincide, named together, and words for those without score.

    Parameters
    ----------
    ranks
        Rows of `wildcell.results.rank.rank`, of one question.

    Returns
    -------
    The rows of the first of each set of coinciding models, with the columns `label` (`a = b`
    where b coincides with a, the reference baseline first), `is_reference`, and `silence`: why
    there is no mean, in a word, or "".
    """
    first = ranks["same_as"].where(ranks["same_as"] != "", ranks["model"])
    twins = ranks.groupby(first)["model"].agg(set)
    rows = ranks[ranks["same_as"] == ""]
    why = np.select([rows["failed"] > 0, rows["not_applicable"] > 0], ["failed", "n/a"], "none")
    return rows.assign(
        label=[
            " = ".join(sorted(twins[model], key=lambda name: (name != reference, name)))
            for model, reference in zip(rows["model"], rows["reference"], strict=True)
        ],
        is_reference=[
            reference in twins[model]
            for model, reference in zip(rows["model"], rows["reference"], strict=True)
        ],
        silence=np.where(rows["mean"].isna(), why, ""),
    )
