"""Cards of the models that come with wildcell, and what their names may stand for."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from wildcell.errors import BenchmarkError
from wildcell.models.model import MODELS
from wildcell.names import CEILING, REPLICATE, without_options
from wildcell.store.fingerprint import fingerprint
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
    seen = set()
    for run in one.runs:
        key = fingerprint(run.get("recipe"), run["arm"])
        if key not in seen:
            seen.add(key)
            yield from (Remark(told, said) for said in _recipe(run))


def _recipe(run: Mapping[str, Any]) -> Iterator[str]:
    """Say what is wrong with what a question is asked again by; scores of files have none."""
    if run.get("recipe") is None:
        return
    try:
        scenario = scenario_of(run["recipe"]["scenario"])
        is_other = differs_from_shipped(scenario, run["arm"])
    except (BenchmarkError, LookupError, TypeError, ValueError, AttributeError) as error:
        yield f"has a recipe that is damaged: {shown(error)}."
        return
    if is_other:
        yield f"is of a scenario {shown(scenario.name)} that is not the shipped one."
