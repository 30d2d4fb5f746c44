"""What ranks say of scales: they need effects that are told from noise."""

import numpy as np
import pytest

from wildcell.results.rank import _has_signal
from wildcell.results.stats import Sample

RESOLVED, UNRESOLVED = np.linspace(1.0, 2.0, 12), np.linspace(-1.0, 1.0, 12)


def scored(squares):
    names = np.array([f"p{i}" for i in range(len(squares))], dtype=object)
    blank = np.full(len(squares), np.nan)
    context = np.full(len(squares), "c", dtype=object)
    return {"additive": Sample(context, names, blank, squares / 2, squares)}


@pytest.mark.parametrize(("squares", "expected"), [(RESOLVED, True), (UNRESOLVED, False)])
def test_scales_need_effects_that_are_told_from_noise(squares, expected):
    assert _has_signal({"effect_r2": scored(squares)}) is expected


def test_what_is_left_beside_the_singles_says_nothing_of_the_effects():
    unresolved = scored(UNRESOLVED)
    assert _has_signal({"interaction_r2": unresolved})
    assert not _has_signal({"interaction_r2": scored(RESOLVED), "effect_r2": unresolved})
