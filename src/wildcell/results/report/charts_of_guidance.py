"""A chart of what to use where: settings by what matters there, the models in its squares."""

import pandas as pd

from wildcell.results.guidance import NONE, SOME, UNTOLD
from wildcell.results.report.drawn import INK, Drawn, drawn, looked
from wildcell.results.report.vega import alt

COLOURS = {SOME: "#cfe3ec", NONE: "#f3dfca", UNTOLD: "#eceef0"}
MOST_LETTERS = 18


def guidance(table: pd.DataFrame) -> Drawn | None:
    """Return the models to use in each setting.

    Parameters
    ----------
    table
        From `wildcell.results.guidance.guide`.
    """
    if table.empty:
        return None
    shown = table.assign(setting="unseen " + table["unseen"], label=list(map(_label, *_of(table))))
    order = list(dict.fromkeys(shown["matters"]))
    base = alt.Chart(shown).encode(
        x=alt.X(
            "matters:N",
            sort=order,
            title="what matters",
            axis=alt.Axis(orient="top", labelAngle=0, ticks=False, domain=False, labelColor=INK),
        ),
        y=alt.Y(
            "setting:N",
            sort=list(dict.fromkeys(shown["setting"])),
            title=None,
            axis=alt.Axis(ticks=False, domain=False, labelColor=INK),
        ),
    )
    squares = base.mark_rect(stroke="white", strokeWidth=3, aria=False).encode(
        color=alt.Color(
            "says:N",
            scale=alt.Scale(domain=list(COLOURS), range=list(COLOURS.values())),
            legend=alt.Legend(title=None, orient="bottom"),
        ),
        tooltip=[
            alt.Tooltip(f"{name}:N")
            for name in ("setting", "matters", "says", "use", "why", "n_questions", "n_datasets")
        ],
    )
    names = base.mark_text(fontSize=10, color=INK, aria=False, lineBreak="\n")
    chart = alt.layer(squares, names.encode(text="label:N"))
    return drawn(
        looked(chart.properties(width=alt.Step(112), height=alt.Step(44))),
        table,
        name="guidance",
        title="What to use where",
        note=(
            "From these runs alone: models that surely beat each naive model somewhere (in how "
            "many of the questions and metrics) and are surely worse than the reference nowhere; "
            "else the baseline. wildcell advise takes budgets and says how far it carries."
        ),
    )


def _of(table: pd.DataFrame) -> tuple["pd.Series[str]", "pd.Series[str]"]:
    return table["says"], table["use"]


def _label(says: str, use: str) -> str:
    if says == UNTOLD:
        return "-"
    models = [name.partition(" (")[0] for name in use.split(", ")] if says == SOME else [use]
    more = f"\nand {len(models) - 1} more" if len(models) > 1 else ""
    first = models[0]
    is_long = len(first) > MOST_LETTERS
    return (f"{first[: MOST_LETTERS - 1]}\N{HORIZONTAL ELLIPSIS}" if is_long else first) + more
