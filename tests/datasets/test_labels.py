import numpy as np
import pandas as pd
import pytest

from wildcell.datasets.labels import as_text, find_column, is_missing, matches, some_of
from wildcell.errors import OptionError, UnknownNameError


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["a ", None, np.nan, "nan"], ["a", "", "", ""]),
        ([1.0, 2.5, np.nan], ["1", "2.5", ""]),
        ([1, 2], ["1", "2"]),
        ([True, False], ["True", "False"]),
        (pd.Categorical(["x", None, "y"]), ["x", "", "y"]),
    ],
)
def test_labels_of_any_type_become_text(labels, expected):
    column = pd.Series(labels)

    assert as_text(column).tolist() == expected
    assert is_missing(column).tolist() == [text == "" for text in expected]


@pytest.fixture
def obs():
    return pd.DataFrame(
        {"line": ["A549", "K562", "K562"], "time": [24.0, 6.0, 24.0], "ok": [True, True, False]}
    )


@pytest.mark.parametrize(
    ("clauses", "expected"),
    [
        ([], [True, True, True]),
        (["line=K562"], [False, True, True]),
        (["line!=K562"], [True, False, False]),
        (["line=K562", "ok=True"], [False, True, False]),
        (["time=24"], [True, False, True]),
        (["time=24.0"], [True, False, True]),
    ],
)
def test_clauses_are_anded(obs, clauses, expected):
    assert matches(obs, clauses).tolist() == expected


@pytest.mark.parametrize(
    ("clauses", "message"),
    [
        (["line"], "COLUMN=VALUE"),
        (["line=HeLa"], "holds 'A549', 'K562'"),
        (["line=A549", "ok=False"], "No cell is left"),
    ],
)
def test_clauses_that_cannot_hold_are_refused(obs, clauses, message):
    with pytest.raises(OptionError, match=message):
        matches(obs, clauses)


def test_a_column_with_a_typo_is_answered_with_a_suggestion(obs):
    with pytest.raises(UnknownNameError, match=r"--where names the column 'linee'.*mean 'line'"):
        matches(obs, ["linee=K562"])
    with pytest.raises(UnknownNameError, match="--dose-column"):
        find_column(obs, "dose", "--dose-column")


def test_long_lists_are_cut():
    assert some_of("abcdefg") == "'a', 'b', 'c', 'd', 'e' and 2 more"
