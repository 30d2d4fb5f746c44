"""What is kept of a truth: the same numbers to the bit, less work, no trust in damaged files."""

import os

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import wildcell
from wildcell import file_evidence
from wildcell.cli.main import main
from wildcell.judge import Judge
from wildcell.metrics import distance, response
from wildcell.store import keeping
from wildcell.store.keeping import Shelf, open_shelf
from wildcell.testing import toy_screen
from wildcell.truth_shelf import TRUTHS

METRICS = ["headline", "energy_distance", "mmd", "sinkhorn_pca"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Write a truth and two predictions: parts of one experiment."""
    folder = tmp_path_factory.mktemp("files")
    screen = toy_screen(n_contexts=2, n_controls=80, n_cells=40, depth=400.0).cells
    is_control = (screen.obs["perturbation"] == "control").to_numpy()
    third = np.arange(screen.n_obs) % 3
    parts = {"truth": is_control | (third == 0), "a": third == 1, "b": third == 2}
    for name, rows in parts.items():
        chosen = screen[rows if name == "truth" else rows & ~is_control]
        ad.AnnData(
            X=sparse.csr_matrix(chosen.X, dtype=np.float32),
            obs=chosen.obs[["context", "perturbation"]].astype(str),
            var=pd.DataFrame(index=chosen.var_names),
        ).write_h5ad(folder / f"{name}.h5ad")
    return folder


def scored(files, name, cache=None, **options):
    options = {"metrics": METRICS, **options}
    return wildcell.score(files / f"{name}.h5ad", files / "truth.h5ad", cache=cache, **options)


def shelves(cache):
    return list((cache / TRUTHS).iterdir())


def test_scores_are_the_same_to_the_bit_with_and_without_what_was_kept(files, tmp_path):
    for name in ("a", "b", "a"):
        kept = scored(files, name, tmp_path)
        pd.testing.assert_frame_equal(kept, scored(files, name), check_exact=True)
    assert len(shelves(tmp_path)) == 1


def only_predictions(refuse):
    """Return a test of ranks for predictions, whose plan has no halves, and no others."""
    test = file_evidence.RankStore.test

    def tested(store, plan, **options):
        n_conditions, n_groups = len(plan.sizes), len(plan.reference_sizes)
        is_of_prediction = len(plan.reference) == n_conditions + n_groups
        return test(store, plan, **options) if is_of_prediction else refuse()

    return tested


def test_what_was_kept_is_not_computed_again(files, tmp_path, monkeypatch):
    scored(files, "a", tmp_path)

    def refuse(*_, **__):
        raise AssertionError("computed again")

    monkeypatch.setattr(response, "fit_components", refuse)
    monkeypatch.setattr(distance, "mean_distance_within", refuse)
    monkeypatch.setattr(distance, "own_scale", refuse)
    monkeypatch.setattr(Judge, "replicate", refuse)
    monkeypatch.setattr(file_evidence.RankStore, "test", only_predictions(refuse))
    scored(files, "b", tmp_path)
    with pytest.raises(AssertionError, match="computed again"):
        scored(files, "b", tmp_path, seed=1)


def test_other_metrics_and_options_do_not_take_what_is_anothers(files, tmp_path):
    scored(files, "a", tmp_path, metrics=["pearson_delta"])
    for options in ({"metrics": METRICS}, {"seed": 2}, {"anchor": "all"}):
        kept = scored(files, "a", tmp_path, **options)
        pd.testing.assert_frame_equal(kept, scored(files, "a", **options), check_exact=True)
    assert len(shelves(tmp_path)) == 3


def test_what_is_damaged_is_computed_anew_with_a_notice(files, tmp_path, capsys):
    expected = scored(files, "a", tmp_path)
    kept = [path for folder in shelves(tmp_path) for path in folder.iterdir()]
    for path in kept:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content if "within" in path.name else content[: len(content) // 2])
    out = tmp_path / "scores.parquet"
    words = ["--out", out, "--cache", tmp_path, "--metrics", ",".join(METRICS)]
    main(["score", *map(str, [files / "a.h5ad", files / "truth.h5ad", *words])])
    assert capsys.readouterr().out.count("is damaged; computed anew") == len(kept)
    found = pd.read_parquet(out)
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    assert {path for folder in shelves(tmp_path) for path in folder.iterdir()} == set(kept)


def test_the_command_keeps_nothing_when_told_so(files, tmp_path, monkeypatch):
    monkeypatch.setenv("WILDCELL_CACHE", str(tmp_path / "cache"))
    arguments = [files / "a.h5ad", files / "truth.h5ad", "--out", tmp_path / "scores.csv"]
    words = [*map(str, arguments), "--metrics", "rmse,pearson_delta,energy_distance"]
    main(["score", *words, "--no-cache"])
    assert not (tmp_path / "cache").exists()
    main(["score", *words])
    assert len(shelves(tmp_path / "cache")) == 1


def test_a_shelf_is_of_one_version_of_the_software(tmp_path, monkeypatch):
    first = open_shelf(tmp_path, "truth").folder
    assert open_shelf(tmp_path, "truth").folder == first
    monkeypatch.setattr(keeping, "software", lambda: "another")
    assert open_shelf(tmp_path, "truth").folder != first


def test_shelves_that_were_used_longest_ago_make_room(tmp_path):
    folders = {}
    for name, seconds in (("old", 200), ("older", 100), ("new", 300)):
        shelf = open_shelf(tmp_path, name)
        shelf("values", lambda: {"x": np.zeros(1000)})
        os.utime(shelf.folder, (seconds, seconds))
        folders[name] = shelf.folder
    open_shelf(tmp_path, "another", 2 * 8500)
    assert [name for name, folder in folders.items() if folder.exists()] == ["old", "new"]
    open_shelf(tmp_path, "old", 0)
    assert [name for name, folder in folders.items() if folder.exists()] == ["old"]


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    shelf = Shelf(blocked / "truths")
    assert shelf("values", lambda: {"x": np.ones(1)})["x"].tolist() == [1.0]
    assert any("Nothing is kept" in note for note in shelf.notes)
