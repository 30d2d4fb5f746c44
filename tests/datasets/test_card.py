"""A card tells what was planted in simulated screens, and says why where it tells nothing."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cyclopts import App

from wildcell.arrays import log_normalise
from wildcell.cli.card import card as card_verb
from wildcell.datasets import card_effects, card_moments
from wildcell.datasets.card import dataset_card, write_card
from wildcell.datasets.card_effects import systematic_variation
from wildcell.datasets.card_moments import second_halves
from wildcell.datasets.dataset import Dataset
from wildcell.datasets.simulated import simulated, true_effects
from wildcell.errors import DataError, StoreError
from wildcell.names import UNS, Status

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "card.md"
SMALL = {
    "n_contexts": 2,
    "n_perturbations": 6,
    "n_combinations": 2,
    "n_genes": 60,
    "n_cells": 30,
    "n_controls": 40,
}


def small(**options) -> Dataset:
    return simulated(**(SMALL | options))


def with_uns(screen: Dataset, **metadata) -> Dataset:
    cells = screen.cells.copy()
    cells.uns[UNS] = cells.uns[UNS] | metadata
    return replace(screen, cells=cells)


def subset(screen: Dataset, rows) -> Dataset:
    return replace(screen, cells=screen.cells[rows].copy())


def lognorm_of(screen: Dataset):
    counts = screen.cells.obs["total_counts"].to_numpy()
    return log_normalise(screen.cells.X, counts, np.median(counts))


@pytest.fixture(scope="module")
def default():
    screen = simulated()
    return screen, dataset_card(screen)


def test_sizes_and_depths_are_those_of_the_cells():
    screen = small()
    card = dataset_card(screen)
    facts, obs = card.summary.iloc[0], screen.cells.obs
    row = card.conditions.iloc[3]
    cells = obs[(obs["context"] == row["context"]) & (obs["perturbation"] == row["perturbation"])]
    controls = obs[(obs["context"] == row["context"]) & (obs["perturbation"] == "control")]

    assert (facts["n_cells"], facts["n_controls"], facts["n_genes"]) == (560, 80, 60)
    assert (facts["n_contexts"], facts["n_perturbations"], facts["n_combinations"]) == (2, 8, 2)
    assert facts["licence"] == "CC0-1.0"
    assert row["depth"] == cells["total_counts"].median()
    assert row["depth_ratio"] == row["depth"] / controls["total_counts"].median()
    assert row["genes_detected"] == np.median(screen.cells[cells.index].X.getnnz(axis=1))
    assert card.contexts["n_cells"].tolist() == [240, 240]
    assert card.contexts["n_controls"].tolist() == [40, 40]


def test_effect_sizes_are_those_of_a_direct_computation():
    screen = small()
    table = dataset_card(screen).conditions
    values, obs = lognorm_of(screen).toarray().astype(float), screen.cells.obs

    for row in table.itertuples():
        here = (obs["context"] == row.context).to_numpy()
        cells = values[here & (obs["perturbation"] == row.perturbation).to_numpy()]
        controls = values[here & screen.is_control]
        delta = cells.mean(axis=0) - controls.mean(axis=0)
        noise = [(group.var(axis=0, ddof=1) / len(group)).sum() for group in (cells, controls)]

        assert row.squared_delta == pytest.approx(delta @ delta)
        assert [row.cell_noise, row.control_noise] == pytest.approx(noise)
        assert row.signal == pytest.approx(delta @ delta - sum(noise))
        assert row.reliability == pytest.approx(max(row.signal, 0) / row.squared_delta)


def test_signal_is_unbiased_where_the_squared_delta_is_not():
    n_parts = 40
    options = {"n_contexts": 1, "n_perturbations": 3, "n_combinations": 0, "null_share": 0.4}
    screen = small(**options, n_cells=25 * n_parts, n_controls=30 * n_parts)
    precise = dataset_card(screen).conditions.set_index("perturbation")
    rank = screen.cells.obs.groupby("perturbation", observed=True).cumcount()
    size = screen.cells.obs["perturbation"].value_counts() / n_parts
    part = rank // screen.cells.obs["perturbation"].astype(str).map(size)

    rough = pd.concat(
        dataset_card(subset(screen, (part == number).to_numpy())).conditions
        for number in range(n_parts)
    ).groupby("perturbation")

    error = rough["signal"].sem()
    assert ((rough["signal"].mean() - precise["signal"]).abs() < 4 * error).all()
    assert (rough["squared_delta"].mean() - precise["signal"] > 5 * error).all()


def test_null_perturbations_have_no_signal_and_no_split_half(default):
    screen, card = default
    table = card.conditions
    is_null = true_effects(screen).conditions["is_null"].to_numpy()
    noise = table["cell_noise"] + table["control_noise"]

    assert is_null.sum() == 6
    assert abs(table.loc[is_null, "signal"].mean()) < 0.2 * noise[is_null].mean()
    assert table.loc[is_null, "split_half"].abs().max() < 0.2
    assert table.loc[is_null, "systematic_variation"].abs().max() < 0.25
    assert table.loc[~is_null, "split_half"].min() > 0.4
    assert table.loc[~is_null, "signal"].min() > 3 * noise[~is_null].max()


def test_split_halves_correlate_as_the_signal_says(default):
    table = default[1].conditions
    expected = table["signal"] / (
        table["signal"] + 2 * table["cell_noise"] + 2 * table["control_noise"]
    )

    assert (table["split_half"] - expected).abs().median() < 0.05


@pytest.mark.parametrize(("modality", "sign"), [("crispri", -1), ("crisprko", -1), ("crispra", 1)])
def test_targets_move_as_they_were_made_to(modality, sign):
    screen = small(
        modality=modality, null_share=0, baseline_spread=0.3, n_cells=150, n_controls=300
    )
    card = dataset_card(screen)
    truth, genes = true_effects(screen), screen.cells.var_names
    planted = pd.DataFrame(truth.effects, columns=genes).assign(**truth.conditions)
    depths = screen.cells.obs.groupby(["context", "perturbation"], observed=True)["total_counts"]

    assert (card.targets["status"] == Status.OK).all()
    assert card.targets["as_expected"].all()
    assert (sign * card.targets["z"] > 3).all()
    for row in card.targets.itertuples():
        same = (planted["context"] == row.context) & (planted["perturbation"] == row.perturbation)
        mean = depths.mean()[row.context]
        expected = planted.loc[same, row.gene].item() - np.log(
            mean[row.perturbation] / mean["control"]
        )
        assert row.log2_fold_change == pytest.approx(expected / np.log(2), abs=0.35)


def test_targets_that_move_the_other_way_are_not_as_expected():
    screen = small(modality="crispra", null_share=0, baseline_spread=0.3)
    obs = screen.cells.obs.assign(modality="crispri")
    screen.cells.obs = obs
    card = dataset_card(screen)

    assert not card.targets["as_expected"].any()
    assert card.contexts["n_targets"].tolist() == [10, 10]
    assert card.contexts["n_targets_as_expected"].tolist() == [0, 0]


def test_a_single_perturbation_carries_the_numbers_of_its_target():
    card = dataset_card(small())
    both = card.conditions.merge(card.targets, on=["context", "perturbation"], suffixes=("", "_of"))
    single = both[both["n_components"] == 1]

    assert len(single) == 12
    assert np.array_equal(single["target_z"], single["z"])
    assert np.allclose(single["target_signal"], single["signal_of"])
    assert card.conditions.loc[card.conditions["n_components"] == 2, "target_z"].isna().all()
    assert card.conditions["n_targets"].tolist() == card.conditions["n_components"].tolist()


def test_a_component_that_is_no_gene_is_named():
    screen = small()
    absent = str(screen.components["component"].iloc[0])
    screen = replace(screen, cells=screen.cells[:, screen.cells.var_names != absent].copy())
    targets = dataset_card(screen).targets
    lacking = targets[targets["component"] == absent]

    assert len(targets) == 2 * len(screen.components)
    assert len(lacking) >= 2
    assert (lacking["status"] == Status.UNDEFINED).all()
    assert (lacking["gene"] == "").all()
    assert lacking["as_expected"].isna().all()


def test_systematic_variation_is_the_cosine_with_the_mean_of_the_others():
    rng = np.random.default_rng(0)
    means, group = rng.normal(size=(70, 8)), rng.integers(2, size=70)
    halves = rng.normal(size=(3, 2, 2, 8))
    found = systematic_variation(means, group, halves)

    for p in (0, 69):
        cosines = []
        for pair in halves:
            for given, kept in (pair, pair[::-1]):
                delta = means[p] - given[group[p]]
                others = np.delete(means - kept[group], p, axis=0).mean(axis=0)
                cosines.append(delta @ others / np.linalg.norm(delta) / np.linalg.norm(others))
        assert found[p] == pytest.approx(np.mean(cosines))


def test_systematic_variation_finds_the_shared_response_alone():
    lonely = {"shared_strength": 0, "interaction_strength": 0, "n_combinations": 0, "n_genes": 400}
    many = {"n_perturbations": 20, "null_share": 0, "n_contexts": 1, "n_cells": 60}
    own = dataset_card(small(**(many | lonely))).contexts
    shared = dataset_card(small(**(many | lonely | {"shared_strength": 0.3}))).contexts

    assert abs(own["systematic_variation"].item()) < 0.15
    assert shared["systematic_variation"].item() > 0.6


def test_too_few_controls_give_reasons_in_place_of_numbers():
    card = dataset_card(small(n_controls=19))
    numbers = ["squared_delta", "signal", "split_half", "systematic_variation", "target_z"]

    assert (card.conditions["status"] == Status.TOO_FEW_CONTROLS).all()
    assert (card.conditions["systematic_status"] == Status.TOO_FEW_CONTROLS).all()
    assert card.conditions[numbers].isna().all(axis=None)
    assert card.conditions["depth_ratio"].notna().all()
    assert (card.targets["status"] == Status.TOO_FEW_CONTROLS).all()
    assert card.contexts["n_measured"].tolist() == [0, 0]


def test_a_condition_of_few_cells_leaves_the_others_alone():
    screen = small(n_contexts=1)
    few = screen.conditions["perturbation"].iloc[0]
    is_few = (screen.cells.obs["perturbation"] == few).to_numpy()
    card = dataset_card(subset(screen, ~is_few | (np.cumsum(is_few) <= 3)))
    without = dataset_card(subset(screen, ~is_few))

    assert card.conditions["status"].tolist() == ["too_few_cells"] + ["ok"] * 7
    assert np.isnan(card.conditions["split_half"].iloc[0])
    np.testing.assert_allclose(
        card.conditions["systematic_variation"].iloc[1:],
        without.conditions["systematic_variation"],
        atol=0.1,
    )


def test_a_screen_of_one_perturbation_has_no_systematic_variation():
    card = dataset_card(small(n_perturbations=1, n_combinations=0, n_contexts=1))

    assert card.conditions["status"].tolist() == ["ok"]
    assert card.conditions["systematic_status"].tolist() == ["too_few_candidates"]
    assert np.isnan(card.contexts["systematic_variation"].item())
    assert card.contexts["signal"].notna().all()


def test_compounds_have_no_target_genes():
    screen = small()
    screen.cells.obs["modality"] = "drug"
    card = dataset_card(screen)

    assert card.targets.empty
    assert card.conditions["n_targets"].tolist() == [0] * 16
    assert card.conditions["signal"].notna().all()


@pytest.mark.parametrize("expression", ["lognorm", "log2"])
def test_log_values_are_taken_as_they_are(expression):
    counted = small()
    cells = counted.cells.copy()
    cells.X = lognorm_of(counted)
    del cells.obs["total_counts"]
    card = dataset_card(with_uns(Dataset("logs", cells), expression=expression))
    of_counts = dataset_card(counted)

    assert "depth" not in card.conditions
    assert ("genes_detected" in card.conditions) == (expression == "lognorm")
    same = ["squared_delta", "signal", "split_half", "systematic_variation"]
    pd.testing.assert_frame_equal(card.conditions[same], of_counts.conditions[same])
    change = card.targets["log2_fold_change"]
    if expression == "log2":
        assert np.array_equal(change, card.targets["delta"])
    else:
        assert change.isna().all()


def test_log_values_of_a_stated_sum_have_the_fold_changes_of_counts():
    counted = small()
    cells = counted.cells.copy()
    cells.X = lognorm_of(counted)
    target_sum = float(counted.cells.obs["total_counts"].median())
    stated = with_uns(Dataset("logs", cells), expression="lognorm", target_sum=target_sum)

    np.testing.assert_allclose(
        dataset_card(stated).targets["log2_fold_change"],
        dataset_card(counted).targets["log2_fold_change"],
    )


def test_fold_changes_are_of_arithmetic_means_at_ten_thousand():
    screen = small()
    row = dataset_card(screen).targets.iloc[0]
    obs = screen.cells.obs
    counts = screen.cells.X.toarray()[:, screen.cells.var_names.get_loc(row["gene"])]
    share = 1e4 * counts / obs["total_counts"].to_numpy()
    here = (obs["context"] == row["context"]).to_numpy()
    perturbed = share[here & (obs["perturbation"] == row["perturbation"]).to_numpy()].mean()
    controls = share[here & screen.is_control].mean()

    assert row["control_mean"] == pytest.approx(controls, rel=1e-5)
    assert row["log2_fold_change"] == pytest.approx(
        np.log2((perturbed + 0.1) / (controls + 0.1)), rel=1e-5
    )


def test_a_control_group_may_serve_several_contexts():
    screen = small()
    obs = screen.cells.obs
    obs["control_group"] = "all"
    card = dataset_card(screen)

    assert (card.conditions["n_controls"] == 80).all()
    assert card.contexts["n_controls"].tolist() == [80, 80]
    assert (card.conditions["status"] == Status.OK).all()


def test_dense_values_and_the_order_of_genes_change_nothing():
    screen = small()
    dense = screen.cells[:, ::-1].copy()
    dense.X = dense.X.toarray()
    first, second = (dataset_card(replace(screen, cells=cells)) for cells in (screen.cells, dense))

    pd.testing.assert_frame_equal(first.conditions, second.conditions)
    pd.testing.assert_frame_equal(first.targets, second.targets)


def test_how_much_is_read_at_once_changes_nothing(monkeypatch):
    screen = small()
    whole = dataset_card(screen)
    monkeypatch.setattr(card_moments, "CHUNK_ROWS", 7)
    monkeypatch.setattr(card_effects, "BLOCK", 3)
    piecemeal = dataset_card(screen)

    for name, table in whole.tables.items():
        pd.testing.assert_frame_equal(table, piecemeal.tables[name])


def test_the_seed_decides_on_the_halves():
    screen = small()
    split_halves = [dataset_card(screen, seed=seed).conditions["split_half"] for seed in (0, 0, 1)]

    assert split_halves[0].equals(split_halves[1])
    assert not split_halves[0].equals(split_halves[2])


def test_halves_hold_alike_shares_of_each_stratum():
    rng = np.random.default_rng(0)
    groups, strata = rng.integers(5, size=500), rng.integers(3, size=500)
    is_second = second_halves(groups, strata, rng)
    shares = pd.Series(is_second).groupby([groups, strata]).agg(["sum", "size"])

    assert (abs(2 * shares["sum"] - shares["size"]) <= 1).all()


def test_a_screen_of_controls_alone_is_refused():
    screen = small()
    with pytest.raises(DataError, match="All 80 cells of 'simulated' are controls"):
        dataset_card(subset(screen, screen.is_control))


def test_a_written_card_is_read_again(tmp_path):
    card = dataset_card(small())
    write_card(tmp_path / "card", card)
    about = json.loads((tmp_path / "card" / "card.json").read_text())

    assert about["fingerprint"] == card.fingerprint
    for name, table in card.tables.items():
        read = pd.read_parquet(tmp_path / "card" / f"{name}.parquet")
        pd.testing.assert_frame_equal(read, table, check_dtype=False)
        assert about["tables"][name] == list(table)


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "card").mkdir()
    (tmp_path / "card" / "mine").touch()
    with pytest.raises(StoreError, match="not empty"):
        write_card(tmp_path / "card", dataset_card(small()))

    assert [path.name for path in tmp_path.rglob("*")] == ["card", "mine"]


def test_the_reference_describes_every_column():
    text = PAGE.read_text(encoding="utf-8")
    tables = dataset_card(small()).tables

    for name, table in tables.items():
        section = text.partition(f"## `{name}")[2].partition("\n## ")[0]
        assert [column for column in table if f"`{column}`" not in section] == []


@pytest.fixture
def show(capsys):
    """Return a function that runs the verb and returns what it printed."""
    app = App(result_action="return_value", exit_on_error=False)
    app.command(card_verb)

    def run(*arguments):
        app(["card", *arguments])
        return capsys.readouterr().out

    return run


def test_the_verb_tells_contexts_effects_and_targets_and_leaves_the_tables(show, tmp_path):
    options = [f"--data-option={key}={value}" for key, value in SMALL.items()]
    told = show("simulated", *options, "--out", str(tmp_path / "card"))

    assert "560 cells, 80 controls, 60 genes, 2 contexts, 8 perturbations, 16 conditions" in told
    assert "Largest effects, of 16 conditions" in told
    assert "measured move as expected" in told
    assert "context-1" in told
    assert sorted(path.name for path in (tmp_path / "card").iterdir()) == [
        "card.json",
        "conditions.parquet",
        "contexts.parquet",
        "summary.parquet",
        "targets.parquet",
    ]


def test_the_verb_says_why_there_are_no_numbers(show):
    told = show("simulated", "--data-option=n_controls=5", "--data-option=n_contexts=1")

    assert "No effect is told: fewer than 20 controls (36 conditions)." in told
    assert "Largest effects" not in told
