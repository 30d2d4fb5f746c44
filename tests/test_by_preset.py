"""Two files in, another package's scores out: contexts, scales, gaps, what is refused."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from wildcell.by_preset import score_by_preset
from wildcell.cli.main import main
from wildcell.datasets.load import load_dataset
from wildcell.errors import DataError, OptionError, PredictionError, UnknownNameError
from wildcell.metrics.preset import PRESETS
from wildcell.names import SCORE_COLUMNS, UNS

CONTEXTS = 2
N_PERTURBATIONS = 5


@pytest.fixture(scope="module")
def screen():
    cells = load_dataset(
        "simulated",
        n_genes=50,
        n_perturbations=N_PERTURBATIONS,
        n_combinations=0,
        n_contexts=CONTEXTS,
        n_cells=32,
        n_controls=60,
        depth=600.0,
    ).cells
    return ad.AnnData(
        X=sparse.csr_matrix(cells.X, dtype=np.float32),
        obs=cells.obs[["context", "perturbation"]].astype(str),
        var=pd.DataFrame(index=cells.var_names),
    )


def lognorm(cells, target_sum=1e4):
    result = cells.copy()
    counts = cells.X.toarray()
    result.X = sparse.csr_matrix(np.log1p(counts / counts.sum(axis=1, keepdims=True) * target_sum))
    return result


def means_of(cells):
    """Return one row a condition with its mean of log values, controls among them."""
    logs = lognorm(cells)
    groups = logs.obs.groupby(["context", "perturbation"]).indices
    rows = [logs.X[where].toarray().mean(axis=0) for where in groups.values()]
    obs = pd.DataFrame(list(groups), columns=["context", "perturbation"])
    obs.index = obs.index.astype(str)
    uns = {UNS: {"kind": "mean", "expression": "lognorm"}}
    return ad.AnnData(np.array(rows), obs=obs, var=logs.var, uns=uns)


def test_every_context_is_measured_against_its_own_controls(screen):
    here = screen[screen.obs["context"] == screen.obs["context"].iloc[0]].copy()
    both = score_by_preset(screen, screen, "cell-eval-0.8").scores
    one = score_by_preset(here, here, "cell-eval-0.8").scores
    assert len(both) == CONTEXTS * len(one)
    part = both[both["context"] == one["context"].iloc[0]]
    np.testing.assert_allclose(part["value"], one["value"])


def test_the_table_is_the_long_one_and_says_the_preset(screen):
    scores = score_by_preset(screen, screen, "systema", model="mine").scores
    assert list(scores) == SCORE_COLUMNS
    assert set(scores["preset"]) == {"systema"}
    assert set(scores["model"]) == {"mine"}
    assert set(scores["metric"]) == {"centroid_accuracy"}
    assert (scores["value"] == 1).all()
    assert (scores["n_truth"] == 32).all()


@pytest.mark.parametrize("preset", sorted(set(PRESETS.names()) - {"vcc2026"}))
def test_counts_are_brought_to_the_library_size_of_the_package(screen, preset):
    target_sum = PRESETS.get(preset).target_sum
    if target_sum is None:
        depth = np.asarray(screen.X.sum(axis=1)).ravel()
        target_sum = np.median(depth)
    logs = lognorm(screen, target_sum)
    pairs = [(screen, screen), (logs, logs), (screen, logs), (logs, screen)]
    found = [score_by_preset(*pair, preset).scores["value"] for pair in pairs]
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], rtol=1e-2, atol=1e-3)


def test_what_works_on_counts_alone_has_no_number_of_anything_else(screen):
    for prediction, status in (
        (lognorm(screen), "needs_counts"),
        (means_of(screen), "needs_cells"),
    ):
        scores = score_by_preset(prediction, screen, "vcc2026").scores
        assert set(scores["status"]) == {status}
        assert scores["value"].isna().all()
    assert (score_by_preset(screen, screen, "vcc2026").scores["status"] == "ok").any()


def test_means_are_scored_where_means_are_enough(screen):
    scores = score_by_preset(means_of(screen), lognorm(screen), "cell-eval-0.8").scores
    by_status = scores.groupby("status")["metric"].unique()
    assert "pearson_delta" in by_status["ok"]
    assert "pearson_edistance" in by_status["needs_cells"]
    assert scores.loc[scores["status"] == "needs_cells", "value"].isna().all()
    exact = scores[scores["metric"] == "mse"]["value"]
    np.testing.assert_allclose(exact, 0.0, atol=1e-9)


def test_a_missing_answer_is_missing_and_the_others_are_scored(screen):
    gone = min(set(screen.obs["perturbation"]) - {"control"})
    partial = screen[screen.obs["perturbation"] != gone].copy()
    with pytest.raises(PredictionError, match="lacks"):
        score_by_preset(partial, screen, "systema")
    scores = score_by_preset(partial, screen, "systema", must_match=False).scores
    statuses = scores.set_index("perturbation")["status"]
    assert set(statuses[gone]) == {"missing"}
    assert (statuses.drop(gone) == "ok").all()
    assert len(scores) == CONTEXTS * N_PERTURBATIONS


def test_too_few_cells_are_not_scored_where_the_package_leaves_them_out(screen):
    few = min(set(screen.obs["perturbation"]) - {"control"})
    is_few = (screen.obs["perturbation"] == few).to_numpy()
    kept = ~is_few | (np.cumsum(is_few) <= 12)
    scores = score_by_preset(screen, screen[kept].copy(), "scperteval", must_match=False)
    statuses = scores.scores.groupby("perturbation")["status"].unique()
    assert set(statuses[few]) == {"too_few_cells"}
    assert "ok" in statuses.drop(few).iloc[0]


def test_means_show_how_many_are_scored(screen):
    prediction = screen[screen.obs["perturbation"] != "control"].copy()
    result = score_by_preset(prediction, screen, "cell-eval-0.8")
    means = result.means.set_index("metric")
    assert list(means.index) == [metric.name for metric in result.preset.metrics]
    assert means.loc["pearson_delta", ["scored", "expected"]].tolist() == [0, 10]
    assert means.loc["mse", ["scored", "expected"]].tolist() == [10, 10]
    assert means.loc["mse", "best"] == "low"


def test_genes_that_are_lacking_are_refused_or_left_out(screen):
    fewer = screen[:, :-1].copy()
    with pytest.raises(PredictionError, match="--genes common"):
        score_by_preset(fewer, screen, "systema")
    common = score_by_preset(fewer, screen, "systema", is_on_common_genes=True).scores
    assert (common["value"] == 1).all()


def test_truths_without_controls_or_cells_are_refused(screen):
    bare = screen[screen.obs["perturbation"] != "control"].copy()
    with pytest.raises(DataError, match="no control cells"):
        score_by_preset(screen, bare, "systema")
    with pytest.raises(DataError, match="means"):
        score_by_preset(screen, means_of(screen), "systema")
    with pytest.raises(UnknownNameError, match="Did you mean 'systema'"):
        score_by_preset(screen, screen, "sistema")


def test_logs_of_unknown_depth_beside_counts_are_refused_where_the_median_is_taken(screen):
    logs = lognorm(screen)
    logs.X = logs.X.multiply(np.linspace(0.5, 1.5, logs.n_obs)[:, None]).tocsr()
    with pytest.raises(OptionError, match="library size"):
        score_by_preset(logs, screen, "cell-eval-0.8")


@pytest.fixture
def files(tmp_path, screen):
    path = tmp_path / "cells.h5ad"
    screen.write_h5ad(path)
    return path, path


def test_files_give_the_scores_of_their_cells(files, screen):
    from_files = score_by_preset(*files, "perturbench").scores
    in_memory = score_by_preset(screen, screen, "perturbench").scores
    np.testing.assert_array_equal(from_files["value"], in_memory["value"])
    assert set(from_files["dataset"]) == {"cells"}


def test_the_command_writes_the_table_and_prints_the_means(files, tmp_path, capsys):
    out = tmp_path / "scores.csv"
    main(["score", *map(str, files), "--out", str(out), "--preset", "systema"])
    assert set(pd.read_csv(out)["metric"]) == {"centroid_accuracy"}
    printed = capsys.readouterr().out
    assert "centroid_accuracy" in printed
    assert "10/10" in printed


def test_the_command_refuses_what_a_package_has_no_word_for(files, tmp_path, capsys):
    arguments = [*map(str, files), "--out", str(tmp_path / "s.csv"), "--preset", "systema"]
    with pytest.raises(SystemExit):
        main(["score", *arguments, "--anchor", "all", "--runs", str(tmp_path)])
    assert "no --runs, no --anchor" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["score", *arguments, "--metrics", "rmse"])
    assert "no --metrics" in capsys.readouterr().err


@pytest.mark.parametrize("options", [[], ["--preset", "systema"]])
def test_a_name_that_no_table_can_have_is_refused_before_anything_is_read(options, capsys):
    with pytest.raises(SystemExit):
        main(["score", "no.h5ad", "none.h5ad", "--out", "scores.xlsx", *options])
    assert "must end in .csv or .parquet" in capsys.readouterr().err


def test_the_command_ends_with_what_has_no_score_and_why(files, tmp_path, screen, capsys):
    perturbed, out = tmp_path / "perturbed.h5ad", str(tmp_path / "scores.csv")
    screen[screen.obs["perturbation"] != "control"].copy().write_h5ad(perturbed)
    arguments = ["score", str(perturbed), str(files[1]), "--out", out, "--preset"]
    main([*arguments, "cell-eval-0.8"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "prediction: Without a score: overlap_at_N" in printed
    assert "pearson_edistance (too_few_controls: 10)." in printed
    main([*arguments, "systema"])
    assert "Without a score" not in capsys.readouterr().out


def test_presets_are_listed(capsys):
    main(["presets"])
    printed = capsys.readouterr().out
    for name in PRESETS.names():
        assert name in printed
