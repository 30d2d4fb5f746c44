"""Scores from Python: those of the command, for whatever cells lie in memory or in files."""

from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import wildcell
from wildcell import file_evidence, preset_rows, truth_shelf
from wildcell.cli.main import main
from wildcell.datasets.dataset import COMPONENT_COLUMNS
from wildcell.difficulty import MEASURED, measured_difficulty
from wildcell.errors import BenchmarkError, DataError, OptionError, PredictionError
from wildcell.metrics import distance, response
from wildcell.names import SCORE_COLUMNS
from wildcell.outside import judge_files
from wildcell.results.rank import rank
from wildcell.results.summary import means_table
from wildcell.scenarios.file_case import Reading, open_case
from wildcell.scoring import ScoreNotes
from wildcell.store.runs import read_conditions
from wildcell.testing import toy_screen

SEVERAL = ["pearson_delta", "energy_distance_pca", "de_auprc", "retrieval_cosine"]


def plain(cells, rows):
    chosen = cells[rows]
    return ad.AnnData(
        X=sparse.csr_matrix(chosen.X, dtype=np.float32),
        obs=chosen.obs[["context", "perturbation"]].astype(str),
        var=pd.DataFrame(index=chosen.var_names),
    )


@pytest.fixture(scope="module")
def cells():
    """Return a truth, and three predictions: thirds of the same experiment."""
    screen = toy_screen(n_contexts=2, n_controls=80, n_cells=40, depth=400.0).cells
    is_control = (screen.obs["perturbation"] == "control").to_numpy()
    quarter = np.arange(screen.n_obs) % 4
    predictions = {
        name: plain(screen, ~is_control & (quarter == i))
        for i, name in enumerate(["a", "b", "c"], start=1)
    }
    return plain(screen, is_control | (quarter == 0)), predictions


@pytest.fixture(scope="module")
def files(cells, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    truth, predictions = cells
    truth.write_h5ad(folder / "truth.h5ad")
    for name, one in predictions.items():
        one.write_h5ad(folder / f"{name}.h5ad")
    return folder


def lognorm(cells, target_sum=1e4):
    values = cells.X.toarray()
    shown = np.log1p(values / values.sum(axis=1, keepdims=True) * target_sum)
    return ad.AnnData(sparse.csr_matrix(shown), cells.obs, cells.var)


def same(one, other):
    """Hold two tables to each other bit for bit, but for the data set's name."""
    drop = ["dataset"]
    pd.testing.assert_frame_equal(
        one.drop(columns=drop), other.drop(columns=drop), check_exact=True
    )


def own_rows(table, model, name="prediction"):
    return table[table["model"] == model].assign(model=name).reset_index(drop=True)


def test_a_condition_in_several_control_groups_is_refused_by_name(cells):
    truth, predictions = cells
    grouped = truth.copy()
    grouped.obs["control_group"] = np.where(np.arange(truth.n_obs) % 8 < 4, "day 1", "day 2")
    with pytest.raises(DataError, match=r"lie in several control groups, such as .* 'day 1', 'day"):
        wildcell.score(predictions["a"], grouped)


def test_a_label_of_controls_that_does_not_occur_is_said_not_to(cells):
    truth, predictions = cells
    with pytest.raises(DataError, match="no cells labelled 'contrl', as controls are said to be"):
        wildcell.score(predictions["a"], truth, control="contrl")


BAD_COMPONENTS = {
    "a text": ("KLF1", "is a str; it must be a table with the columns perturbation"),
    "other columns": (pd.DataFrame({"gene": ["KLF1"]}), "found: gene"),
    "lacking perturbations": (
        pd.DataFrame([["X", "X", 1.0, "", 1.0]], columns=COMPONENT_COLUMNS),
        r"lacks \d+ of its perturbations",
    ),
}


@pytest.mark.parametrize("kind", BAD_COMPONENTS)
def test_components_that_cannot_be_used_are_refused_in_words(kind, cells):
    truth, predictions = cells
    stated, message = BAD_COMPONENTS[kind]
    one = truth.copy()
    one.uns["wildcell"] = {"components": stated}
    with pytest.raises(DataError, match=message):
        wildcell.score(predictions["a"], one, metrics="rmse")


BAD_OPTIONS = {
    "metrics": ([], None, [3], "", {"rmse": 1}),
    "seed": (1.5, "a", None, -1),
    "target_sum": ("1e4", 0, float("nan")),
    "perturbation_column": (None, ""),
    "control": (None,),
}


@pytest.mark.parametrize("word", BAD_OPTIONS)
def test_options_of_another_kind_are_refused_in_words(word, cells):
    truth, predictions = cells
    for value in BAD_OPTIONS[word]:
        with pytest.raises(OptionError):
            wildcell.score(predictions["a"], truth, **{word: value})


def test_metrics_may_have_commas_between_them(cells):
    truth, predictions = cells
    table = wildcell.score(predictions["a"], truth, metrics="rmse, mae")
    assert set(table["metric"]) == {"rmse", "mae"}


def test_a_cache_that_is_a_file_is_refused(cells, tmp_path):
    truth, predictions = cells
    (tmp_path / "cache").write_text("taken")
    with pytest.raises(OptionError, match="is a file; name a folder"):
        wildcell.score(predictions["a"], truth, cache=tmp_path / "cache")


def test_what_is_noted_of_the_cells_is_in_the_table_and_a_warning(cells):
    truth, predictions = cells
    with pytest.warns(ScoreNotes, match="halved after the fact"):
        table = wildcell.score(predictions["a"], truth, metrics="rmse")
    assert any("by the look of its numbers" in note for note in table.attrs["notes"])


def test_files_that_were_scored_can_be_written_anew(cells, tmp_path):
    truth, predictions = cells
    paths = [tmp_path / "prediction.h5ad", tmp_path / "truth.h5ad"]
    for path, some in zip(paths, (predictions["a"], truth), strict=True):
        some.write_h5ad(path)
    judgement = judge_files({"mine": paths[0]}, paths[1], metrics=["rmse"])
    for path, some in zip(paths, (predictions["b"], truth), strict=True):
        some.write_h5ad(path)
    assert "mine" in judgement.results


def relabelled(cells, names):
    one = cells.copy()
    one.obs["perturbation"] = one.obs["perturbation"].astype(str).replace(names)
    return one


def test_labels_that_look_like_combinations_are_noted(cells):
    truth, predictions = cells
    keys = sorted(set(truth.obs["perturbation"]) - {"control"})
    n_joined = sum("+" in key for key in keys)
    first, second = [key for key in keys if "+" not in key][:2]
    names = {first: f"{first}_{second}", second: f"ctrl+{second}"}
    pair = [relabelled(one, names) for one in (predictions["a"], truth)]
    notes = wildcell.score(*pair, metrics="rmse").attrs["notes"]
    assert any(f"{n_joined + 2} perturbations look like combinations" in note for note in notes)
    stated = truth.copy()
    stated.uns["wildcell"] = {
        "components": pd.DataFrame({"perturbation": keys, "component": keys}).reindex(
            columns=COMPONENT_COLUMNS
        )
    }
    notes = wildcell.score(predictions["a"], stated, metrics="rmse").attrs["notes"]
    assert not any("look like combinations" in note for note in notes)


def test_modalities_are_known_whatever_their_case_and_others_are_noted(cells):
    truth, predictions = cells
    tables = {}
    for word in ("drug", "Drug", "CRISPR-i", "voodoo"):
        one = truth.copy()
        one.obs["modality"] = word
        tables[word] = wildcell.score(predictions["a"], one, metrics="pearson_delta")
    same(tables["Drug"], tables["drug"])
    assert not tables["Drug"].equals(tables["CRISPR-i"])
    noted = [word for word, table in tables.items() if "voodoo" in str(table.attrs["notes"])]
    assert noted == ["voodoo"]


def test_runs_of_scored_files_can_be_laid_in_strata(files, tmp_path, capsys):
    runs, paths = tmp_path / "runs", [files / "a.h5ad", files / "truth.h5ad"]
    options = ["--out", tmp_path / "s.csv", "--runs", runs]
    main(["score", *map(str, (*paths, *options))])
    main(["rank", str(runs), "--by", "effect_size", "--bins", "2"])
    assert "effect_size" in capsys.readouterr().out
    found = read_conditions(runs).set_index(["context", "perturbation"]).sort_index()
    read = open_case({"a": paths[0]}, paths[1], None, Reading()).unread.read_all()
    expected = measured_difficulty(read).set_index(["context", "perturbation"]).sort_index()
    assert (found["n_cells"] == expected["n_test_cells"]).all()
    for name in MEASURED:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-4, err_msg=name)
    assert found["unknown"].str.contains("context_distance: no training cells").all()


@pytest.mark.parametrize("preset", [None, "cell-eval-0.8"])
def test_python_gives_the_table_of_the_command(preset, cells, files, tmp_path):
    out = tmp_path / "scores.parquet"
    words = [] if preset is None else ["--preset", preset]
    main(["score", str(files / "a.h5ad"), str(files / "truth.h5ad"), "--out", str(out), *words])
    written = pd.read_parquet(out)
    assert list(written) == SCORE_COLUMNS
    same(written, wildcell.score(files / "a.h5ad", str(files / "truth.h5ad"), preset=preset))
    truth, predictions = cells
    same(written, wildcell.score(predictions["a"], truth, preset=preset))


def test_options_are_those_of_the_command(cells, files, tmp_path):
    out = tmp_path / "scores.parquet"
    arguments = [files / "a.h5ad", files / "truth.h5ad", "--out", out, "--seed", 3]
    words = ["--anchor", "all", "--metrics", "pearson_delta,rmse", "--genes", "common"]
    main(["score", *map(str, arguments), *words])
    truth, predictions = cells
    options = {"metrics": ["pearson_delta", "rmse"], "genes": "common"}
    found = wildcell.score(predictions["a"], truth, seed=3, anchor="all", **options)
    same(pd.read_parquet(out), found)


def views_of(cells):
    """Return the same cells in many shapes, each a claim that it does not matter."""
    padded = ad.concat([cells, cells], index_unique="-", keys=["one", "two"])
    backwards = cells[::-1].copy()
    return {
        "a view": padded[: cells.n_obs],
        "a view by rows in another order": backwards[::-1],
        "dense": ad.AnnData(cells.X.toarray(), cells.obs, cells.var),
        "csc": ad.AnnData(sparse.csc_matrix(cells.X), cells.obs, cells.var),
        "csr array": ad.AnnData(sparse.csr_array(cells.X), cells.obs, cells.var),
        "integers": ad.AnnData(cells.X.astype(np.int64), cells.obs, cells.var),
        "categories": ad.AnnData(cells.X, cells.obs.astype("category"), cells.var),
    }


@pytest.mark.parametrize("side", ["prediction", "truth"])
def test_how_cells_lie_in_memory_does_not_matter(side, cells):
    truth, predictions = cells
    expected = wildcell.score(predictions["a"], truth, metrics=SEVERAL)
    whole = truth if side == "truth" else predictions["a"]
    for name, one in views_of(whole).items():
        pair = (predictions["a"], one) if side == "truth" else (one, truth)
        before = one.X.copy()
        found = wildcell.score(*pair, metrics=SEVERAL)
        pd.testing.assert_frame_equal(found, expected, check_exact=True, obj=name)
        assert (abs(before - one.X)).max() == 0, name


def test_names_of_predicted_cells_may_repeat_and_those_of_a_truth_may_not(cells):
    truth, predictions = cells
    twice = predictions["a"].copy()
    twice.obs_names = ["cell"] * twice.n_obs
    same(wildcell.score(twice, truth), wildcell.score(predictions["a"], truth))
    doubled = truth.copy()
    doubled.obs_names = ["cell"] * doubled.n_obs
    with pytest.raises(DataError, match="Cell names occur more than once"):
        wildcell.score(predictions["a"], doubled)


def test_what_cannot_be_used_is_refused_in_words(cells):
    truth, predictions = cells
    one = predictions["a"]
    genes = one.copy()
    genes.var_names = ["gene"] * genes.n_vars
    with pytest.raises(DataError, match="gene names occur more than once"):
        wildcell.score(genes, truth)
    with pytest.raises(DataError, match=r"no obs column 'gene'\. .*--perturbation-column"):
        wildcell.score(one, truth, perturbation_column="gene")
    with pytest.raises(OptionError, match="genes is 'some'; it must be one of all, common"):
        wildcell.score(one, truth, genes="some")
    with pytest.raises(OptionError, match="is a DataFrame; give an AnnData"):
        wildcell.score(one.obs, truth)
    with pytest.raises(OptionError, match="There is no prediction"):
        wildcell.score({}, truth)
    with pytest.raises(OptionError, match="would be called mine"):
        wildcell.score(["a/mine.h5ad", "b/mine.h5ad"], truth)
    with pytest.raises(PredictionError, match="lacks"):
        wildcell.score({"a": one, "b": one[:, 3:]}, truth)
    with pytest.raises(DataError, match="a view, cannot be taken"):
        wildcell.score(one[np.arange(one.n_obs), ::-1], truth)
    with pytest.raises(OptionError, match="there is no --anchor"):
        wildcell.score(one, truth, preset="systema", anchor="all")
    with pytest.raises(OptionError, match="there is no --metrics"):
        wildcell.score(one, truth, preset="systema", metrics=["rmse"])


@pytest.mark.parametrize("preset", [None, "cell-eval-0.8", "systema"])
def test_a_truth_of_one_kind_of_cells_is_refused_in_words(preset, cells):
    truth, predictions = cells
    is_control = (truth.obs["perturbation"] == "control").to_numpy()
    with pytest.raises(BenchmarkError, match="has no perturbed cells"):
        wildcell.score(predictions["a"], truth[is_control], preset=preset)
    with pytest.raises(BenchmarkError, match=r"has no control cells\. .*--control"):
        wildcell.score(predictions["a"], truth[~is_control], preset=preset)


@pytest.mark.parametrize("preset", [None, "cell-eval-0.8"])
def test_a_label_that_looks_like_controls_is_named(preset, cells):
    truth, predictions = cells
    other = truth.copy()
    other.obs["perturbation"] = other.obs["perturbation"].replace("control", "non-targeting")
    with pytest.raises(BenchmarkError, match="give --control 'non-targeting'"):
        wildcell.score(predictions["a"], other, preset=preset)


@pytest.mark.parametrize("preset", [None, "cell-eval-0.8"])
def test_predictions_of_nothing_that_is_asked_are_refused(preset, cells):
    truth, predictions = cells
    one = predictions["a"]
    is_control = (one.obs["perturbation"] == "control").to_numpy()
    with pytest.raises(BenchmarkError, match="has no perturbed cells: it holds controls alone"):
        wildcell.score(truth[truth.obs["perturbation"] == "control"].copy(), truth, preset=preset)
    renamed = one[~is_control].copy()
    renamed.obs["perturbation"] = renamed.obs["perturbation"].astype(str) + "_KO"
    with pytest.raises(BenchmarkError, match="no conditions in common; the truth has"):
        wildcell.score(renamed, truth, preset=preset, conditions="asked")


@pytest.mark.parametrize("preset", [None, "perturbench", "vcc2026"])
def test_several_predictions_score_as_each_alone(preset, cells):
    truth, predictions = cells
    found = wildcell.score(predictions, truth, preset=preset)
    for name, one in predictions.items():
        alone = wildcell.score(one, truth, preset=preset)
        same(own_rows(found, name), own_rows(alone, "prediction"))
        if preset is None:
            same(own_rows(found, "replicate"), own_rows(alone, "replicate"))


def counting(monkeypatch, calls, owner, name):
    """Count what a function of an owner is called for."""
    function = getattr(owner, name)

    def counted(*args, **kwargs):
        calls.append(name)
        return function(*args, **kwargs)

    monkeypatch.setattr(owner, name, counted)


def test_what_is_the_truths_alone_is_computed_once_for_all_predictions(cells, monkeypatch):
    truth, predictions = cells
    computed = {"one": [], "three": []}
    for word, some in (("one", {"a": predictions["a"]}), ("three", predictions)):
        with monkeypatch.context() as patch:
            calls = computed[word]
            counting(patch, calls, file_evidence._TruthTests, "_test")
            counting(patch, calls, truth_shelf, "truth_evidence")
            counting(patch, calls, file_evidence, "_drawn_of")
            counting(patch, calls, response, "fit_components")
            counting(patch, calls, distance, "mean_distance_within")
            wildcell.score(some, truth, metrics=SEVERAL)
    n = {word: {name: calls.count(name) for name in set(calls)} for word, calls in computed.items()}
    for name in ("truth_evidence", "_test", "fit_components", "mean_distance_within"):
        assert n["one"][name] == n["three"][name] > 0, name
    assert n["three"]["_drawn_of"] - n["one"]["_drawn_of"] == 2


def test_a_presets_truth_is_made_once_for_all_predictions(cells, monkeypatch):
    truth, predictions = cells
    calls = []
    counting(monkeypatch, calls, preset_rows, "_logs_of")
    counting(monkeypatch, calls, preset_rows, "side_of_cells")
    wildcell.score(predictions, truth, preset="systema")
    n_predictions, n_contexts = len(predictions), truth.obs["context"].nunique()
    assert calls.count("_logs_of") == 1 + n_predictions
    assert calls.count("side_of_cells") == n_contexts * (1 + n_predictions)


def test_the_command_takes_several_predictions_and_ranks_them(files, tmp_path, capsys):
    out = tmp_path / "scores.parquet"
    paths = [files / f"{name}.h5ad" for name in ("a", "b", "truth")]
    main(["score", *map(str, paths), "--out", str(out), "--runs", str(tmp_path / "runs")])
    printed = capsys.readouterr().out
    assert set(pd.read_parquet(out)["model"]) == {"a", "b", "replicate", "ceiling"}
    header = next(line for line in printed.splitlines() if line.startswith("metric"))
    assert header.split() == ["metric", "best", "a", "b", "replicate", "ceiling", "scored"]
    assert [line.split()[0] for line in printed.splitlines() if "_detected" in line] == []
    words = [line.split() for line in printed.splitlines()]
    over = next(i for i, line in enumerate(words) if line[:3] == ["metric", "model", "macro"])
    rows = [line[:2] for line in words[over + 1 : -2] if line[0] == "effect_r2"]
    assert rows == [["effect_r2", "a"], ["effect_r2", "b"]]
    place = next(line for line in printed.splitlines() if line.startswith("mean rank"))
    assert sum(map(float, place.split()[3:5])) == 3.0
    assert [line[:3] for line in printed.strip().splitlines()[-2:]] == ["a: ", "b: "]
    main(["score", *map(str, paths), "--out", str(out), "--model", "mine, yours"])
    assert {"mine", "yours"} < set(pd.read_parquet(out)["model"])


def test_log_values_of_several_sizes_are_not_scored_together(cells):
    truth, predictions = cells
    pair = {"a": lognorm(predictions["a"]), "b": lognorm(predictions["b"], 5e3)}
    with pytest.raises(OptionError, match="at several library sizes: 'a' at 10000, 'b' at 5000"):
        wildcell.score(pair, truth)
    pair["b"] = predictions["b"]
    with pytest.raises(OptionError, match="'b' holds counts, to be taken at the truth's own"):
        wildcell.score(pair, truth)


def test_counts_are_brought_to_the_library_size_of_a_truth_of_log_values(cells):
    truth, predictions = cells
    tables = [
        wildcell.score(one, lognorm(truth), metrics=["pearson_delta", "rmse"])
        for one in (predictions["a"], lognorm(predictions["a"]))
    ]
    np.testing.assert_allclose(*(table["value"] for table in tables), rtol=1e-4, atol=1e-5)
    panel = lognorm(truth)[:, 20:]
    panel.uns["wildcell"] = {"target_sum": 1e4}
    with pytest.raises(PredictionError, match="counts of a panel of genes"):
        wildcell.score(predictions["a"], panel, metrics="rmse")
    panel.uns["wildcell"] = {}
    with pytest.raises(PredictionError, match="log values of a library size that is not known"):
        wildcell.score(predictions["a"], panel, metrics="rmse")


def test_common_genes_are_those_of_all_predictions(cells):
    truth, predictions = cells
    pair = {"a": lognorm(predictions["a"])[:, 2:], "b": lognorm(predictions["b"])[:, :-2]}
    options = {"genes": "common", "metrics": "rmse"}
    inner = {name: one[:, truth.var_names[2:-2]] for name, one in pair.items()}
    options |= {"target_sum": 1e4}
    same(wildcell.score(pair, truth, **options), wildcell.score(inner, truth, **options))


def test_a_truth_of_one_context_has_no_means_over_contexts(cells):
    truth, predictions = cells
    is_here = truth.obs["context"] == truth.obs["context"].iloc[0]
    options = {"metrics": "effect_r2", "conditions": "asked"}
    for rows, n in ((is_here, 0), (is_here | True, 1)):
        table = wildcell.score(predictions["a"], truth[rows], **options)
        ranks = rank(table, {"files": "perturbed-mean"})
        means = means_table(ranks, ["prediction"], ["effect_r2"])
        assert len(means) == n
        if n:
            assert means["worst"].item() < means["macro"].item()


def test_paths_of_files_that_are_not_there_are_refused(cells):
    truth, _ = cells
    with pytest.raises(DataError, match=r"nowhere\.h5ad"):
        wildcell.score(Path("nowhere.h5ad"), truth)
