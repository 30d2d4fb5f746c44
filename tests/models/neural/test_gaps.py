"""Genes that a foreign screen did not measure are unknown to networks, not zero."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy import sparse

from wildcell.datasets.dataset import Dataset
from wildcell.models.model import MODELS
from wildcell.models.neural.gaps import gaps_of
from wildcell.models.neural.material import prepare
from wildcell.names import Kind
from wildcell.scenarios.ask import ask
from wildcell.scenarios.scenario import load_scenario
from wildcell.scenarios.split import make_splits
from wildcell.testing import toy_screen

torch = pytest.importorskip("torch", reason="torch is not installed")
NETWORKS = [name for name in MODELS.names() if MODELS.get(name).extra == "torch"]
WORDS = replace(load_scenario("cross-data-set"), genes="all")
QUICK = {"max_steps": 6, "n_checks": 2, "batch_size": 32, "n_controls": 16}
LACKING = 12


@cache
def task_of(data):
    target = Dataset("target", toy_screen(n_contexts=1, n_combinations=0, n_genes=40).cells)
    other = toy_screen(n_contexts=2, n_combinations=0, depth=3000, n_genes=40, cell_seed=9)
    foreign = [Dataset("foreign", other.cells[:, LACKING:].copy())]
    words = replace(WORDS, arms={"own": {"pool": {"data": data, "panel": "union"}}})
    split = make_splits(words, target, seed=0, arm="own", foreign=foreign)[0]
    return ask(target, split, words, foreign=foreign).question.task


def with_rubbish(task):
    """Return a task whose cells hold rubbish at the genes that their screens did not measure."""
    X = task.train.X.toarray()
    silent = np.ix_(task.is_foreign, ~task.is_measured("foreign"))
    X[silent] = np.random.default_rng(0).poisson(50.0, X[silent].shape)
    return replace(task, train=replace(task.train, X=sparse.csr_matrix(X)))


def answers(name, task):
    model = MODELS.get(name).make(seed=0, **QUICK)
    model.fit(task)
    return model.predict(task.query)


def dense(prediction):
    return prediction.X.toarray() if prediction.kind is Kind.CELLS else np.asarray(prediction.X)


@pytest.mark.parametrize("data", ["target+foreign", "foreign"])
@pytest.mark.parametrize("name", NETWORKS)
def test_what_stands_at_unmeasured_genes_changes_no_answer(name, data):
    task = task_of(data)
    assert task.unmeasured["foreign"]
    plain, changed = (dense(answers(name, one)) for one in (task, with_rubbish(task)))
    np.testing.assert_array_equal(plain, changed)


@pytest.mark.parametrize("name", NETWORKS)
def test_genes_that_no_screen_tells_of_stay_as_they_are_in_controls(name):
    task = task_of("foreign")
    silent = ~task.is_measured("foreign")
    found = answers(name, task)
    assert silent.sum() == LACKING
    assert np.isfinite(dense(found)).all()
    keys = ["context", "perturbation"]
    codes = found.obs.groupby(keys, sort=False).ngroup().to_numpy()
    means = np.array([dense(found)[codes == code].mean(axis=0) for code in range(codes.max() + 1)])
    change = means - task.query.control_mean
    assert np.abs(change[:, silent]).max() < 1e-5
    assert np.abs(change[:, ~silent]).max() > 1e-3


def test_encoders_read_the_usual_value_of_a_gene_that_a_screen_did_not_measure():
    task = task_of("target+foreign")
    examples = prepare(task, np.random.default_rng(0)).train.examples
    conditions = examples.foreign.perturbed[:3]
    cells = np.array([examples.cells.of(condition)[0] for condition in conditions])
    controls = examples.controls.draw(examples.control_group[conditions], np.random.default_rng(1))
    batch = examples.batch(conditions, controls, cells, device=torch.device("cpu"))
    silent = ~task.is_measured("foreign")
    own = task.train.lognorm.toarray()[~task.is_foreign][:, silent].mean(axis=0)
    for state in (batch.control_state, batch.perturbed_state):
        np.testing.assert_allclose(state.numpy()[:, silent], np.tile(own, (3, 1)), rtol=1e-4)
    assert not batch.measured.numpy()[:, silent].any()
    assert batch.measured.numpy()[:, ~silent].all()


def test_screens_that_measured_every_gene_leave_no_gaps():
    task = task_of("target+foreign")
    assert gaps_of(task) is not None
    assert gaps_of(replace(task, unmeasured={})) is None
    assert gaps_of(replace(task, unmeasured={"foreign": (), "elsewhere": ("gene",)})) is None
