"""What `wildcell run` is told of all models reaches those that take it."""

import json
from dataclasses import replace

import pytest

from wildcell.cli.main import main
from wildcell.errors import OptionError
from wildcell.plan import make_plan, shared_options
from wildcell.scenarios.scenario import load_scenario
from wildcell.testing import toy_screen

SMALL = ["--data", "simulated", "--seed", "0", "--metrics", "pearson_delta"]
SMALL += [word for option in ("n_perturbations=6", "n_genes=40", "n_combinations=0")
          for word in ("--data-option", option)]  # fmt: skip


def records_of(folder, model):
    files = [path for path in folder.rglob("run.json") if model in str(path)]
    return [json.loads(path.read_text()) for path in files]


def test_an_option_of_all_goes_to_those_that_take_it_and_behind_their_own():
    models = ["genepert", "ridge", "no-change"]
    given = {"genepert": {"preset": "default"}}
    assert shared_options(models, given, {"preset": "paper", "alpha": 2.0}) == {
        "genepert": {"preset": "default", "alpha": 2.0},
        "ridge": {"alpha": 2.0},
    }
    assert shared_options(models, given, {"max_seconds": None}) == given


def test_an_option_that_no_model_takes_is_refused():
    with pytest.raises(OptionError, match="No model that is run takes 'max_seconds': ridge"):
        shared_options(["ridge"], {}, {"max_seconds": 1.0})


def test_an_embedding_takes_the_place_of_the_scenarios_and_of_the_arms():
    words = load_scenario("unseen-context")
    arms = {**words.arms, "other": {"embedding": "pca:3"}}
    own = replace(words, arms=arms)
    screen = toy_screen(n_contexts=2, n_combinations=0)
    for arm in (None, "other"):
        plan = make_plan(own, models=[], data=screen, arm=arm, embedding="pca:5")
        assert plan.scenario.in_arm(arm).embedding == "pca:5"
        assert "embedding=pca:5" in plan.scenario.name
    plan = make_plan(own, models=[], data=screen, arm="other", embedding="none")
    assert plan.scenario.in_arm("other").embedding == "none"
    with pytest.raises(OptionError, match="An embedding is"):
        make_plan(own, models=[], data=screen, embedding="umap")


def test_networks_stop_in_time_and_read_the_embedding_they_are_told_of(tmp_path):
    pytest.importorskip("torch", reason="torch is not installed")
    from wildcell.models.model import MODELS

    model = "latent-additive"
    arguments = ["run", "unseen-context", *SMALL, "--model", model, "--runs", str(tmp_path)]
    widths = []
    inner = MODELS.get(model).make.build

    def build(self, shape):
        widths.append((shape.n_state, shape.n_genes))
        return inner(self, shape)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MODELS.get(model).make, "build", build)
        main([*arguments, "--max-seconds", "0.05", "--cell-embedding", "pca:7"])
    records = records_of(tmp_path, model)
    assert len(records) == 3
    assert {record["status"] for record in records} == {"ok"}
    assert {record["training"]["ended"] for record in records} == {"out of time"}
    assert all(record["training"]["step"] < record["training"]["n_steps"] for record in records)
    assert {n_state for n_state, _ in widths} == {7}


def test_the_preset_of_the_paper_reaches_a_model_that_has_it(tmp_path):
    arguments = ["run", "unseen-context", *SMALL, "--model", "genepert", "--model", "no-change"]
    main([*arguments, "--preset", "paper", "--runs", str(tmp_path)])
    assert {record["options"]["preset"] for record in records_of(tmp_path, "genepert")} == {"paper"}
    assert all(record["options"] == {} for record in records_of(tmp_path, "no-change"))
