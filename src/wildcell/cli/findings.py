"""Claims about models, answered from runs."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from wildcell.cli.progress import say


def findings(
    runs: Path,
    /,
    *,
    claim: Annotated[list[str] | None, Parameter(negative=())] = None,
    margin: float = 0.05,
    out: Path | None = None,
) -> None:
    """Answer claims from all finished runs: each holds, does not hold, or cannot be told.

    F1 lenient splits over-estimate; F2 merging data sets hurts and scaling repairs it; F3
    performance falls with distance from training; F4 models catch the shared response and miss the
    specific one; F5 metrics order models differently; F6 cost buys quality; F7 no model beats each
    naive baseline. What cannot be told comes with what would settle it.

    Parameters
    ----------
    runs
        Folder of runs.
    claim
        Answer this one alone, such as F1; may be given several times.
    margin
        What is as good as nothing, in units of metrics whose best is 1.
    out
        Folder to write findings.csv, findings.json and findings.md to, and conditions.csv: in which
        single conditions a model is surely better than each naive one.
    """
    from wildcell.cli.progress import printer, working
    from wildcell.results.findings.find import CLAIMS, as_markdown
    from wildcell.results.table import condition_wins_of_runs, findings_of_runs
    from wildcell.store.atomic import write_json, write_table, write_text

    with working("looking for findings"):
        found = findings_of_runs(runs, claims=claim, margin=margin)
    console = printer()
    for name, rows in found.groupby("claim", sort=True):
        console.print(f"\n{name}: {CLAIMS[str(name)].statement}", style="bold")
        for _, row in rows[rows["model"] == ""].iterrows():
            where = " / ".join(filter(None, (row["scenario"], row["dataset"], row["part"])))
            console.print(f"{row['answer'].upper()}  {where}", soft_wrap=True)
            console.print(f"  {row['sentence']}", soft_wrap=True)
            if row["settles"]:
                console.print(f"  To settle it: {row['settles']}.", soft_wrap=True)
    if out is not None:
        write_table(out / "findings.csv", found)
        known = found.astype(object).where(found.notna(), None)
        write_json(out / "findings.json", {"findings": known.to_dict("records"), "margin": margin})
        write_text(out / "findings.md", as_markdown(found))
        write_table(out / "conditions.csv", condition_wins_of_runs(runs))
        say(f"\nWrote {out}/findings.md, .csv and .json, and conditions.csv")
