"""The command line: one verb, one function, one file or folder left behind."""

import os
import sys
from typing import TYPE_CHECKING

from wildcell.cli.progress import say
from wildcell.errors import BenchmarkError

if TYPE_CHECKING:
    from cyclopts import App

VERBS = {
    "Look": {
        "datasets": ("listing:datasets", "List the data sets that have a name."),
        "scenarios": ("listing:scenarios", "List the questions that can be asked."),
        "models": ("listing:models", "List the models that can be run."),
        "metrics": ("listing:metrics", "List what is scored, and how to read it."),
        "presets": ("listing:presets", "List the packages whose scores can be had."),
    },
    "Data": {
        "card": (
            "card:card",
            "Show what a data set is made of, and how well its effects are measured.",
        ),
        "check": ("data:check", "Say everything that is wrong with a data set."),
        "curate": ("data:curate", "Make a data set of a file of cells."),
        "features": (
            "features:app",
            "Make features of perturbations, or look at a file of them.",
        ),
        "fetch": ("fetch:fetch", "Download a public data set and curate it."),
        "pseudobulk": (
            "pseudobulk:pseudobulk",
            "Sum a screen of any size to a mean profile a condition.",
        ),
    },
    "Ask and answer": {
        "split": ("ask:split", "Write a task folder for any model, and the truth elsewhere."),
        "audit": (
            "audit:audit",
            "Look for anything of the test in what models may see.",
        ),
        "predict": ("answer:predict", "Answer a task folder with one model."),
        "run": ("answer:run", "Run models through a scenario."),
        "sweep": (
            "sweep:sweep",
            "Run scenarios x data x models x seeds x options, many jobs at once.",
        ),
        "status": ("sweep:status", "Say how far the jobs of a folder of runs are."),
        "tune": ("tune:tune", "Look for the options of a model on validation conditions."),
        "scaling": ("scaling:scaling", "Measure what models cost as cells and batches grow."),
    },
    "Judge and conclude": {
        "score": ("judge:score", "Score a prediction that was made elsewhere."),
        "rank": ("conclude:rank", "Rank the models of a folder of runs."),
        "compare": ("compare:compare", "Compare the models of a folder of runs with each other."),
        "calibrate": ("calibrate:calibrate", "Say which metrics are usable on a data set."),
        "disagreement": (
            "disagreement:disagreement",
            "Say how metrics and conventions disagree about models.",
        ),
        "arms": ("arms:arms", "Compare the arms of the scenarios of a folder of runs."),
        "findings": ("findings:findings", "Answer claims about models from a folder of runs."),
        "export": ("export:export", "Write every table of a folder of runs."),
        "figures": ("export:figures", "Draw every figure of a folder of runs."),
        "advise": ("advise:advise", "Say which models to use in a setting, from your own runs."),
        "submit": (
            "submit:submit",
            "Write results for a leaderboard from runs, or check those of others.",
        ),
        "site": ("site:site", "Write the pages of a leaderboard."),
        "verify": ("verify:verify", "Hold runs to their records, and score them again."),
        "lock": ("lock:lock", "Write the environment down."),
        "report": ("conclude:report", "Write the report of a folder of runs."),
        "demo": ("demo:demo", "Do all of it on the embedded data set."),
    },
    "Extend": {
        "new": ("new:new", "Write a template of a model, metric, scenario, data set or card.")
    },
}


def build_app(*, is_overview: bool) -> "App":
    """Return the parser; commands are imported when they are called.

    Parameters
    ----------
    is_overview
        Whether all commands are to be listed: by the summaries here, so that none is imported.
        Otherwise a command's help is its docstring.
    """
    from cyclopts import App, Group

    app = App(
        name="wildcell",
        help="Run models of perturbation response through honest scenarios, and judge them.",
        help_format="markdown",
        version_flags=["--version"],
        help_flags=["--help", "-h"],
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    for order, (group, verbs) in enumerate(VERBS.items()):
        shelf = Group(group, sort_key=order)
        for verb, (place, summary) in verbs.items():
            shown = summary if is_overview else None
            app.command(f"wildcell.cli.{place}", name=verb, group=shelf, help=shown)
    return app


def main(arguments: list[str] | None = None) -> None:
    """Run one command; what wildcell refuses is printed in a sentence, without a traceback."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        build_app(is_overview=given[:1] in ([], ["--help"], ["-h"]))(given)
    except BenchmarkError as error:
        say(f"wildcell: {error}", to=sys.stderr)
        raise SystemExit(1) from error
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        say("wildcell: stopped; finished runs are kept.", to=sys.stderr)
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
