"""Folders of others: tasks, runs, models, Cell Ranger's; and settings in TOML and JSON."""

import gzip
import os
import subprocess
import sys

import pytest

from wildcell.datasets.read import read_labels, read_source
from wildcell.errors import BenchmarkError, DataError, OptionError, StoreError
from wildcell.models.sealed.exchange import take
from wildcell.models.sealed.model_folder import read_folder
from wildcell.run import run_scenario
from wildcell.scenarios.folder import read_task
from wildcell.scenarios.scenario import load_scenario
from wildcell.store.options_file import read_options
from wildcell.store.runs import claimed, read_records, slug

TOML = {
    "too deep": "a = " + "[" * 100_000,
    "tables too deep": "a = " + "{b = " * 50_000,
    "no TOML": "a = = 1",
    "too large": "a = 1\n" + "# \n" * 10**6,
    "a name twice": "a = 1\na = 2",
    "a name of many parts": "a." * 10**5 + "b = 1",
}


@pytest.mark.parametrize("text", TOML.values(), ids=TOML)
@pytest.mark.parametrize("read", [load_scenario, read_options])
def test_settings_that_cannot_be_are_refused(tmp_path, read, text):
    path = tmp_path / "settings.toml"
    path.write_text(text)
    with pytest.raises(OptionError, match=r"settings\.toml"):
        read(path)


@pytest.mark.parametrize("text", TOML.values(), ids=TOML)
def test_cards_of_models_that_cannot_be_are_refused(tmp_path, text):
    (tmp_path / "card.toml").write_text(text)
    with pytest.raises(OptionError, match=r"card\.toml"):
        read_folder(tmp_path)


@pytest.mark.parametrize("name", ["../truth.h5ad", "/etc/passwd.csv", "a/b.h5ad", "x.pkl"])
def test_a_model_does_not_choose_where_its_answer_is_read(tmp_path, name):
    (tmp_path / "predict.py").write_text("")
    (tmp_path / "card.toml").write_text(f'python = "present"\nprediction = "{name}"')
    with pytest.raises(OptionError, match="must be the name of a file"):
        read_folder(tmp_path)


def test_an_answer_that_is_a_link_is_not_followed(tmp_path, h5ad):
    answer = tmp_path / "prediction.h5ad"
    answer.symlink_to(h5ad)
    with pytest.raises(DataError, match="is a symbolic link"):
        take(answer, None)


def test_an_answer_that_is_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "prediction.csv")
    with pytest.raises(BenchmarkError, match="is a pipe"):
        take(tmp_path / "prediction.csv", None)


@pytest.mark.parametrize("name", ["../../etc", "/etc/passwd", "..", "a\x00b", "~/.ssh", "x" * 500])
def test_names_stay_within_their_folder(tmp_path, name):
    place = (tmp_path / slug(name)).resolve()
    assert place.parent == tmp_path.resolve()
    assert place != tmp_path.resolve()
    place.mkdir()


@pytest.mark.parametrize("name", [".lock", "run.json", "scores.parquet"])
def test_a_run_folder_with_links_is_not_written_through(tmp_path, name):
    mine = tmp_path / "mine.txt"
    mine.write_text("of the user")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).symlink_to(mine)
    with pytest.raises(DataError, match="is a symbolic link"), claimed(tmp_path / "run"):
        pass
    assert mine.read_text() == "of the user"


RECORDS = {
    "too deep": "[" * 100_000,
    "no mapping": "[1, 2]",
    "text": '"ok"',
    "no JSON": "{",
    "no text": b"\xff\xfe\x00",
    "a vast number": '{"seed": 1' + "0" * 10_000 + "}",
}


@pytest.mark.parametrize("content", RECORDS.values(), ids=RECORDS)
def test_records_of_runs_that_cannot_be_are_refused(tmp_path, content):
    (tmp_path / "run").mkdir()
    raw = content if isinstance(content, bytes) else content.encode()
    (tmp_path / "run" / "run.json").write_bytes(raw)
    with pytest.raises(StoreError, match=r"run\.json cannot be read"):
        read_records(tmp_path)


TASKS = {
    "preprocess.json": ["[" * 100_000, "[]", '{"genes": []}'],
    "query.csv": ["", "context\n", "\x00\x01"],
    "components.csv": ["perturbation\nA\n", 'perturbation,component,dose,unit,time\nA,A,"x'],
}


@pytest.fixture
def task_folder(tmp_path, cells):
    from wildcell.cli.main import main

    main(["split", "iid", "--data", "simulated", "--out", str(tmp_path / "task"), "--seed", "0"])
    return tmp_path / "task"


def test_task_folders_that_were_changed_are_refused(task_folder):
    assert read_task(task_folder).train.n > 0
    for name, contents in TASKS.items():
        kept = (task_folder / name).read_bytes()
        for content in contents[: 2 if name == "preprocess.json" else None]:
            (task_folder / name).write_text(content)
            with pytest.raises(DataError):
                read_task(task_folder)
        (task_folder / name).write_bytes(kept)


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (f"{10**15} 1 1", "of memory"),
        (f"1 1 {10**15}", "of memory"),
        ("-1 1 1", "cannot be read"),
        ("1 1", "cannot be read"),
    ],
)
def test_a_matrix_whose_first_line_cannot_be_is_refused(tmp_path, head, words):
    with gzip.open(tmp_path / "matrix.mtx.gz", "wt") as file:
        file.write(f"%%MatrixMarket matrix coordinate integer general\n{head}\n1 1 1\n")
    (tmp_path / "barcodes.tsv").write_text("A\n")
    (tmp_path / "features.tsv").write_text("E\tG\tGene Expression\n")
    with pytest.raises(DataError, match=tmp_path.name) as refused:
        read_source(tmp_path)
    assert words in str(refused.value)


def test_labels_that_are_no_table_are_refused(tmp_path):
    (tmp_path / "labels.csv.gz").write_bytes(b"\x1f\x8b\x08 and nothing more")
    with pytest.raises(DataError, match="cannot be read as a table of labels"):
        read_labels(tmp_path / "labels.csv.gz")


def test_words_of_the_command_line_reach_no_shell(tmp_path):
    mark = tmp_path / "mark"
    words = f"$(touch {mark}); touch {mark} `touch {mark}`"
    for command in (["run", words], ["run", "iid", "--model", words], ["card", words]):
        done = subprocess.run(
            [sys.executable, "-m", "wildcell.cli.main", *command],
            check=False,
            capture_output=True,
            text=True,
            cwd=tmp_path,
        )
        assert done.returncode == 1, done
        assert "Traceback" not in done.stderr
    assert not mark.exists()


def test_progress_of_a_training_that_is_a_pickle_is_not_run(tmp_path, bite):
    pytest.importorskip("torch")
    import pickle

    import numpy as np

    from wildcell.models.neural.checkpoint import Checkpoint

    path = tmp_path / "progress.pt"
    path.write_bytes(pickle.dumps(bite))
    found = Checkpoint(path, "key", np.random.default_rng(0), "cpu", 0.0).load({})
    assert found is None


def test_a_scenario_of_a_stranger_cannot_name_a_place_for_its_runs(tmp_path):
    shipped = load_scenario("iid")
    from dataclasses import replace

    runs = tmp_path / "a" / "runs"
    run_scenario(replace(shipped, name="../../out"), models=["no-change"], runs=runs, seeds=[0])
    assert {path.name for path in tmp_path.iterdir()} == {"a"}
    assert {path.name for path in (tmp_path / "a").iterdir()} == {"runs"}
