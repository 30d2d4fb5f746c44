"""On a screen of the size of Norman 2019, the split has the sizes that were published."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from wildcell.names import Role
from wildcell.scenarios.scenario import load_scenario
from wildcell.scenarios.split import SPLITTERS

N_SINGLES, N_PAIRS, N_CONTROLS = 105, 131, 11_855
CELLS_OF_SINGLE, CELLS_OF_PAIR = 480, 250
PUBLISHED = {"single": 12_617, "combo-0": 5_838, "combo-1": 9_744, "combo-2": 3_147}
PUBLISHED_CELLS = {"train": 55_420, "val": 8_228, "test": 31_346}
SEEDS = range(30)


def norman_like(seed):
    """Return conditions and components: random pairs over the singles, cells log-normal."""
    rng = np.random.default_rng(seed)
    genes = [f"GENE{number:03d}" for number in range(N_SINGLES)]
    every = list(combinations(genes, 2))
    pairs = [every[row] for row in sorted(rng.choice(len(every), N_PAIRS, replace=False))]
    keys = [*genes, *("+".join(pair) for pair in pairs)]
    parts = [*((gene,) for gene in genes), *pairs]
    mean = np.where([len(both) == 1 for both in parts], CELLS_OF_SINGLE, CELLS_OF_PAIR)
    conditions = pd.DataFrame(
        {
            "context": "K562",
            "perturbation": keys,
            "n_components": [len(both) for both in parts],
            "n_cells": np.round(mean * rng.lognormal(-0.08, 0.4, len(keys))).astype(int),
        }
    )
    components = [(key, part) for key, both in zip(keys, parts, strict=True) for part in both]
    return conditions, pd.DataFrame(components, columns=["perturbation", "component"])


def published_split(seed):
    """Return the conditions with their roles in the arm that is near the published split."""
    conditions, components = norman_like(seed)
    scenario = load_scenario("norman2019-unseen-combination")
    rule = SPLITTERS.get(scenario.splitter)
    rng = np.random.default_rng(seed)
    (fold,) = rule.divide(conditions, components, rng, **scenario.options("published"))
    return conditions.join(fold)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_category_is_what_counting_by_hand_gives(seed):
    table = published_split(seed)
    alone = table[(table["role"] == Role.TRAIN) & (table["n_components"] == 1)]["perturbation"]
    seen = set(alone)
    for row in table.itertuples():
        parts = row.perturbation.split("+")
        n_new = sum(part not in seen for part in parts)
        assert row.category == ("single" if len(parts) == 1 else f"combo-{n_new}")
    held_out = set(table[(table["role"] == Role.TEST) & (table["n_components"] == 1)].perturbation)
    assert len(held_out) == round(0.25 * N_SINGLES)
    of_held_out = (
        table["perturbation"].str.split("+").map(lambda parts: bool(held_out & set(parts)))
    )
    assert set(table.loc[of_held_out, "role"]) == {Role.TEST}


def test_the_shares_of_the_test_cells_are_near_those_published():
    shares = []
    for seed in SEEDS:
        table = published_split(seed)
        cells = table[table["role"] == Role.TEST].groupby("category")["n_cells"].sum()
        shares.append(cells / cells.sum())
    found = pd.DataFrame(shares)
    total = sum(PUBLISHED.values())
    for category, cells in PUBLISHED.items():
        assert found[category].mean() == pytest.approx(cells / total, abs=0.05)
        assert abs(found[category].mean() - cells / total) < 2 * found[category].std()


def test_the_cells_of_each_role_are_near_those_published():
    of_role = []
    for seed in SEEDS:
        table = published_split(seed)
        cells = table.groupby("role")["n_cells"].sum()
        of_role.append(cells + pd.Series({"train": N_CONTROLS}).reindex(cells.index, fill_value=0))
    found = pd.DataFrame(of_role).mean()
    total = sum(PUBLISHED_CELLS.values())
    assert found.sum() == pytest.approx(total, rel=0.05)
    for role, cells in PUBLISHED_CELLS.items():
        assert found[role] / found.sum() == pytest.approx(cells / total, abs=0.04)
