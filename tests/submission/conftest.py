import shutil

import pytest

from wildcell.run import run_scenario
from wildcell.submission.make import submit_runs
from wildcell.submitted.card import Card

SMALL = {"n_perturbations": 12, "n_combinations": 0, "n_contexts": 2}
METRICS = ["rmse", "pearson_delta", "effect_r2"]

OWN = '''
from wildcell.scenarios.prediction import predicted_means

class Mine:
    """The given controls, all a little higher."""
    def __init__(self, *, seed=0): ...
    def fit(self, task): ...
    def predict(self, query):
        return predicted_means(query, 1.2 * query.control_mean)
'''

CARD = Card(
    name="Mine <2>",
    version="1.0",
    authors=("Ada",),
    licence="MIT",
    trained_on=("norman2019",),
)


@pytest.fixture(scope="session")
def kept_runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    (folder / "mine.py").write_text(OWN)
    run_scenario(
        "iid",
        models=["no-change", "perturbed-mean", f"{folder / 'mine.py'}:Mine"],
        runs=folder / "runs",
        data="simulated",
        data_options=SMALL,
        seeds=[0],
        metrics=METRICS,
    )
    return folder / "runs"


@pytest.fixture(scope="session")
def kept_results(kept_runs, tmp_path_factory):
    out = tmp_path_factory.mktemp("kept") / "results"
    submit_runs(kept_runs, out, card=CARD, has_predictions=True)
    return out


@pytest.fixture
def results(kept_results, tmp_path):
    return shutil.copytree(kept_results, tmp_path / "results")
