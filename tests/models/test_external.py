"""Models in environments and processes of their own: answers, failures, limits, reuse."""

import json
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from wildcell.cli.main import main
from wildcell.errors import BenchmarkError, OptionError, StoreError, UnknownNameError
from wildcell.models.answer import answer
from wildcell.models.find import find_model
from wildcell.models.sealed.environment import READY, python_of
from wildcell.models.sealed.model_folder import read_folder
from wildcell.models.sealed.terms import Terms
from wildcell.run import run_scenario
from wildcell.scenarios.pose import pose
from wildcell.scenarios.scenario import load_scenario
from wildcell.scenarios.split import make_splits
from wildcell.store.runs import read_records, read_scores
from wildcell.testing import toy_screen

READS = """
import csv, json, os, sys
from pathlib import Path

task, out = Path(sys.argv[1]), Path(sys.argv[2])
given = dict(zip(sys.argv[3::2], sys.argv[4::2]))
genes = json.loads((task / "preprocess.json").read_text())["genes"]
with (task / "query.csv").open() as query:
    asked = [(row["context"], row["perturbation"]) for row in csv.DictReader(query)]
rows = [[*condition, *[0.5] * len(genes)] for condition in asked]


def write(genes, rows, columns=("context", "perturbation")):
    with out.open("w") as file:
        csv.writer(file).writerows([[*columns, *genes], *rows])

"""
WORKS = READS + "write(genes, rows)\n"
CSV = 'prediction = "answer.csv"\n'
PRESENT = 'python = "present"\n' + CSV

NO_CHANGE = """
import sys
from pathlib import Path
import anndata as ad
import numpy as np
import pandas as pd

task, out = map(Path, sys.argv[1:3])
query = pd.read_csv(task / "query.csv", dtype=str)
controls = ad.read_h5ad(task / "controls_given.h5ad")
target_sum = controls.uns["wildcell"]["target_sum"]
scale = target_sum / controls.obs["total_counts"].to_numpy()
log = np.log1p(controls.X.toarray() * scale[:, None])
groups = controls.obs["control_group"].astype(str).to_numpy()
mean = np.stack([log[groups == group].mean(axis=0) for group in query["control_group"]])
answer = ad.AnnData(
    mean, obs=query[["context", "perturbation"]], var=pd.DataFrame(index=controls.var_names)
)
answer.uns["wildcell"] = {"kind": "mean", "expression": "lognorm", "target_sum": target_sum}
answer.write_h5ad(out)
"""


@pytest.fixture
def screen():
    return toy_screen(n_contexts=2)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("WILDCELL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder_of(tmp_path):
    """Make the folder of a model from its script and its card."""

    def make(script, card=PRESENT, name="fake"):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / "predict.py").write_text(script)
        (folder / "card.toml").write_text(card)
        return folder

    return make


def run(tmp_path, screen, folder, *others, **options):
    """Run a model on one fold, and return its record and those of all by model."""
    found = run_scenario(
        "iid",
        models=[f"external:{folder}", *others],
        data=screen,
        seeds=[0],
        metrics=["rmse"],
        runs=tmp_path / "runs",
        **options,
    )
    records = read_records(tmp_path / "runs").set_index("model")
    (name,) = [name for name in records.index if name.startswith("external:")]
    return records.loc[name], records, found


@pytest.fixture(scope="module")
def task():
    screen = toy_screen(n_contexts=2)
    scenario = load_scenario("iid")
    return pose(screen, make_splits(scenario, screen, seed=0)[0], scenario).task


def asked(task, folder, terms=None, **others):
    """Ask a model all of a task."""
    every = np.ones(len(task.query.conditions), dtype=bool)
    return answer(find_model(f"external:{folder}", terms), task, every, 0, {}, **others)


def why_not(task, folder, terms=None, **others):
    """Ask a model that fails, and return why it did."""
    with pytest.raises(BenchmarkError) as caught:
        asked(task, folder, terms, **others)
    return str(caught.value)


def test_an_answer_is_scored_as_that_of_any_model(tmp_path, screen, folder_of):
    folder = folder_of(NO_CHANGE, 'python = "present"\n')
    record, records, _ = run(tmp_path, screen, folder, "no-change")
    scores = read_scores(tmp_path / "runs")
    own, same = (
        scores[scores["model"] == name].reset_index(drop=True)[["metric", "value", "status"]]
        for name in ("external:fake", "no-change")
    )

    assert record["status"] == "ok"
    assert record["is_sealed"]
    assert not records.loc["no-change", "is_sealed"]
    np.testing.assert_allclose(own["value"], same["value"], atol=1e-5)
    assert (own["status"] == same["status"]).all()


WITH_THE_KIT = """
from wildcell_task import control_means, effects, read_features, read_task, write_cells, write_means

task = read_task()
assert task.train.layers["counts"].shape == task.train.X.shape
trained = task.train.obs[task.train.obs["perturbation"] != "control"]
assert len(effects(task)) == len(trained[["context", "perturbation"]].drop_duplicates())
assert read_features(task).shape[0] > 0
assert task.options == {"words": ["a"], "name": "b"}
if task.seed:
    cells = task.controls[:4]
    obs = task.query.iloc[[0, 0, 1, 1]]
    write_cells(task, cells.X, obs)
else:
    write_means(task, control_means(task))
"""


def test_a_script_may_leave_reading_and_writing_to_the_kit(task, folder_of):
    options = PRESENT.replace(CSV, "") + "[options]\nwords = ['a']\nname = 'b'\n"
    card = find_model(f"external:{folder_of(WITH_THE_KIT, options)}")
    every = np.ones(len(task.query.conditions), dtype=bool)
    means, cells = (answer(card, task, every, seed, {}) for seed in (0, 1))

    np.testing.assert_allclose(means.X.toarray(), task.query.control_mean, atol=1e-5)
    assert means.target_sum == pytest.approx(task.query.controls.target_sum)
    assert (str(cells.kind), len(cells.obs)) == ("cells", 4)
    np.testing.assert_allclose(
        cells.X.toarray(), task.query.controls.lognorm[:4].toarray(), atol=1e-5
    )


def test_the_cost_is_that_of_its_own_process(tmp_path, screen, folder_of):
    hungry = WORKS + "block = b'x' * 480_000_000\nimport time; time.sleep(0.4)\n"
    record, _, _ = run(tmp_path, screen, folder_of(hungry))

    assert 480e6 / 2**20 < record["peak_memory_mb"] < 600
    assert record["wall_s"] > 0.4


def test_options_come_by_name_with_the_defaults_of_the_card(tmp_path, screen, folder_of):
    script = (
        WORKS + "assert given == {'--seed': '0', '--shift': '2.5', '--words': '[\"a\"]'}, given\n"
    )
    folder = folder_of(script, PRESENT + "[options]\nshift = 0.5\nwords = ['a']\n")
    options = {f"external:{folder}": {"shift": 2.5}}
    record, _, _ = run(tmp_path, screen, folder, options=options)

    assert record["status"] == "ok", record["log"]
    assert record.name == "external:fake[shift=2.5]"


def test_an_option_that_the_card_lacks_is_refused_before_anything_is_run(
    tmp_path, screen, folder_of
):
    folder = folder_of(WORKS)

    with pytest.raises(OptionError, match="does not take these options"):
        run(tmp_path, screen, folder, options={f"external:{folder}": {"shift": 1}})
    assert not (tmp_path / "runs").exists()


def test_a_second_start_runs_nothing_again_and_another_script_is_refused(
    tmp_path, screen, folder_of
):
    folder = folder_of(WORKS)
    run(tmp_path, screen, folder)
    *_, again = run(tmp_path, screen, folder)
    assert not any(outcome.is_new for outcome in again)

    folder_of(WORKS + "# changed\n")
    with pytest.raises(StoreError, match="model file"):
        run(tmp_path, screen, folder)


def test_a_crash_keeps_what_was_printed_and_the_others_go_on(tmp_path, screen, folder_of):
    script = "print('so far so good')\nraise ValueError('no luck today')\n"
    folder = folder_of(script)
    record, records, _ = run(tmp_path, screen, folder, "no-change")
    scores = read_scores(tmp_path / "runs").query("model == 'external:fake'")
    log = tmp_path / "runs" / record["folder"] / "log.txt"

    assert record["status"] == "error"
    assert scores["value"].isna().all()
    assert records.loc["no-change", "status"] == "ok"
    assert "ended with code 1" in record["reason"]
    assert "no luck today" in record["reason"]
    assert "so far so good" in log.read_text()


def test_a_hang_is_stopped_with_all_that_it_started(tmp_path, task, folder_of):
    marker = tmp_path / "alive"
    script = f"""
import subprocess, sys, time
touch = "import time, pathlib\\nwhile True: pathlib.Path({str(marker)!r}).touch(); time.sleep(.05)"
subprocess.Popen([sys.executable, "-c", touch], start_new_session=False, process_group=0)
time.sleep(600)
"""
    started = time.monotonic()
    reason = why_not(task, folder_of(script), Terms(max_seconds=3))
    assert "was stopped after 3 s (--max-seconds 3)" in reason
    assert time.monotonic() - started < 30
    assert marker.exists()

    marker.unlink()
    time.sleep(0.3)
    assert not marker.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="memory is watched on Linux alone")
def test_a_memory_hog_is_stopped(task, folder_of):
    script = """
import time
held = []
while sum(map(len, held)) < 2**31:
    held.append(bytearray(b"x" * 2**24))
    time.sleep(0.01)
"""
    cost = []
    reason = why_not(task, folder_of(script), Terms(max_memory=0.25), on_ended=cost.append)

    assert "GiB of memory (--max-memory 0.25)" in reason
    assert 256 < cost[0].peak_memory_mb < 1024


@pytest.mark.skipif(sys.platform != "linux", reason="memory is watched on Linux alone")
def test_memory_that_processes_share_counts_once(task, folder_of):
    script = (
        WORKS
        + """
import time
held = b"x" * 200_000_000
for _ in range(5):
    if not os.fork():
        time.sleep(600)
time.sleep(0.6)
"""
    )
    cost = []
    asked(task, folder_of(script), Terms(max_memory=0.6), on_ended=cost.append)

    assert 200e6 / 2**20 < cost[0].peak_memory_mb < 400


def test_a_process_that_is_killed_is_told_from_one_that_fails(task, folder_of):
    script = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n"

    assert "killed by signal 9" in why_not(task, folder_of(script))


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        ("", "left no prediction"),
        ("out.write_text('garbage')", "answer.csv has no column context"),
        ("out.mkdir()", "left garbage: answer.csv is a folder, not a file"),
        ("write(genes, rows, ['context', 'what'])", "has no column perturbation"),
        ("write(genes[1:], [row[:-1] for row in rows])", "lacks 1 of 60 genes"),
        ("write(['x' + gene for gene in genes], rows)", "lacks 60 of 60 genes"),
        ("write(genes, [[*row[:-1], 'nan'] for row in rows])", "NaN or infinite"),
        ("write(genes, [[*row[:-1], 'much'] for row in rows])", "something else than numbers"),
        ("write(genes, [[*row[:-1], -1] for row in rows])", "negative values"),
        ("write(genes, [[row[0], 'else', *row[2:]] for row in rows])", "were not asked"),
    ],
)
def test_what_is_no_answer_is_an_error_that_says_why(task, folder_of, ending, reason):
    assert reason in why_not(task, folder_of(READS + ending))


def test_a_file_that_is_no_h5ad_is_an_error_that_says_so(task, folder_of):
    folder = folder_of(READS + "out.write_text('garbage')", 'python = "present"\n')

    assert "left garbage: prediction.h5ad" in why_not(task, folder)


def test_conditions_without_an_answer_are_missing(tmp_path, screen, folder_of):
    record, *_ = run(tmp_path, screen, folder_of(READS + "write(genes, rows[:3])"))
    scores = read_scores(tmp_path / "runs").query("model == 'external:fake'")

    assert record["status"] == "ok"
    assert "missing" in set(scores["status"])


def test_it_sees_the_task_and_none_of_our_variables(tmp_path, task, folder_of, monkeypatch):
    monkeypatch.setenv("WILDCELL_TEST_DATA", "somewhere")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    script = WORKS + (
        "print(json.dumps({'files': sorted(os.listdir(task)), 'seen': dict(os.environ),"
        " 'here': os.getcwd()}))\n"
    )
    log = tmp_path / "log.txt"
    asked(task, folder_of(script), log=log)
    said = json.loads(log.read_text().splitlines()[-1])

    assert not any(name.startswith("WILDCELL") for name in said["seen"])
    assert (Path(said["seen"]["PYTHONPATH"]) / "wildcell_task.py").is_file()
    assert said["seen"]["OMP_NUM_THREADS"] == "1"
    assert said["seen"]["HOME"] == said["here"]
    assert not Path(said["here"]).exists()
    assert "split.csv" in said["files"]
    assert "truth" not in " ".join(said["files"])


def test_a_model_in_another_language_may_leave_a_table(task, folder_of):
    folder = folder_of(
        "",
        'command = ["sh", "{folder}/predict.sh"]\nprediction = "answer.csv"\n',
        name="shell",
    )
    (folder / "predict.py").unlink()
    (folder / "predict.sh").write_text(
        """
        genes=$(tr -d ' \\n' < "$1/preprocess.json" | sed 's/.*"genes":\\[\\([^]]*\\)\\].*/\\1/')
        echo "context,perturbation,$genes" > "$2"
        zeros=$(echo "$genes" | sed 's/"[^"]*"/0.5/g')
        tail -n +2 "$1/query.csv" | while IFS=, read -r context perturbation rest; do
            echo "$context,$perturbation,$zeros" >> "$2"
        done
        """
    )
    prediction = asked(task, folder)

    assert len(prediction.obs) == len(task.query.conditions)
    assert (prediction.X == 0.5).all()


def test_a_program_that_is_not_there_is_an_error(task, folder_of):
    folder = folder_of("", 'command = ["no-such-program", "{folder}/predict.R"]\n')

    assert "no-such-program: No such file" in why_not(task, folder)


def test_what_a_model_cannot_answer_is_not_applicable(tmp_path, screen, folder_of):
    folder = folder_of(WORKS, PRESENT + 'answers = ["unseen context"]\n')
    run_scenario(
        "unseen-combination",
        models=[f"external:{folder}"],
        data=screen,
        seeds=[0],
        metrics=["rmse"],
        runs=tmp_path / "runs",
    )
    scores = read_scores(tmp_path / "runs").query("model == 'external:fake'")

    assert "not_applicable" in set(scores["status"])


@pytest.mark.parametrize(
    ("card", "message"),
    [
        (CSV + "python = '3.11'", "has no constraints.txt"),
        ("pyton = '3.11'", "unknown key 'pyton'. Did you mean 'python'"),
        (PRESENT + "answers = ['unseen contexts']", "Did you mean 'unseen context'"),
        ("needs = 'features'", "needs must be a list of text"),
        ("name = 3", "name must be text"),
        ("name = ", "cannot be read"),
        ("python = 'present'\nprediction = '../out.h5ad'", "must be the name of a file"),
    ],
)
def test_a_folder_that_is_not_right_is_refused_with_the_reason(folder_of, card, message):
    with pytest.raises(OptionError, match=message):
        find_model(f"external:{folder_of(WORKS, card)}")


def test_a_folder_without_anything_to_start_is_refused(tmp_path):
    with pytest.raises(UnknownNameError, match="no model folder"):
        find_model(f"external:{tmp_path / 'nowhere'}")
    with pytest.raises(OptionError, match=r"has no predict\.py"):
        find_model(f"external:{tmp_path}")


@pytest.mark.parametrize("terms", [{"max_seconds": 0}, {"max_memory": -1}, {"installer": "conda"}])
def test_terms_that_cannot_be_kept_are_refused(terms):
    with pytest.raises(OptionError):
        Terms(**terms)


def tiny_wheel(folder):
    """Write a wheel of one module, which can be installed without a network."""
    path = folder / "tinymodel-1.0-py3-none-any.whl"
    about = "tinymodel-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("tinymodel.py", "ANSWER = 42\n")
        wheel.writestr(
            f"{about}/METADATA", "Metadata-Version: 2.1\nName: tinymodel\nVersion: 1.0\n"
        )
        wheel.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{about}/RECORD", "")
    return path


IN_ITS_OWN = WORKS + "import tinymodel\nassert tinymodel.ANSWER == 42\n"


def test_an_environment_is_made_once_and_used_again(tmp_path, screen, folder_of, cache):
    folder = folder_of(IN_ITS_OWN, "prediction = 'answer.csv'\npip_options = ['--no-index']\n")
    wheel = tiny_wheel(folder)
    (folder / "constraints.txt").write_text(f"# pins\n./{wheel.name}\n")
    record, _, _ = run(tmp_path, screen, folder)
    assert record["status"] == "ok", record["reason"]

    (home,) = (path for path in (cache / "environments").iterdir() if (path / READY).is_file())
    assert record["training"]["environment"] == home.name
    made = (home / READY).stat().st_mtime_ns
    wheel.unlink()  # nothing is left that could be installed
    assert python_of(read_folder(folder)) == home / "bin" / "python"
    assert (home / READY).stat().st_mtime_ns == made


def test_a_half_made_environment_is_made_anew(folder_of, cache):
    folder = folder_of(IN_ITS_OWN, "")
    (folder / "constraints.txt").write_text("")
    python = python_of(read_folder(folder))
    home = python.parents[1]
    (home / READY).unlink()
    (home / "left-behind").touch()

    assert python_of(read_folder(folder)) == python
    assert (home / READY).is_file()
    assert not (home / "left-behind").exists()


def test_an_environment_that_cannot_be_made_is_an_error_and_leaves_its_log(task, folder_of, cache):
    folder = folder_of(IN_ITS_OWN, "pip_options = ['--no-index', '--find-links=.']\n")
    (folder / "constraints.txt").write_text("no-such-package-anywhere==1.0\n")
    reason = why_not(task, folder)

    assert "environment of fake could not be made" in reason
    assert "no-such-package-anywhere" in reason
    assert [path.suffix for path in (cache / "environments").glob("[!.]*")] == [".log"]


def test_another_python_is_looked_for_and_named_if_it_is_not_there(folder_of, cache):
    folder = folder_of(WORKS, "python = '3.99'\n")
    (folder / "constraints.txt").write_text("")

    with pytest.raises(OptionError, match=r"no python3\.99 here"):
        python_of(read_folder(folder))


def test_the_command_line_answers_a_task_folder(tmp_path, folder_of, capsys):
    task, out = tmp_path / "task", tmp_path / "mine.h5ad"
    small = ["--data-option", "n_genes=50", "--data-option", "n_perturbations=5"]
    main(["split", "unseen-context", "--data", "simulated", *small, "--out", str(task)])
    main(["predict", str(task), "--model", f"external:{folder_of(WORKS)}", "--out", str(out)])

    assert "conditions answered" in capsys.readouterr().out
    assert (tmp_path / "mine.h5ad.log").exists()
