"""Presets print what the packages print, for the small pair of files that these were run on."""

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "parity.py"


def load():
    spec = importlib.util.spec_from_file_location("parity", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def script():
    module = load()
    if not module.FOLDER.exists():
        pytest.skip("no golden files; set WILDCELL_TEST_DATA to the folder that holds golden/")
    return module


@pytest.fixture(scope="module")
def table(script):
    return script.parity()


def test_every_value_of_the_packages_is_met_within_its_tolerance(table):
    missed = table[~table["ok"]]
    assert missed.empty, missed.to_string()
    assert (table["n"] > 0).sum() > 150


def test_what_is_not_compared_has_its_reason(script, table):
    left_out = table[table["n"] == 0]
    pairs = set(zip(left_out["preset"], left_out["metric"], strict=True))
    assert pairs == set(script.EXCLUDED)


def test_a_value_that_is_off_is_found(script):
    expected = script.golden(script.FOLDER / script.FILES["systema"][1])
    ours = expected.copy()
    assert next(script.compared("systema", ours, expected))["ok"]
    ours.iloc[3] += 1e-3
    assert not next(script.compared("systema", ours, expected))["ok"]
    ours.iloc[3] = float("nan")
    assert not next(script.compared("systema", ours, expected))["ok"]
