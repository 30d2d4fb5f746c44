"""Negative models: answers of the right size that know nothing of the question."""

from zlib import crc32

import numpy as np
import pandas as pd

from wildcell.arrays import Floats
from wildcell.errors import OptionError
from wildcell.models.effects import DeltaModel
from wildcell.models.model import model
from wildcell.scenarios.task import Query


class _DrawnModel(DeltaModel):
    """A model that draws its answer, from a stream of its own for each condition."""

    def __init__(self, *, seed: int = 0) -> None:
        if seed < 0:
            raise OptionError(f"The seed must be 0 or more; it is {seed}.")
        super().__init__(seed=seed)

    def generators(self, query: Query) -> list[np.random.Generator]:
        """Return a generator for each condition, the same whatever else is asked."""
        conditions = query.conditions
        names = conditions["context"].astype(str) + "\x1f" + conditions["perturbation"].astype(str)
        return [np.random.default_rng([self.seed, crc32(name.encode())]) for name in names]


@model("shuffled")
class Shuffled(_DrawnModel):
    """Answers with the delta of a training condition drawn at random."""

    def deltas(self, query: Query) -> Floats:
        """Return one training delta for each condition, drawn with replacement."""
        drawn = [rng.integers(self.effects.n) for rng in self.generators(query)]
        return self.effects.delta[np.array(drawn, dtype=np.intp)]


@model("random")
class Random(_DrawnModel):
    """Answers with Gaussian noise, each gene as large as its training deltas."""

    def deltas(self, query: Query) -> Floats:
        """Return noise with the root mean square of each gene's training deltas.

        It is cut at plus and minus the control's own mean: were it cut below alone, where
        expression ends, genes that are low in controls would rise on average, as they do in
        truth.
        """
        size = np.sqrt(pd.DataFrame(self.effects.delta**2).mean().fillna(0.0).to_numpy())
        drawn = [rng.normal(0.0, size) for rng in self.generators(query)]
        noise = np.array(drawn).reshape(-1, len(size))
        return np.clip(noise, -np.abs(query.control_mean), np.abs(query.control_mean))
