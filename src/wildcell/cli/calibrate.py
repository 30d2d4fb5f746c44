"""Which metrics say anything on a data set."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    import pandas as pd

QUESTION = ["scenario", "dataset", "arm"]


def calibrate(
    runs: Path,
    /,
    *,
    metric: Annotated[list[str] | None, Parameter(negative=())] = None,
    out: Path | None = None,
) -> None:
    """Say which metrics tell a replicate of the measurement from the reference baseline.

    For each question and metric: the floors (naive models, and the reference where nothing was
    done), the replicate, the noise-free ceiling, in what share of conditions the replicate is
    better than the reference, and how far up the scale it is.

    Parameters
    ----------
    runs
        Folder of runs.
    metric
        Show this one alone; may be given several times.
    out
        Table to write, .csv or .parquet.
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
    shown = table if not metric else table[table["metric"].isin(metric)]
    for question, rows in shown.groupby(QUESTION, sort=True):
        _print_question(" / ".join(map(str, question)), rows)


def _print_question(title: str, rows: "pd.DataFrame") -> None:
    from rich.table import Table

    from wildcell.cli.progress import number, printer, span

    console = printer()
    first = rows.iloc[0]
    console.print(f"\n{title}, reference {first['reference']}", style="bold")
    shown = Table(
        "metric", "", "replicate wins", "", "up the scale", "worst naive", "reference",
        "best naive", "replicate", "ceiling", box=None, pad_edge=False, header_style="bold",
    )  # fmt: skip
    for _, row in rows.iterrows():
        means = ("worst_naive_mean", "reference_mean", "best_naive_mean", "replicate", "ceiling")
        shown.add_row(
            row["metric"], row["usable"], number(row["wins"]),
            span(row["wins_low"], row["wins_high"]), number(row["dynamic_range"]),
            *(number(row[name]) for name in means),
        )  # fmt: skip
    console.print(shown)
    counts = rows["usable"].value_counts()
    told = ", ".join(f"{n} {state}" for state, n in counts.items())
    console.print(
        f"{len(rows)} metrics over {first['n_conditions']} conditions: {told}.", soft_wrap=True
    )
