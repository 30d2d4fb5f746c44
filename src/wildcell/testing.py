"""The laws that all data sets, splitters, models and metrics keep, for those who add their own.

Each check runs every law of its kind and raises `LawBrokenError` at the first that is broken, with
a sentence that says which law it is and what was found. In the tests of a plug-in:

>>> from wildcell.testing import check_metric
>>> check_metric("rmse")
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wildcell.datasets.dataset import Dataset
from wildcell.datasets.load import load_dataset
from wildcell.laws.dataset import DATASET_LAWS
from wildcell.laws.law import LawBrokenError, obey_all
from wildcell.laws.metric import METRIC_LAWS
from wildcell.laws.model import MODEL_LAWS, ModelCase
from wildcell.laws.splitter import SPLITTER_LAWS, split_case
from wildcell.metrics.metric import METRICS
from wildcell.models.model import MODELS
from wildcell.scenarios.pose import Question, pose
from wildcell.scenarios.scenario import Scenario, general_scenario_names, load_scenario
from wildcell.scenarios.split import SPLITTERS, Splitter, make_splits

__all__ = [
    "LawBrokenError",
    "check_dataset",
    "check_metric",
    "check_model",
    "check_splitter",
    "toy_questions",
    "toy_screen",
    "toy_screen_for",
]

SEEDS = (0, 1, 2)

SIMULATED = ("simulated", "simulated-doses", "simulated-clusters")

TOY = {
    "n_genes": 60,
    "n_contexts": 3,
    "n_perturbations": 8,
    "n_combinations": 5,
    "n_cells": 20,
    "n_controls": 40,
}

TOY_CLUSTERS = {"n_contexts": 6, "n_context_clusters": 3, "n_perturbations": 5, "n_combinations": 2}


def toy_screen(**options: Any) -> Dataset:
    """Simulate a screen that is small enough for a test: made in a hundredth of a second.

    Parameters
    ----------
    options
        Those of the simulated data set, in the place of the toy's own: 60 genes, 3 contexts, 8
        single perturbations, 5 pairs of them, 20 cells a condition, 40 controls a context.

    Examples
    --------
    >>> toy_screen(n_contexts=2).cells.shape
    (600, 60)
    """
    return load_dataset("simulated", **{**TOY, **options})


def toy_screen_for(scenario: str | Path | Scenario, **options: Any) -> Dataset:
    """Simulate a small screen that a scenario can be posed on, with what it asks for.

    It is the toy version of the simulated screen of the shipped scenario with the same splitter;
    for a splitter of your own, that of the simulated screen that the scenario names.

    Parameters
    ----------
    scenario
        A shipped name, a TOML file, or a record.
    options
        As for `toy_screen`.

    Examples
    --------
    >>> toy_screen_for("unseen-dose").components["dose"].max()
    1000.0
    """
    words = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
    name = _simulated_for(words)
    own = TOY_CLUSTERS if name == "simulated-clusters" else {}
    return load_dataset(name, **{**TOY, **own, **options})


def _simulated_for(scenario: Scenario) -> str:
    alike = [load_scenario(name) for name in general_scenario_names()]
    names = [words.dataset for words in alike if words.splitter == scenario.splitter]
    simulated = [name for name in [*names, scenario.dataset] if name in SIMULATED]
    return [*simulated, "simulated"][0]


def toy_questions() -> dict[str, Question]:
    """Pose every general scenario on its toy screen, and some questions on next to nothing.

    Returns
    -------
    Questions by what they are called.

    Examples
    --------
    >>> task, truth = toy_questions()["unseen-context, one gene"]
    >>> task.train.genes.shape
    (1,)
    """
    screen = toy_screen()
    one_perturbation = toy_screen(n_perturbations=1, n_combinations=0)
    context = "unseen-context"
    return {
        **{name: _pose(name, toy_screen_for(name)) for name in general_scenario_names()},
        f"{context}, two cells a condition": _pose(context, toy_screen(n_cells=2)),
        f"{context}, one gene": _pose(context, _one_gene(screen)),
        f"{context}, one perturbation": _pose(context, one_perturbation),
        f"{context}, one gene, one perturbation": _pose(context, _one_gene(one_perturbation)),
    }


def _pose(scenario_name: str, screen: Dataset) -> Question:
    scenario = load_scenario(scenario_name)
    return pose(screen, make_splits(scenario, screen, seed=0)[0], scenario)


def _one_gene(screen: Dataset) -> Dataset:
    """Return the screen with its most expressed gene alone; library sizes are of all genes."""
    cells = screen.cells[:, [int(screen.cells.X.sum(axis=0).argmax())]].copy()
    return Dataset(screen.name, cells)


def check_dataset(dataset: Dataset) -> None:
    """Check that a curated screen keeps the laws of data sets.

    Raises
    ------
    LawBrokenError
        It breaks one.

    Examples
    --------
    >>> check_dataset(toy_screen())
    """
    obey_all(DATASET_LAWS, dataset, called=f"data set {dataset.name!r}")


def check_splitter(
    splitter: str | Splitter, *, screen: Dataset | None = None, **options: Any
) -> None:
    """Check that a splitter keeps the laws of splitters on a screen.

    Parameters
    ----------
    splitter
        The splitter, or the name under which it is registered.
    screen
        What it splits; the toy screen if None. Give one with doses, or more contexts, to a
        splitter that needs them.
    options
        Options of the splitter.

    Raises
    ------
    LawBrokenError
        It breaks a law.
    SplitError, OptionError
        The splitter refuses the screen, or the options.

    Examples
    --------
    >>> check_splitter("unseen-context", n_folds=-1)
    """
    rule = splitter if isinstance(splitter, Splitter) else SPLITTERS.get(splitter)
    screen = toy_screen() if screen is None else screen
    for seed in SEEDS:
        case = split_case(rule, screen, seed=seed, **options)
        obey_all(SPLITTER_LAWS, case, called=f"splitter {rule.name!r}")


def check_model(
    name: str,
    *,
    options: Mapping[str, Any] | None = None,
    questions: Mapping[str, Question] | None = None,
) -> None:
    """Check that a registered model keeps the laws of models.

    Parameters
    ----------
    name
        The name of the model.
    options
        Options of the model, such as few epochs.
    questions
        What it is asked, by name; `toy_questions()` if None. Of each it is asked the conditions
        that it declares it can answer.

    Raises
    ------
    LawBrokenError
        It breaks a law, or can answer none of the questions.

    Examples
    --------
    >>> check_model("no-change")
    """
    questions = toy_questions() if questions is None else questions
    cases = {
        asked: ModelCase(MODELS.get(name), question, options or {})
        for asked, question in questions.items()
    }
    answerable = {asked: case for asked, case in cases.items() if case.is_answerable.any()}
    if not answerable:
        raise LawBrokenError(
            f"The model {name!r} declares that it can answer none of {', '.join(questions)}; "
            "mend what it declares, or check it on other questions."
        )
    for asked, case in answerable.items():
        obey_all(MODEL_LAWS, case, called=f"model {name!r} on {asked}")


def check_metric(name: str) -> None:
    """Check that a registered metric keeps the laws of metrics, on random responses.

    Raises
    ------
    LawBrokenError
        It breaks one.

    Examples
    --------
    >>> check_metric("pearson_delta")
    """
    obey_all(METRIC_LAWS, METRICS.get(name), called=f"metric {name!r}")
