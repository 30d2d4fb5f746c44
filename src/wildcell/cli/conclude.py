"""Conclusions: the ranking and the report of any folder of runs."""

from pathlib import Path


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


def _print_question(title: str, metric: str, table: "object") -> None:
    import pandas as pd
    from rich.table import Table

    from wildcell.cli.progress import printer

    assert isinstance(table, pd.DataFrame)
    console = printer()
    console.print(f"\n{title}, {metric}", style="bold")
    every = table[(table["category"] == "all") & (table["same_as"] == "")]
    header = ["rank", "model", "mean", "95 % interval", "speaks of", "over reference", "scored"]
    has_gaps = bool((every["unscored"] != "").any())
    shown = Table(
        *header,
        *(["not scored because"] if has_gaps else []),
        box=None,
        pad_edge=False,
        header_style="bold",
    )
    for _, row in every.sort_values(["rank", "model"]).iterrows():
        twins = table.loc[
            (table["same_as"] == row["model"]) & (table["category"] == "all"), "model"
        ]
        shown.add_row(
            f"{row['rank']:.0f}" if pd.notna(row["rank"]) else "",
            " = ".join([row["model"], *twins]),
            _number(row["mean"]),
            _range(row["low"], row["high"]),
            row["interval"],
            f"{_number(row['difference'])} {_range(row['difference_low'], row['difference_high'])}",
            f"{row['scored']}/{row['expected']}",
            *([row["unscored"]] if has_gaps else []),
        )
    console.print(shown)


def _number(value: float) -> str:
    return f"{value:.3f}" if value == value else "-"  # noqa: PLR0124  NaN alone differs from itself


def _range(low: float, high: float) -> str:
    return f"{low:.3f} to {high:.3f}" if low == low else ""  # noqa: PLR0124
