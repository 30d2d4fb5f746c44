import numpy as np
import pandas as pd
import pytest

from wildcell.datasets.dataset import Dataset
from wildcell.judge import score
from wildcell.models.means import PerturbedMean
from wildcell.names import CONDITION, CONTROL, SHAM, Role
from wildcell.scenarios.pose import pose
from wildcell.scenarios.scenario import load_scenario
from wildcell.scenarios.sham import LARGEST_SHARE, MIN_CONTROLS, with_shams
from wildcell.scenarios.split import make_splits
from wildcell.testing import toy_screen

CONTEXT = load_scenario("unseen-context")


def split_of(screen, name="unseen-context", seed=0):
    return make_splits(load_scenario(name), screen, seed=seed)[0]


@pytest.fixture(scope="module")
def screen():
    return toy_screen(n_controls=200)


@pytest.mark.parametrize("name", ["unseen-context", "unseen-perturbation", "iid"])
def test_shams_are_asked_in_every_tested_group(screen, name):
    split = split_of(screen, name)
    posed = with_shams(screen, split, n=2)
    asked = posed.split.conditions_in(Role.TEST)
    shams = asked[asked["category"] == SHAM]
    tested = split.conditions_in(Role.TEST)
    assert shams.groupby("control_group").size().to_dict() == dict.fromkeys(
        set(tested["control_group"]), 2
    )
    assert len(asked) == len(tested) + len(shams)


def test_shams_are_controls_and_no_other_cell_changes(screen):
    posed = with_shams(screen, split_of(screen), n=2)
    before = screen.cells.obs["perturbation"].astype(str)
    after = posed.dataset.cells.obs["perturbation"].astype(str)
    changed = before != after
    assert set(before[changed]) == {CONTROL}
    assert set(after[changed]) == {"sham-1", "sham-2"}
    assert changed.sum() == 2 * 20
    assert (screen.cells.obs["perturbation"] == before).all()


def test_roles_of_cells_stay_what_they_were(screen):
    split = split_of(screen, "iid")
    posed = with_shams(screen, split, n=1)
    before = split.roles_of_cells(screen)
    after = posed.split.roles_of_cells(posed.dataset)
    is_sham = (posed.dataset.cells.obs["perturbation"] == "sham-1").to_numpy()
    assert (after[is_sham] == Role.TEST).all()
    assert (before[~is_sham] == after[~is_sham]).all()


def test_the_same_seed_takes_the_same_cells_and_another_takes_others(screen):
    def cells(seed):
        split = split_of(screen, "unseen-context", seed)
        return with_shams(screen, split, n=2).dataset.cells.obs["perturbation"].astype(str)

    assert cells(0).equals(cells(0))
    assert not cells(0).equals(cells(1))


def test_few_controls_are_left_alone():
    small = toy_screen(n_controls=MIN_CONTROLS - 1)
    split = split_of(small)
    posed = with_shams(small, split, n=2)
    assert posed.dataset is small
    assert posed.split is split


def test_a_sham_takes_a_tenth_of_the_controls_at_most():
    screen = toy_screen(n_controls=120, n_cells=60)
    posed = with_shams(screen, split_of(screen), n=3)
    sizes = posed.split.conditions_in(Role.TEST).query("category == @SHAM")["n_cells"]
    assert (sizes == int(LARGEST_SHARE * 120)).all()


def test_shams_bear_the_features_of_tested_components(screen):
    split = split_of(screen, "unseen-perturbation")
    features = with_shams(screen, split, n=2).features
    parts = screen.components.set_index("perturbation")["component"]
    tested = set(parts.loc[split.conditions_in(Role.TEST)["perturbation"]])
    for name in ("sham-1", "sham-2"):
        worn = [item for item in tested if np.array_equal(features.loc[item], features.loc[name])]
        assert worn


def test_whole_guides_are_held_out_where_controls_have_several(screen):
    cells = screen.cells.copy()
    guides = np.array([f"NT-{number % 12}" for number in range(cells.n_obs)])
    cells.obs["replicate"] = pd.Categorical(guides)
    posed = with_shams(Dataset("guided", cells), split_of(screen), n=2)
    obs = posed.dataset.cells.obs
    for (_, name), of_sham in obs[obs["perturbation"].str.startswith("sham-")].groupby(
        ["context", "perturbation"], observed=True
    ):
        assert len(set(of_sham["replicate"])) == 1, name
    controls = screen.cells.obs["perturbation"] == CONTROL
    held = set(obs.loc[(obs["perturbation"] != CONTROL) & controls.to_numpy(), "replicate"])
    left = obs.loc[obs["perturbation"] == CONTROL]
    tested = split_of(screen).conditions_in(Role.TEST)["context"].iloc[0]
    assert not held & set(left.loc[left["context"] == tested, "replicate"])


def test_shams_say_what_a_metric_says_of_nothing_and_leave_other_scores_alone():
    screen = toy_screen(n_controls=400, n_contexts=4, shared_strength=1.0)
    split = split_of(screen)
    posed = with_shams(screen, split, n=2)
    task, truth = pose(posed.dataset, posed.split, CONTEXT, features=posed.features)
    model = PerturbedMean(seed=0)
    model.fit(task)
    scores = score(truth, model.predict(task.query), metrics=["pearson_delta"])
    on_shams = scores[scores["category"] == SHAM]["value"]
    on_others = scores[scores["category"] != SHAM]["value"]
    assert len(on_shams) == 2
    assert on_others.mean() > 0.5 > abs(on_shams.mean())
    assert set(scores[CONDITION[0]]) == set(split.conditions_in(Role.TEST)["context"])
