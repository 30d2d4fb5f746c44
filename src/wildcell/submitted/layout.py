"""Where the files of a folder of results lie.

    results/models/MODEL/card.toml
    results/SCENARIO/MODEL.parquet     scores
    results/SCENARIO/MODEL.json        records of the runs
    results/SCENARIO/MODEL.runs/...    the runs themselves, with their predictions, where given

Names are those of `wildcell.store.runs.slug`.
"""

from dataclasses import dataclass
from pathlib import Path

from wildcell.errors import StoreError
from wildcell.store.runs import slug
from wildcell.submitted.card import CARD

MODELS = "models"
SCORES_SUFFIX, RECORDS_SUFFIX, RUNS_SUFFIX = ".parquet", ".json", ".runs"
READ_ME = "README.md"
"""Files of this name, and hidden ones, are passed over."""


@dataclass(frozen=True)
class Entry:
    """What was submitted of a model in a scenario.

    Attributes
    ----------
    folder
        Of all results.
    scenario, model
        As their files are named.
    """

    folder: Path
    scenario: str
    model: str

    @property
    def scores(self) -> Path:
        """The table of scores."""
        return self.folder / self.scenario / f"{self.model}{SCORES_SUFFIX}"

    @property
    def records(self) -> Path:
        """The records of the runs."""
        return self.folder / self.scenario / f"{self.model}{RECORDS_SUFFIX}"

    @property
    def runs(self) -> Path:
        """The folder of the runs themselves; it may be absent."""
        return self.folder / self.scenario / f"{self.model}{RUNS_SUFFIX}"

    def told(self, path: Path) -> str:
        """Return a path below the folder of results, to be shown."""
        return path.relative_to(self.folder).as_posix()


def entry_of(folder: Path, scenario: str, model: str) -> Entry:
    """Return where the results of a model in a scenario lie, by their names."""
    return Entry(folder, slug(scenario), slug(model))


def card_path(folder: Path, model: str) -> Path:
    """Return where the card of a model lies, by its name."""
    return folder / MODELS / slug(model) / CARD


def entries(folder: Path) -> list[Entry]:
    """Return what was submitted, sorted.

    Raises
    ------
    StoreError
        There is no such folder, or nothing in it.
    """
    if not folder.is_dir():
        raise StoreError(f"There is no folder {folder}.")
    found = [
        Entry(folder, scenario.name, path.name.removesuffix(SCORES_SUFFIX))
        for scenario in visible(folder)
        if scenario.is_dir() and scenario.name != MODELS
        for path in visible(scenario)
        if path.name.endswith(SCORES_SUFFIX)
    ]
    if not found:
        raise StoreError(
            f"{folder} holds no results, which lie in SCENARIO/MODEL{SCORES_SUFFIX}; "
            "make some with: wildcell submit RUNS --card card.toml"
        )
    return found


def cards(folder: Path) -> dict[str, Path]:
    """Return the cards that there are, by the names of their folders."""
    models = folder / MODELS
    folders = visible(models) if models.is_dir() else []
    return {path.name: path / CARD for path in folders if (path / CARD).is_file()}


def visible(folder: Path) -> list[Path]:
    """Return what lies in a folder, but for what is hidden and a page to be read."""
    return sorted(
        path for path in folder.iterdir() if not path.name.startswith(".") and path.name != READ_ME
    )
