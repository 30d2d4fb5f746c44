"""What is shown of single conditions is what was measured and predicted there."""

import numpy as np
import pandas as pd
import pytest

from wildcell.datasets.simulated import simulated
from wildcell.metrics.looks import N_CELLS, N_OWN_GENES, N_TRUE_GENES, looks
from wildcell.metrics.response import Response
from wildcell.names import CONTROL, Look
from wildcell.run import run_scenario
from wildcell.store.runs import LOOKS, read_looks

GENES = np.array([f"g{i:03d}" for i in range(80)], dtype=object)


def response(delta: np.ndarray, *, error: float | None = 0.01, **more) -> Response:
    names = tuple(f"p{i}" for i in range(len(delta)))
    control = np.full(delta.shape, 2.0)
    known = None if error is None else np.full(delta.shape, error**2 / 2)
    n = np.full(len(delta), 50)
    return Response(
        names, GENES, control + delta, control, n, n, error=known, control_error=known, **more
    )


@pytest.fixture
def truth() -> Response:
    delta = np.zeros((2, 80))
    delta[0, :40] = np.linspace(4, 1, 40)
    delta[1, 7] = -2
    return response(delta)


def of(table: pd.DataFrame, perturbation: str, look: Look) -> pd.DataFrame:
    return table[(table["perturbation"] == perturbation) & (table["look"] == look)]


def test_the_genes_that_the_truth_changes_most_come_first(truth):
    found = looks(truth, response(np.zeros((2, 80)), error=None), has_cells=False)

    shown = of(found, "p0", Look.TRUE_GENE)
    assert shown["gene"].tolist() == GENES[:N_TRUE_GENES].tolist()
    assert shown["x"].to_numpy() == pytest.approx(truth.delta[0, :N_TRUE_GENES])
    assert shown["error"].to_numpy() == pytest.approx(0.01)
    assert (shown["y"] == 0).all()
    assert of(found, "p1", Look.TRUE_GENE)["gene"].tolist() == ["g007"]


def test_a_loud_gene_of_few_cells_does_not_come_before_a_sure_one():
    delta = np.zeros((1, 80))
    delta[0, 3], delta[0, 9] = 3.0, 2.0
    errors = np.full((1, 80), 0.01)
    errors[0, 3] = 4.0
    base = response(delta)
    unsure = Response(
        base.perturbations, GENES, base.mean, base.control, base.n_cells, base.n_controls,
        error=errors, control_error=np.zeros_like(errors),
    )  # fmt: skip
    found = of(looks(unsure, base, has_cells=False), "p0", Look.TRUE_GENE)

    assert found["gene"].tolist() == ["g009", "g003"]


def test_what_a_prediction_invents_is_shown_too(truth):
    delta = np.zeros((2, 80))
    delta[0, 0], delta[0, 60:75] = 5.0, np.linspace(-3, -1, 15)
    own = of(looks(truth, response(delta), has_cells=False), "p0", Look.OWN_GENE)

    assert own["gene"].tolist() == GENES[60 : 60 + N_OWN_GENES].tolist()
    assert (own["x"] == 0).all()
    assert own["y"].to_numpy() == pytest.approx(delta[0, 60 : 60 + N_OWN_GENES])


def test_targets_are_left_out_as_metrics_leave_them_out(truth):
    targets = np.zeros((2, 80), dtype=bool)
    targets[1, 7] = True
    aimed = response(truth.delta, targets=targets)

    assert of(looks(aimed, aimed, has_cells=False), "p1", Look.TRUE_GENE).empty


def test_no_answer_shows_the_truth_alone(truth):
    silent = response(np.full((2, 80), np.nan))
    found = looks(truth, silent, has_cells=False)

    assert of(found, "p0", Look.TRUE_GENE)["y"].isna().all()
    assert of(found, "p0", Look.OWN_GENE).empty
    assert len(looks(response(np.empty((0, 80))), response(np.empty((0, 80))), has_cells=True)) == 0


def test_runs_keep_genes_and_cells_of_every_condition(tmp_path):
    screen = simulated(n_contexts=2, n_perturbations=4, n_combinations=0, n_genes=60, n_cells=40)
    run_scenario(
        "unseen-context",
        data=screen,
        models=["context-transfer", "no-change"],
        runs=tmp_path,
        seeds=[0],
        metrics=["pearson_delta", "energy_distance_pca"],
    )
    found = read_looks(tmp_path)

    assert set(found["model"]) == {"context-transfer", "no-change"}
    shown = found[found["look"] == Look.TRUE_GENE]
    assert shown.groupby(["model", "context", "perturbation"]).ngroups == 2 * 8
    flat = shown[shown["model"] == "no-change"]
    assert flat["y"].abs().max() < 1e-6
    both = shown.pivot_table(index=["context", "perturbation", "gene"], columns="model", values="x")
    assert (both["no-change"] == both["context-transfer"]).all()
    cells = found[found["look"] == Look.TRUE_CELL]
    sizes = cells.groupby(["model", "context", "perturbation"]).size()
    assert sizes.between(15, N_CELLS).all()
    assert set(found.loc[found["look"] == Look.CONTROL_CELL, "perturbation"]) == {CONTROL}
    assert len(list(tmp_path.rglob(LOOKS))) == 2 * 2


def test_without_metrics_of_cells_no_components_are_fitted_for_it(tmp_path):
    screen = simulated(n_contexts=2, n_perturbations=4, n_combinations=0, n_genes=60, n_cells=20)
    run_scenario(
        "unseen-context", data=screen, models=["no-change"], runs=tmp_path, seeds=[0],
        metrics=["pearson_delta"],
    )  # fmt: skip

    found = read_looks(tmp_path)
    assert set(found["look"]) == {Look.TRUE_GENE, Look.OWN_GENE}
    assert set(found.loc[found["model"] == "no-change", "look"]) == {Look.TRUE_GENE}
