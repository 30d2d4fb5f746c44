"""What there is: data sets, scenarios, models, metrics."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from wildcell.cli.progress import say

if TYPE_CHECKING:
    from wildcell.metrics.metric import Metric
    from wildcell.scenarios.scenario import Scenario


def datasets() -> None:
    """List the data sets that can be named with --data."""
    from wildcell.datasets.dataset import DATASETS

    _print_table(
        ("name", "what it is"),
        [(name, _first_line(DATASETS.get(name))) for name in DATASETS.names()],
    )
    say("\nA path to a curated .h5ad or .zarr file does as well; make one with: wildcell curate")


def scenarios(name: str | None = None, /) -> None:
    """List the scenarios, their default arms and reference baselines; or show the arms of one.

    Parameters
    ----------
    name
        A scenario, or a TOML file: what each of its arms changes, and which need features.
    """
    from wildcell.scenarios.scenario import load_scenario, scenario_names

    if name is not None:
        _print_arms(load_scenario(name))
        return
    rows = []
    for listed in scenario_names():
        scenario = load_scenario(listed)
        n_others = len(scenario.arms) - 1
        arms = f"{scenario.default_arm} and {n_others} more" if n_others else scenario.default_arm
        rows.append((listed, scenario.question, arms, scenario.reference))
    _print_table(("name", "question", "arms", "reference"), rows)
    say("\nThe arms of one: wildcell scenarios NAME")


def models() -> None:
    """List the models, what they need and what they cannot answer."""
    from wildcell.models.model import MODELS, Ability

    rows = []
    for name in MODELS.names():
        card = MODELS.get(name)
        limits = ", ".join(ability for ability in Ability if ability not in card.answers)
        rows.append((name, card.summary, ", ".join(sorted(card.needs)) or "-", limits or "-"))
    _print_table(("name", "what it does", "needs", "cannot answer"), rows)
    lacking = [MODELS.get(name) for name in MODELS.names() if not MODELS.get(name).is_installed]
    for extra in sorted({card.extra for card in lacking}):
        names = ", ".join(card.name for card in lacking if card.extra == extra)
        say(f"\nNot installed: {names}. To run them: pip install 'wildcell[{extra}]'")


def metrics(name: str | None = None, /) -> None:
    """List the metrics, the headline first; or show the card of one.

    Parameters
    ----------
    name
        A metric: what it computes, its range, what is perfect, what an abstention counts as, what
        it needs, where it comes from.
    """
    from wildcell.metrics.headline import find_metrics
    from wildcell.metrics.metric import METRICS

    if name is not None:
        _print_card(METRICS.get(name))
        return
    rows = []
    for card in find_metrics(["headline", *METRICS.names()]):
        if card.twin_of is None:
            alias = f" (alias of {card.alias_of})" if card.alias_of else ""
            null = "as no change" if card.null is None else f"{card.null:.3g}"
            rows.append((card.name, card.family, card.best, null, card.summary + alias))
    _print_table(("name", "family", "best", "abstention", "what it is"), rows)


def presets() -> None:
    """List the presets: whose scores they are, and what predictions are measured against."""
    from wildcell.metrics.preset import PRESETS

    rows = []
    for name in PRESETS.names():
        preset = PRESETS.get(name)
        against = "the truth's" if preset.controls == "truth" else "their own"
        rows.append((name, preset.mirrors, against, str(len(preset.metrics)), preset.summary))
    _print_table(("name", "mirrors", "controls", "scores", "what it is"), rows)


def _print_arms(scenario: "Scenario") -> None:
    from wildcell.scenarios.needed_features import needs_features

    say(f"{scenario.name}: {scenario.question}\n")
    rows = []
    for arm, words in scenario.arms.items():
        told = f"{arm} (default)" if arm == scenario.default_arm else arm
        needs = "features" if needs_features(scenario, arm) else "-"
        rows.append((told, needs, _in_words(words) or "-"))
    _print_table(("arm", "needs", "what it changes"), rows)


def _in_words(words: Mapping[str, Any]) -> str:
    flat = {
        f"{key}.{inner}" if inner else key: value
        for key, told in words.items()
        for inner, value in (told.items() if isinstance(told, dict) else [("", told)])
    }
    return ", ".join(f"{key} = {value}" for key, value in flat.items())


def _print_card(card: "Metric") -> None:
    twin = f"{card.twin}, on the genes detected in enough given controls" if card.twin else "-"
    top = "estimated from the noise" if callable(card.ceiling) else card.ceiling
    rows = {
        "formula": card.formula or "-",
        "family": card.family,
        "best": card.best,
        "range": card.range or "-",
        "perfect": f"{card.perfect:g}",
        "noise-free": "unknown" if top is None else str(top),
        "abstention": "as no change" if card.null is None else f"{card.null:.3g}",
        "needs": ", ".join(sorted(card.needs)) or "-",
        "alias of": card.alias_of or "-",
        "second panel": twin,
        "source": card.cite or "-",
    }
    say(f"{card.name}: {card.summary}\n")
    _print_table(("", ""), rows.items())


def _first_line(thing: object) -> str:
    return (thing.__doc__ or "").strip().partition("\n")[0]


def _print_table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    from rich.table import Table

    from wildcell.cli.progress import printer

    table = Table(*header, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*row)
    printer().print(table)
