"""Sweep files: read, or refused with what would do."""

from pathlib import Path

import pytest

from wildcell.errors import BenchmarkError, UnknownNameError
from wildcell.models.model import base_models
from wildcell.sweeps.sweep_file import Screen, Sweep, parse_sweep, read_sweep


def parse(text):
    return parse_sweep(text, source="plan.toml")


def test_what_is_left_out_is_the_scenarios_own():
    sweep = parse('scenarios = ["unseen-context"]')
    assert sweep.data == (Screen(),)
    assert sweep.seeds is None
    assert sweep.models == tuple(base_models())
    assert sweep.arms == {"unseen-context": ("leave-one-out",)}


def test_a_model_has_variants():
    sweep = parse(
        'scenarios = ["iid"]\nmodels = ["ridge"]\n[[options.ridge]]\nalpha = 1.0\n[[options.ridge]]'
    )
    assert sweep.options == {"ridge": ({"alpha": 1.0}, {})}


def test_arms_are_named_for_all_scenarios_or_for_each():
    assert len(parse('scenarios = ["unseen-context"]\narms = "all"').arms["unseen-context"]) > 1
    sweep = parse('scenarios = ["iid", "unseen-context"]\narms.iid = ["random"]')
    assert sweep.arms == {"iid": ("random",), "unseen-context": ("leave-one-out",)}


def test_files_are_found_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sweep = parse(
        'scenarios = ["iid"]\ndata = ["cells.h5ad"]\nmodels = ["own.py:Mine", "external:own"]'
    )
    assert sweep.data == (Screen(str(tmp_path / "cells.h5ad")),)
    assert sweep.models == (f"{tmp_path}/own.py:Mine", f"external:{tmp_path}/own")


def test_it_comes_back_from_its_words():
    sweep = parse('scenarios = ["iid"]\nseeds = [0]\n[[data]]\nname = "simulated"\nn_genes = 60')
    assert Sweep.of(sweep.words()) == sweep


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "lacks scenarios"),
        ("scenarios = []", "a list of names"),
        ('scenarios = "iid"', "a list of names"),
        ('scenarios = ["iid"]\nmodel = ["ridge"]', "Did you mean 'models'?"),
        ('scenarios = ["iid"]\nseeds = [-1]', "at least 0"),
        ('scenarios = ["iid"]\nseeds = [true]', "whole numbers"),
        ('scenarios = ["iid"]\ndata = [{n_genes = 3}]', 'such as {name = "simulated"}'),
        ('scenarios = ["iid"]\nmodels = ["knn"]\noptions.kn = {}', "Did you mean 'knn'?"),
        ('scenarios = ["iid"]\nmodels = ["knn"]\noptions.knn = [3]', "[[options.knn]]"),
        ('scenarios = ["iid"]\narms.idd = ["main"]', "Did you mean 'iid'?"),
        ("scenarios = [", "is not TOML"),
    ],
)
def test_what_cannot_be_used_is_refused(text, said):
    with pytest.raises(BenchmarkError) as refused:
        parse(text)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "text", ['scenarios = ["unseen-contest"]', 'scenarios = ["iid"]\narms = ["no-such-arm"]']
)
def test_unknown_names_are_refused(text):
    with pytest.raises(UnknownNameError):
        parse(text)


def test_a_file_that_is_not_there_is_refused():
    with pytest.raises(UnknownNameError, match=r"no sweep file nowhere\.toml"):
        read_sweep(Path("nowhere.toml"))
