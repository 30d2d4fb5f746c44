"""Library sizes of scored files are those of the genes that the truth's are sums over."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import wildcell
from wildcell.errors import OptionError, PredictionError
from wildcell.scenarios.file_case import Reading, open_case
from wildcell.testing import toy_screen

METRICS = ["effect_r2", "rmse"]


def plain(cells):
    return ad.AnnData(
        X=sparse.csr_matrix(cells.X, dtype=np.float32),
        obs=cells.obs[["context", "perturbation"]].astype(str),
        var=pd.DataFrame(index=cells.var_names),
    )


@pytest.fixture(scope="module")
def parts():
    """Return a prediction, a truth, and training cells of other perturbations."""
    screen = toy_screen(n_contexts=2, n_controls=80, n_cells=40, depth=400.0).cells
    is_control = (screen.obs["perturbation"] == "control").to_numpy()
    names = sorted(set(screen.obs["perturbation"]) - {"control"})
    is_train = screen.obs["perturbation"].isin(names[:2]).to_numpy()
    is_even = np.arange(screen.n_obs) % 2 == 0
    rows = (~is_control & ~is_even & ~is_train, is_control | (is_even & ~is_train), is_train)
    return tuple(plain(screen[each]) for each in rows)


@pytest.fixture(params=["streamed", "read whole"])
def train(request, parts, tmp_path):
    """Return how the numbers of files are read: training cells make them be read whole."""
    if request.param == "streamed":
        return None
    parts[2].write_h5ad(tmp_path / "train.h5ad")
    return tmp_path / "train.h5ad"


def half_of(cells, *, with_sizes=False):
    """Return cells on the first half of the genes, with library sizes over all or without."""
    half = cells[:, : cells.n_vars // 2].copy()
    if with_sizes:
        half.obs["total_counts"] = np.asarray(cells.X.sum(axis=1)).ravel()
    return half


def values_of(prediction, truth, train=None, **options):
    """Return the scores of a prediction, as values in order."""
    scores = wildcell.score(prediction, truth, metrics=METRICS, train=train, **options)
    own = scores[scores["model"] == "prediction"]
    return own.sort_values(["metric", "context", "perturbation"])["value"].to_numpy()


def test_counts_of_a_panel_have_no_library_sizes_on_common_genes(parts, train):
    prediction, truth, _ = parts
    with pytest.raises(PredictionError, match="counts of a panel of genes"):
        values_of(half_of(prediction), truth, train, genes="common")
    found = values_of(half_of(prediction, with_sizes=True), truth, train, genes="common")
    assert found[: len(found) // 2].mean() > 0.5


def test_counts_beyond_the_genes_of_the_truth_are_not_in_library_sizes(parts, train):
    prediction, truth, _ = parts
    expected = values_of(half_of(prediction), half_of(truth), train)
    np.testing.assert_allclose(values_of(prediction, half_of(truth), train), expected, rtol=1e-6)


def lognorm(cells, target_sum=1e4, dtype=np.float32):
    """Return log values as they are often stored, in single precision."""
    values = cells.X.toarray().astype(np.float64)
    shown = np.log1p(values / values.sum(axis=1, keepdims=True) * target_sum).astype(dtype)
    stored = shown if dtype is np.float16 else sparse.csr_matrix(shown)
    return ad.AnnData(stored, cells.obs, cells.var)


def test_copies_of_a_mean_do_not_show_a_library_size(parts):
    prediction, truth, _ = parts
    in_log = lognorm(truth)
    no_change = in_log[(truth.obs["perturbation"] == "control").to_numpy()].X.mean(axis=0)
    X = np.repeat(np.asarray(no_change), prediction.n_obs, axis=0)
    collapsed = ad.AnnData(X, prediction.obs, prediction.var)
    case = open_case({"prediction": collapsed}, in_log, None, Reading())
    assert any("taken to be at the truth's library size of 10000" in one for one in case.notes)
    stated = values_of(collapsed, in_log, target_sum=1e4)
    np.testing.assert_array_equal(values_of(collapsed, in_log), stated)
    with pytest.raises(OptionError, match="cannot be seen"):
        values_of(collapsed, truth)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("target_sum", [1e4, 1234.5, 1e6])
def test_library_sizes_that_are_seen_are_free_of_rounding_and_told(dtype, target_sum, parts):
    shown = [lognorm(part, target_sum, dtype) for part in parts[:2]]
    case = open_case({"prediction": shown[0]}, shown[1], None, Reading())
    depth = case.answers["prediction"].depth
    assert depth == pytest.approx(target_sum, rel=0 if dtype is not np.float16 else 1e-3)
    told = [one for one in case.notes if f"at a library size of {depth:g}, which its" in one]
    assert len(told) in ({2} if dtype is not np.float16 else {1, 2})


def test_log_values_in_single_precision_are_of_one_size(parts):
    prediction, truth, _ = parts
    rows = np.arange(prediction.n_obs) % 2 == 0
    pair = {"a": lognorm(prediction[rows], 1234.56), "b": lognorm(prediction[~rows], 1234.56)}
    scores = wildcell.score(pair, truth, metrics=METRICS)
    for name, one in pair.items():
        own = scores[scores["model"] == name].sort_values(["metric", "context", "perturbation"])
        np.testing.assert_allclose(own["value"], values_of(one, truth), rtol=1e-6)


def test_log_values_of_more_genes_than_the_library_sizes_of_a_truth_are_refused(parts, train):
    prediction, truth, _ = parts
    in_log = lognorm(prediction)
    with pytest.raises(PredictionError, match=r"State the truth's over all genes .*total_counts"):
        values_of(in_log, half_of(truth), train)
    found = values_of(in_log, half_of(truth, with_sizes=True))
    expected = values_of(half_of(in_log), half_of(truth, with_sizes=True), target_sum=1e4)
    np.testing.assert_array_equal(found, expected)
