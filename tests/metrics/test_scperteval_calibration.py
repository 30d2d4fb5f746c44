"""What scPertEval says of its protocols, and what we do."""

import ast
import os
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from wildcell.metrics.evidence import Cloud
from wildcell.metrics.scperteval_calibration import calibrate, dynamic_range, halved

GOLDEN = Path(os.environ.get("WILDCELL_TEST_DATA", "../shared")) / "golden"
WITHIN = 0.1
"""Halves are drawn at random: by as much the package's own numbers move."""

N_DRAWS = 5


@pytest.fixture(scope="module")
def ours():
    if not GOLDEN.is_dir():
        pytest.skip(f"no golden outputs in {GOLDEN}")
    cells = ad.read_h5ad(GOLDEN / "real_log1p_cp10k.h5ad")
    names = np.array(sorted(set(cells.obs["target"]) - {"non-targeting"}))
    codes = pd.Index(names).get_indexer(cells.obs["target"])
    X = cells.X.tocsr()
    n_controls = int((codes < 0).sum())
    controls = Cloud(X[codes < 0], np.zeros(n_controls, dtype=np.intp))
    perturbed = Cloud(X[codes >= 0], codes[codes >= 0])
    tables = [
        calibrate(
            halved(perturbed, controls, len(names), np.random.default_rng(seed)),
            tuple(names),
            cells.var_names.to_numpy(object),
        ).set_index("metric")
        for seed in range(N_DRAWS)
    ]
    return sum(tables) / N_DRAWS


@pytest.fixture(scope="module")
def theirs():
    table = pd.read_csv(GOLDEN / "scperteval_0.2.0_agg.csv").set_index("protocol")
    read = {name: table[name].map(ast.literal_eval) for name in ("drf", "bds")}
    return pd.DataFrame(
        {
            "drf_mean": read["drf"].map(lambda found: found["mean"]),
            "drf_median": read["drf"].map(lambda found: found["median"]),
            "bds": read["bds"].map(lambda found: found["bds"]),
        }
    )


@pytest.mark.parametrize("column", ["drf_mean", "drf_median", "bds"])
def test_calibrations_are_those_of_the_package(ours, theirs, column):
    away = (ours[column] - theirs[column]).abs()

    assert set(ours.index) == set(theirs.index)
    assert away[away > WITHIN].to_dict() == {}


def test_a_range_is_nan_where_the_null_is_beyond_perfection():
    found = dynamic_range(np.array([0.5, 0.5, 2.0]), np.array([1.5, np.nan, 0.0]), best="high")

    assert np.isnan(found[:2]).all()
    assert found[2] == 1.0
    assert dynamic_range(np.array([0.1]), np.array([0.4]), best="low")[0] == pytest.approx(
        0.75, rel=1e-4
    )
