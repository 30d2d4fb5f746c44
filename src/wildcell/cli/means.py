"""What `wildcell rank` prints of means: by context, by condition, at their worst, and in strata."""

import pandas as pd
from rich.table import Table

from wildcell.cli.progress import number, printer, say
from wildcell.results.means import MICRO
from wildcell.results.rank import EVERY_CATEGORY


def print_means(title: str, ranks: pd.DataFrame) -> None:
    """Print the means of each model over all conditions.

    Parameters
    ----------
    title
        What is ranked, and by what.
    ranks
        Rows of `wildcell.results.rank.rank`, of one question and metric.
    """
    rows = _first_of_twins(ranks[ranks["category"] == EVERY_CATEGORY])
    columns = ["model", "macro", "micro", "scored", "worst", "scored there", "worst context"]
    shown = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for _, row in rows.iterrows():
        shown.add_row(
            row["label"],
            number(row["macro"]),
            number(row["micro"]),
            f"{row['scored']}/{row['expected']}",
            number(row["worst"]),
            f"{row['worst_scored']}/{row['worst_expected']}" if row["worst_context"] else "",
            row["worst_context"],
        )
    _print_titled(title, shown)
    if (rows["mean_kind"] == MICRO).any():
        say("Ranked by micro, the ratio of sums over all conditions.")
    else:
        say("Ranked by macro, in which every context has equal weight.")


def print_strata(title: str, ranks: pd.DataFrame) -> None:
    """Print the mean of each model in each stratum, and how many rows of all were scored.

    Parameters
    ----------
    title
        What is ranked, and by what.
    ranks
        Rows of `wildcell.results.strata.rank_in_strata`, of one question and metric.
    """
    sizes = ranks.drop_duplicates("stratum").set_index("stratum")["stratum_conditions"]
    heads = [f"{name}\nn = {n}" for name, n in sizes.items()]
    shown = Table("model", *heads, box=None, pad_edge=False, header_style="bold")
    cells = {
        (row["model"], row["stratum"]): f"{number(row['mean'])} {row['scored']}/{row['expected']}"
        for _, row in ranks.iterrows()
    }
    for _, row in _first_of_twins(ranks[ranks["stratum"] == EVERY_CATEGORY]).iterrows():
        found = [cells.get((row["model"], name), "") for name in sizes.index]
        shown.add_row(row["label"], *found)
    by = ranks["by"].iloc[0]
    _print_titled(f"{title}, by {by}", shown)
    if len(sizes) == 1:
        say(f"All conditions are in one stratum of {by}.")
    else:
        say(f"n counts conditions; strata of {by} are fixed over them, the same for all models.")


def _first_of_twins(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a row for models that coincide, named together, by rank."""
    twins = rows[rows["same_as"] != ""].groupby("same_as")["model"].agg(list)
    first = rows[rows["same_as"] == ""].sort_values(["rank", "model"])
    names = [" = ".join([model, *twins.get(model, [])]) for model in first["model"]]
    return first.assign(label=names)


def _print_titled(title: str, shown: Table) -> None:
    console = printer()
    console.print(f"\n{title}", style="bold")
    console.print(shown)
