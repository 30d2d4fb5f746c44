"""Scenarios are read from TOML, and every mistake is named with what would do."""

from dataclasses import replace

import pytest

from wildcell.datasets.dataset import DATASETS
from wildcell.errors import OptionError, UnknownNameError
from wildcell.metrics.headline import find_metrics
from wildcell.models.model import MODELS
from wildcell.scenarios.scenario import (
    gene_count,
    general_scenario_names,
    load_scenario,
    parse_scenario,
    scenario_names,
)
from wildcell.scenarios.split import SPLITTERS

TEXT = """
name = "mine"
version = 3
question = "What then?"
splitter = "unseen-context"
reference = "context-transfer"
default_arm = "random"

[arms.random]
test_share = 0.2

[arms.leave-one-out]
n_folds = -1
"""


def parse(text):
    return parse_scenario(text, source="mine.toml")


@pytest.mark.parametrize("name", scenario_names())
def test_shipped_scenario_names_only_what_there_is(name):
    scenario = load_scenario(name)
    assert scenario.name == name
    assert {scenario.in_arm(arm).splitter for arm in scenario.arms} <= set(SPLITTERS.names())
    assert scenario.reference in MODELS
    assert find_metrics(scenario.metrics)
    assert len(set(scenario.metrics)) == len(scenario.metrics)
    assert scenario.question.endswith(("?", "."))
    assert scenario.dataset in DATASETS
    is_generic = name in general_scenario_names()
    assert len(scenario.seeds) == (4 if is_generic else 3)


def test_scenario_of_ones_own_is_read_from_a_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(TEXT + "\n")
    scenario = load_scenario(path)
    assert scenario == load_scenario(str(path)) == parse(TEXT)
    assert (scenario.name, scenario.version, scenario.genes) == ("mine", 3, "hvg:2000")


def test_lists_become_tuples_so_that_a_scenario_can_be_hashed():
    scenario = parse('metrics = ["rmse"]\nseeds = [4, 5]\n' + TEXT)
    assert scenario.metrics == ("rmse",)
    assert scenario.seeds == (4, 5)


def test_arm_is_the_default_one_unless_it_is_named():
    scenario = parse(TEXT)
    assert scenario.options(None) == {"test_share": 0.2} == scenario.options("random")
    assert scenario.options("leave-one-out") == {"n_folds": -1}
    with pytest.raises(UnknownNameError, match="Did you mean 'leave-one-out'"):
        scenario.options("leave-one")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("version", "versoin"), r"unknown key 'versoin'. Did you mean 'version'\?.*splitter"),
        (('question = "What then?"', ""), "lacks the keys question"),
        (
            ('default_arm = "random"', 'default_arm = "random"\nfit_on = "test"'),
            "one of train, controls, all",
        ),
        (('default_arm = "random"', 'default_arm = "random"\ngenes = "hvg:0"'), "hvg:2000"),
        (("version = 3", "version = = 3"), "mine.toml is not TOML"),
    ],
)
def test_mistake_in_a_file_is_named(change, message):
    with pytest.raises(OptionError, match=message):
        parse(TEXT.replace(*change))


def test_default_arm_must_be_one_of_the_arms():
    with pytest.raises(UnknownNameError, match="no arm 'other'"):
        parse(TEXT.replace('default_arm = "random"', 'default_arm = "other"'))


@pytest.mark.parametrize("arms", ["", "arms = 3"])
def test_scenario_without_arms_is_refused(arms):
    lines = TEXT.split("[arms.random]", maxsplit=1)[0]
    with pytest.raises(OptionError, match="arms"):
        parse(lines + arms)


def test_unknown_scenario_and_absent_file_are_named():
    with pytest.raises(UnknownNameError, match="Did you mean 'unseen-context'"):
        load_scenario("unseen-contexts")
    with pytest.raises(UnknownNameError, match="no scenario file nowhere"):
        load_scenario("nowhere.toml")


@pytest.mark.parametrize(("rule", "n"), [("all", None), ("hvg:1", 1), ("hvg:2000", 2000)])
def test_gene_rules_are_a_word_or_a_number(rule, n):
    assert gene_count(rule) == n


@pytest.mark.parametrize("rule", ["", "hvg", "hvg:", "hvg:-5", "hvg:2.5", "top:50", "ALL", "2000"])
def test_gene_rules_that_are_neither_are_refused(rule):
    with pytest.raises(OptionError, match=r"'all' or 'hvg:N'"):
        gene_count(rule)


def test_scenario_is_changed_by_replacing_a_word():
    assert replace(parse(TEXT), genes="all").genes == "all"


def test_scenario_takes_over_the_words_of_the_one_it_extends():
    mine = 'extends = "unseen-context"\nname = "mine"\ndataset = "kang2018"\nseeds = [0, 1, 2]\n'
    base, scenario = load_scenario("unseen-context"), parse(mine)
    assert (scenario.name, scenario.dataset, scenario.seeds) == ("mine", "kang2018", (0, 1, 2))
    assert (scenario.splitter, scenario.arms) == (base.splitter, base.arms)


def test_scenario_extends_only_one_that_stands_alone():
    with pytest.raises(UnknownNameError, match="No scenario is called 'nothing'"):
        parse('extends = "nothing"\nname = "mine"\n')


def test_arm_changes_words_of_the_scenario_and_options_of_the_splitter():
    scenario = parse(TEXT + '\n[arms.embedded]\nembedding = "pca:10"\ntest_share = 0.3\n')
    assert scenario.options("embedded") == {"test_share": 0.3}
    assert scenario.in_arm("embedded").embedding == "pca:10"
    assert scenario.in_arm("random").embedding == "none"


def test_arm_may_have_a_splitter_of_its_own_and_be_lenient():
    scenario = parse(TEXT + '\n[arms.lenient]\nsplitter = "iid"\nstrict = false\n')
    assert scenario.options("lenient") == {}
    assert (scenario.in_arm("lenient").splitter, scenario.in_arm("lenient").strict) == (
        "iid",
        False,
    )
    assert (scenario.in_arm("random").splitter, scenario.in_arm("random").strict) == (
        "unseen-context",
        True,
    )


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ('features = "some"', "arm other: features is 'some'"),
        ('graph = "some"', "arm other: graph is 'some'"),
        ("splitter = 3", "arm other: splitter must be text"),
        ('strict = "no"', "arm other: strict must be true or false"),
    ],
)
def test_word_of_an_arm_that_cannot_be_is_named_with_its_arm(word, message):
    with pytest.raises(OptionError, match=message):
        parse(TEXT + f"\n[arms.other]\n{word}\n")
