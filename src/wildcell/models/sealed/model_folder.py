"""A model's folder: what its authors, or those who wrap it, say of it and how it is started."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from wildcell.errors import DataError, OptionError, UnknownNameError
from wildcell.guards.texts import parse_toml, read_text
from wildcell.models.model import EVERYTHING, Ability, Input
from wildcell.registry import did_you_mean
from wildcell.store.fingerprint import file_sha256, fingerprint

CARD = "card.toml"
SCRIPT = "predict.py"
CONSTRAINTS = "constraints.txt"
REQUIREMENTS = "requirements.txt"
PRESENT = "present"
"""In the place of a version of Python: the interpreter that runs wildcell."""

ANSWER_SUFFIXES = (".h5ad", ".zarr", ".csv", ".parquet")


@dataclass(frozen=True)
class FolderCard:
    """The content of a card.toml; every key may be left out.

    Attributes
    ----------
    name
        What the model is called; the folder's name if nothing else.
    summary, cite, licence
        What it does, where it was published, on what terms its code may be used.
    answers, needs
        Kinds of unseen it can answer, and inputs it cannot do without, in the words of
        `wildcell models`.
    python
        Version of Python its environment is made with, such as `3.11`; that which runs wildcell
        if "". With `present` there is no environment: that very interpreter starts it.
    pip_options
        Options of `pip install` beside the file of requirements.
    command
        What starts it, in the place of `predict.py`; `{folder}` and `{python}` are filled in.
    prediction
        Name of the file that it leaves, whose suffix says what is in it.
    options
        Its options with their defaults.
    """

    name: str = ""
    summary: str = ""
    cite: str = ""
    licence: str = ""
    answers: Sequence[str] = EVERYTHING
    needs: Sequence[str] = ()
    python: str = ""
    pip_options: Sequence[str] = ()
    command: Sequence[str] = ()
    prediction: str = "prediction.h5ad"
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelFolder:
    """A folder that holds a model, with what it says of itself.

    Attributes
    ----------
    path
        The folder.
    card
        Its card.
    answers, needs
        What it declares.
    version
        Hash of all its files.
    """

    path: Path
    card: FolderCard
    answers: frozenset[Ability]
    needs: frozenset[Input]
    version: str

    @property
    def name(self) -> str:
        """What the model is called."""
        return self.card.name or self.path.name

    @property
    def has_environment(self) -> bool:
        """Whether it asks for an environment of its own."""
        return self.card.python != PRESENT and (self.path / CONSTRAINTS).is_file()

    def command(self, python: Path) -> list[str]:
        """Return what starts it, with the interpreter that its environment has."""
        if not self.card.command:
            return [str(python), str(self.path / SCRIPT)]
        return [
            word.replace("{folder}", str(self.path)).replace("{python}", str(python))
            for word in self.card.command
        ]


def read_folder(path: Path) -> ModelFolder:
    """Read what a model's folder says.

    Raises
    ------
    UnknownNameError
        There is no such folder.
    OptionError
        Its card cannot be read or says what is not known, or a file is lacking.
    """
    if not path.is_dir():
        raise UnknownNameError(f"There is no model folder {path}.")
    path = path.resolve()
    card = _read_card(path / CARD)
    _check_start(path, card)
    if Path(card.prediction).name != card.prediction or not card.prediction.endswith(
        ANSWER_SUFFIXES
    ):
        raise OptionError(
            f"{path / CARD}: prediction = {card.prediction!r} must be the name of a file that ends "
            f"in {', '.join(ANSWER_SUFFIXES)}."
        )
    answers = frozenset(_word(path, "answers", Ability, word) for word in card.answers)
    needs = frozenset(_word(path, "needs", Input, word) for word in card.needs)
    return ModelFolder(path, card, answers, needs, _version(path))


def _read_card(path: Path) -> FolderCard:
    if not path.is_file():
        return FolderCard()
    try:
        content = parse_toml(read_text(path), str(path))
    except (OSError, ValueError, DataError) as error:
        raise OptionError(f"{path} cannot be read: {error}") from error
    types = {item.name: item.type for item in fields(FolderCard)}
    for key, value in content.items():
        if key not in types:
            raise OptionError(f"{path} has an unknown key {key!r}. {did_you_mean(key, types)}")
        _check_type(path, key, value, types[key])
    return FolderCard(**content)


def _check_type(path: Path, key: str, value: object, wanted: object) -> None:
    if wanted is str:
        is_right, words = isinstance(value, str), "text"
    elif key == "options":
        is_right, words = isinstance(value, dict), "a table"
    else:
        is_right = isinstance(value, list) and {type(word) for word in value} <= {str}
        words = "a list of text"
    if not is_right:
        raise OptionError(f"{path}: {key} must be {words}; got {value!r}.")


def _check_start(path: Path, card: FolderCard) -> None:
    """Refuse a folder that cannot be started."""
    if card.command:
        return
    if not (path / SCRIPT).is_file():
        raise OptionError(
            f"{path} has no {SCRIPT}: add it, or say in {CARD} what starts the model, such as "
            'command = ["Rscript", "{folder}/predict.R"].'
        )
    if card.python != PRESENT and not (path / CONSTRAINTS).is_file():
        raise OptionError(
            f"{path} has no {CONSTRAINTS}: write the versions of all packages that {SCRIPT} needs "
            f"into it (pip freeze), or say in {CARD} python = {PRESENT!r} to start it with the "
            "interpreter that runs wildcell."
        )


W = TypeVar("W", bound=StrEnum)


def _word(path: Path, key: str, kind: type[W], word: str) -> W:
    try:
        return kind(word)
    except ValueError:
        hint = did_you_mean(word, [str(known) for known in kind])
        raise OptionError(f"{path / CARD}: {key} has {word!r}. {hint}") from None


def _version(path: Path) -> str:
    files = sorted(
        file
        for file in path.rglob("*")
        if file.is_file() and not _is_passed_over(file.relative_to(path))
    )
    return fingerprint({str(file.relative_to(path)): file_sha256(file) for file in files})[:16]


def _is_passed_over(file: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in file.parts)
