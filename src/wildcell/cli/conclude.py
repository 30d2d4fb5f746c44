"""Conclusions: the ranking and the report of any folder of runs."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = [
    "rank",
    "model",
    "mean",
    "95 % interval",
    "speaks of",
    "over reference",
    "scored",
    "not scored because",
]


def rank(runs: Path, /, *, metric: str = "pearson_delta", out: Path | None = None) -> None:
    """Rank the models of all finished runs, with intervals and coverage.

    Parameters
    ----------
    runs
        Folder of runs.
    metric
        The metric that is printed; all of them are written.
    out
        Table to write, .csv or .parquet.
    """
    from wildcell.cli.progress import working
    from wildcell.metrics.metric import METRICS
    from wildcell.results.table import rank_runs
    from wildcell.store.atomic import write_table
    from wildcell.store.runs import read_records, unfinished

    METRICS.get(metric)
    with working("ranking"):
        ranks, records = rank_runs(runs), read_records(runs)
    for sentence in unfinished(records):
        print(sentence)
    if out is not None:
        write_table(out, ranks)
    for question, table in ranks[ranks["metric"] == metric].groupby(
        ["scenario", "dataset", "arm"], sort=True
    ):
        _print_question(" / ".join(map(str, question)), metric, table)


def report(runs: Path, /, *, out: Path = Path("report.html")) -> None:
    """Write the report of all finished runs: one HTML file that needs nothing else.

    Parameters
    ----------
    runs
        Folder of runs.
    out
        The file to write.
    """
    from wildcell.cli.progress import working
    from wildcell.results.report import write_report
    from wildcell.results.table import rank_runs
    from wildcell.store.runs import read_records, read_scores, unfinished

    with working("writing the report"):
        records = read_records(runs)
        write_report(out, scores=read_scores(runs), ranks=rank_runs(runs), runs=records)
    for sentence in unfinished(records):
        print(sentence)
    print(f"Wrote {out}")


def _print_question(title: str, metric: str, table: "pd.DataFrame") -> None:
    from rich.table import Table

    from wildcell.cli.progress import printer

    console = printer()
    console.print(f"\n{title}, {metric}", style="bold")
    every = table[table["category"] == "all"]
    rows = every[every["same_as"] == ""].sort_values(["rank", "model"])
    columns = COLUMNS if (rows["unscored"] != "").any() else COLUMNS[:-1]
    shown = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for _, row in rows.iterrows():
        twins = every.loc[every["same_as"] == row["model"], "model"]
        shown.add_row(*_cells(row, [row["model"], *twins])[: len(columns)])
    console.print(shown)


def _cells(row: "pd.Series", names: list[str]) -> list[str]:
    """Return what is shown of one model, in the order of `COLUMNS`."""
    from wildcell.cli.progress import number, span

    gain = f"{number(row['difference'])} {span(row['difference_low'], row['difference_high'])}"
    return [
        f"{row['rank']:.0f}" if row["rank"] > 0 else "",
        " = ".join(names),
        number(row["mean"]),
        span(row["low"], row["high"]),
        row["interval"],
        gain,
        f"{row['scored']}/{row['expected']}",
        row["unscored"],
    ]
