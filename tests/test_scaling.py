"""What is measured as cells grow."""

import numpy as np
import pandas as pd
import pytest

from wildcell.errors import OptionError, StoreError
from wildcell.names import Expression
from wildcell.results.growth import fit_growth
from wildcell.scaling import measure_growth, resized
from wildcell.scenarios.folder import write_question
from wildcell.scenarios.pose import pose
from wildcell.scenarios.scenario import load_scenario
from wildcell.scenarios.split import make_splits
from wildcell.scenarios.task import Cells
from wildcell.testing import toy_screen

CRASHING = """
class Crashing:
    def __init__(self, *, seed): pass
    def fit(self, task): raise MemoryError("too many cells" if task.train.n > 60 else "no")
    def predict(self, query): ...
"""


@pytest.fixture(scope="module")
def task_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scaling")
    screen, scenario = toy_screen(), load_scenario("unseen-context")
    split = make_splits(scenario, screen, seed=0)[0]
    question = pose(screen, split, scenario)
    write_question(question, split, task_folder=folder / "task", truth=folder / "truth.h5ad")
    return folder / "task"


def test_each_size_is_measured_once(task_folder, tmp_path):
    out, begun = tmp_path / "scaling.csv", []
    for _ in range(2):
        table = measure_growth(
            task_folder,
            models=["ridge", "no-change"],
            n_cells=[60, 200],
            out=out,
            on_size=lambda done, total, name: begun.append(name),
        )
    assert len(begun) == len(set(begun)) == len(table) == 4
    assert (table["status"] == "ok").all()
    assert (table["peak_memory_mb"] >= table["rest_memory_mb"]).all()
    assert (table["cpu_s"] > 0).all()


def test_a_crash_is_a_row_without_costs_that_is_tried_again(task_folder, tmp_path):
    (tmp_path / "mine.py").write_text(CRASHING)
    model, out, begun = f"{tmp_path / 'mine.py'}:Crashing", tmp_path / "scaling.parquet", []
    for _ in range(2):
        table = measure_growth(
            task_folder,
            models=[model],
            n_cells=[80],
            out=out,
            on_size=lambda *told: begun.append(told),
        )
    assert len(begun) == 2
    assert set(table["status"]) == {"error"}
    assert table["cpu_s"].isna().all()
    assert table["reason"].str.contains("too many cells").all()
    assert fit_growth(table).empty


@pytest.mark.parametrize("n", [24, 100, 1000])
def test_resized_cells_keep_every_condition_in_proportion(n):

    sizes = {"control": 120, "a": 60, "b": 18, "c": 2}
    labels = np.repeat(list(sizes), list(sizes.values()))
    obs = pd.DataFrame({"context": "x", "perturbation": labels})
    X = np.arange(len(obs), dtype=np.float64)[:, None]
    cells = Cells(X, np.array(["g"]), obs, Expression.COUNTS)
    found = resized(cells, n, np.random.default_rng(0))
    counts = found.obs["perturbation"].value_counts()
    assert found.n == n
    assert set(counts.index) == set(sizes)
    for name, size in sizes.items():
        assert abs(counts[name] - n * size / len(obs)) <= 2
    assert (found.obs["perturbation"].to_numpy() == labels[found.X[:, 0].astype(int)]).all()


def test_more_cells_are_all_and_some_again():

    obs = pd.DataFrame({"context": "x", "perturbation": list("aabb")})
    cells = Cells(np.arange(4.0)[:, None], np.array(["g"]), obs, Expression.COUNTS)
    found = resized(cells, 10, np.random.default_rng(0))
    times = np.bincount(found.X[:, 0].astype(int), minlength=4)
    assert times.sum() == 10
    assert set(times) == {2, 3}


def test_what_cannot_be_measured_is_refused(task_folder, tmp_path):
    with pytest.raises(OptionError, match="fewer than the"):
        measure_growth(task_folder, models=["ridge"], n_cells=[2], out=tmp_path / "a.csv")
    with pytest.raises(OptionError, match="at least 1"):
        measure_growth(task_folder, models=["ridge"], n_cells=[], out=tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text("x\n1\n")
    with pytest.raises(StoreError, match="no measurements"):
        measure_growth(task_folder, models=["ridge"], n_cells=[100], out=tmp_path / "b.csv")


def test_growth_finds_the_power_and_how_sure_it_is():
    rng = np.random.default_rng(0)
    n = np.repeat([1_000, 4_000, 16_000, 64_000], 3)
    rows = pd.DataFrame(
        {
            "model": "m",
            "options": "",
            "batch_size": np.nan,
            "n_cells": n,
            "wall_s": 2e-4 * n**1.3 * rng.lognormal(0, 0.05, len(n)),
            "cpu_s": 5.0,
            "status": "ok",
        }
    )
    found = fit_growth(rows).set_index("cost")
    assert found.loc["wall_s", "low"] < 1.3 < found.loc["wall_s", "high"]
    assert found.loc["wall_s", "high"] - found.loc["wall_s", "low"] < 0.3
    assert found.loc["cpu_s", "power"] == pytest.approx(0)
    two = fit_growth(rows[rows["n_cells"] < 5_000]).set_index("cost")
    assert np.isnan(two.loc["wall_s", "low"])
