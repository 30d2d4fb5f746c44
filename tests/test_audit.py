"""What is depended on: vulnerabilities and licences that bind are found, unknown ones told."""

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

SCRIPT = Path(__file__).parents[1] / ".ci" / "audit.py"


@pytest.fixture
def audit():
    spec = importlib.util.spec_from_file_location("audit", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("licence", "is_refused"),
    [
        ("MIT", False),
        ("BSD-3-Clause", False),
        ("Mozilla Public License 2.0 (MPL 2.0)", False),
        ("GNU General Public License v3 (GPLv3)", True),
        ("LGPL-2.1-or-later", True),
        ("CC-BY-NC-4.0", True),
        ("UNKNOWN", True),
        ("MIT License\n\nPermission is hereby granted, not under the GPL", False),
    ],
)
def test_licences_that_bind_are_refused(audit, licence, is_refused):
    found = list(audit.refused([{"Name": "one", "Version": "1.0", "License": licence}]))
    assert bool(found) == is_refused


def ended(audit, monkeypatch, capsys, pinned, licence="MIT"):
    if pinned is None:
        monkeypatch.setattr(audit, "sys", SimpleNamespace(executable="/bin/false", exit=sys.exit))
    else:
        monkeypatch.setattr(audit, "advisories", lambda: pinned)
    monkeypatch.setattr(
        audit, "licences", lambda: [{"Name": "one", "Version": "1.0", "License": licence}]
    )
    with pytest.raises(SystemExit) as end:
        audit.main()
    return bool(end.value.code), capsys.readouterr().out


def test_a_known_vulnerability_fails_and_is_named(audit, monkeypatch, capsys):
    one = {"name": "one", "version": "1.0", "vulns": [{"id": "CVE-1", "fix_versions": ["1.1"]}]}
    failed, said = ended(audit, monkeypatch, capsys, [one])
    assert failed
    assert "one 1.0: CVE-1, mended in 1.1" in said


def test_what_could_not_be_looked_up_is_told(audit, monkeypatch, capsys):
    failed, said = ended(audit, monkeypatch, capsys, [{"name": "one", "skip_reason": "not there"}])
    assert not failed
    assert "0 of 1 pinned packages" in said


def test_that_nobody_could_be_asked_is_told(audit, monkeypatch, capsys):
    failed, said = ended(audit, monkeypatch, capsys, None)
    assert not failed
    assert "could not be reached" in said


def test_a_licence_that_binds_fails(audit, monkeypatch, capsys):
    failed, said = ended(audit, monkeypatch, capsys, [], licence="GPL-3.0")
    assert failed
    assert "one 1.0: GPL-3.0" in said
