"""Every table of a folder of runs, to be worked with or printed."""

import csv
from enum import StrEnum
from io import StringIO
from typing import NamedTuple

import pandas as pd

from wildcell.metrics.headline import HEADLINE
from wildcell.names import Status
from wildcell.results.arms import compare_arms
from wildcell.results.compare import compare_models
from wildcell.results.condition_wins import condition_wins
from wildcell.results.disagreement import disagreement
from wildcell.results.findings.claim import Material
from wildcell.results.findings.find import find_all
from wildcell.results.rank import EVERY_CATEGORY, QUESTION, rank
from wildcell.results.usable import calibrate_metrics
from wildcell.results.words import number


class Format(StrEnum):
    """How tables are written."""

    CSV = "csv"
    MARKDOWN = "markdown"
    LATEX = "latex"


ENDINGS = {Format.CSV: "csv", Format.MARKDOWN: "md", Format.LATEX: "tex"}
PRINTED = ["metric", "model", "mean", "low", "high", "interval", "difference", "scored", "expected"]


class Exported(NamedTuple):
    """A table, and what is in it."""

    table: pd.DataFrame
    about: str


def exported(
    material: Material, records: pd.DataFrame, halves: pd.DataFrame
) -> dict[str, Exported]:
    """Return the tables of a folder of runs by name; those without rows are left out.

    Parameters
    ----------
    material
        From `wildcell.results.table.material_of`.
    records
        From `wildcell.store.runs.read_records`.
    halves
        From `wildcell.store.runs.read_halves`.
    """
    scores, references = material.scores, material.references
    ranks = rank(scores, references)
    whole = ranks[(ranks["category"] == EVERY_CATEGORY) & ranks["metric"].isin(HEADLINE)]
    compared = compare_models(scores, metrics=HEADLINE)
    apart = disagreement(scores, references, halves=halves)
    found = {
        "leaderboard": Exported(
            whole[[*QUESTION, *PRINTED]],
            "Headline metrics over all conditions, with 95 % intervals and differences to the "
            "reference baseline.",
        ),
        "ranks": Exported(ranks, "All metrics, models and categories of conditions."),
        "pairs": Exported(compared.pairs, "Each pair of models by each headline metric."),
        "places": Exported(compared.places, "Rank intervals of models."),
        "calibration": Exported(
            calibrate_metrics(scores, references, halves), "Which metrics say anything here."
        ),
        "correlations": Exported(apart.correlations, "Metrics over conditions."),
        "orders": Exported(apart.orders, "Kendall's tau of metrics over models."),
        "findings": Exported(find_all(material), "Claims, answered."),
        "conditions": Exported(
            condition_wins(scores), "Single conditions that are surely won, or not."
        ),
        "arms": Exported(compare_arms(scores, references), "Means of each arm."),
        "costs": Exported(material.costs, "Time and memory of each run."),
        "failures": Exported(_failures(records), "Runs without an answer to all, and why."),
    }
    return {name: one for name, one in found.items() if len(one.table)}


def _failures(records: pd.DataFrame) -> pd.DataFrame:
    is_short = (records["status"] != Status.OK) | (records["reason"].fillna("") != "")
    columns = [*QUESTION, "model", "seed", "fold", "status", "reason"]
    return records.loc[is_short, columns]


def as_text(table: pd.DataFrame, form: Format) -> str:
    r"""Return a table as text: exact in CSV, rounded where it is to be read.

    Examples
    --------
    >>> print(as_text(pd.DataFrame({"model": ["a|b"], "mean": [0.12345]}), Format.MARKDOWN))
    | model | mean |
    | --- | --- |
    | a\|b | 0.12 |
    <BLANKLINE>
    >>> print(as_text(pd.DataFrame({"model": ["a_b"], "mean": [0.12345]}), Format.LATEX))
    \begin{tabular}{lr}
    \toprule
    model & mean \\
    \midrule
    a\_b & 0.12 \\
    \bottomrule
    \end{tabular}
    <BLANKLINE>
    """
    if form is Format.CSV:
        out = StringIO()
        table.to_csv(out, index=False, quoting=csv.QUOTE_MINIMAL)
        return out.getvalue()
    write = _markdown if form is Format.MARKDOWN else _latex
    return write(list(map(str, table.columns)), _cells(table), _is_number(table))


def _cells(table: pd.DataFrame) -> list[list[str]]:
    return [
        [number(cell) if isinstance(cell, float) else str(cell) for cell in row]
        for row in table.itertuples(index=False)
    ]


def _is_number(table: pd.DataFrame) -> list[bool]:
    return [pd.api.types.is_numeric_dtype(kind) for kind in table.dtypes]


def _markdown(head: list[str], rows: list[list[str]], _: list[bool]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(map(_in_markdown, line))} |\n" for line in lines)


def _latex(head: list[str], rows: list[list[str]], is_number: list[bool]) -> str:
    columns = "".join("r" if one else "l" for one in is_number)
    parts = [
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        _row(head),
        r"\midrule",
        *map(_row, rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(parts) + "\n"


def _row(cells: list[str]) -> str:
    return " & ".join(map(_in_latex, cells)) + r" \\"


LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\N{MINUS SIGN}": "$-$",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
}


def _in_latex(text: str) -> str:
    return "".join(LATEX.get(letter, letter) for letter in " ".join(text.split()))


def _in_markdown(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
    return " ".join(escaped.split())
