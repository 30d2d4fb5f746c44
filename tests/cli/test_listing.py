"""What is listed, and what is said of models whose library is absent."""

import subprocess
import sys

import pytest

from wildcell.cli.listing import models, scenarios
from wildcell.errors import MissingExtraError
from wildcell.models import model as model_module
from wildcell.models.model import MODELS, base_models
from wildcell.plan import make_plan
from wildcell.testing import toy_screen


@pytest.fixture
def _no_torch(monkeypatch):
    monkeypatch.setattr(model_module, "find_spec", lambda name: None)


@pytest.mark.usefixtures("_no_torch")
def test_networks_are_listed_without_torch_with_what_to_install(capsys):
    models()
    printed = capsys.readouterr().out
    networks = sorted(set(MODELS.names()) - set(base_models()))
    assert len(networks) == 10
    assert f"Not installed: {', '.join(networks)}." in printed
    assert "pip install 'wildcell[torch]'" in printed


@pytest.mark.usefixtures("_no_torch")
def test_a_network_that_cannot_run_is_refused_before_anything_is_computed():
    with pytest.raises(MissingExtraError, match=r"Model 'cpa' needs .* 'wildcell\[torch\]'"):
        make_plan("iid", models=["cpa"], data=toy_screen())


def test_looking_up_the_models_does_not_import_torch():
    code = "import sys; from wildcell.models.model import MODELS; MODELS.names(); "
    code += "sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_scenarios_are_listed_with_their_default_arm_and_how_many_more(capsys):
    scenarios()
    printed = " ".join(capsys.readouterr().out.split())
    assert "target-panel-twice" not in printed
    assert "wildcell scenarios NAME" in printed


def test_arms_of_one_scenario_are_shown_with_what_they_need(capsys):
    scenarios("norman2019-small-cross-study")
    lines = [line.replace("(default)", "").split() for line in capsys.readouterr().out.splitlines()]
    needs = {line[0]: line[1] for line in lines if len(line) > 1}
    assert needs["nearest-perturbations"] == "features"
    assert needs["single"] == needs["target-panel-twice"] == "-"
