"""On a GPU networks answer what they answer on the CPU, and go on after a kill."""

from functools import cache

import numpy as np
import pytest

from wildcell.models.model import MODELS
from wildcell.testing import toy_questions

torch = pytest.importorskip("torch", reason="torch is not installed")
NETWORKS = [name for name in MODELS.names() if MODELS.get(name).extra == "torch"]
HERE = [
    name
    for name, is_here in {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }.items()
    if is_here
]
QUICK = {"max_steps": 40, "batch_size": 32, "n_checks": 8}

pytestmark = pytest.mark.skipif(not HERE, reason="there is no GPU here")


@pytest.fixture(params=HERE)
def device(request):
    return request.param


@cache
def task():
    return toy_questions()["unseen-context"].task


def made(name, **options):
    return MODELS.get(name).make(**{"seed": 0, **QUICK, "precision": "float32", **options})


def trained(name, **options):
    model = made(name, **options)
    model.fit(task())
    return model


def answer(model):
    X = model.predict(task().query).X
    return X.toarray() if hasattr(X, "toarray") else np.asarray(X)


class Killed(BaseException):
    pass


@pytest.mark.parametrize("name", NETWORKS)
def test_training_on_a_gpu_starts_from_the_same_weights_and_comes_as_far(name, device):
    on_cpu, on_gpu = (trained(name, device=place) for place in ("cpu", device))
    assert on_gpu.training["device"] == device
    assert on_gpu.history.step == on_cpu.history.step
    assert on_gpu.history.best == pytest.approx(on_cpu.history.best, rel=0.1)
    assert np.isfinite(answer(on_gpu)).all()


@pytest.mark.parametrize("name", ["linear-additive", "decoder-only"])
def test_networks_that_draw_nothing_answer_the_same_on_both(name, device):
    on_cpu, on_gpu = (answer(trained(name, device=place)) for place in ("cpu", device))
    assert on_gpu == pytest.approx(on_cpu, abs=5e-3)


@pytest.mark.parametrize("name", NETWORKS)
def test_mixed_precision_comes_as_far(name, device):
    exact, mixed = (
        trained(name, device=device, precision=precision) for precision in ("float32", "bfloat16")
    )
    assert mixed.history.best < 1.1 * exact.history.best
    assert np.isfinite(answer(mixed)).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_training_on_a_gpu_that_was_killed_ends_where_it_would_have(name, device, tmp_path):
    whole = trained(name, device=device)
    first = made(name, device=device)
    first.keep_progress(tmp_path / "progress.pt", seconds_between=0)
    look, n_looks = first._look, iter(range(3))

    def dying(val):
        if next(n_looks, None) is None:
            raise Killed
        return look(val)

    first._look = dying
    with pytest.raises(Killed):
        first.fit(task())
    again = made(name, device=device)
    again.keep_progress(tmp_path / "progress.pt")
    again.fit(task())
    assert again.history.validation == pytest.approx(whole.history.validation, abs=1e-5)


def test_the_peak_memory_of_a_cuda_device_is_recorded(device):
    peak = trained("latent-additive", device=device).training["device_peak_memory_mb"]
    assert (peak is not None and peak > 1) == (device == "cuda")
