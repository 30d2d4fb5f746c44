"""The main job, on the embedded data set."""

from pathlib import Path

from wildcell.cli.progress import say

SCENARIOS = ["unseen-context", "unseen-perturbation", "unseen-combination"]
SEEDS = [0, 1]


def demo(*, out: Path = Path("demo")) -> None:
    """Run all baselines through three scenarios on a simulated screen, and write the report.

    Parameters
    ----------
    out
        Folder to write: runs/, leaderboard.csv and report.html.
    """
    from wildcell.cli.progress import counting
    from wildcell.models.model import base_models
    from wildcell.results.report.write import write_report
    from wildcell.results.table import tables_of_runs
    from wildcell.run import run_scenario
    from wildcell.store.atomic import write_table
    from wildcell.store.runs import read_records

    runs = out / "runs"
    for scenario in SCENARIOS:
        with counting(scenario) as show:
            run_scenario(scenario, models=base_models(), runs=runs, seeds=SEEDS, on_run=show)
    tables = tables_of_runs(runs)
    write_table(out / "leaderboard.csv", tables["ranks"])
    page = out / "report.html"
    write_report(page, **tables, runs=read_records(runs))
    say(f"Leaderboard: {out / 'leaderboard.csv'}")
    say(f"Report: {page.resolve().as_uri()}")
