"""torch, imported when it is first used: it is an extra, and slow to import."""

import importlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeAlias

from wildcell.errors import MissingExtraError, OptionError

Tensor: TypeAlias = Any
"""A `torch.Tensor`; torch need not be there to read the code."""

Module: TypeAlias = Any
"""A `torch.nn.Module`."""

DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "float32", "bfloat16")


class _Torch:
    """Stands for the module torch until an attribute of it is asked for."""

    def __getattr__(self, name: str) -> Any:
        try:
            module = importlib.import_module("torch")
        except ImportError as error:
            raise MissingExtraError("This model", "torch") from error
        return getattr(module, name)


torch: Any = _Torch()


def find_device(asked: str) -> Any:
    """Return the device that is asked for, or the fastest there is.

    Raises
    ------
    OptionError
        There is no such device here.

    Examples
    --------
    >>> find_device("tpu")
    Traceback (most recent call last):
    wildcell.errors.OptionError: device is one of auto, cpu, cuda, mps; got 'tpu'.
    """
    if asked not in DEVICES:
        raise OptionError(f"device is one of {', '.join(DEVICES)}; got {asked!r}.")
    is_there = {
        "cuda": torch.cuda.is_available,
        "mps": torch.backends.mps.is_available,
        "cpu": lambda: True,
    }
    if asked == "auto":
        asked = next(name for name, found in is_there.items() if found())
    if not is_there[asked]():
        raise OptionError(f"There is no {asked} device here; use device=auto.")
    return torch.device(asked)


def mixed_precision(asked: str, device: Any) -> AbstractContextManager[Any]:
    """Return the context in which losses are computed.

    `auto` is float32 on every device: in bfloat16 no network of this package trained clearly faster
    on a GPU, at the default or the published sizes (`benchmarks/devices.py`).

    Raises
    ------
    OptionError
        There is no such precision.
    """
    if asked not in PRECISIONS:
        raise OptionError(f"precision is one of {', '.join(PRECISIONS)}; got {asked!r}.")
    if asked == "bfloat16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw from a stream of one's own in a block; the caller's is left as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def random_states(device: Any) -> dict[str, Tensor]:
    """Return the states of the random streams that a training on `device` draws from, by device."""
    states = {"cpu": torch.get_rng_state()}
    if device.type != "cpu":
        states[device.type] = getattr(torch, device.type).get_rng_state()
    return states


def restore_random_states(states: Mapping[str, Tensor]) -> None:
    """Bring random streams back to states that `random_states` returned."""
    for name, state in states.items():
        streams = torch if name == "cpu" else getattr(torch, name)
        streams.set_rng_state(state.cpu())


def device_peak_memory_mb(device: Any) -> float:
    """Return the peak memory of a CUDA device since the process began, NaN of any other."""
    if device.type != "cuda":
        return float("nan")
    return float(torch.cuda.max_memory_allocated(device)) / 2**20
