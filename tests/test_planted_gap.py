"""The gap between near and far training is the one that was planted, and none where none was.

For ten screens of each kind it is printed by `benchmarks/planted_gap.py`.
"""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from planted_gap import STRENGTHS, gaps_by_seed

SMALLER = {"n_contexts": 12, "n_context_clusters": 4, "n_perturbations": 8, "n_genes": 80}


@pytest.mark.parametrize("kind", STRENGTHS)
def test_the_measured_gap_is_the_planted_one(kind):
    gaps = gaps_by_seed(STRENGTHS[kind], range(1), **SMALLER)
    assert set(gaps["level"]) == {"new clusters"}
    assert ((gaps["low"] <= gaps["planted"]) & (gaps["planted"] <= gaps["high"])).all()
    assert ((gaps["placebo_low"] <= 0) & (gaps["placebo_high"] >= 0)).all()
    if kind == "similar":
        assert (gaps["low"] > 0).all()
    else:
        assert ((gaps["low"] <= 0) & (gaps["high"] >= 0)).all()
