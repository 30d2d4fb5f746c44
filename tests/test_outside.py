"""Two files in, scores out: what fits, what is refused, and that nothing is written then."""

import subprocess

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from wildcell.cli.main import main
from wildcell.datasets.load import load_dataset

OPTIONS = {"n_genes": 60, "n_perturbations": 6, "n_combinations": 2, "n_cells": 20}
CONTEXTS = 2


@pytest.fixture(scope="module")
def screen():
    return load_dataset(
        "simulated", **OPTIONS, n_contexts=CONTEXTS, n_controls=60, depth=600.0
    ).cells


def counts_of(screen, rows):
    """Return some cells as a plain file would hold them: counts, and two labels."""
    chosen = screen[rows]
    return ad.AnnData(
        X=sparse.csr_matrix(chosen.X),
        obs=chosen.obs[["context", "perturbation"]].astype(str),
        var=pd.DataFrame(index=chosen.var_names),
    )


def lognorm(cells, target_sum=1e4):
    counts = cells.X.toarray()
    result = cells.copy()
    result.X = sparse.csr_matrix(np.log1p(counts / counts.sum(axis=1, keepdims=True) * target_sum))
    return result


@pytest.fixture
def files(tmp_path, screen):
    """Write a truth, and the other half of its cells as the prediction."""
    is_control = (screen.obs["perturbation"] == "control").to_numpy()
    is_even = np.arange(screen.n_obs) % 2 == 0
    truth, prediction = tmp_path / "truth.h5ad", tmp_path / "prediction.h5ad"
    counts_of(screen, is_control | is_even).write_h5ad(truth)
    counts_of(screen, ~is_control & ~is_even).write_h5ad(prediction)
    return prediction, truth


def score(*arguments):
    main(["score", *map(str, arguments)])


def refused(capsys, *arguments):
    """Return the message of a refused command; there must be no traceback and no file."""
    with pytest.raises(SystemExit) as stop:
        score(*arguments)
    assert stop.value.code == 1
    message = capsys.readouterr().err
    assert message.startswith("wildcell: ")
    assert "Traceback" not in message
    return message


def test_two_plain_files_give_a_table_and_end_with_a_sentence(files, tmp_path, capsys):
    score(*files, "--out", tmp_path / "scores.csv")
    printed = capsys.readouterr().out
    table = pd.read_csv(tmp_path / "scores.csv")
    assert set(table["model"]) == {"prediction", "replicate", "ceiling"}
    own = table[(table["model"] == "prediction") & (table["metric"] == "pearson_delta")]
    assert len(own) == CONTEXTS * 8
    assert set(own["status"]) == {"ok"}
    assert "counts, by the look of its numbers" in printed
    assert "controls were halved after the fact" in printed
    sentence = printed.strip().splitlines()[-1]
    assert sentence.startswith("prediction: effect_r2 0.")
    assert "Without a score: pearson_specific (needs_reference: " in sentence


def test_log_values_at_another_library_size_are_scored_like_counts(files, tmp_path):
    prediction, truth = files
    score(prediction, truth, "--out", tmp_path / "counts.csv", "--target-sum", "600")
    in_log = lognorm(ad.read_h5ad(prediction), target_sum=5e3)
    in_log.write_h5ad(tmp_path / "log.h5ad")
    score(tmp_path / "log.h5ad", truth, "--out", tmp_path / "log.csv")
    one, other = (pd.read_csv(tmp_path / f"{name}.csv") for name in ("counts", "log"))
    keys = one["metric"].isin(["cosine_lfc", "spearman_lfc"]) & (one["model"] == "prediction")
    np.testing.assert_allclose(one.loc[keys, "value"], other.loc[keys, "value"], atol=1e-4)


def test_genes_in_another_order_give_equal_scores(files, tmp_path):
    prediction, truth = files
    cells = ad.read_h5ad(prediction)
    cells[:, ::-1].copy().write_h5ad(tmp_path / "reversed.h5ad")
    score(prediction, truth, "--out", tmp_path / "one.csv")
    score(tmp_path / "reversed.h5ad", truth, "--out", tmp_path / "other.csv")
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "one.csv"), pd.read_csv(tmp_path / "other.csv")
    )


def test_training_cells_bring_naive_baselines(files, screen, tmp_path, capsys):
    prediction, truth = files
    train = tmp_path / "train.h5ad"
    is_control = (screen.obs["perturbation"] == "control").to_numpy()
    counts_of(screen, is_control | (np.arange(screen.n_obs) % 2 == 1)).write_h5ad(train)
    score(prediction, truth, "--train", train, "--out", tmp_path / "scores.parquet")
    models = set(pd.read_parquet(tmp_path / "scores.parquet")["model"])
    assert {"perturbed-mean", "context-transfer", "no-change"} <= models
    printed = capsys.readouterr().out
    assert "perturbed-mean" in printed
    assert "mean rank" in printed


def test_training_cells_that_are_test_cells_are_refused(files, tmp_path, capsys):
    prediction, truth = files
    message = refused(capsys, prediction, truth, "--train", truth, "--out", tmp_path / "s.csv")
    assert "holds test cells" in message


def test_training_cells_are_known_by_their_numbers_not_their_names(files, tmp_path, capsys):
    prediction, truth = files
    renamed = ad.read_h5ad(truth)
    renamed.obs_names = renamed.obs_names + "-joined"
    renamed.write_h5ad(tmp_path / "renamed.h5ad")
    options = ["--train", tmp_path / "renamed.h5ad", "--out", tmp_path / "s.csv"]
    assert "holds test cells" in refused(capsys, prediction, truth, *options)


def test_no_change_of_all_controls_is_flat_when_it_is_judged_against_all(files, tmp_path):
    _, truth = files
    cells = lognorm(ad.read_h5ad(truth))
    is_control = (cells.obs["perturbation"] == "control").to_numpy()
    asked = cells.obs.loc[~is_control].drop_duplicates().reset_index(drop=True)
    of_cell = cells.obs["context"].to_numpy()
    mean = {
        context: np.asarray(cells.X[is_control & (of_cell == context)].mean(axis=0))
        for context in asked["context"].unique()
    }
    unchanged = ad.AnnData(
        np.vstack([mean[context] for context in asked["context"]]),
        obs=asked.set_axis(asked.index.astype(str)),
        var=cells.var,
        uns={"wildcell": {"kind": "mean", "expression": "lognorm", "target_sum": 1e4}},
    )
    unchanged.write_h5ad(tmp_path / "unchanged.h5ad")
    statuses = {}
    for anchor in ("given", "all"):
        out = tmp_path / f"{anchor}.csv"
        score(tmp_path / "unchanged.h5ad", truth, "--anchor", anchor, "--out", out)
        table = pd.read_csv(out)
        own = table[(table["model"] == "prediction") & (table["metric"] == "pearson_delta")]
        statuses[anchor] = set(own["status"])
    assert statuses == {"given": {"ok"}, "all": {"flat"}}


def test_scores_can_be_kept_as_a_run(files, tmp_path):
    score(*files, "--out", tmp_path / "s.csv", "--model", "mine", "--runs", tmp_path / "runs")
    main(["rank", str(tmp_path / "runs"), "--out", str(tmp_path / "ranks.csv")])
    assert "mine" in set(pd.read_csv(tmp_path / "ranks.csv")["model"])


def change(prediction, tmp_path, mend):
    cells = ad.read_h5ad(prediction)
    changed = mend(cells)
    path = tmp_path / "changed.h5ad"
    (cells if changed is None else changed).write_h5ad(path)
    return path


def with_values(values):
    def mend(cells):
        cells.X = sparse.csr_matrix(values(cells.X.toarray()))

    return mend


def put(matrix, value):
    matrix = matrix.astype(float)
    matrix[3, 5] = value
    return matrix


def rename_first(cells, name):
    obs = cells.obs.astype(str)
    obs.loc[obs["perturbation"] == obs["perturbation"].iloc[0], "perturbation"] = name
    cells.obs = obs


BAD_PREDICTIONS = {
    "missing conditions": (
        lambda cells: cells[cells.obs["perturbation"] != cells.obs["perturbation"].iloc[0]].copy(),
        "lacks 2 of 16 conditions",
    ),
    "extra conditions": (lambda cells: rename_first(cells, "NEW"), "lacks 2 of 16 conditions"),
    "missing genes": (lambda cells: cells[:, 3:].copy(), "lacks 3 of 60 genes"),
    "NaN": (with_values(lambda matrix: put(matrix, np.nan)), "values that are NaN"),
    "infinite": (with_values(lambda matrix: put(matrix, np.inf)), "values that are infinite"),
    "negative": (with_values(lambda matrix: put(matrix, -1.0)), "values that are negative"),
    "no perturbation column": (
        lambda cells: ad.AnnData(cells.X, cells.obs[["context"]], cells.var),
        "no obs column 'perturbation'",
    ),
}


@pytest.mark.parametrize("kind", BAD_PREDICTIONS)
def test_a_bad_prediction_is_refused_and_nothing_is_written(kind, files, tmp_path, capsys):
    mend, expected = BAD_PREDICTIONS[kind]
    prediction, truth = files
    out = tmp_path / "scores.csv"
    message = refused(capsys, change(prediction, tmp_path, mend), truth, "--out", out)
    assert any(part in message for part in expected.split("|")), message
    assert not out.exists()


def test_nan_in_values_of_a_stated_scale_names_the_condition(files, tmp_path, capsys):
    prediction, truth = files
    changed = change(prediction, tmp_path, with_values(lambda matrix: put(matrix, np.nan)))
    message = refused(capsys, changed, truth, "--expression", "counts", "--out", tmp_path / "s.csv")
    assert "NaN" in message
    assert "context-1" in message


def test_missing_and_extra_conditions_can_be_allowed(files, tmp_path):
    prediction, truth = files
    changed = change(prediction, tmp_path, lambda cells: rename_first(cells, "NEW"))
    score(changed, truth, "--conditions", "asked", "--out", tmp_path / "s.csv")
    table = pd.read_csv(tmp_path / "s.csv")
    own = table[(table["model"] == "prediction") & (table["metric"] == "pearson_delta")]
    assert own["status"].value_counts().to_dict() == {"ok": 14, "missing": 2}
    assert "NEW" not in set(own["perturbation"])


def test_common_genes_can_be_scored_alone(files, tmp_path, capsys):
    prediction, truth = files
    changed = change(prediction, tmp_path, lambda cells: lognorm(cells)[:, 3:].copy())
    options = ["--genes", "common", "--target-sum", "10000"]
    score(changed, truth, *options, "--out", tmp_path / "s.csv")
    assert "57 genes in common" in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"not an h5ad file at all"])
def test_a_file_that_is_no_h5ad_is_refused(content, files, tmp_path, capsys):
    path = tmp_path / "bad.h5ad"
    path.write_bytes(content)
    for pair in ((path, files[1]), (files[0], path)):
        assert "bad.h5ad" in refused(capsys, *pair, "--out", tmp_path / "s.csv")


def test_a_truncated_h5ad_is_refused(files, tmp_path, capsys):
    prediction, truth = files
    path = tmp_path / "cut.h5ad"
    path.write_bytes(truth.read_bytes()[: truth.stat().st_size // 2])
    assert "damaged" in refused(capsys, prediction, path, "--out", tmp_path / "s.csv")


@pytest.mark.parametrize(
    ("mend", "message"),
    [
        (lambda cells: cells[cells.obs["perturbation"] != "control"].copy(), "no control cells"),
        (
            lambda cells: cells[
                (cells.obs["perturbation"] != "control") | (cells.obs["context"] == "context-1")
            ].copy(),
            "no controls in 1 of its contexts: context-2",
        ),
    ],
)
def test_a_truth_without_controls_is_refused(mend, message, files, tmp_path, capsys):
    prediction, truth = files
    changed = change(truth, tmp_path, mend)
    assert message in refused(capsys, prediction, changed, "--out", tmp_path / "s.csv")


def test_a_stated_scale_that_the_numbers_contradict_is_refused(files, tmp_path, capsys):
    prediction, truth = files
    in_log = tmp_path / "log.h5ad"
    lognorm(ad.read_h5ad(prediction)).write_h5ad(in_log)
    out = ["--out", tmp_path / "s.csv"]
    assert "look like lognorm" in refused(capsys, in_log, truth, "--expression", "counts", *out)
    assert "look like counts" in refused(capsys, prediction, truth, "--expression", "lognorm", *out)


@pytest.fixture
def mounted(tmp_path):
    """Return a function that mounts a small disk with some options, until the test ends."""
    folder = tmp_path / "disk"

    def mount(options):
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("a disk of one's own needs the right to mount")
        return folder

    yield mount
    if folder.is_mount():
        subprocess.run(["umount", str(folder)], check=True)


def test_a_read_only_folder_is_refused(files, mounted, capsys):
    folder = mounted("ro,size=1m")
    assert "cannot be written" in refused(capsys, *files, "--out", folder / "scores.csv")


def test_a_full_disk_is_refused_and_leaves_nothing(files, mounted, capsys):
    folder = mounted("size=64k")
    assert "disk is full" in refused(capsys, *files, "--out", folder / "scores.csv")
    assert list(folder.iterdir()) == []
