"""What the authors of a model say of it: the `card.toml` of a submission."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from wildcell.errors import DataError, OptionError
from wildcell.guards.texts import parse_toml, read_text
from wildcell.names import CEILING, REPLICATE
from wildcell.registry import did_you_mean
from wildcell.submitted.plain_name import name_trouble
from wildcell.submitted.remark import shown

CARD = "card.toml"
LONGEST_TEXT = 2000
LONGEST_LIST = 500
MOST_CARD_BYTES = 2**20
ADDRESSES = ("https://", "http://")


@dataclass(frozen=True)
class Card:
    """What is said of a model.

    Attributes
    ----------
    name
        What it is called on the leaderboard.
    version
        Of the model, as its authors count.
    authors
        Who made it.
    licence
        On what terms its code or weights may be used, such as `MIT`; `closed` if on none.
    trained_on
        Names of all data sets that it, or anything it was made from, was ever trained on, besides
        what each task gave it. Empty for none.
    sealed
        Whether it ran in a process of its own, where it could not reach the truth.
    summary
        What it does, in a line or two.
    url, citation
        Where it is found and how it is cited.
    hardware
        What it ran on.
    contact
        Whom to ask.
    """

    name: str
    version: str
    authors: Sequence[str]
    licence: str
    trained_on: Sequence[str]
    sealed: bool = False
    summary: str = ""
    url: str = ""
    citation: str = ""
    hardware: str = ""
    contact: str = ""


KEYS = tuple(item.name for item in fields(Card))
REQUIRED = tuple(item.name for item in fields(Card) if item.default is MISSING)
LISTS = ("authors", "trained_on")


def read_card(path: Path) -> Card:
    """Read a card.

    Raises
    ------
    OptionError
        It cannot be read, has an unknown key, lacks one, or holds what cannot be shown.
    """
    try:
        content = parse_toml(read_text(path, most_bytes=MOST_CARD_BYTES), str(path))
    except (OSError, UnicodeDecodeError, DataError) as error:
        raise OptionError(f"{path} cannot be read as TOML: {error}") from error
    try:
        return card_of(content)
    except OptionError as error:
        raise OptionError(f"{path}: {error}") from error


def card_of(content: Mapping[str, Any]) -> Card:
    """Return the card that a mapping holds.

    Raises
    ------
    OptionError
        A key is unknown or lacks, or a value cannot be used.

    Examples
    --------
    >>> card_of({"name": "mine"})
    Traceback (most recent call last):
        ...
    wildcell.errors.OptionError: the card lacks version, authors, licence and trained_on.
    """
    for key in content:
        if key not in KEYS:
            raise OptionError(
                f"the card has an unknown key {shown(key)}. {did_you_mean(key, KEYS)} "
                f"All keys: {', '.join(KEYS)}."
            )
    lacking = [key for key in REQUIRED if key not in content]
    if lacking:
        told = ", ".join(lacking[:-1]) + (" and " if lacking[1:] else "") + lacking[-1]
        raise OptionError(f"the card lacks {told}.")
    for key, value in content.items():
        _check(key, value)
    _check_name(content["name"])
    return Card(**content)


def _check(key: str, value: object) -> None:
    if key == "sealed":
        if not isinstance(value, bool):
            raise OptionError(f"sealed must be true or false; got {shown(value)}.")
    elif key in LISTS:
        _check_list(key, value)
    else:
        _check_text(key, value)
    if key == "url" and value and not str(value).startswith(ADDRESSES):
        raise OptionError(f"url must begin with https:// or http://; got {shown(value)}.")


def _check_list(key: str, value: object) -> None:
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise OptionError(
            f'{key} must be a list of text, such as ["one", "two"]; got {shown(value)}.'
        )
    if len(value) > LONGEST_LIST:
        raise OptionError(f"{key} has {len(value)} entries, above {LONGEST_LIST}.")
    if key == "authors" and not value:
        raise OptionError("authors must name one at least.")
    for word in value:
        if trouble := name_trouble(word):
            raise OptionError(f"{key} has {shown(word)}, which {trouble}.")


def _check_text(key: str, value: object) -> None:
    if not isinstance(value, str):
        raise OptionError(f"{key} must be text; got {shown(value)}.")
    if key in REQUIRED and not value.strip():
        raise OptionError(f"{key} is empty.")
    if len(value) > LONGEST_TEXT:
        raise OptionError(f"{key} has {len(value)} characters, above {LONGEST_TEXT}.")
    if any(ord(letter) < ord(" ") and letter != "\n" for letter in value):
        raise OptionError(f"{key} has control characters: {shown(value)}.")


def _check_name(name: str) -> None:
    if trouble := name_trouble(name):
        raise OptionError(f"name {shown(name)} {trouble}; choose another.")
    if name in (REPLICATE, CEILING):
        raise OptionError(f"name {shown(name)} is that of a yardstick; choose another.")


def card_text(card: Card, *, said: str = "") -> str:
    """Return a card as TOML.

    Parameters
    ----------
    card
        The card.
    said
        What stands above it, in lines.

    Examples
    --------
    >>> print(card_text(Card("mine", "1", ["Ada"], "MIT", []), said="A card.").split("sealed")[0])
    # A card.
    name = "mine"
    version = "1"
    authors = ["Ada"]
    licence = "MIT"
    trained_on = []
    <BLANKLINE>
    """
    lines = [f"# {line}" for line in said.splitlines()]
    for key in KEYS:
        value = getattr(card, key)
        # Basic strings of TOML are those of JSON but for DEL.
        literal = json.dumps(list(value) if key in LISTS else value, ensure_ascii=False)
        lines.append(f"{key} = {literal}".replace("\x7f", "\\u007f"))
    return "\n".join(lines) + "\n"
