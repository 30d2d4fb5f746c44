import anndata as ad
import numpy as np
import pytest
from cyclopts import App

from wildcell.cli.data import check, curate
from wildcell.errors import DataError, OptionError


@pytest.fixture
def app():
    app = App(result_action="return_value", exit_on_error=False)
    app.command(check)
    app.command(curate)
    return app


@pytest.fixture
def source(tmp_path):
    cells = ad.AnnData(np.arange(1.0, 13.0).reshape(6, 2))
    cells.obs["guide"] = ["NT", "NT", "KLF1", "KLF1", "BAK1", "BAK1"]
    cells.obs["quality"] = ["good"] * 5 + ["bad"]
    cells.write_h5ad(tmp_path / "source.h5ad")
    return tmp_path / "source.h5ad"


OPTIONS = [
    *("--perturbation-column", "guide"),
    *("--control", "NT"),
    *("--context", "K562"),
    *("--modality", "crispri"),
]


def test_a_curated_file_is_summarised_and_passes_the_check(app, source, tmp_path, capsys):
    made = tmp_path / "made.h5ad"

    app(["curate", str(source), str(made), *OPTIONS])
    told = capsys.readouterr().out.splitlines()
    app(["check", str(made)])

    summary = "6 cells, 2 genes, 1 contexts, 2 perturbations, expression counts."
    assert told[0] == "X holds integers: taken as counts."
    assert told[-1] == f"Wrote {made}: {summary}"
    assert capsys.readouterr().out == f"{made} is a curated data set: {summary}\n"


def test_clauses_may_be_repeated(app, source, tmp_path, capsys):
    clauses = ["--where", "quality=good", "--where", "guide!=BAK1"]

    app(["curate", str(source), str(tmp_path / "made.h5ad"), *OPTIONS, *clauses])

    assert "Kept 4 of 6 cells, where quality=good and guide!=BAK1." in capsys.readouterr().out


def test_a_file_with_problems_fails_the_check_one_line_each(app, source, capsys):
    with pytest.raises(SystemExit) as caught:
        app(["check", str(source)])

    lines = capsys.readouterr().out.splitlines()
    assert caught.value.code == 1
    assert len(lines) == 2
    assert "There is no metadata" in lines[0]
    assert "obs lacks the columns" in lines[1]


def test_a_file_that_cannot_be_read_is_an_error(app, tmp_path):
    (tmp_path / "cut.h5ad").write_bytes(b"\x89HDF")

    with pytest.raises(DataError, match="cannot be read as h5ad"):
        app(["check", str(tmp_path / "cut.h5ad")])


def test_a_refused_source_writes_nothing(app, source, tmp_path):
    with pytest.raises(OptionError, match="--context"):
        app(["curate", str(source), str(tmp_path / "made.h5ad"), *OPTIONS, "--context-column", "x"])
    with pytest.raises(DataError, match="counts called lognorm"):
        app(
            [
                "curate",
                str(source),
                str(tmp_path / "made.h5ad"),
                *OPTIONS,
                "--expression",
                "lognorm",
            ]
        )

    assert not (tmp_path / "made.h5ad").exists()


def test_help_explains_every_option(app, capsys):
    app(["curate", "--help"])

    told = capsys.readouterr().out
    for option in ("--control-group-column", "--no-gene-subset", "--min-cells", "--labels"):
        assert option in told
    assert "Cell Ranger" in told
