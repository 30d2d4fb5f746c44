"""Components of screens found among the names of a source."""

from collections import defaultdict
from collections.abc import Collection, Iterable

from wildcell.datasets.labels import some_of
from wildcell.errors import OptionError


def match_names(
    components: Iterable[str], names: Collection[str], *, ignore_case: bool = False
) -> dict[str, str]:
    """Return the name in `names` of each component that is there.

    Parameters
    ----------
    components
        Those looked for.
    names
        Those there are.
    ignore_case
        Whether a component that is not there may be found under its name in other case. Genes of
        mouse and human differ in nothing else, so that one must ask for this.

    Raises
    ------
    OptionError
        Several names differ from a component in case alone.

    Examples
    --------
    >>> match_names(["Aspirin", "KLF1"], ["aspirin", "KLF1"])
    {'KLF1': 'KLF1'}
    >>> match_names(["Aspirin"], ["aspirin"], ignore_case=True)
    {'Aspirin': 'aspirin'}
    """
    wanted, known = sorted(set(components)), set(names)
    folded = _by_fold(known) if ignore_case else {}
    candidates = {
        component: [component] if component in known else folded.get(component.casefold(), [])
        for component in wanted
    }
    ambiguous = [component for component, found in candidates.items() if len(found) > 1]
    if ambiguous:
        raise OptionError(
            f"Several names differ from {some_of(ambiguous)} in case alone: "
            f"{some_of(candidates[ambiguous[0]])}; keep one of them."
        )
    return {component: found[0] for component, found in candidates.items() if found}


def n_matched_but_for_case(components: Iterable[str], names: Collection[str]) -> int:
    """Return how many components are not in `names`, and would be if case did not matter."""
    folded = _by_fold(set(names))
    return sum(component.casefold() in folded for component in set(components) - set(names))


def _by_fold(names: Iterable[str]) -> dict[str, list[str]]:
    folded = defaultdict(list)
    for name in sorted(names):
        folded[name.casefold()].append(name)
    return dict(folded)
