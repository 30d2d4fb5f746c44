"""Tables that leave are those that were computed, and figures are drawn of each question."""

import csv

import pandas as pd
import pytest

from wildcell.cli.main import main
from wildcell.datasets.simulated import simulated
from wildcell.results.export import Format, as_text
from wildcell.results.table import rank_runs
from wildcell.run import run_scenario

HOSTILE = "a_b|<i>&50%\\x{}\nnew"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    screen = simulated(n_contexts=3, n_perturbations=6, n_combinations=4, n_genes=50, n_cells=20)
    for arm in ("leave-one-out", "cluster"):
        run_scenario(
            "unseen-context",
            data=screen,
            arm=arm,
            models=["ridge", "context-transfer", "perturbed-mean"],
            runs=folder,
            seeds=[0],
        )
    return folder


def test_exact_tables_are_those_computed(runs, tmp_path, capsys):
    main(["export", str(runs), "--out", str(tmp_path / "csv")])
    ranks = rank_runs(runs)
    read = pd.read_csv(tmp_path / "csv/ranks.csv")

    assert len(read) == len(ranks)
    for name in ("mean", "low", "difference"):
        pd.testing.assert_series_equal(read[name], ranks[name], check_exact=False, rtol=1e-12)
    index = (tmp_path / "csv/README.md").read_text()
    for name in ("leaderboard", "pairs", "calibration", "findings", "costs", "arms"):
        assert f"`{name}.csv`" in index
        assert (tmp_path / f"csv/{name}.csv").is_file()


@pytest.mark.parametrize(("form", "ending"), [("markdown", "md"), ("latex", "tex")])
def test_tables_to_read_have_a_row_a_row(runs, tmp_path, form, ending):
    main(["export", str(runs), "--out", str(tmp_path), "--format", form])
    main(["export", str(runs), "--out", str(tmp_path / "csv")])
    with (tmp_path / "csv/leaderboard.csv").open(newline="") as file:
        n = len(list(csv.reader(file))) - 1
    text = (tmp_path / f"leaderboard.{ending}").read_text()

    assert text.count("\n") == n + (2 if form == "markdown" else 6)


@pytest.mark.parametrize("form", [Format.MARKDOWN, Format.LATEX])
def test_names_cannot_break_a_table(form):
    text = as_text(pd.DataFrame({"model": [HOSTILE], "mean": [-0.5]}), form)
    (line,) = [line for line in text.splitlines() if "new" in line]

    if form is Format.MARKDOWN:
        assert line.replace("\\|", "").count("|") == 3
        assert "<i>" not in line
    else:
        assert line.replace("\\&", "").count("&") == 1
        assert "$-$0.50" in line
        assert "%" not in line.replace("\\%", "")


def test_figures_are_drawn_of_each_question_and_what_is_lacking_is_said(runs, tmp_path, capsys):
    pytest.importorskip("vl_convert", reason="the extra `report` is not installed")
    main(["figures", str(runs), "--out", str(tmp_path)])
    drawn = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.svg"))
    index = (tmp_path / "README.md").read_text()

    assert f"Wrote {len(drawn)} figures" in capsys.readouterr().out
    assert any(path.name == "arms.svg" for path in drawn)
    assert {"scores-effect_r2.svg", "dots.svg", "agreement.svg"} <= {path.name for path in drawn}
    for path in drawn:
        whole = tmp_path / path
        assert whole.read_text().startswith("<svg")
        assert whole.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
        assert str(path.with_suffix("")) in index
    assert "wildcell scaling" in index
