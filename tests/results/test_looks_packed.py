"""What a page carries of single conditions is what runs keep, within a budget."""

import base64
import gzip

import numpy as np
import pandas as pd
import pytest

from wildcell.names import CONTROL, Look
from wildcell.results.rank import QUESTION
from wildcell.results.report import looks as module
from wildcell.results.report.looks import (
    N_CELLS,
    N_OWN,
    N_TRUE,
    NO_GENE,
    NO_NUMBER,
    packed_looks,
    wanted_looks,
)

INDEX = pd.MultiIndex.from_tuples([("a", "p"), ("a", "q"), ("b", "p")])
MODELS = ["no-change", "mine", "replicate"]


def opened(text: str, kind: str, *shape: int) -> np.ndarray:
    return np.frombuffer(gzip.decompress(base64.b64decode(text)), kind).reshape(shape)


def row(model, context, perturbation, look, gene, x, y, error=np.nan):  # noqa: PLR0917
    return {
        "model": model, "context": context, "perturbation": perturbation, "look": str(look),
        "gene": gene, "x": x, "y": y, "error": error,
    }  # fmt: skip


def test_numbers_come_back_where_they_belong():
    table = pd.DataFrame(
        [
            row("mine", "a", "q", Look.TRUE_GENE, "g2", 2.0, 1.0, 0.5),
            row("mine", "a", "q", Look.TRUE_GENE, "g1", -1.0, 0.25, 0.1),
            row("mine", "a", "q", Look.OWN_GENE, "g9", 0.0, -2.0, 0.1),
            row("no-change", "a", "q", Look.TRUE_GENE, "g2", 2.0, np.nan, 0.5),
            row("no-change", "a", "q", Look.TRUE_GENE, "g1", -1.0, np.nan, 0.1),
            row("mine", "a", "q", Look.TRUE_CELL, "", 3.0, -4.0),
            row("mine", "a", "q", Look.PREDICTED_CELL, "", 1.0, 1.0),
            row("mine", "a", CONTROL, Look.CONTROL_CELL, "", 0.0, 2.0),
        ]
    )
    found = packed_looks(table, MODELS, INDEX, ["a", "b"])

    assert found["rows"] == [1]
    assert found["models"] == [0, 1]
    assert found["genes"] == ["g1", "g2", "g9"]
    scale = found["gene_scale"]
    assert opened(found["gene"], "<u2", 1, N_TRUE)[0, :3].tolist() == [1, 0, NO_GENE]
    true = opened(found["true"], "<i2", 1, N_TRUE)[0]
    assert true[:2] * scale == pytest.approx([2, -1], abs=1e-3)
    assert true[2] == NO_NUMBER
    predicted = opened(found["predicted"], "<i2", 2, 1, N_TRUE)[:, 0]
    assert predicted[1, :2] * scale == pytest.approx([1, 0.25], abs=1e-3)
    assert (predicted[0] == NO_NUMBER).all()
    own = opened(found["own_predicted"], "<i2", 2, 1, N_OWN)
    assert own[1, 0, 0] * scale == pytest.approx(-2, abs=1e-3)
    cells = opened(found["true_cells"], "<i2", 1, N_CELLS, 2)
    assert cells[0, 0] * found["cell_scale"] == pytest.approx([3, -4], abs=1e-3)
    controls = opened(found["control_cells"], "<i2", 2, N_CELLS, 2)
    assert controls[0, 0] * found["cell_scale"] == pytest.approx([0, 2], abs=1e-3)
    assert (controls[1] == NO_NUMBER).all()


def test_without_genes_and_cells_there_is_nothing():
    table = pd.DataFrame([row("other", "a", "q", Look.TRUE_GENE, "g", 1.0, 1.0)])

    assert packed_looks(table, MODELS, INDEX, ["a", "b"]) is None


def test_beyond_the_budget_the_strongest_effects_are_kept(monkeypatch):
    question = dict.fromkeys(QUESTION, "s")
    scores = pd.DataFrame(
        [
            {
                **question,
                "model": model,
                "context": "a",
                "perturbation": f"p{i}",
                "seed": seed,
                "fold": 0,
            }
            for i in range(20)
            for seed in (1, 0)
            for model in MODELS
        ]
    )
    sizes = scores.drop(columns="model").drop_duplicates()
    sizes = sizes.assign(effect_size=sizes["perturbation"].str[1:].astype(float))
    whole = wanted_looks(scores, sizes)
    monkeypatch.setattr(module, "ALL_BYTES", 3 * module._bytes_of(2))
    few = wanted_looks(scores, sizes)

    assert len(whole) == 20
    assert set(whole["seed"]) == {0}
    assert few["perturbation"].tolist() == ["p19", "p18", "p17"]
    assert len(wanted_looks(scores, sizes.iloc[:0])) == 3
