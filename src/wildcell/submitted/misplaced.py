"""Files of a folder of results that have no place in it."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from wildcell.store.runs import slug
from wildcell.submitted.card import CARD
from wildcell.submitted.layout import (
    MODELS,
    RECORDS_SUFFIX,
    RUNS_SUFFIX,
    SCORES_SUFFIX,
    visible,
)
from wildcell.submitted.remark import Remark, shown

SUFFIXES = (SCORES_SUFFIX, RECORDS_SUFFIX, RUNS_SUFFIX)


def misplaced(folder: Path) -> Iterator[Remark]:
    """Say of each file that it has no place in a folder of results, or looks like another."""
    linked = [path for path in sorted(folder.rglob("*")) if path.is_symlink()]
    for path in linked:
        yield Remark(_told(folder, path), "is a link; put the file itself there.")
    for path in visible(folder):
        if path in linked:
            continue
        if not path.is_dir():
            said = f"has no place here; results are SCENARIO/MODEL{SCORES_SUFFIX}."
            yield Remark(_told(folder, path), said)
        elif path.name == MODELS:
            yield from _in_models(folder, path)
        else:
            yield from _in_scenario(folder, path)
    yield from _look_alikes(folder, visible(folder))


def _in_models(folder: Path, models: Path) -> Iterator[Remark]:
    for path in visible(models):
        if not path.is_dir():
            yield Remark(_told(folder, path), f"has no place here; a card is MODEL/{CARD}.")
            continue
        for inside in visible(path):
            if inside.name != CARD:
                yield Remark(_told(folder, inside), f"has no place here; only {CARD} has.")
    yield from _look_alikes(folder, visible(models))


def _in_scenario(folder: Path, scenario: Path) -> Iterator[Remark]:
    found = visible(scenario)
    for path in found:
        suffix = next((end for end in SUFFIXES if path.name.endswith(end)), "")
        if not suffix or path.is_dir() != (suffix == RUNS_SUFFIX):
            yield Remark(
                _told(folder, path),
                f"has no place here; known are MODEL{', MODEL'.join(SUFFIXES)}.",
            )
            continue
        name = path.name.removesuffix(suffix)
        if slug(name) != name:
            yield Remark(_told(folder, path), f"is not named as files are; name it {slug(name)}.")
        if suffix != SCORES_SUFFIX and not (scenario / f"{name}{SCORES_SUFFIX}").is_file():
            yield Remark(_told(folder, path), f"lies beside no {shown(name + SCORES_SUFFIX)}.")
    yield from _look_alikes(folder, found)


def _look_alikes(folder: Path, paths: Iterable[Path]) -> Iterator[Remark]:
    """Say which names differ by case alone, which is one name on some systems."""
    seen: dict[str, Path] = {}
    for path in paths:
        other = seen.setdefault(path.name.casefold(), path)
        if other is not path:
            said = f"differs by case alone from {_told(folder, other)}; rename one."
            yield Remark(_told(folder, path), said)


def _told(folder: Path, path: Path) -> str:
    """Return a path below the folder, escaped where it holds what cannot be seen."""
    text = path.relative_to(folder).as_posix()
    return text if text.isprintable() else shown(text)
