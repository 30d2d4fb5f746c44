"""Which arms of a scenario can only be asked where components have features."""

from wildcell.scenarios.scenario import Scenario
from wildcell.scenarios.split import SPLITTERS


def needs_features(scenario: Scenario, arm: str) -> bool:
    """Whether an arm needs features, those of the data set or of --features.

    It orders foreign perturbations by them, shuffles them, or splits by them.

    Examples
    --------
    >>> from wildcell.scenarios.scenario import load_scenario
    >>> needs_features(load_scenario("cross-data-set"), "nearest-perturbations")
    True
    >>> needs_features(load_scenario("cross-data-set"), "nearest-contexts")
    False
    """
    words = scenario.in_arm(arm)
    is_split_by_them = "features" in SPLITTERS.get(
        words.splitter
    ).needs and "families" not in scenario.options(arm)
    return (
        is_split_by_them
        or words.pool.order.endswith("perturbations")
        or words.features == "shuffled"
    )
