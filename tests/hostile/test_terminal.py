"""Names of others steer no terminal: what prints them shows their control characters."""

import json
import shutil
from contextlib import suppress

import pandas as pd
import pytest

from wildcell.cli.main import main
from wildcell.cli.progress import plain

STEERS = "\x1b[2J\x1b]0;owned\x07\r\x9b31m\N{RIGHT-TO-LEFT OVERRIDE}"
EVIL = f"model{STEERS}"
SIMULATED = (
    "unseen-perturbation --data simulated --data-option n_perturbations=8 --data-option n_genes=30"
    " --data-option n_contexts=2 --data-option n_combinations=0 --seed 0"
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Return a folder of runs one of whose models has a name that steers terminals."""
    folder = tmp_path_factory.mktemp("runs")
    command = f"run {SIMULATED} --model no-change --model random --runs {folder}"
    main(command.split())
    doctor(folder, "random", EVIL)
    return folder


def doctor(runs, old, new):
    for record in list(runs.rglob("run.json")):
        told = json.loads(record.read_text())
        if told["model"] != old:
            continue
        told["model"] = new
        record.write_text(json.dumps(told))
        scores = record.with_name("scores.parquet")
        pd.read_parquet(scores).assign(model=new).to_parquet(scores)


def printed(capsys, *command):
    with suppress(SystemExit):
        main(list(map(str, command)))
    found = capsys.readouterr()
    return found.out + found.err


def steering(text):
    return set(text) & set("\x1b\x07\r\x9b\N{RIGHT-TO-LEFT OVERRIDE}")


@pytest.mark.parametrize(
    "verb",
    [
        "rank {runs}",
        "status {runs}",
        "compare {runs}",
        "findings {runs}",
        "disagreement {runs}",
        "calibrate {runs}",
        "verify {runs} --stored",
        "arms {runs}",
        "advise {runs} --unseen perturbation",
    ],
)
def test_no_command_prints_what_steers_a_terminal(runs, verb, capsys):
    told = printed(capsys, *verb.format(runs=runs).split())
    assert not steering(told)
    assert told


def test_a_name_is_shown_with_its_escapes(runs, capsys):
    assert r"\x1b[2J" in printed(capsys, "rank", runs).replace("\n", "")


def test_an_error_is_told_with_its_escapes(runs, tmp_path, capsys):
    broken = tmp_path / "runs"
    shutil.copytree(runs, broken)
    for record in broken.rglob("run.json"):
        told = json.loads(record.read_text())
        told["model"] = [EVIL]
        record.write_text(json.dumps(told))
    assert not steering(printed(capsys, "rank", broken))
    told = printed(capsys, "run", f"unseen-{STEERS}", "--data", "simulated")
    assert r"\x1b[2J" in told
    assert not steering(told)


def test_letters_of_all_scripts_and_lines_stay():
    assert plain("naïve T → β-cell\n\t細胞 \N{NO-BREAK SPACE}") == (
        "naïve T → β-cell\n\t細胞 \N{NO-BREAK SPACE}"
    )
    assert plain("\ud800\u2028") == r"\ud800\u2028"
