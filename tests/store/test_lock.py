"""Environments written down."""

import json
import subprocess
import sys
from importlib.metadata import version

import pytest

from wildcell.cli.main import main
from wildcell.errors import StoreError
from wildcell.store import lock
from wildcell.store.lock import Pinned, installed, lock_text, with_hashes


def test_every_package_has_its_version(tmp_path, capsys):
    main(["lock", "--out", str(tmp_path / "environment.txt")])
    lines = (tmp_path / "environment.txt").read_text().splitlines()
    assert f"numpy=={version('numpy')}" in lines
    assert sum(line.startswith("# ") for line in lines) >= 4
    assert f"Python {sys.version.split()[0]}" in lines[0]
    assert "packages" in capsys.readouterr().out


def test_pip_reads_what_is_written(tmp_path):
    path = tmp_path / "environment.txt"
    wanted = [package for package in installed() if package.name in {"numpy", "pandas", "scipy"}]
    path.write_text(lock_text(wanted))
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-deps", "--no-index"]
    done = subprocess.run([*command, "-r", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Would install" not in done.stdout


ELSEWHERE = {
    "an editable folder": (
        {"url": "file:///home/someone/wildcell", "dir_info": {"editable": True}},
        "# a 1.0 was installed from a folder or file of its own",
    ),
    "a commit": (
        {
            "url": "https://user:token@example.org/a.git",
            "vcs_info": {"vcs": "git", "commit_id": "abc"},
        },
        "a @ git+https://example.org/a.git@abc",
    ),
    "an address": (
        {"url": "https://example.org/a.whl", "archive_info": {"hashes": {"sha256": "12"}}},
        "a @ https://example.org/a.whl \\\n    --hash=sha256:12",
    ),
}


@pytest.mark.parametrize(("told", "line"), ELSEWHERE.values(), ids=ELSEWHERE)
def test_where_a_package_is_from_is_told_without_keys_and_folders(told, line):
    assert lock._from_elsewhere(Pinned("a", "1.0"), told).line == line


def answer(monkeypatch, code, out="", error=""):
    done = subprocess.CompletedProcess([], code, out, error)
    monkeypatch.setattr(lock.subprocess, "run", lambda *words, **options: done)


def test_hashes_are_those_that_pip_reports(monkeypatch):
    item = {
        "metadata": {"name": "Some_Package"},
        "download_info": {"archive_info": {"hashes": {"sha256": "ab", "md5": "cd"}}},
    }
    answer(monkeypatch, 0, json.dumps({"install": [item]}))
    (package,) = with_hashes([Pinned("some-package", "1.0")])
    assert package.line == "some-package==1.0 \\\n    --hash=sha256:ab"


def test_an_index_that_does_not_answer_is_an_error(monkeypatch):
    answer(monkeypatch, 1, error="WARNING: x\nERROR: No matching distribution found for a==1\n")
    with pytest.raises(StoreError, match="No matching distribution found for a==1"):
        with_hashes([Pinned("a", "1")])
