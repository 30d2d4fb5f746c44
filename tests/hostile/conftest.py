"""Cells to make hostile files of, little memory to read them into, and a trap for what runs."""

import os

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from wildcell.guards.limits import READ_VARIABLE


@pytest.fixture(autouse=True)
def little_memory(monkeypatch):
    """Let 1 GiB be read, so that bombs can be small."""
    monkeypatch.setenv(READ_VARIABLE, "1")


@pytest.fixture
def cells():
    """Return counts of 24 cells and 4 genes, with texts in `uns`."""
    labels = np.repeat(["control", "KLF1", "BAK1"], 8)
    obs = pd.DataFrame({"perturbation": labels, "context": "K562"})
    counts = np.random.default_rng(0).poisson(2.0, (len(obs), 4)) + 1
    made = ad.AnnData(
        sparse.csr_matrix(counts.astype(np.float32)),
        obs=obs.set_axis(obs.index.astype(str)),
        var=pd.DataFrame(index=["A", "B", "C", "D"]),
    )
    made.uns["wildcell"] = {"expression": "counts"}
    made.uns["note"] = np.array(["one", "two"], dtype=object)
    return made


@pytest.fixture
def h5ad(cells, tmp_path):
    """Return a file of the cells, with another beside it that may be linked to."""
    cells.write_h5ad(tmp_path / "secret.h5ad")
    cells.write_h5ad(tmp_path / "cells.h5ad")
    return tmp_path / "cells.h5ad"


class Bite:
    """An object that leaves a mark when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


@pytest.fixture
def bite(tmp_path):
    """Return an object that bites who unpickles it; none may, whatever is done in the test."""
    mark = tmp_path / "bitten"
    yield Bite(mark)
    assert not mark.exists()
