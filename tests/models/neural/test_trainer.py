"""The loop stops when told to, keeps the best, and goes on after a kill as if there was none."""

from dataclasses import replace
from itertools import chain, repeat

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from wildcell.errors import MissingExtraError, OptionError
from wildcell.models.model import MODELS, Resumable
from wildcell.models.neural import backend
from wildcell.names import Expression
from wildcell.run import run_scenario
from wildcell.testing import toy_questions, toy_screen

torch = pytest.importorskip("torch", reason="torch is not installed")
NETWORKS = [name for name in MODELS.names() if MODELS.get(name).extra == "torch"]
QUICK = {"max_steps": 40, "batch_size": 32, "n_checks": 8}


@pytest.fixture(scope="module")
def question():
    return toy_questions()["unseen-context"]


def trained(task, name="latent-additive", **options):
    model = MODELS.get(name).make(**{"seed": 0, **QUICK, **options})
    model.fit(task)
    return model


def answer(model, question):
    X = model.predict(question.task.query).X
    return X.toarray() if sparse.issparse(X) else X


class Killed(BaseException):
    pass


def killed_after(n_looks, model):
    look = model._look

    def dying(val):
        if len(looks) == n_looks:
            raise Killed
        looks.append(look(val))
        return looks[-1]

    looks = []
    model._look = dying


@pytest.mark.parametrize("name", NETWORKS)
def test_a_training_that_was_killed_and_resumed_ends_where_it_would_have(name, question, tmp_path):
    whole = trained(question.task, name)
    file = tmp_path / "progress.pt"
    for n_looks in (3, 2):
        model = MODELS.get(name).make(seed=0, **QUICK)
        assert isinstance(model, Resumable)
        model.keep_progress(file, seconds_between=0)
        killed_after(n_looks, model)
        with pytest.raises(Killed):
            model.fit(question.task)
        assert file.is_file()
    last = MODELS.get(name).make(seed=0, **QUICK)
    last.keep_progress(file, seconds_between=0)
    last.fit(question.task)
    assert last.history.validation == pytest.approx(whole.history.validation, abs=1e-6)
    assert np.array_equal(*(answer(model, question) for model in (whole, last)))
    assert not file.exists()


def test_progress_of_another_training_is_not_gone_on_from(question, tmp_path):
    file = tmp_path / "progress.pt"
    model = MODELS.get("latent-additive").make(seed=0, **QUICK)
    model.keep_progress(file, seconds_between=0)
    killed_after(2, model)
    with pytest.raises(Killed):
        model.fit(question.task)
    other = MODELS.get("latent-additive").make(seed=1, **QUICK)
    other.keep_progress(file)
    other.fit(question.task)
    assert other.history.validation == trained(question.task, seed=1).history.validation


def test_progress_that_is_no_file_of_ours_is_no_progress(question, tmp_path):
    file = tmp_path / "progress.pt"
    file.write_bytes(b"half of a")
    model = MODELS.get("latent-additive").make(seed=0, **QUICK)
    model.keep_progress(file)
    model.fit(question.task)
    assert model.history.ended == "all steps"


def test_a_run_records_what_its_training_came_to_and_leaves_no_progress_file(tmp_path):
    outcomes = run_scenario(
        "iid",
        models=["latent-additive"],
        data=toy_screen(),
        seeds=[0],
        runs=tmp_path,
        options={"latent-additive": QUICK},
    )
    own = next(o for o in outcomes if o.record["model"].startswith("latent-additive"))
    assert own.record["status"] == "ok"
    assert own.record["training"]["step"] == 40
    assert len(own.record["training"]["validation"]) == 8
    costs = pd.read_parquet(own.folder / "costs.parquet")
    assert costs["batch"].tolist() == [32]
    assert not (own.folder / "progress.pt").exists()


def test_training_stops_when_its_time_is_over(question):
    model = trained(question.task, max_seconds=1e-9)
    assert (model.history.step, model.history.ended) == (1, "out of time")


def test_what_was_learned_before_the_time_was_over_is_looked_at_and_kept(question):
    history = trained(question.task, max_seconds=1e-9).history
    assert len(history.validation) == 1
    assert history.best == history.validation[0] < float("inf")


def trained_on(question, looks):
    """Train by given validation errors, the last for ever, and return all that was looked at."""
    model = MODELS.get("latent-additive").make(seed=0, **{**QUICK, "patience": 2})
    errors = chain(map(np.array, looks), repeat(np.array(looks[-1])))
    states = []

    def look(_):
        states.append({name: value.clone() for name, value in model.net.state_dict().items()})
        return next(errors)

    model._look = look
    model.fit(question.task)
    return model, states


def is_left_as(model, state):
    return all(torch.equal(value, state[name]) for name, value in model.net.state_dict().items())


def test_training_stops_without_progress_and_keeps_the_best(question):
    model, states = trained_on(question, [[3.0], [1.0], [2.0]])
    assert model.history.ended == "no progress"
    assert model.history.best == 1.0
    assert is_left_as(model, states[1])


def test_training_stops_where_most_perturbations_get_worse(question):
    model, states = trained_on(question, [[1.0, 1.0, 1.0, 1.0], [1.2, 1.3, 1.2, 1.1]])
    assert model.history.ended == "no progress"
    assert is_left_as(model, states[0])


def test_training_goes_on_where_one_perturbation_alone_gets_worse(question):
    model, states = trained_on(question, [[1.0, 1.0, 1.0, 1.0], [0.5, 0.6, 0.5, 4.0]])
    assert model.history.ended == "all steps"
    assert is_left_as(model, states[-1])


def test_training_leaves_the_global_random_stream_alone(question):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    trained(question.task, max_steps=2)
    assert torch.equal(before, torch.get_rng_state())


def test_another_seed_gives_another_answer(question):
    first, second = (
        trained(question.task, max_steps=4, seed=seed).predict(question.task.query).X
        for seed in (0, 1)
    )
    assert not np.array_equal(first, second)


def test_options_that_cannot_be_are_refused():
    make = MODELS.get("latent-additive").make
    for options in ({"lr": 0.0}, {"batch_size": 1.5}, {"max_steps": 0}, {"preset": "papr"}):
        with pytest.raises(OptionError, match=next(iter(options))):
            make(seed=0, **options)
    with pytest.raises(TypeError, match="widht"):
        make(seed=0, widht=3)


def test_a_device_that_is_not_there_and_a_precision_that_is_none_are_refused(question):
    with pytest.raises(OptionError, match="There is no mps device here"):
        trained(question.task, device="mps")
    with pytest.raises(OptionError, match="precision is one of"):
        trained(question.task, precision="float8")


def test_given_options_go_before_the_preset():
    paper = MODELS.get("decoder-only").make(seed=0, preset="paper", latent=7)
    assert (paper.width, paper.latent) == (3072, 7)


def test_mixed_precision_answers_about_the_same(question):
    exact, mixed = (
        trained(question.task, precision=precision).predict(question.task.query).X
        for precision in ("float32", "bfloat16")
    )
    assert np.abs(exact - mixed).max() < 0.1


def test_networks_can_be_built_and_moved_on_a_device_without_storage(question):
    model = trained(question.task, max_steps=1)
    assert all(value.is_meta for value in model.net.to("meta").state_dict().values())


def test_encoders_read_the_embedding_where_there_is_one(question):
    def with_embedding(cells):
        rng = np.random.default_rng(cells.n)
        return replace(cells, embedding=rng.normal(size=(cells.n, 3)))

    task = question.task
    task = replace(
        task,
        train=with_embedding(task.train),
        val=with_embedding(task.val),
        query=replace(task.query, controls=with_embedding(task.query.controls)),
    )
    model = trained(task, max_steps=2)
    assert model.net["encode"][0].in_features == 3
    assert np.isfinite(model.predict(task.query).X).all()
    without = trained(task, max_steps=2, cell_embedding=False)
    assert without.net["encode"][0].in_features == len(task.train.genes)


def test_answers_on_arrays_may_be_negative(question):
    def as_array(cells):
        X = cells.lognorm.copy()
        X.data -= 5.0
        return replace(cells, X=X, expression=Expression.LOG2, target_sum=None)

    task = question.task
    task = replace(
        task,
        train=as_array(task.train),
        val=as_array(task.val),
        query=replace(task.query, controls=as_array(task.query.controls)),
    )
    assert (trained(task, anchored=False).predict(task.query).X < 0).any()


def test_without_torch_the_error_says_what_to_install(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(backend.importlib, "import_module", missing)
    with pytest.raises(MissingExtraError, match=r"pip install 'wildcell\[torch\]'"):
        backend.torch.zeros(3)


def test_networks_that_are_to_be_read_are_kept_only_after_their_penalty_has_fallen(question):
    def looks_of(mechanisms):
        model = MODELS.get("sams-vae").make(seed=0, **QUICK, mechanisms=mechanisms)
        n_looks = iter(range(QUICK["n_checks"]))
        model._look = lambda _: np.array([next(n_looks) + 1.0])
        model.fit(question.task)
        return model.history

    first = {mechanisms: looks_of(mechanisms).best for mechanisms in (False, True)}
    assert first == {False: 1.0, True: 5.0}


def test_a_training_for_mechanisms_that_was_killed_ends_where_it_would_have(question, tmp_path):
    def made():
        return MODELS.get("sams-vae").make(seed=0, **QUICK, mechanisms=True)

    whole, first, again = made(), made(), made()
    whole.fit(question.task)
    first.keep_progress(tmp_path / "progress.pt", seconds_between=0)
    killed_after(3, first)
    with pytest.raises(Killed):
        first.fit(question.task)
    again.keep_progress(tmp_path / "progress.pt", seconds_between=0)
    again.fit(question.task)
    assert np.array_equal(*(answer(model, question) for model in (whole, again)))
