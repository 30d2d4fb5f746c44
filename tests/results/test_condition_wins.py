"""Single conditions are won where an answer is surely nearer than each naive one, and only there.

How often by chance is printed by `benchmarks/condition_wins.py`.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from wildcell.names import BY_CELLS, SHAKEN, Status
from wildcell.results.condition_wins import condition_wins

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from condition_wins import SHARES, drawn

EXACT, _, CLEAR = SHARES


@pytest.fixture(scope="module")
def scores():
    return drawn(np.random.default_rng(0), 100, 1_000)


def test_what_is_nearer_wins_and_what_is_as_far_does_not(scores):
    won = condition_wins(scores).groupby("model")["confirmed"].mean()

    assert won[CLEAR] > 0.5
    assert won[EXACT] <= 0.05


def test_each_naive_model_must_be_beaten(scores):
    better = scores[scores["model"] == CLEAR].assign(model="perturbed-mean")
    won = condition_wins(pd.concat([scores, better]))
    clear = won[won["model"] == CLEAR]

    assert not clear["confirmed"].any()
    assert set(clear["naive"]) == {"perturbed-mean"}


def test_noise_of_the_controls_takes_wins_away(scores):
    is_clear = (scores["model"] == CLEAR).to_numpy()
    moved = scores.assign(**{SHAKEN[0]: scores[SHAKEN[0]].mask(is_clear, 50.0)})

    assert not condition_wins(moved)["confirmed"].any()


def test_an_abstention_of_a_naive_model_is_no_change(scores):
    silent = scores["model"] == "no-change"
    abstained = scores.assign(**{name: scores[name].mask(silent) for name in BY_CELLS})
    abstained["status"] = abstained["status"].mask(silent, str(Status.MISSING))
    again, before = condition_wins(abstained), condition_wins(scores)

    pd.testing.assert_frame_equal(again, before)


def test_a_run_that_kept_no_blocks_is_not_told(scores):
    unknown = scores["model"] == CLEAR
    lacking = scores.assign(**{name: scores[name].mask(unknown) for name in BY_CELLS})

    assert CLEAR not in set(condition_wins(lacking)["model"])


def test_what_was_not_measured_is_not_told(scores):
    assert condition_wins(scores.drop(columns=BY_CELLS)).empty
    few = scores.assign(**dict.fromkeys(BY_CELLS[8:], np.nan))
    assert condition_wins(few).empty
    assert condition_wins(scores[scores["model"] != "no-change"]).empty


def test_a_naive_model_that_cannot_answer_need_not_be_beaten(scores):
    other = scores[scores["model"] == "no-change"].assign(
        model="dose-interpolation",
        status=str(Status.NOT_APPLICABLE),
        numerator=np.nan,
        **dict.fromkeys(BY_CELLS, np.nan),
    )

    pd.testing.assert_frame_equal(
        condition_wins(pd.concat([scores, other])), condition_wins(scores)
    )


def test_seeds_do_not_make_more_of_the_same_cells(scores):
    twice = pd.concat([scores, scores.assign(seed=1)])

    pd.testing.assert_frame_equal(condition_wins(twice), condition_wins(scores))
