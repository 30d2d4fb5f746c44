"""However cells are laid out, they are scored as the same cells, or refused with a reason.

Many more layouts, and files that are broken at random, are tried by `benchmarks/fuzz.py`.
"""

import subprocess
import sys
from functools import cache
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from wildcell.errors import BenchmarkError, DataError, OptionError, PredictionError
from wildcell.outside import judge_files
from wildcell.scenarios.file_case import Reading

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from fuzz import MUTATIONS, clean_pair, run_cases

METRICS = ("effect_r2", "pearson_delta", "cosine_lfc", "retrieval_cosine", "energy_distance")


def pair():
    return tuple(cells.copy() for cells in clean_pair())


def scores_of(prediction, truth, **words):
    """Return the scores of all models, condition by condition, in order."""
    table = judge_files(
        {"prediction": prediction}, truth, metrics=METRICS, reading=Reading(**words)
    ).scores
    keys = ["model", "context", "perturbation", "metric"]
    return table.sort_values(keys, ignore_index=True)


@cache
def expected():
    return scores_of(*pair())


def assert_as_expected(prediction, truth, *, names=("context", "perturbation")):
    found = scores_of(prediction, truth)
    assert found["status"].tolist() == expected()["status"].tolist()
    np.testing.assert_allclose(found["value"], expected()["value"], rtol=1e-4, atol=1e-4)
    for name in names:
        assert found[name].tolist() == expected()[name].tolist()


def with_x(cells, X):
    return ad.AnnData(X, obs=cells.obs, var=cells.var)


SAME = {
    "coordinates": lambda cells: with_x_of(cells, sparse.coo_matrix),
    "sparse array": lambda cells: with_x(cells, sparse.csr_array(cells.X)),
    "columns": lambda cells: with_x(cells, sparse.csc_matrix(cells.X)),
    "view": lambda cells: cells[np.arange(cells.n_obs), np.arange(cells.n_vars)],
    "view of a view": lambda cells: cells[:][:, cells.var_names],
    "Fortran": lambda cells: with_x(cells, np.asfortranarray(cells.X.toarray())),
    "half precision": lambda cells: with_x(cells, cells.X.toarray().astype(np.float16)),
    "big-endian": lambda cells: with_x(cells, cells.X.toarray().astype(">f4")),
    "bytes": lambda cells: with_x(cells, cells.X.toarray().astype(np.uint8)),
    "signed bytes": lambda cells: with_x(cells, cells.X.astype(np.int8)),
    "long integers": lambda cells: with_x(cells, cells.X.astype(np.int64)),
    "unsigned": lambda cells: with_x(cells, cells.X.astype(np.uint64)),
}


def with_x_of(cells, layout):
    """Put numbers in a layout that AnnData itself does not take."""
    result = cells.copy()
    result._X = layout(cells.X)
    return result


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("name", SAME)
def test_cells_in_memory_are_scored_alike_in_any_layout(name, side):
    cells = list(pair())
    cells[side] = SAME[name](cells[side])
    assert_as_expected(*cells)


def test_sums_of_bytes_do_not_overflow():
    """Library sizes are far above what a byte holds."""
    _, truth = pair()
    assert truth.X.sum(axis=1).min() > 127


@pytest.mark.parametrize("side", [0, 1])
def test_backed_cells_are_scored_alike(side, tmp_path):
    cells = list(pair())
    cells[side].write_h5ad(tmp_path / "cells.h5ad")
    cells[side] = ad.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    assert_as_expected(*cells)


@pytest.mark.parametrize("name", ["bool", "ones"])
def test_counts_of_zero_and_one_may_be_booleans(name):
    clean = [with_x(cells, (cells.X > 1).astype(np.float32)) for cells in pair()]
    known = scores_of(*clean)
    dtype = bool if name == "bool" else np.int8
    found = scores_of(*(with_x(cells, cells.X.astype(dtype)) for cells in clean))
    np.testing.assert_allclose(found["value"], known["value"], atol=1e-6)


ALPHABET = ["é", "日本", "a/b", "../x", "A+B", "drug@1", "50%", "x y", "'\"", "100%2B", "NaN?", "-"]


def renamed(perturbations, contexts):
    """Return the pair under other names, in one order with the old ones."""
    cells = pair()
    keys = sorted(set(cells[1].obs["perturbation"]) - {"control"})
    names = dict(zip(keys, perturbations, strict=False)) | {"control": "control"}
    for one in cells:
        one.obs["perturbation"] = one.obs["perturbation"].astype(str).map(names)
        one.obs["context"] = one.obs["context"].astype(str).map(contexts)
        assert one.obs.notna().all(axis=None)
    return cells


def test_names_may_hold_any_signs():
    plain = [f"{i:02d}" for i in range(20)]
    odd = [name + ALPHABET[i % len(ALPHABET)] for i, name in enumerate(plain)]
    contexts = {"context-1": "1/é +@%", "context-2": "2/../日本"}  # the halving follows their names
    known = scores_of(*renamed(plain, contexts))
    found = scores_of(*renamed(odd, contexts))
    assert found["status"].tolist() == known["status"].tolist()
    np.testing.assert_allclose(found["value"], known["value"], rtol=1e-4, atol=1e-4)
    assert set(found["perturbation"]) <= set(odd)


def test_contexts_may_be_numbers_in_one_file_and_text_in_the_other():
    numbers, text = (
        dict(zip(["context-1", "context-2"], n, strict=True)) for n in ([1.0, 2.0], "12")
    )
    prediction, truth = pair()
    for one, names in ((prediction, numbers), (truth, text)):
        one.obs["context"] = one.obs["context"].astype(str).map(names)
    found = scores_of(prediction, truth)
    prediction.obs["context"] = pair()[0].obs["context"].map(text)
    pd.testing.assert_frame_equal(found, scores_of(prediction, truth))


def test_one_condition_and_one_gene_are_scored_as_far_as_they_go():
    one_gene = [cells[:, :1].copy() for cells in pair()]
    for cells in one_gene:  # a cell without counts has no library size
        cells.X = cells.X + sparse.csr_matrix(np.ones(cells.shape, dtype=np.float32))
    table = scores_of(*one_gene)
    assert (np.isfinite(table["value"]) == (table["status"] == "ok")).all()
    prediction, truth = pair()
    alone = "G0001"
    is_alone = prediction.obs["perturbation"] == alone
    held_to = truth.obs["perturbation"].isin([alone, "control"])
    table = scores_of(prediction[is_alone.to_numpy()], truth[held_to.to_numpy()])
    own = table[(table["model"] == "prediction") & (table["metric"] == "retrieval_cosine")]
    assert set(own["status"]) == {"too_few_candidates"}


def refused(kind, words, prediction, truth, **reading):
    with pytest.raises(kind, match=words):
        judge_files({"prediction": prediction}, truth, metrics=METRICS, reading=Reading(**reading))


def test_conditions_are_missing_or_too_many():
    prediction, truth = pair()
    is_first = (prediction.obs["perturbation"] == "G0001").to_numpy()
    refused(PredictionError, "lacks 2 of", prediction[~is_first], truth)
    extra = prediction.copy()
    extra.obs["perturbation"] = extra.obs["perturbation"].astype(str)
    extra = ad.concat([prediction, extra[is_first].copy()], index_unique="-")
    names = extra.obs["perturbation"].astype(str).to_numpy(dtype=object)
    names[-int(is_first.sum()) :] = "NEW"
    extra.obs["perturbation"] = names
    refused(PredictionError, "2 conditions that the truth lacks", extra, truth)
    table = scores_of(extra, truth, must_match=False)
    np.testing.assert_allclose(table["value"], expected()["value"], atol=1e-6)


@pytest.mark.parametrize("size", [np.nan, np.inf, -1.0, 0.0, "many"])
def test_library_sizes_that_cannot_be_are_refused(size):
    prediction, truth = pair()
    sizes = prediction.X.sum(axis=1).A1.astype(object)
    sizes[3] = size
    prediction.obs["total_counts"] = sizes
    refused(DataError, "total_counts", prediction, truth)


def test_logs_of_logs_are_refused_with_what_would_do():
    prediction, truth = pair()
    X = prediction.X.astype(np.float64)
    X.data = np.log1p(np.log1p(X.data))
    refused(OptionError, "--target-sum", with_x(prediction, X), truth)


def test_masked_and_object_arrays_are_refused():
    prediction, truth = pair()
    broken = prediction.copy()
    broken._X = np.ma.masked_array(prediction.X.toarray())
    refused(BenchmarkError, "dense or sparse", broken, truth)
    broken._X = prediction.X.toarray().astype(object)
    refused(BenchmarkError, "real numbers", broken, truth)


@pytest.mark.parametrize("outcome", ["same", "wrong", "damaged"])
def test_files_changed_at_random_are_refused_or_scored_alike(outcome):
    """As many cases as take a moment; `benchmarks/fuzz.py` runs hundreds."""
    assert outcome in {one.outcome for one in MUTATIONS.values()}
    first = {"same": 0, "wrong": 1000, "damaged": 2000}[outcome]
    ends, wrong = run_cases(range(first, first + 12))
    assert wrong == []
    assert not [end for end in ends if end in {"traceback", "unclean"}]


BROKEN = {
    "absent": lambda path: None,
    "empty": lambda path: path.write_bytes(b""),
    "a folder": lambda path: path.mkdir(),
    "text": lambda path: path.write_text("cell,gene\n"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_the_program_itself_refuses_in_a_sentence(name, tmp_path):
    BROKEN[name](tmp_path / "bad.h5ad")
    command = [sys.executable, "-m", "wildcell.cli.main", "score", "bad.h5ad", "bad.h5ad"]
    done = subprocess.run(
        [*command, "--out", "scores.csv"], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("wildcell: ")
    assert "bad.h5ad" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "scores.csv").exists()


def test_tables_of_scores_hold_names_with_commas_and_line_ends(tmp_path):
    prediction, truth = pair()
    name = 'a,"b"\nc'
    for one in (prediction, truth):
        one.obs["perturbation"] = one.obs["perturbation"].astype(str).replace({"G0001": name})
    table = scores_of(prediction, truth)
    table.to_csv(tmp_path / "s.csv", index=False)
    assert name in set(pd.read_csv(tmp_path / "s.csv")["perturbation"])
