"""Screens too large to be held, from file to scores: what comes out does not depend on it."""

import pandas as pd
import pytest

from wildcell.datasets.load import load_dataset
from wildcell.run import run_scenario
from wildcell.store.runs import HALVES, LOOKS, SCORES, SHAKEN_FILE
from wildcell.streams.spilled import HOLD_VARIABLE, are_rows_spilled

MODELS = ["no-change", "perturbed-mean", "context-transfer", "shuffled", "ridge"]
FINGERPRINTS = ("judged", "trained", "fingerprints")


@pytest.fixture(scope="module")
def screen(tmp_path_factory):
    path = tmp_path_factory.mktemp("large") / "screen.zarr"
    options = {"n_perturbations": 6, "n_combinations": 2, "n_genes": 90, "n_contexts": 3}
    load_dataset("simulated", **options).cells.write_zarr(path)
    return path


@pytest.mark.parametrize("scenario", ["unseen-context", "iid"])
def test_scores_do_not_depend_on_what_is_held_in_memory(screen, tmp_path, monkeypatch, scenario):
    outcomes = {}
    for hold in ("1", "0"):
        monkeypatch.setenv(HOLD_VARIABLE, hold)
        outcomes[hold] = run_scenario(
            scenario, models=MODELS, runs=tmp_path / hold, data=screen, seeds=[0], genes="hvg:60"
        )
    assert len(outcomes["1"]) > len(MODELS)
    for held, lying in zip(outcomes["1"], outcomes["0"], strict=True):
        for key in ("model", "status", *FINGERPRINTS):
            assert held.record[key] == lying.record[key], (held.record["model"], key)
        for name in (SCORES, HALVES, LOOKS, SHAKEN_FILE):
            if (held.folder / name).is_file():
                one, other = (pd.read_parquet(end.folder / name) for end in (held, lying))
                pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_nothing_of_a_large_screen_is_held(screen, monkeypatch):
    from wildcell.scenarios.pose import pose
    from wildcell.scenarios.scenario import load_scenario
    from wildcell.scenarios.split import make_splits

    monkeypatch.setenv(HOLD_VARIABLE, "0")
    dataset, scenario = load_dataset(screen), load_scenario("unseen-context")
    task, truth = pose(dataset, make_splits(scenario, dataset, seed=0)[0], scenario)
    sides = [task.train, task.query.controls, truth.test, truth.kept, truth.given]
    assert all(are_rows_spilled(cells.X) for cells in sides)
    assert are_rows_spilled(task.train.lognorm)
