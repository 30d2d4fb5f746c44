"""Names dealt into folds: which are tested, which are set aside for validation."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from wildcell.errors import OptionError

LEAVE_ONE_OUT = -1
CHOOSE_FOLDS = 0


def check_share(name: str, share: float) -> None:
    """Raise `OptionError` unless an option is a share that leaves something."""
    if not isinstance(share, int | float) or not 0 <= share < 1:
        raise OptionError(f"{name} must be at least 0 and below 1; got {share!r}.")


def n_of(share: float, n: int) -> int:
    """Return how many of n names a share is: one at least, and not all of them."""
    return min(max(1, round(share * n)), n - 1)


def deal(names: Sequence[str], n_folds: int, rng: np.random.Generator) -> list[list[str]]:
    """Deal names into folds that differ in size by at most one, each fold not empty."""
    shuffled = list(rng.permutation(np.array(sorted(names), dtype=object)))
    return [shuffled[fold::n_folds] for fold in range(n_folds)]


def choose_n_folds(n_folds: int, n: int) -> int:
    """Return how many folds `n` things are dealt into; 1 stands for a single split.

    Parameters
    ----------
    n_folds
        A number of at least 2, 1 for a single split, -1 for leave-one-out, or 0 to choose:
        leave-one-out below 10 things, 5 folds below 100, else a single split.
    n
        How many things there are.
    """
    if not isinstance(n_folds, int):
        raise OptionError(f"n_folds must be a whole number; got {n_folds!r}.")
    if n_folds == CHOOSE_FOLDS:
        n_folds = LEAVE_ONE_OUT if n < 10 else 5 if n < 100 else 1
    if n_folds == LEAVE_ONE_OUT:
        return n
    if n_folds < 1:
        raise OptionError(f"n_folds must be at least 1, 0 to choose or -1; got {n_folds}.")
    return min(n_folds, n)


def held_out_folds(
    names: Iterable[str],
    rng: np.random.Generator,
    *,
    n_folds: int,
    test_share: float,
    val_share: float,
) -> list[tuple[set[str], set[str]]]:
    """Return the names for test and for validation of each fold.

    At least one name always stays for training; with fewer than three left beside the test,
    validation gets none.
    """
    check_share("test_share", test_share)
    check_share("val_share", val_share)
    names = sorted(set(names))
    n_folds = choose_n_folds(n_folds, len(names))
    if n_folds > 1:
        tests = deal(names, n_folds, rng)
    else:
        tests = [list(rng.permutation(names)[: n_of(test_share, len(names))])]
    return [(set(test), _pick_val(names, test, val_share, rng)) for test in tests]


def _pick_val(
    names: Sequence[str], test: Iterable[str], share: float, rng: np.random.Generator
) -> set[str]:
    rest = sorted(set(names) - set(test))
    if share == 0 or len(rest) < 3:
        return set()
    return set(rng.permutation(rest)[: n_of(share, len(rest))])


def held_out_groups(
    sizes: Mapping[str, int],
    rng: np.random.Generator,
    *,
    n_folds: int,
    test_share: float,
    val_share: float,
) -> list[tuple[set[str], set[str]]]:
    """Return the groups for test and for validation of each fold, by how many members they have.

    Folds are as even in members as whole groups allow. Of a share, groups are taken at random as
    long as it is not exceeded, and the smallest group if all exceed it. At least one group always
    stays for training; with fewer than three left beside the test, validation gets none.

    Parameters
    ----------
    sizes
        Number of members, 1 or more, of each group.
    rng, n_folds, test_share, val_share
        As for `held_out_folds`.
    """
    check_share("test_share", test_share)
    check_share("val_share", val_share)
    n_folds = choose_n_folds(n_folds, len(sizes))
    if n_folds > 1:
        tests = _deal_evenly(sizes, n_folds, rng)
    else:
        tests = [_within_share(sizes, test_share, rng)]
    folds = []
    for test in tests:
        rest = {name: size for name, size in sizes.items() if name not in test}
        has_val = val_share > 0 and len(rest) >= 3
        folds.append((test, _within_share(rest, val_share, rng) if has_val else set[str]()))
    return folds


def _deal_evenly(
    sizes: Mapping[str, int], n_folds: int, rng: np.random.Generator
) -> list[set[str]]:
    """Deal groups into folds, the largest first, each to the fold with the fewest members."""
    folds: list[set[str]] = [set() for _ in range(n_folds)]
    totals = np.zeros(n_folds)
    for name in sorted(_shuffled(sizes, rng), key=lambda name: -sizes[name]):
        lightest = int(np.argmin(totals))
        folds[lightest].add(name)
        totals[lightest] += sizes[name]
    return folds


def _within_share(sizes: Mapping[str, int], share: float, rng: np.random.Generator) -> set[str]:
    """Take groups at random until no further one fits into a share of the members."""
    taken: set[str] = set()
    left = share * sum(sizes.values())
    shuffled = _shuffled(sizes, rng)
    for name in shuffled:
        if sizes[name] <= left:
            taken.add(name)
            left -= sizes[name]
    return taken or {min(shuffled, key=lambda name: sizes[name])}


def _shuffled(sizes: Mapping[str, int], rng: np.random.Generator) -> list[str]:
    return [str(name) for name in rng.permutation(np.array(sorted(sizes), dtype=object))]
