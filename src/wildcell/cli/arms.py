"""Arms beside each other: what a change of the question does to each model."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def arms(
    runs: Path,
    /,
    *,
    metric: str = "effect_r2",
    base: str | None = None,
    out: Path | None = None,
) -> None:
    """Compare the arms of all finished runs, paired by condition and seed.

    Parameters
    ----------
    runs
        Folder of runs.
    metric
        The metric that is printed; all of them are written.
    base
        The arm that the others are compared with; without one only the means are shown.
    out
        Table to write, .csv or .parquet.
    """
    from wildcell.cli.progress import working
    from wildcell.metrics.metric import METRICS
    from wildcell.results.table import compare_arms_of_runs
    from wildcell.store.atomic import write_table
    from wildcell.store.runs import read_records, unfinished

    METRICS.get(metric)
    with working("comparing arms"):
        metrics = [metric] if out is None else None
        table = compare_arms_of_runs(runs, base=base, metrics=metrics)
    for sentence in unfinished(read_records(runs)):
        print(sentence)
    if out is not None:
        write_table(out, table)
    shown = table[table["metric"] == metric]
    for question, rows in shown.groupby(["scenario", "dataset"], sort=True):
        _print_question(" / ".join(map(str, question)), metric, rows, base)
    if base is None:
        print(f"\nName the arm to compare with: --base {min(table['arm'], default='ARM')}")


def _print_question(title: str, metric: str, rows: "pd.DataFrame", base: str | None) -> None:
    from rich.table import Table

    from wildcell.cli.progress import printer

    console = printer()
    console.print(f"\n{title}, {metric}", style="bold")
    columns = ["model", "arm", "mean", "95 % interval"]
    if base is not None:
        columns += [f"minus {base}", "beyond reference", "beyond placebo", "speaks of", "paired"]
    has_placebo = rows["beyond_placebo"].notna().any()
    kept = [name for name in columns if name != "beyond placebo" or has_placebo]
    shown = Table(*kept, box=None, pad_edge=False, header_style="bold")
    for _, row in rows.sort_values(["model", "arm"]).iterrows():
        cells = dict(zip(columns, _cells(row), strict=False))
        shown.add_row(*(cells[name] for name in kept))
    console.print(shown)


def _cells(row: "pd.Series") -> list[str]:
    """Return what is shown of one model in one arm."""
    from wildcell.cli.progress import number, span

    return [
        row["model"],
        row["arm"],
        number(row["mean"]),
        span(row["low"], row["high"]),
        *(_difference(row, name) for name in ("difference", "beyond_reference", "beyond_placebo")),
        row["difference_interval"] if row["base"] else "",
        f"{row['n_paired']}/{row['n_conditions']}" if row["base"] else "",
    ]


def _difference(row: "pd.Series", name: str) -> str:
    from wildcell.cli.progress import number, span

    if not row["base"]:
        return ""
    reach = span(row[f"{name}_low"], row[f"{name}_high"])
    return f"{number(row[name])} ({reach})" if reach else number(row[name])
