"""Cards of the models that come with wildcell, and what their names may stand for."""

from collections.abc import Iterator, Sequence

from wildcell.models.model import MODELS
from wildcell.names import CEILING, REPLICATE, without_options
from wildcell.store.provenance import versions
from wildcell.submitted.agreement import Submitted
from wildcell.submitted.card import Card
from wildcell.submitted.remark import Remark, shown
from wildcell.verification.question import differs_from_shipped, scenario_of

AUTHORS = ("The wildcell authors",)
LICENCE = "BSD-3-Clause"


def is_shipped(name: str) -> bool:
    """Whether a model, or a yardstick, comes with wildcell."""
    return name in (REPLICATE, CEILING) or without_options(name) in MODELS.names()


def shipped_card(name: str) -> Card:
    """Return the card of a model that comes with wildcell."""
    model = MODELS.get(without_options(name))
    return Card(
        name=name,
        version=versions()["wildcell"],
        authors=AUTHORS,
        licence=LICENCE,
        trained_on=(),
        sealed=model.is_sealed,
        summary=model.summary,
        citation=model.cite,
    )


def impostors(found: Sequence[Submitted]) -> Iterator[Remark]:
    """Say which results bear the name of a model or scenario that they are not of."""
    for one in found:
        told = one.entry.told(one.entry.records)
        called = str(one.runs[0]["model"])
        if is_shipped(one.model) and called != one.model:
            said = (
                f"is of {shown(called)}, but called as the shipped {shown(one.model)}; choose "
                "another name."
            )
            yield Remark(told, said)
        yield from _scenario(one, told)


def _scenario(one: Submitted, told: str) -> Iterator[Remark]:
    """Hold the words of a shipped scenario to what is shipped."""
    arms = {}
    for run in one.runs:
        recipe = run.get("recipe")
        if isinstance(recipe, dict) and isinstance(recipe.get("scenario"), dict):
            arms[str(run["arm"])] = recipe["scenario"]
    for arm, words in arms.items():
        scenario = scenario_of(words)
        if differs_from_shipped(scenario, arm):
            said = f"is of a scenario {shown(scenario.name)} that is not the shipped one."
            yield Remark(told, said)
            return
