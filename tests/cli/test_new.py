"""Templates work as they are written: tiny screens, few models."""

import runpy
import subprocess
import sys

import pytest

from wildcell.cli.new import new
from wildcell.datasets.dataset import DATASETS
from wildcell.errors import OptionError, StoreError
from wildcell.metrics.metric import METRICS
from wildcell.models.model import MODELS
from wildcell.names import Status
from wildcell.results.table import rank_runs
from wildcell.run import run_scenario
from wildcell.scenarios.scenario import load_scenario
from wildcell.store.runs import read_scores
from wildcell.testing import check_dataset, check_metric, check_model, toy_screen


@pytest.fixture(autouse=True)
def _templates_leave_no_trace(monkeypatch):
    for registry in (DATASETS, METRICS, MODELS):
        registry.names()
        monkeypatch.setattr(registry, "_things", dict(registry._things))


@pytest.fixture
def scenario(tmp_path):
    new("scenario", tmp_path / "my-question.toml")
    return tmp_path / "my-question.toml"


def test_the_model_runs_and_keeps_the_laws(tmp_path):
    new("model", tmp_path / "my_model.py")

    outcomes = run_scenario(
        "iid",
        models=[f"{tmp_path}/my_model.py:Mine", "no-change"],
        data=toy_screen(),
        seeds=[0],
        runs=tmp_path / "runs",
    )

    assert {outcome.record["status"] for outcome in outcomes} == {Status.OK}
    check_model("my_model")


def test_the_model_takes_its_option(tmp_path):
    new("model", tmp_path / "my_model.py")
    path = f"{tmp_path}/my_model.py:Mine"
    runs = tmp_path / "runs"

    for share in (0.2, 0.8):
        options = {path: {"share": share}}
        run_scenario("iid", models=[path], data=toy_screen(), seeds=[0], runs=runs, options=options)

    ranks = rank_runs(runs)
    of_model = ranks[(ranks["metric"] == "effect_r2") & ranks["model"].str.contains("share")]
    assert of_model.sort_values("model")["mean"].is_monotonic_increasing
    assert of_model["mean"].nunique() == 2


def test_the_scenario_says_what_it_is_called_and_runs(scenario, tmp_path):
    words = load_scenario(scenario)

    outcomes = run_scenario(
        scenario, models=[], data=toy_screen(), seeds=[0], runs=tmp_path / "runs"
    )

    assert words.name == "my-question"
    assert {outcome.record["status"] for outcome in outcomes} == {Status.OK}
    assert set(read_scores(tmp_path / "runs")["metric"]) == set(words.metrics)


def test_all_arms_of_the_scenario_can_be_run(scenario, tmp_path):
    words = load_scenario(scenario)

    for arm in words.arms:
        assert run_scenario(
            words, models=[], arm=arm, data=toy_screen(), seeds=[0], runs=tmp_path / "runs"
        )


def test_the_metric_keeps_the_laws(tmp_path):
    new("metric", tmp_path / "signs.py")

    runpy.run_path(str(tmp_path / "signs.py"))

    check_metric("signs")
    assert METRICS.get("signs").summary.startswith("Share of all genes")


def test_the_data_set_keeps_the_laws(tmp_path):
    new("dataset", tmp_path / "my-screen.py")

    made = runpy.run_path(str(tmp_path / "my-screen.py"))

    screen = DATASETS.get("my-screen")()
    assert DATASETS.get("my-screen") is made["recipe"]
    assert screen.name == "my-screen"
    check_dataset(screen)


@pytest.mark.parametrize(("kind", "plural"), [("model", "models"), ("dataset", "data sets")])
def test_a_template_checks_itself_when_it_is_run(kind, plural, tmp_path, capsys):
    path = tmp_path / "own-thing.py"
    new(kind, path)
    capsys.readouterr()

    runpy.run_path(str(path), run_name="__main__")

    assert capsys.readouterr().out == f"own-thing keeps the laws of {plural}.\n"


def test_an_installed_package_makes_its_modules_known(tmp_path):
    package, dist_info = tmp_path / "your_package", tmp_path / "your_package-0.1.dist-info"
    for folder in (package, dist_info):
        folder.mkdir()
    (package / "__init__.py").touch()
    new("metric", package / "signs.py")
    (dist_info / "METADATA").write_text("Metadata-Version: 2.1\nName: your-package\nVersion: 0.1\n")
    (dist_info / "entry_points.txt").write_text("[wildcell]\nsigns = your_package.signs\n")

    listing = subprocess.run(
        [sys.executable, "-c", "from wildcell.cli.listing import metrics; metrics()"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert "signs" in [line.split()[0] for line in listing.stdout.splitlines()]


@pytest.mark.parametrize("kind", ["model", "metric", "scenario", "dataset"])
def test_no_placeholder_is_left(kind, tmp_path):
    path = tmp_path / ("own.toml" if kind == "scenario" else "own.py")

    new(kind, path)

    assert "NAME" not in path.read_text()
    assert "own" in path.read_text()


def test_a_file_that_exists_is_left_alone(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("precious")

    with pytest.raises(StoreError, match=r"exists; name another file"):
        new("model", path)

    assert path.read_text() == "precious"


@pytest.mark.parametrize(("kind", "name"), [("model", "mine.toml"), ("scenario", "mine.py")])
def test_the_wrong_suffix_is_refused(kind, name, tmp_path):
    with pytest.raises(OptionError, match=f"A {kind} is a"):
        new(kind, tmp_path / name)

    assert not (tmp_path / name).exists()
