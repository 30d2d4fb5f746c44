"""Options are found on validation conditions alone, and no trial that ended is lost."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

pytest.importorskip("optuna", reason="the extra `tune` is not installed")

from wildcell.cli.main import main
from wildcell.datasets.dataset import Dataset
from wildcell.errors import BenchmarkError, MissingExtraError, OptionError, SplitError, StoreError
from wildcell.models.model import MODELS
from wildcell.models.search import Searched, search_space
from wildcell.names import CONDITION, Role
from wildcell.scenarios.scenario import load_scenario
from wildcell.scenarios.seats import take_seats
from wildcell.scenarios.sham import with_shams
from wildcell.scenarios.split import make_splits
from wildcell.scenarios.validation import validation_of
from wildcell.store.options_file import options_text, read_options
from wildcell.testing import toy_screen
from wildcell.tune import CUT_SHORT, FAILED, OUT_OF_TIME, SCORED, tune

SCENARIO = "unseen-perturbation"
OWN = '''
import time

from wildcell.models.effects import training_effects
from wildcell.models.search import Searched
from wildcell.scenarios.prediction import predicted_means


class Shrunk:
    """A share of the mean effect."""

    searched = (Searched(name="share", low=0.0, high=1.5),)

    def __init__(self, *, seed=0, share=0.1, pause=0.0, breaks_above=9.0):
        self.share, self.pause, self.breaks_above = share, pause, breaks_above

    def fit(self, task):
        time.sleep(self.pause)
        if self.share > self.breaks_above:
            raise ValueError("too large a share")
        self.delta = training_effects(task).delta.mean(axis=0)

    def predict(self, query):
        return predicted_means(query, query.control_mean + self.share * self.delta)


class Patient(Shrunk):
    """Trains for as long as it is told to."""

    def __init__(self, *, seed=0, share=0.1, max_seconds=60.0):
        super().__init__(seed=seed, share=share, pause=max_seconds)


class Plain:
    """Has nothing to tune."""

    def __init__(self, *, seed=0):
        pass

    def fit(self, task):
        pass

    def predict(self, query):
        return predicted_means(query, query.control_mean)
'''


@pytest.fixture(scope="module")
def screen():
    return toy_screen(n_perturbations=14, n_cells=20, n_controls=100, n_genes=40)


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    file = tmp_path_factory.mktemp("own") / "own.py"
    file.write_text(OWN)
    return str(file)


def search(out, screen, model, trials=4, **options):
    return tune(
        SCENARIO,
        model=model,
        trials=trials,
        out=out,
        data=screen,
        **{"seeds": [0], "folds": [0], **options},
    )


def hidden_cells(screen):
    """Mark the tested cells, shams and kept controls of a question."""
    words = load_scenario(SCENARIO)
    split = make_splits(words, screen, seed=0)[0]
    posed = with_shams(screen, split, n=words.shams)
    seats = take_seats(posed.dataset, posed.split)
    return seats.of(Role.TEST) | seats.of(Role.UNUSED) | seats.is_kept


def test_nothing_of_the_test_is_in_the_question_that_options_are_chosen_by(screen):
    words = load_scenario(SCENARIO)
    split = make_splits(words, screen, seed=0)[0]
    found = validation_of(screen, split, words)
    hidden = set(screen.cells.obs_names[hidden_cells(screen)])
    assert len(hidden) > 0
    assert not hidden & set(found.dataset.cells.obs_names)
    asked = found.split.conditions_in(Role.TEST)[CONDITION].apply(tuple, axis=1)
    assert set(asked) == set(split.conditions_in(Role.VAL)[CONDITION].apply(tuple, axis=1))
    assert found.split.conditions_in(Role.VAL).empty


def test_no_trial_depends_on_tested_cells_or_kept_controls(screen, tmp_path):
    hidden = hidden_cells(screen)
    X = screen.cells.X.toarray()
    X[hidden] = np.random.default_rng(0).poisson(30.0, (int(hidden.sum()), X.shape[1]))
    cells = screen.cells.copy()
    cells.X = sparse.csr_matrix(X)
    cells.obs["total_counts"] = X.sum(axis=1, dtype=float)
    before = search(tmp_path / "before", screen, "ridge")
    after = search(tmp_path / "after", Dataset(screen.name, cells), "ridge")
    columns = ["number", "ended", "value", "alpha"]
    pd.testing.assert_frame_equal(before.trials[columns], after.trials[columns])
    assert len(set(before.trials["value"])) > 1


@pytest.mark.parametrize("model", ["ridge", "knn"])
def test_tuned_options_are_no_worse_on_validation_than_the_defaults(model, screen, tmp_path):
    found = search(tmp_path / "out", screen, model, trials=6)
    assert found.trials["ended"].tolist() == [SCORED] * 6
    assert found.value == found.trials["value"].max() >= found.default
    assert found.default == found.trials["value"].iloc[0]
    assert read_options(found.file) == {model: dict(found.options)}


def test_the_known_best_is_found_and_run_takes_the_file(screen, own, tmp_path, capsys):
    found = search(tmp_path / "out", screen, f"{own}:Shrunk", trials=12)
    assert 0.6 < found.options["share"] < 1.4
    assert found.value > found.default
    data = ["--data", "simulated", "--data-option", "n_perturbations=8", "--seed", "0"]
    small = ["--data-option", "n_genes=40", "--runs", str(tmp_path / "runs")]
    model = ["--model", f"{own}:Shrunk", "--metrics", "pearson_delta"]
    main(["run", SCENARIO, *data, *small, *model, "--options", str(found.file)])
    runs = list((tmp_path / "runs").rglob("own-Shrunk*"))
    assert len(runs) == 1
    assert "error" not in capsys.readouterr().out


def test_a_search_that_goes_on_finds_what_it_would_have_found(screen, own, tmp_path):
    whole = search(tmp_path / "whole", screen, f"{own}:Shrunk", trials=5)
    search(tmp_path / "parts", screen, f"{own}:Shrunk", trials=2)
    parts = search(tmp_path / "parts", screen, f"{own}:Shrunk", trials=5)
    again = search(tmp_path / "parts", screen, f"{own}:Shrunk", trials=5)
    assert len(again.trials) == 5
    columns = ["number", "ended", "value", "share"]
    pd.testing.assert_frame_equal(whole.trials[columns], parts.trials[columns])
    assert again.file.read_text() == whole.file.read_text()


def test_a_search_that_is_killed_loses_the_running_trial_at_most(own, tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "wildcell.cli.main", "tune", SCENARIO, "--data", "simulated"]
    small = ["n_perturbations=10", "n_genes=30", "n_contexts=1", "n_combinations=0"]
    command += [word for option in small for word in ("--data-option", option)]
    command += [
        "--model",
        f"{own}:Shrunk",
        "--model-option",
        "pause=0.2",
        "--seed",
        "0",
        "--fold",
        "0",
    ]
    command += ["--trials", "200", "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(1800):
            if (out / "trials.csv").exists() and len(pd.read_csv(out / "trials.csv")) >= 3:
                break
            assert process.poll() is None
            time.sleep(0.1)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    before = pd.read_csv(out / "trials.csv")
    n = len(before) + 3
    command[command.index("200")] = str(n)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = pd.read_csv(out / "trials.csv")
    assert (after["ended"] == SCORED).sum() == n
    assert (after["ended"] == CUT_SHORT).sum() <= 1
    pd.testing.assert_frame_equal(before, after.iloc[: len(before)][list(before)])
    assert (out / "tuned.toml").exists()


def test_trials_that_take_too_long_or_crash_are_told_and_the_others_count(screen, own, tmp_path):
    slow = {"options": {"pause": 0.3}, "max_seconds": 0.1}
    with pytest.raises(OptionError, match="None of 2 trials was scored; the defaults: out of time"):
        search(tmp_path / "slow", screen, f"{own}:Shrunk", trials=2, **slow)
    table = pd.read_csv(tmp_path / "slow" / "trials.csv")
    assert table["ended"].tolist() == [OUT_OF_TIME] * 2
    assert table["value"].isna().all()
    found = search(
        tmp_path / "breaks", screen, f"{own}:Shrunk", trials=8, options={"breaks_above": 0.7}
    )
    failed = found.trials[found.trials["ended"] == FAILED]
    assert len(failed) > 0
    assert (failed["share"] > 0.7).all()
    assert failed["reason"].str.contains("too large a share").all()
    assert found.options["share"] <= 0.7
    assert read_options(found.file)[f"{own}:Shrunk"]["breaks_above"] == 0.7


def test_a_model_that_can_stop_is_told_what_time_is_left(screen, own, tmp_path):
    with pytest.raises(OptionError, match="out of time"):
        search(tmp_path / "out", screen, f"{own}:Patient", trials=1, max_seconds=0.2)
    seconds = pd.read_csv(tmp_path / "out" / "trials.csv")["seconds"].iloc[0]
    assert seconds < 30  # and not a minute


def test_without_validation_there_is_nothing_to_choose_by(tmp_path):
    few = toy_screen(n_contexts=2, n_combinations=0)
    with pytest.raises(SplitError, match=r"sets no conditions of .* aside for validation"):
        tune("unseen-context", model="ridge", trials=1, out=tmp_path, data=few, seeds=[0])


def test_what_cannot_be_tuned_is_refused_in_words(screen, own, tmp_path):
    with pytest.raises(OptionError, match="'no-change' declares nothing to tune"):
        search(tmp_path, screen, "no-change")
    with pytest.raises(OptionError, match="'own:Plain' declares nothing to tune"):
        search(tmp_path, screen, f"{own}:Plain")
    with pytest.raises(OptionError, match="one trial at least"):
        search(tmp_path, screen, "ridge", trials=0)
    with pytest.raises(OptionError, match="There is no fold 99 of seed 0"):
        search(tmp_path, screen, "ridge", folds=[0, 99])
    with pytest.raises(BenchmarkError, match="effect_r2"):
        search(tmp_path, screen, "ridge", metric="effect_r3")


def test_several_folds_count_by_their_median(screen, own, tmp_path):
    values = [
        search(tmp_path / str(fold), screen, f"{own}:Shrunk", trials=1, folds=[fold]).value
        for fold in (0, 1, 2)
    ]
    every = search(tmp_path / "all", screen, f"{own}:Shrunk", trials=1, folds=[0, 1, 2])
    assert every.value == sorted(values)[1]


def test_another_search_in_the_same_folder_is_refused(screen, own, tmp_path):
    search(tmp_path, screen, f"{own}:Shrunk", trials=1)
    with pytest.raises(StoreError, match="holds a search made from other"):
        search(tmp_path, screen, f"{own}:Shrunk", trials=1, metric="pearson_delta")


def test_without_optuna_it_is_said_what_to_install(monkeypatch, tmp_path):
    for name in [name for name in sys.modules if name.partition(".")[0] == "optuna"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.delitem(sys.modules, "wildcell.tune")
    with pytest.raises(MissingExtraError, match=r"wildcell\[tune\]"):
        import wildcell.tune  # noqa: F401


def test_every_model_takes_the_bounds_that_it_declares():
    declared = [name for name in MODELS.names() if hasattr(MODELS.get(name).make, "searched")]
    assert {"ridge", "knn", "bilinear", "genepert"} <= set(declared)
    for name in declared:
        space = search_space(MODELS.get(name))
        for bound in (0, -1):
            ends = {item.name: (item.choices or (item.low, item.high))[bound] for item in space}
            MODELS.get(name).make(seed=0, **ends)


@pytest.mark.parametrize("bounds", [(1.0, 1.0), (2.0, 1.0), (0.0, 1.0)])
def test_bounds_that_make_no_sense_are_refused(bounds):
    with pytest.raises(OptionError, match="give bounds"):
        Searched(name="alpha", low=bounds[0], high=bounds[1], log=True)


def test_options_that_are_written_are_read_again(tmp_path):
    options = {"ridge": {"alpha": 1e-05}, "a b.py:C": {"n": 3, "on": True, "kind": 'q"uote'}}
    file = tmp_path / "options.toml"
    file.write_text(options_text(options, said="First.\nSecond."))
    assert read_options(file) == options
    file.write_text("alpha = 1.0")
    with pytest.raises(OptionError, match="table a model"):
        read_options(file)
    with pytest.raises(OptionError, match="cannot be read"):
        read_options(Path(tmp_path / "none.toml"))
