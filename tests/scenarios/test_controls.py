"""Controls in two halves, and which of them are too noisy to be judged against."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from wildcell.datasets.dataset import Dataset
from wildcell.names import CONTROL, Expression
from wildcell.scenarios.controls import halve, kept_controls, noisy_groups
from wildcell.scenarios.task import Cells


def with_strata(n_controls, *, seed=0):
    """Return a data set of controls alone, in two groups, batches and replicates of random size."""
    rng = np.random.default_rng(seed)
    obs = pd.DataFrame(
        {
            "perturbation": CONTROL,
            "control_group": rng.choice(["a", "b"], n_controls),
            "batch": rng.choice(["x", "y", "z"], n_controls, p=[0.6, 0.3, 0.1]),
            "replicate": rng.choice(["1", "2"], n_controls),
        },
        index=[str(row) for row in range(n_controls)],
    )
    obs["context"] = obs["control_group"]
    return Dataset("controls", ad.AnnData(np.ones((n_controls, 1)), obs=obs))


@pytest.mark.parametrize("seed", range(6))
def test_halves_are_even_in_every_group_batch_and_replicate(seed):
    dataset = with_strata(81, seed=seed)
    kept = kept_controls(dataset, {"a", "b"}, seed=seed)
    obs = dataset.cells.obs.assign(kept=kept)
    for keys in (["control_group"], ["control_group", "batch", "replicate"]):
        table = obs.groupby(keys)["kept"].agg(["sum", "size"])
        assert (np.abs(2 * table["sum"] - table["size"]) <= 1).all()


def test_seeds_of_a_pair_swap_the_halves_and_other_pairs_halve_anew():
    dataset = with_strata(80)
    halves = [kept_controls(dataset, {"a", "b"}, seed=seed) for seed in range(4)]
    assert (halves[0] == ~halves[1]).all()
    assert (halves[2] == ~halves[3]).all()
    assert 20 < (halves[0] == halves[2]).sum() < 60


def test_groups_that_are_not_judged_keep_nothing():
    dataset = with_strata(80)
    kept = kept_controls(dataset, {"a"}, seed=0)
    assert set(dataset.cells.obs.loc[kept, "control_group"]) == {"a"}
    assert not kept_controls(dataset, set(), seed=0).any()


def test_halves_of_a_group_do_not_depend_on_which_others_are_judged():
    """Seeds of a pair may judge other groups beside this one, and must swap its halves still."""
    dataset = with_strata(80)
    in_b = (dataset.cells.obs["control_group"] == "b").to_numpy()
    alone, beside = (kept_controls(dataset, groups, seed=0) for groups in ({"b"}, {"a", "b"}))
    assert (alone[in_b] == beside[in_b]).all()


def test_single_control_is_on_one_side_and_the_pair_of_seeds_swaps_it():
    dataset = with_strata(1)
    group = set(dataset.cells.obs["control_group"])
    sides = [kept_controls(dataset, group, seed=seed).tolist() for seed in (0, 1)]
    assert sorted(sides) == [[False], [True]]


def test_halving_is_random_within_strata():
    strata = np.array(["x"] * 6 + ["y"] * 4, dtype=object)
    halves = {tuple(halve(strata, np.random.default_rng(seed))) for seed in range(20)}
    assert len(halves) > 10
    assert {sum(half[:6]) for half in halves} == {3}
    assert {sum(half[6:]) for half in halves} == {2}


def screen_of(effects, *, n_cells=25, n_controls, n_genes=300, seed=0):
    """Return cells and controls of one group; each effect is the squared length of a delta."""
    rng = np.random.default_rng(seed)
    direction = rng.normal(size=(len(effects), n_genes))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    shift = 5 + np.sqrt(np.array(effects))[:, None] * direction
    values = np.repeat(shift, n_cells, axis=0) + rng.normal(size=(len(effects) * n_cells, n_genes))
    names = np.repeat([f"P{row}" for row in range(len(effects))], n_cells)
    return (
        group_of(values, names),
        group_of(5 + rng.normal(size=(n_controls, n_genes)), np.full(n_controls, CONTROL)),
    )


def group_of(values, perturbations):
    obs = pd.DataFrame({"perturbation": perturbations, "context": "c", "control_group": "c"})
    genes = np.array([f"g{row}" for row in range(values.shape[1])], dtype=object)
    return Cells(sparse.csr_matrix(values), genes, obs, Expression.LOGNORM)


def test_group_is_noisy_where_the_kept_half_outweighs_effect_and_cells():
    """Unit noise in 300 genes: N_k is 600 / n_controls, N_p is 12, and S the effect."""
    assert noisy_groups(*screen_of([4.0] * 9, n_controls=30)) == ("c",)  # 20 > 16
    assert noisy_groups(*screen_of([4.0] * 9, n_controls=50)) == ()  # 12 < 16
    assert noisy_groups(*screen_of([40.0] * 9, n_controls=20)) == ()  # 30 < 52


def test_group_is_judged_by_its_median_condition():
    few_strong = [40.0] * 4 + [0.0] * 5
    assert noisy_groups(*screen_of(few_strong, n_controls=20)) == ("c",)
    most_strong = [40.0] * 5 + [0.0] * 4
    assert noisy_groups(*screen_of(most_strong, n_controls=20)) == ()
