"""Which metrics say anything on a data set."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

BY_ALL = {
    "worst_naive": "worst naive",
    "best_naive": "best naive",
    "reference": "reference",
    "ceiling": "ceiling",
    "sham_reference": "reference on shams",
}
BY_HALVES = {
    "half_reference": "reference",
    "oracle_amplitude": "its amplitude",
    "oracle_nearest": "nearest",
    "oracle_span": "span",
    "replicate": "replicate",
    "half_ceiling": "ceiling",
    "sham_replicate": "replicate on shams",
}
"""What the means are called, in the order in which they are shown."""

QUESTION = ["scenario", "dataset", "arm"]


def calibrate(
    runs: Path,
    /,
    *,
    metric: Annotated[list[str] | None, Parameter(negative=())] = None,
    out: Path | None = None,
) -> None:
    """Say which metrics tell a replicate of the measurement from the reference baseline.

    For each question and metric: in what share of conditions the replicate is better than the
    reference, how far up the scale it is, how scores of conditions repeat, and the floors and
    ceilings: naive models and the noise-free effect, judged by all test cells; the reference, the
    replicate, and the oracles of wildcell run --oracles, judged by halves of them.

    Parameters
    ----------
    runs
        Folder of runs.
    metric
        Show this one alone; may be given several times. If none is, all but those on the second
        panel of genes.
    out
        Table to write, .csv or .parquet, with the interval of every mean, and what is made of
        shams.
    """
    from wildcell.cli.progress import working
    from wildcell.metrics.metric import METRICS
    from wildcell.results.table import calibrate_runs
    from wildcell.store.atomic import write_table

    for name in metric or []:
        METRICS.get(name)
    with working("calibrating metrics"):
        table = calibrate_runs(runs)
    if out is not None:
        write_table(out, table)
    shown = _of_first_panel(table) if not metric else table[table["metric"].isin(metric)]
    for question, rows in shown.groupby(QUESTION, sort=True):
        _print_question(" / ".join(map(str, question)), rows)


def _of_first_panel(table: "pd.DataFrame") -> "pd.DataFrame":
    """Return the rows of metrics that are not those of another on the second panel."""
    from wildcell.metrics.metric import METRICS

    is_twin = table["metric"].map(lambda name: METRICS.get(name).twin_of is not None)
    return table[~is_twin.astype(bool)]


def _print_question(title: str, rows: "pd.DataFrame") -> None:
    from wildcell.cli.progress import printer
    from wildcell.results.usable import ALL_CELLS

    console = printer()
    first = rows.iloc[0]
    console.print(f"\n{title}, reference {first['reference']}", style="bold")
    console.print(_marks(rows))
    for cells, rungs in (("all test cells", BY_ALL), ("halves of them", BY_HALVES)):
        console.print(f"\nMeans by {cells}")
        console.print(_means(rows, rungs))
    if (rows["judged_by"] == ALL_CELLS).any():
        console.print(
            "The reference was judged by all cells, the replicate by halves: no metric is said not "
            "to be usable. Start the same run again to have both judged by halves.",
            soft_wrap=True,
        )
    counts = rows["usable"].value_counts()
    told = ", ".join(f"{n} {state}" for state, n in counts.items())
    n = rows["n_conditions"].max()
    console.print(f"{len(rows)} metrics over {n} conditions: {told}.", soft_wrap=True)


def _marks(rows: "pd.DataFrame") -> "Table":
    """Return whether each metric is usable, and what says so."""
    from rich.table import Table

    from wildcell.cli.progress import number, span

    shown = Table(
        "metric", "", "replicate wins", "", "up the scale", "repeats", "why not told",
        box=None, pad_edge=False, header_style="bold",
    )  # fmt: skip
    for _, row in rows.iterrows():
        shown.add_row(
            row["metric"], row["usable"], number(row["wins"]),
            span(row["wins_low"], row["wins_high"]), number(row["dynamic_range"]),
            number(row["reliability"]), row["reason"],
        )  # fmt: skip
    return shown


def _means(rows: "pd.DataFrame", rungs: Mapping[str, str]) -> "Table":
    """Return the means that are known, and the names of naive models that they are of."""
    from rich.table import Table

    from wildcell.cli.progress import number

    known = [rung for rung in rungs if rows[f"{rung}_mean"].notna().any()]
    heads = [rungs[rung] for rung in known]
    shown = Table("metric", *heads, box=None, pad_edge=False, header_style="bold")
    for _, row in rows.iterrows():
        names = [row[rung] if rung.endswith("naive") else "" for rung in known]
        means = [
            f"{number(row[f'{rung}_mean'])} {name}" for rung, name in zip(known, names, strict=True)
        ]
        shown.add_row(row["metric"], *means)
    return shown
