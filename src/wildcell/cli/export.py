"""Tables and figures of a folder of runs, for papers and for other programs."""

from pathlib import Path
from typing import Literal

from wildcell.cli.progress import say


def export(
    runs: Path,
    /,
    *,
    out: Path = Path("tables"),
    format: Literal["csv", "markdown", "latex"] = "csv",  # noqa: A002 - the option's name
) -> None:
    """Write every table of all finished runs to a folder.

    The leaderboard, ranks, pairs of models, calibration of metrics, correlations, findings, single
    conditions that are won, arms, costs and failures. CSV has all digits; Markdown and LaTeX (for
    the package booktabs) are rounded, to be read. README.md says what is in each.

    Parameters
    ----------
    runs
        Folder of runs.
    out
        Folder to write to.
    format
        csv, markdown or latex.
    """
    from wildcell.cli.progress import working
    from wildcell.results.export import ENDINGS, Format, as_text
    from wildcell.results.table import exported_of_runs
    from wildcell.store.atomic import write_text

    form = Format(format)
    with working("computing the tables"):
        found = exported_of_runs(runs)
    lines = ["# Tables", ""]
    for name, one in found.items():
        file = f"{name}.{ENDINGS[form]}"
        write_text(out / file, as_text(one.table, form))
        columns = ", ".join(f"`{column}`" for column in one.table.columns)
        lines += [f"- `{file}`, {len(one.table):,} rows: {one.about} Columns: {columns}."]
    write_text(out / "README.md", "\n".join([*lines, ""]))
    say(f"Wrote {len(found)} tables and README.md to {out}")


def figures(runs: Path, /, *, out: Path = Path("figures")) -> None:
    """Draw every figure of all finished runs, as SVG and PDF.

    A folder a question, and a file a metric where the report lets you choose one. README.md says
    what each shows, and what those need that the runs do not show.

    Parameters
    ----------
    runs
        Folder of runs.
    out
        Folder to write to.
    """
    from wildcell.cli.progress import working
    from wildcell.results.report.figures import write_figures
    from wildcell.results.table import tables_of_runs
    from wildcell.store.runs import read_records

    with working("drawing the figures"):
        tables = tables_of_runs(runs)
        ranks = tables.pop("ranks")
        written = write_figures(out, ranks=ranks, runs=read_records(runs), tables=tables)
    say(f"Wrote {len(written)} figures, each as .svg and .pdf, and README.md to {out}")
