"""What is said of a model: read strictly, written so that it is read back."""

import pytest

from wildcell.errors import OptionError
from wildcell.submitted.card import KEYS, Card, card_of, card_text, read_card

GOOD = {"name": "m", "version": "1", "authors": ["A"], "licence": "MIT", "trained_on": []}


def test_what_is_written_is_read_back(tmp_path):
    card = Card(
        name='<b>"x"\\ \N{SNOWMAN}',
        version="1",
        authors=["A & B"],
        licence="MIT",
        trained_on=["d"],
        sealed=True,
        summary="two\nlines \x7f",
        url="https://example.org/?a=1&b=2",
    )
    path = tmp_path / "card.toml"
    path.write_text(card_text(card, said="A card."), encoding="utf-8")
    assert read_card(path) == card


def test_an_unknown_key_is_refused_with_the_known_ones():
    with pytest.raises(
        OptionError, match=r"unknown key 'licens'\. Did you mean 'licence'"
    ) as error:
        card_of({**GOOD, "licens": "MIT"})
    assert all(key in str(error.value) for key in KEYS)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("name", "../x", "leads elsewhere"),
        ("name", "/etc/passwd", "leads elsewhere"),
        ("name", "a\nb", "cannot be seen"),
        ("name", "a\u202eb", "cannot be seen"),
        ("name", "x" * 201, "201 characters"),
        ("name", " ", "empty"),
        ("name", "e\u0301", "composed form"),
        ("name", "ceiling", "yardstick"),
        ("name", 3, "must be text"),
        ("authors", [], "one at least"),
        ("authors", "Ada", "list of text"),
        ("trained_on", [1], "list of text"),
        ("sealed", "yes", "true or false"),
        ("url", "javascript:alert(1)", "https://"),
        ("summary", "x" * 2001, "2001 characters"),
        ("citation", "a\x1b[2J", "control characters"),
        ("licence", "", "empty"),
    ],
)
def test_what_cannot_be_shown_is_refused(key, value, said):
    with pytest.raises(OptionError, match=said):
        card_of({**GOOD, key: value})


def test_lacking_keys_are_named():
    with pytest.raises(OptionError, match="lacks authors and licence"):
        card_of({"name": "m", "version": "1", "trained_on": []})


def test_a_card_that_is_no_toml_is_refused(tmp_path):
    path = tmp_path / "card.toml"
    path.write_text("name = ")
    with pytest.raises(OptionError, match="cannot be read as TOML"):
        read_card(path)
