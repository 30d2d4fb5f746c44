"""How the two sides of a question are made of a data set and a split."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from wildcell.arrays import log_normalise
from wildcell.datasets.dataset import Dataset
from wildcell.errors import OptionError
from wildcell.names import CONDITION, CONTROL, UNS, Expression, Role
from wildcell.scenarios.controls import kept_controls
from wildcell.scenarios.pose import pose, target_genes
from wildcell.scenarios.scenario import load_scenario
from wildcell.scenarios.split import make_splits
from wildcell.store.fingerprint import fingerprint
from wildcell.testing import toy_screen

CONTEXT = load_scenario("unseen-context")


@pytest.fixture(scope="module")
def screen():
    return toy_screen()


def posed(dataset, scenario=CONTEXT, *, seed=0, **options):
    split = make_splits(scenario, dataset, seed=seed)[0]
    return split, pose(dataset, split, scenario, **options)


def changed(dataset, **metadata):
    """Return a copy of the data set with other metadata."""
    cells = dataset.cells.copy()
    cells.uns[UNS] = {**cells.uns[UNS], **metadata}
    return Dataset(dataset.name, cells)


def test_cells_carry_the_values_and_labels_of_the_data_set(screen):
    split, (task, truth) = posed(screen)
    roles = split.roles_of_cells(screen)
    rows = roles == Role.TEST
    assert (truth.test.X.toarray() == screen.cells.X[rows].toarray()).all()
    for column in [*CONDITION, "control_group", "batch", "replicate"]:
        expected = screen.cells.obs.loc[rows, column].astype(str).to_numpy()
        assert (truth.test.obs[column].to_numpy() == expected).all()
    depth = screen.cells.obs.loc[rows, "total_counts"].to_numpy()
    assert (truth.test.obs["total_counts"].to_numpy() == depth).all()
    assert task.train.expression is Expression.COUNTS
    assert list(truth.test.obs.index) == list(range(int(rows.sum())))


def test_query_asks_the_test_conditions_in_the_order_of_the_truth(screen):
    split, (task, truth) = posed(screen)
    asked = split.conditions_in(Role.TEST)
    for conditions in (task.query.conditions, truth.conditions):
        pd.testing.assert_frame_equal(conditions[CONDITION], asked[CONDITION])
    assert list(task.query.conditions.columns) == [*CONDITION, "control_group", "category"]
    assert "n_cells" not in task.query.conditions


def test_training_cells_come_with_the_given_controls_of_their_groups_alone(screen):
    _, (task, truth) = posed(screen)
    controls = task.train.select(task.train.is_control).obs
    assert set(controls["control_group"]) == set(task.train.obs["context"])
    assert not set(controls["control_group"]) & set(truth.test.obs["control_group"])
    assert set(task.query.controls.obs["control_group"]) == set(truth.test.obs["control_group"])


def test_controls_of_groups_that_are_not_judged_are_all_given(screen):
    _, (task, _) = posed(screen)
    assert task.train.is_control.sum() == 80
    assert task.query.controls.n == 20


def test_truth_counts_the_cells_that_are_tested(screen):
    for scenario in ("unseen-context", "iid"):
        _, (_, truth) = posed(screen, load_scenario(scenario))
        counted = truth.test.obs.groupby(CONDITION).size()
        conditions = truth.conditions.set_index(CONDITION)
        assert (conditions["n_cells"] == counted.reindex(conditions.index)).all()


def test_depth_is_the_median_of_the_halves_that_all_groups_give(screen):
    _, (task, truth) = posed(screen)
    depth = screen.cells.obs["total_counts"].to_numpy()
    kept = kept_controls(screen, set(screen.cells.obs["control_group"]), seed=0)
    assert task.train.target_sum == np.median(depth[screen.is_control & ~kept])
    assert truth.test.target_sum == task.query.controls.target_sum == task.train.target_sum


def test_genes_are_those_that_the_scenario_asks_for(screen):
    _, every = posed(screen, replace(CONTEXT, genes="all"))
    assert list(every.task.train.genes) == list(screen.cells.var_names)
    _, few = posed(screen, replace(CONTEXT, genes="hvg:7"))
    assert few.truth.test.X.shape[1] == len(few.task.train.genes) == 7
    order = [list(screen.cells.var_names).index(gene) for gene in few.task.train.genes]
    assert order == sorted(order)


def test_log_values_keep_the_library_size_that_the_file_states(screen):
    cells = screen.cells.copy()
    depth = cells.obs["total_counts"].to_numpy(float)
    cells.X = log_normalise(cells.X, depth, 10_000.0)
    del cells.obs["total_counts"]
    logged = changed(Dataset("log", cells), expression="lognorm", target_sum=10_000.0)
    _, (task, truth) = posed(logged)
    assert task.train.expression is Expression.LOGNORM
    assert task.train.target_sum == truth.kept.target_sum == 10_000.0
    assert task.train.obs["total_counts"].isna().all()
    silent = changed(Dataset("log", cells), expression="lognorm")
    assert posed(silent)[1].task.train.target_sum is None


@pytest.mark.parametrize("stored", [np.asarray, sparse.csc_matrix, sparse.csr_array])
def test_how_the_matrix_is_stored_does_not_matter(screen, stored):
    cells = screen.cells.copy()
    cells.X = stored(cells.X.toarray())
    _, expected = posed(screen)
    _, found = posed(Dataset(screen.name, cells))
    assert fingerprint(found.task) == fingerprint(expected.task)
    assert fingerprint(found.truth) == fingerprint(expected.truth)


def test_nothing_is_set_aside_where_the_split_has_no_validation(screen):
    _, (task, _) = posed(screen)
    assert task.val.n == 0
    assert list(task.val.genes) == list(task.train.genes)


def test_question_of_two_control_groups_in_a_context_keeps_them_apart(screen):
    """Each condition is measured against its own group, and both groups are halved."""
    cells = screen.cells.copy()
    keys = sorted(set(cells.obs["perturbation"]) - {CONTROL})
    plate = cells.obs["perturbation"].isin(keys[::2]).to_numpy(copy=True)
    controls = np.flatnonzero(screen.is_control)
    plate[controls[::2]] = True
    cells.obs["control_group"] = cells.obs["context"].astype(str) + np.where(plate, "/1", "/2")
    _, (task, truth) = posed(Dataset("plates", cells))
    sizes = [
        half.obs.groupby("control_group").size().tolist() for half in (truth.given, truth.kept)
    ]
    assert sizes == [[10, 10], [10, 10]]
    given = task.query.controls
    for row, group in enumerate(task.query.conditions["control_group"]):
        own = given.select((given.obs["control_group"] == group).to_numpy())
        expected = own.lognorm.toarray().mean(axis=0)
        np.testing.assert_allclose(task.query.control_mean[row], expected, rtol=1e-5)


def test_features_are_those_of_the_screen_unless_others_are_given(screen):
    _, (task, _) = posed(screen)
    pd.testing.assert_frame_equal(task.query.features, screen.features, check_names=False)
    own = pd.DataFrame({"x": [1, 2]}, index=["G0001", "G0008"])
    _, (task, _) = posed(screen, features=own)
    assert task.query.features["x"].tolist() == [1.0, 2.0]
    assert task.query.features["x"].dtype == np.float64
    bare = screen.cells.copy()
    del bare.uns[UNS]["features"]
    assert posed(Dataset("bare", bare))[1].task.query.features is None


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (pd.DataFrame({"x": [1.0, 2.0]}, index=["A", "A"]), r"components twice: \['A'\]"),
        (pd.DataFrame({"x": ["high", "low"]}, index=["A", "B"]), "must be numbers"),
        (pd.DataFrame({"x": [1.0, np.nan]}, index=["A", "B"]), r"of \['B'\] are not finite"),
        (pd.DataFrame({"x": [1.0, np.inf]}, index=["A", "B"]), r"of \['B'\] are not finite"),
    ],
)
def test_features_that_cannot_be_used_are_named(screen, features, message):
    with pytest.raises(OptionError, match=message):
        posed(screen, features=features)


def test_targets_are_the_components_of_genetic_perturbations_in_the_panel():
    conditions = pd.DataFrame(
        {
            "perturbation": ["A", "A+B", "drug", "C"],
            "modality": ["crispri", "crispra", "drug", "crisprko"],
        }
    )
    components = pd.DataFrame(
        {
            "perturbation": ["A", "A+B", "A+B", "drug", "C", "other"],
            "component": ["A", "A", "B", "D", "C", "A"],
        }
    )
    targets = target_genes(conditions, components, np.array(["A", "B", "D"], dtype=object))
    assert sorted(map(tuple, targets.to_numpy())) == [("A", "A"), ("A+B", "A"), ("A+B", "B")]


def test_truth_of_a_drug_screen_has_no_targets(screen):
    cells = screen.cells.copy()
    cells.obs["modality"] = "drug"
    assert posed(Dataset("drugs", cells))[1].truth.targets.empty
    assert not posed(screen)[1].truth.targets.empty
