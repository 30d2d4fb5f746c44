"""No test cell and no kept control is reachable from a task, whatever the scenario."""

import gc
from dataclasses import replace
from functools import cache
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from wildcell.datasets.dataset import Dataset
from wildcell.names import Role
from wildcell.scenarios.controls import kept_controls
from wildcell.scenarios.pose import pose
from wildcell.scenarios.scenario import general_scenario_names, load_scenario
from wildcell.scenarios.split import make_splits
from wildcell.store.fingerprint import fingerprint
from wildcell.testing import toy_screen, toy_screen_for

SCENARIOS = [*general_scenario_names(), "few genes"]
MARKER = 7919.0
"""A count that no cell has unless it was put there."""

NOT_DATA = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType, str, int, float)


def words_of(name):
    if name == "few genes":
        return replace(load_scenario("unseen-context"), genes="hvg:12")
    return load_scenario(name)


def hidden_cells(screen, split):
    """Mark what only the judge may see, and what nobody sees: (n_cells,)."""
    roles = split.roles_of_cells(screen)
    groups = set(split.conditions_in(Role.TEST)["control_group"])
    return np.isin(roles, [Role.TEST, Role.UNUSED]) | kept_controls(screen, groups, seed=split.seed)


def with_rows(screen, rows, counts):
    """Return the screen with other counts in some rows, and library sizes to match."""
    X = screen.cells.X.toarray()
    X[rows] = counts
    cells = screen.cells.copy()
    cells.X = sparse.csr_matrix(X)
    cells.obs["total_counts"] = X.sum(axis=1, dtype=float)
    return Dataset(screen.name, cells)


@cache
def posed(name, seed=0):
    """Pose a scenario on a screen whose hidden cells all count `MARKER` of every gene."""
    words = words_of(name)
    screen = toy_screen_for(words)
    split = make_splits(words, screen, seed=seed)[0]
    marked = with_rows(screen, hidden_cells(screen, split), MARKER)
    return marked, split, pose(marked, split, words)


def everything_in(thing):
    """Yield every object that can be reached from `thing`, arrays and what they are views of."""
    seen, stack = set(), [thing]
    while stack:
        item = stack.pop()
        if id(item) in seen or isinstance(item, NOT_DATA):
            continue
        seen.add(id(item))
        yield item
        stack.extend(referents(item))


def referents(item):
    """Return what an object leads to; of tables the values, not the bookkeeping of pandas."""
    if isinstance(item, pd.DataFrame):
        columns = [column.to_numpy() for _, column in item.items()]
        return [*columns, item.index, item.columns, item.attrs]
    if isinstance(item, pd.Series | pd.Index):
        return [item.to_numpy()]
    if isinstance(item, np.ndarray):
        return [item.base, *(item.ravel() if item.dtype == object else [])]
    return gc.get_referents(item)


def arrays_in(thing):
    return [item for item in everything_in(thing) if isinstance(item, np.ndarray)]


def holds_marker(thing):
    arrays = [array for array in arrays_in(thing) if array.dtype.kind in "iuf"]
    return any((array == MARKER).any() for array in arrays)


def values_in(thing):
    """Return the arrays with values of their own; row numbers are shared by copies of a table."""
    arrays = [array for array in arrays_in(thing) if array.dtype != object and array.size]
    return [array for array in arrays if not np.array_equal(array, np.arange(len(array)))]


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_value_of_a_hidden_cell_is_in_the_task(name):
    _, _, (task, truth) = posed(name)
    assert holds_marker(truth.test)
    assert holds_marker(truth.kept)
    assert not holds_marker(task)


@pytest.mark.parametrize("name", SCENARIOS)
def test_task_holds_bare_arrays_and_no_metadata(name):
    _, _, (task, _) = posed(name)
    found = list(everything_in(task))
    assert not [item for item in found if isinstance(item, ad.AnnData | Dataset)]
    keys = {key for item in found if isinstance(item, dict) for key in item if type(key) is str}
    assert not [key for key in keys if "wildcell" in key]


@pytest.mark.parametrize("name", SCENARIOS)
def test_task_shares_no_memory_with_the_data_set_or_the_truth(name):
    screen, _, (task, truth) = posed(name)
    ours = values_in(task)
    theirs = values_in(truth) + values_in(screen)
    assert ours
    assert theirs
    assert not [1 for one in ours for other in theirs if np.shares_memory(one, other)]


def test_search_finds_what_is_hidden_behind_a_view():
    """The searches above would find a cell that is there."""
    secret = np.full((4, 3), MARKER)
    task = posed("iid")[2].task
    leaky = replace(task.train, embedding=secret[:0])
    assert holds_marker(leaky)
    assert holds_marker(replace(task, train=leaky))
    assert not holds_marker(replace(task.train, embedding=np.zeros((4, 3))))
    table = task.query.conditions.assign(hint=MARKER)
    assert holds_marker(replace(task.query, conditions=table))
    view = ad.AnnData(secret)[:1]
    assert holds_marker(replace(task.train, embedding=view.X))


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("seed", [0, 1])
def test_nothing_of_the_task_depends_on_hidden_cells(name, seed):
    """Panel, depth, cells, features and conditions: all is the same when hidden cells change."""
    words = words_of(name)
    screen = toy_screen_for(words)
    split = make_splits(words, screen, seed=seed)[0]
    hidden = hidden_cells(screen, split)
    counts = np.random.default_rng(seed).poisson(50.0, (int(hidden.sum()), screen.cells.n_vars))
    before = pose(screen, split, words)
    after = pose(with_rows(screen, hidden, counts), split, words)
    assert fingerprint(before.task) == fingerprint(after.task)
    assert fingerprint(before.truth.given) == fingerprint(after.truth.given)
    assert list(after.truth.test.genes) == list(before.task.train.genes)
    assert fingerprint(before.truth.test) != fingerprint(after.truth.test)


def test_fit_on_all_is_the_leak_that_it_is_flagged_as():
    screen = toy_screen()
    words = replace(load_scenario("unseen-context"), genes="hvg:12", fit_on="all")
    split = make_splits(words, screen, seed=0)[0]
    hidden = hidden_cells(screen, split)
    counts = np.random.default_rng(0).poisson(50.0, (int(hidden.sum()), screen.cells.n_vars))
    before = pose(screen, split, words).task.train
    after = pose(with_rows(screen, hidden, counts), split, words).task.train
    assert list(before.genes) != list(after.genes)
    assert before.target_sum == after.target_sum


@cache
def identified(name):
    """Return a screen in which the first gene's count tells every cell from all others."""
    screen = toy_screen_for(name)
    X = screen.cells.X.toarray()
    X[:, 0] = np.arange(1, len(X) + 1)
    return with_rows(screen, slice(None), X)


def identities(cells):
    return set(cells.X[:, 0].toarray().ravel().astype(int))


def sides(name, seed):
    screen, words = identified(name), load_scenario(name)
    split = make_splits(words, screen, seed=seed)[0]
    return screen, split, pose(screen, split, words)


@pytest.mark.parametrize("name", general_scenario_names())
@pytest.mark.parametrize("seed", [0, 1, 6])
def test_controls_of_a_judged_group_are_given_or_kept_and_never_both(name, seed):
    screen, split, (task, truth) = sides(name, seed)
    given, kept = identities(truth.given), identities(truth.kept)
    groups = split.conditions_in(Role.TEST)["control_group"]
    is_judged = screen.is_control & screen.cells.obs["control_group"].isin(groups).to_numpy()
    assert not given & kept
    assert given | kept == set(np.flatnonzero(is_judged) + 1)
    assert identities(task.query.controls) == given
    for cells in (task.train, task.val, task.query.controls):
        assert not identities(cells) & kept


@pytest.mark.parametrize("name", general_scenario_names())
@pytest.mark.parametrize("first", [0, 4])
def test_seeds_of_a_pair_swap_the_halves_of_the_controls(name, first):
    """Of the control groups that both seeds judge, which is all but where contexts are drawn."""
    groups_of, halves = [], []
    for seed in (first, first + 1):
        screen, split, (_, truth) = sides(name, seed)
        groups_of.append(set(split.conditions_in(Role.TEST)["control_group"]))
        group = dict(enumerate(screen.cells.obs["control_group"].astype(str), start=1))
        halves.append(
            {side: identities(getattr(truth, side)) for side in ("given", "kept")} | {"of": group}
        )
    both = groups_of[0] & groups_of[1]
    one, two = (
        {
            side: {cell for cell in half[side] if half["of"][cell] in both}
            for side in ("given", "kept")
        }
        for half in halves
    )
    assert one["given"] == two["kept"]
    assert one["kept"] == two["given"]
    if name not in {"unseen-context", "few-shot", "unseen-both"}:
        assert both


@pytest.mark.parametrize("name", general_scenario_names())
def test_cells_go_where_their_condition_goes(name):
    screen, split, (task, truth) = sides(name, 2)
    roles = split.roles_of_cells(screen)
    for role, cells in [(Role.TRAIN, task.train), (Role.VAL, task.val), (Role.TEST, truth.test)]:
        perturbed = cells.select(~cells.is_control)
        assert identities(perturbed) == set(np.flatnonzero(roles == role) + 1)
    assert not truth.test.is_control.any()
    assert truth.kept.is_control.all()
    assert truth.given.is_control.all()
    assert task.query.controls.is_control.all()
