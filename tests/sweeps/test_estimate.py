"""What jobs will cost: what like jobs cost, or nothing that is known."""

import numpy as np
import pandas as pd
import pytest

from wildcell.sweeps.book import Planned
from wildcell.sweeps.estimate import estimate, past_costs


def job(scenario="iid", model="ridge", dataset="screen"):
    return Planned(scenario, dataset, "main", model, 0, 0, "")


@pytest.fixture
def past():
    rows = [
        ("iid", "screen", "ridge", 1.0),
        ("iid", "screen", "ridge", 2.0),
        ("iid", "screen", "ridge", 9.0),
        ("few-shot", "screen", "ridge", 20.0),
    ]
    table = pd.DataFrame(rows, columns=["scenario", "dataset", "model", "wall_s"])
    return table.assign(arm="main", cpu_s=table["wall_s"], peak_memory_mb=100.0)


def test_the_likest_runs_tell_by_their_median(past):
    told = estimate([job(), job("unseen-dose")], past)
    assert told["wall_s"].tolist() == [2.0, 5.5]
    assert told["n_past"].tolist() == [3, 4]


def test_other_models_and_other_data_tell_nothing(past):
    told = estimate([job(model="knn"), job(dataset="larger")], past)
    assert np.isnan(told["wall_s"]).all()
    assert told["n_past"].tolist() == [0, 0]


def test_runs_that_failed_tell_nothing(sweeping, make_sweep, own):
    runs, _ = sweeping("runs", make_sweep([own("Raises"), "ridge"], ["iid"]))
    told = past_costs([runs, runs / "nowhere"])
    assert "ridge" in set(told["model"])
    assert "own:Raises" not in set(told["model"])


def test_no_runs_tell_nothing(tmp_path):
    assert estimate([job()], past_costs([tmp_path]))["n_past"].tolist() == [0]
