"""What is known of the scenarios and data sets of a leaderboard, and all that a site shows."""

from collections.abc import Iterable

from wildcell.datasets.dataset import DATASETS
from wildcell.datasets.recipe import RECIPES
from wildcell.names import without_options
from wildcell.results.site.pages import Board
from wildcell.results.site.standing import standings
from wildcell.scenarios.scenario import load_scenario, scenario_names
from wildcell.submitted.read import Results


def board_of(results: Results) -> Board:
    """Return what a site shows of results."""
    asked = standings(results)
    return Board(
        asked=asked,
        cards=results.cards,
        records=results.records(),
        scenarios={one.scenario: _scenario(one.scenario, one.reference) for one in asked},
        datasets={one.dataset: _dataset(one.dataset) for one in asked},
    )


def _scenario(name: str, reference: str) -> dict[str, str]:
    told = {"Reference baseline": reference}
    if without_options(name) not in scenario_names():
        return {**told, "Where it is from": "a file of its authors; it does not come with wildcell"}
    scenario = load_scenario(without_options(name))
    return {
        **told,
        "Version": str(scenario.version),
        "Who is held out": f"by the splitter {scenario.splitter}",
        "Arms": _listed(scenario.arms),
        "Default arm": scenario.default_arm,
        "Genes": scenario.genes,
    }


def _dataset(name: str) -> dict[str, str]:
    known = without_options(name)
    if known in RECIPES.names():
        recipe = RECIPES.get(known)
        return {
            "What it is": recipe.summary,
            "Licence": recipe.options.licence or "not stated by its source",
            "To cite": recipe.options.citation,
            "Where it is": recipe.file.address if recipe.file else "",
            "To have it": f"wildcell fetch {known}",
        }
    if known in DATASETS.names():
        summary = (DATASETS.get(known).__doc__ or "").strip().partition("\n")[0]
        return {"What it is": summary, "Where it is from": "made by wildcell"}
    return {"What it is": "a file of its authors, that does not come with wildcell"}


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
