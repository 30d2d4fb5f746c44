"""What blocks of the test cells explain is, on average, what all of them explain."""

import numpy as np
import pytest

from wildcell.names import BY_CELLS, CONDITION
from wildcell.run import run_scenario
from wildcell.store.runs import read_scores


@pytest.mark.parametrize("model", ["context-transfer", "knn"])
def test_blocks_average_to_the_numerator(tmp_path, model):
    run_scenario("unseen-context", data="simulated", models=[model], runs=tmp_path, seeds=[0])
    scores = read_scores(tmp_path, with_controls=True)
    own = scores[(scores["metric"] == "effect_r2") & (scores["model"] == model)]
    own = own[(own["n_truth"] % len(BY_CELLS) == 0) & (own["status"] == "ok")]

    assert len(own.drop_duplicates(CONDITION)) > 10
    np.testing.assert_allclose(own[BY_CELLS].mean(axis=1), own["numerator"], rtol=1e-4, atol=1e-4)
    assert scores.loc[scores["metric"] != "effect_r2", BY_CELLS].isna().all(axis=None)
