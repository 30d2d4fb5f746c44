"""The main job, on the embedded data set."""

from pathlib import Path

SCENARIOS = ["unseen-context", "unseen-perturbation", "unseen-combination"]
SEEDS = [0, 1]


def demo(*, out: Path = Path("demo")) -> None:
    """Run all models through three scenarios on a simulated screen, and write the report.

    Parameters
    ----------
    out
        Folder to write: runs/, leaderboard.csv and report.html.
    """
    from wildcell.cli.conclude import report
    from wildcell.cli.progress import counting
    from wildcell.models.model import MODELS
    from wildcell.results.table import rank_runs
    from wildcell.run import run_scenario
    from wildcell.store.atomic import write_table

    runs = out / "runs"
    for scenario in SCENARIOS:
        with counting(scenario) as show:
            run_scenario(scenario, models=MODELS.names(), runs=runs, seeds=SEEDS, on_run=show)
    write_table(out / "leaderboard.csv", rank_runs(runs))
    report(runs, out=out / "report.html")
    print(f"Leaderboard: {out / 'leaderboard.csv'}")
