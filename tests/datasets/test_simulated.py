"""What is planted in a simulated screen is there, and can be found again in its cells."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from wildcell.arrays import log_normalise, moments
from wildcell.datasets.check import check_cells
from wildcell.datasets.dataset import Dataset
from wildcell.datasets.load import load_dataset
from wildcell.datasets.read import read_cells
from wildcell.datasets.simulated import TRUTH_UNS, simulated, true_effects
from wildcell.datasets.simulation import Simulation
from wildcell.errors import DataError, OptionError
from wildcell.names import CONDITION, CONTROL, UNS
from wildcell.store.atomic import write_cells

SMALL = {"n_cells": 10, "n_controls": 20, "n_genes": 200}
SILENT = dict.fromkeys(
    [
        "shared_strength",
        "specific_strength",
        "interaction_strength",
        "target_strength",
        "epistasis_strength",
        "null_share",
    ],
    0,
)


def small(**options) -> Dataset:
    return simulated(**(SMALL | options))


def effect_table(screen: Dataset) -> pd.DataFrame:
    """Return the true effects, indexed by context and perturbation."""
    truth = true_effects(screen)
    index = pd.MultiIndex.from_frame(truth.conditions[CONDITION])
    return pd.DataFrame(truth.effects, index=index, columns=screen.cells.var_names)


def n_components(screen: Dataset) -> np.ndarray:
    return screen.conditions["n_components"].to_numpy()


def group_means(screen: Dataset, by: list[str], target_sum: float | None = None) -> pd.DataFrame:
    """Return mean counts of groups of cells, or mean log1p of normalised counts."""
    X, obs = screen.cells.X, screen.cells.obs
    if target_sum is not None:
        X = log_normalise(X, obs["total_counts"].to_numpy(), target_sum)
    groups = obs.groupby(by, observed=True).ngroup().to_numpy()
    index = obs.groupby(by, observed=True).size().index
    return pd.DataFrame(moments(X, groups, len(index)).mean, index=index)


@pytest.fixture(scope="module")
def default() -> Dataset:
    return simulated()


def test_the_default_screen_follows_the_curated_schema(default):
    assert check_cells(default.cells) == []


def test_the_default_screen_has_all_conditions_that_were_asked_for(default):
    assert default.conditions.groupby("n_components").size().to_dict() == {1: 72, 2: 36}
    assert set(default.conditions["n_cells"]) == {60}
    assert default.is_control.sum() == 3 * 150


def test_total_counts_are_the_row_sums_of_whole_counts(default):
    X = default.cells.X
    assert np.array_equal(X.data, np.round(X.data))
    assert np.array_equal(default.cells.obs["total_counts"], np.asarray(X.sum(axis=1)).ravel())


def test_a_screen_is_found_by_its_name():
    assert len(load_dataset("simulated", n_perturbations=4, n_contexts=1, **SMALL).conditions) == 6


def test_a_screen_of_one_gene_and_one_perturbation_can_be_made():
    screen = simulated(n_genes=1, n_perturbations=1, n_contexts=1)
    assert screen.conditions["perturbation"].tolist() == ["G0001"]
    assert check_cells(screen.cells) == []


def test_perturbations_are_named_for_the_genes_they_target():
    screen = small()
    components = screen.components["component"]
    assert set(components) <= set(screen.cells.var_names)
    assert set(screen.features.index) == set(components)


def test_the_truth_stands_in_the_order_of_the_conditions(default):
    truth = true_effects(default)
    assert truth.effects.shape == (len(default.conditions), default.cells.n_vars)
    pd.testing.assert_frame_equal(truth.conditions[CONDITION], default.conditions[CONDITION])


def test_the_same_seed_makes_the_same_screen_and_another_seed_another():
    first, again, other = small(seed=1), small(seed=1), small(seed=2)
    assert first.fingerprint == again.fingerprint != other.fingerprint
    assert np.array_equal(true_effects(first).effects, true_effects(again).effects)


def test_a_screen_and_its_truth_survive_writing_and_reading(tmp_path):
    screen = small()
    write_cells(tmp_path / "simulated.h5ad", screen.cells)
    read = Dataset("simulated", read_cells(tmp_path / "simulated.h5ad"))
    assert check_cells(read.cells) == []
    assert read.fingerprint == screen.fingerprint
    assert np.array_equal(true_effects(read).effects, true_effects(screen).effects)
    pd.testing.assert_frame_equal(true_effects(read).conditions, true_effects(screen).conditions)
    pd.testing.assert_frame_equal(read.features, screen.features)
    pd.testing.assert_frame_equal(read.components, screen.components)


def test_a_screen_that_was_not_simulated_has_no_truth():
    screen = small()
    del screen.cells.uns[TRUTH_UNS]
    with pytest.raises(DataError, match="simulated screens alone"):
        true_effects(screen)


def test_the_estimated_fold_changes_follow_the_true_ones():
    screen = simulated(n_contexts=1, n_cells=400, n_controls=800, n_genes=200)
    means = group_means(screen, CONDITION) + 0.01
    estimated = np.log(means / means.loc["context-1", CONTROL])
    truth = effect_table(screen)
    estimated = estimated.loc[truth.index].to_numpy()
    assert np.corrcoef(estimated.ravel(), truth.to_numpy().ravel())[0, 1] > 0.9
    assert np.polyfit(truth.to_numpy().ravel(), estimated.ravel(), 1)[0] == pytest.approx(
        1, abs=0.1
    )


def test_null_perturbations_have_no_effect_at_all():
    truth = true_effects(small(null_share=0.25, n_combinations=0))
    assert truth.conditions["is_null"].sum() == 3 * 6
    assert not truth.effects[truth.conditions["is_null"]].any()
    assert truth.effects[~truth.conditions["is_null"]].any(axis=1).all()


def test_null_perturbations_have_the_counts_of_controls():
    screen = simulated(
        null_share=1, n_combinations=0, n_perturbations=5, n_cells=300, n_controls=300
    )
    means = group_means(screen, CONDITION, target_sum=1e4).loc["context-1"]
    between_controls_and_null = (means.loc[CONTROL] - means.drop(CONTROL)).std(axis=1)
    between_nulls = (means.drop(CONTROL).iloc[1:] - means.drop(CONTROL).iloc[0]).std(axis=1)
    assert between_controls_and_null.mean() == pytest.approx(between_nulls.mean(), rel=0.15)


def test_the_shared_response_is_the_same_for_all_perturbations():
    screen = small(**(SILENT | {"shared_strength": 0.3, "responding_share": 1}))
    singles = true_effects(screen).effects[n_components(screen) == 1]
    assert np.array_equal(singles, np.broadcast_to(singles[0], singles.shape))
    assert np.sqrt((singles[0] ** 2).mean()) == pytest.approx(0.3, rel=0.2)


def test_a_share_of_the_genes_responds():
    screen = small(**(SILENT | {"shared_strength": 0.3, "responding_share": 0.1, "n_genes": 1000}))
    assert true_effects(screen).effects[0].astype(bool).mean() == pytest.approx(0.1, abs=0.03)


def test_nothing_planted_means_no_effects():
    truth = true_effects(small(**SILENT))
    assert not truth.effects.any()
    assert truth.conditions["is_null"].all()
    assert not truth.conditions["is_interacting"].any()


@pytest.mark.parametrize(
    "strength", ["shared_strength", "specific_strength", "interaction_strength", "target_strength"]
)
def test_strengths_add_up_independently_of_each_other(strength):
    without = small(**{strength: 0})
    alone = small(**(SILENT | {strength: getattr(Simulation(), strength), "null_share": 0.1}))
    difference = true_effects(small()).effects - true_effects(without).effects
    assert true_effects(alone).effects.any()
    np.testing.assert_allclose(difference, true_effects(alone).effects, atol=1e-6)


def test_without_interaction_all_contexts_respond_alike():
    alike, unlike = (effect_table(small(interaction_strength=value)) for value in (0, 0.1))
    assert np.array_equal(alike.loc["context-1"], alike.loc["context-2"])
    change = unlike.loc["context-1"] - alike.loc["context-1"]
    assert np.sqrt((change.to_numpy() ** 2).mean()) == pytest.approx(0.1, rel=0.3)


def test_contexts_of_a_cluster_change_responses_alike():
    screen = small(
        n_contexts=4, n_context_clusters=2, cluster_interaction_strength=0.2, interaction_strength=0
    )
    effects = effect_table(screen)
    assert np.array_equal(effects.loc["context-1"], effects.loc["context-3"])
    assert not np.array_equal(effects.loc["context-1"], effects.loc["context-2"])
    clusters = true_effects(screen).conditions.groupby("context")["context_cluster"].first()
    assert clusters.tolist() == ["cluster-1", "cluster-2", "cluster-1", "cluster-2"]


def test_controls_of_a_cluster_are_alike():
    screen = simulated(
        n_contexts=4,
        n_context_clusters=2,
        cluster_spread=0.8,
        context_spread=0.1,
        n_perturbations=1,
    )
    means = group_means(screen, CONDITION, target_sum=1e4).xs(CONTROL, level="perturbation")
    distances = np.linalg.norm(means.to_numpy()[:, None] - means.to_numpy(), axis=2)
    assert max(distances[0, 2], distances[1, 3]) < 0.5 * min(distances[0, 1], distances[2, 3])


@pytest.mark.parametrize(("modality", "sign"), [("crispri", -1), ("crisprko", -1), ("crispra", 1)])
def test_the_target_itself_is_moved(modality, sign):
    screen = small(**(SILENT | {"modality": modality, "target_strength": 1.0}))
    singles = effect_table(screen).loc["context-1"].loc[screen.features.index]
    on_target = np.diag(singles[singles.index])
    assert np.array_equal(on_target, np.full(len(singles), sign))
    assert np.count_nonzero(singles) == len(singles)
    assert set(screen.cells.obs["modality"]) == {modality}


def test_combinations_are_additive_except_for_the_planted_share():
    screen = small(n_combinations=20, epistasis_share=0.3)
    effects, conditions = effect_table(screen), true_effects(screen).conditions
    parts = screen.components.groupby("perturbation")["component"].agg(list)
    residue = [
        np.abs(effects.loc[context, key] - effects.loc[context].loc[parts[key]].sum()).max()
        for context, key in effects.index
    ]
    is_additive = np.array(residue) < 1e-6
    assert np.array_equal(~is_additive, conditions["is_interacting"] & (n_components(screen) == 2))
    assert conditions["is_interacting"].sum() == 3 * 6


def test_without_epistasis_no_combination_is_interacting():
    assert not true_effects(small(epistasis_strength=0)).conditions["is_interacting"].any()
    assert not true_effects(small(epistasis_share=0)).conditions["is_interacting"].any()


def share_explained_by_features(screen: Dataset) -> float:
    effects = effect_table(screen).loc["context-1"].loc[screen.features.index].to_numpy()
    X = screen.features.to_numpy()
    residue = effects - X @ np.linalg.lstsq(X, effects, rcond=None)[0]
    return 1 - float((residue**2).sum() / (effects**2).sum())


@pytest.mark.parametrize("informativeness", [0, 0.5, 1])
def test_features_explain_the_specific_response_to_the_degree_asked_for(informativeness):
    screen = small(
        n_perturbations=60,
        feature_informativeness=informativeness,
        **(SILENT | {"specific_strength": 0.2}),
    )
    by_chance = 4 / 60 * (1 - informativeness)
    expected = informativeness + by_chance
    assert share_explained_by_features(screen) == pytest.approx(expected, abs=0.1)


def test_shuffled_features_are_those_of_others_and_leave_the_cells_as_they_are():
    options = {**SILENT, "specific_strength": 0.2, "feature_informativeness": 1}
    true, shuffled = small(**options), small(shuffle_features=True, **options)
    assert (true.cells.X != shuffled.cells.X).nnz == 0
    assert not np.isclose(true.features, shuffled.features).any()
    assert np.allclose(np.sort(true.features, axis=0), np.sort(shuffled.features, axis=0))
    assert share_explained_by_features(true) == pytest.approx(1)
    assert share_explained_by_features(shuffled) < 0.5


@pytest.mark.parametrize("seed", range(5))
def test_no_perturbation_keeps_its_own_features_when_they_are_shuffled(seed):
    options = {"n_perturbations": 3, "n_cells": 1, "n_controls": 1, "n_genes": 5, "seed": seed}
    true, shuffled = (simulated(shuffle_features=value, **options) for value in (False, True))
    assert not np.isclose(true.features, shuffled.features).any()


@pytest.mark.parametrize(("modality", "sign"), [("crispri", -1), ("crispra", 1)])
def test_what_moves_a_target_tells_what_it_moves(modality, sign):
    options = {"specific_strength": 0.2, "feature_informativeness": 1, "modality": modality}
    screen = small(**(SILENT | options))
    singles = effect_table(screen).loc["context-1"].loc[screen.features.index]
    among_targets = singles[singles.index].to_numpy()
    similarity = screen.features.to_numpy() @ screen.features.to_numpy().T
    np.testing.assert_allclose(among_targets, sign * 0.2 / np.sqrt(4) * similarity, atol=1e-6)


def test_depth_is_the_mean_of_the_counts_of_controls():
    for depth in (500, 4000):
        screen = small(depth=depth, depth_spread=0.5, context_depth_spread=0, n_controls=400)
        totals = screen.controls.obs["total_counts"]
        assert totals.mean() == pytest.approx(depth, rel=0.05)


def test_depth_differs_among_cells_and_contexts_as_asked():
    even = {"depth_spread": 0, "context_depth_spread": 0, "batch_strength": 0, "dispersion": 0}
    still = small(**even).controls.obs["total_counts"]
    among_cells = small(**even | {"depth_spread": 0.5}).controls.obs["total_counts"]
    among_contexts = small(**even | {"context_depth_spread": 0.5}).controls.obs
    by_context = among_contexts.groupby("context", observed=True)["total_counts"].mean()
    assert np.log(still).std() < 0.05
    assert np.log(among_cells).std() == pytest.approx(0.5, rel=0.2)
    assert np.log(by_context).std() > 0.2


def variation_between_batches(**options) -> float:
    """Return how far batches differ in the logs of mean counts of controls."""
    screen = small(n_controls=500, baseline_spread=0, depth=5000, **options)
    means = group_means(Dataset("controls", screen.controls), ["batch"])
    return float(np.log(means).std(axis=0).mean())


def test_batches_shift_genes_and_cross_all_conditions():
    assert variation_between_batches(batch_strength=0) < 0.05
    assert variation_between_batches(batch_strength=0.4) > 0.2
    screen = simulated(n_batches=3, n_genes=50)
    crossed = screen.cells.obs.groupby(CONDITION, observed=True)["batch"].nunique()
    assert (crossed == 3).all()


def test_dispersion_is_that_of_a_negative_binomial():
    for dispersion in (0, 0.5):
        screen = small(
            dispersion=dispersion,
            n_contexts=1,
            n_controls=2000,
            **dict.fromkeys(["depth_spread", "batch_strength"], 0),
        )
        X = screen.controls.X.toarray().astype(float)
        mean, variance = X.mean(axis=0), X.var(axis=0)
        estimated = ((variance - mean) / mean**2)[mean > 5]
        assert np.median(estimated) == pytest.approx(dispersion, abs=0.05)


def test_contexts_have_their_own_baselines():
    def spread(context_spread: float) -> float:
        screen = simulated(
            context_spread=context_spread, baseline_spread=0, n_perturbations=1, n_controls=500
        )
        means = group_means(screen, CONDITION).xs(CONTROL, level="perturbation")
        return float(np.log(means / means.mean(axis=1).to_numpy()[:, None]).std(axis=0).mean())

    assert spread(0) < 0.05
    assert spread(0.5) > 0.3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shared_strenght": 1}, "Did you mean 'shared_strength'"),
        ({"n_cells": 0}, "n_cells must be at least 1"),
        ({"n_cells": 2.5}, "whole number"),
        ({"n_cells": True}, "whole number"),
        ({"n_cells": None}, "whole number"),
        ({"depth": "deep"}, "depth must be a number"),
        ({"depth": float("nan")}, "depth must be at least 1"),
        ({"null_share": 1.5}, "at most 1"),
        ({"shuffle_features": "no"}, "True or False"),
        ({"modality": "drug"}, "crispra, crispri, crisprko"),
        ({"n_genes": 10}, "24 perturbations targets a gene"),
        ({"n_perturbations": 3, "n_combinations": 4}, "3 perturbations make 3 pairs"),
        ({"shared_strength": 50}, "lower a strength"),
    ],
)
def test_options_that_cannot_be_used_say_what_would_do(options, message):
    with pytest.raises(OptionError, match=message):
        simulated(**options)


def test_an_option_like_none_lists_the_known_ones():
    with pytest.raises(OptionError, match=r"Known: .*depth.*n_cells.*shared_strength"):
        simulated(zzz=1)


def test_a_dose_has_its_share_of_the_effect_and_combinations_are_of_the_highest():
    options = {"n_contexts": 1, "n_perturbations": 3, "null_share": 0.0, "epistasis_share": 0.0}
    truth = true_effects(simulated(**options, n_doses=3, dose_slope=1.0, modality="drug"))
    plain = true_effects(simulated(**options))
    effect = dict(zip(truth.conditions["perturbation"], truth.effects, strict=True))
    full = dict(zip(plain.conditions["perturbation"], plain.effects, strict=True))
    (pair,) = [key for key in full if "+" in key]
    first, second = pair.split("+")
    for dose, share in ((1, 1 / 11), (10, 1 / 2), (100, 10 / 11)):
        np.testing.assert_allclose(effect[f"{first}@{dose}"], share * full[first], atol=1e-6)
    both = effect[f"{first}@100+{second}@100"]
    np.testing.assert_allclose(both, effect[f"{first}@100"] + effect[f"{second}@100"], atol=1e-6)


def test_drugs_have_doses():
    assert set(simulated(n_doses=1, modality="drug").conditions["modality"]) == {"drug"}
    with pytest.raises(OptionError, match="n_doses must be at least 0"):
        simulated(n_doses=-1)


class Deltas:
    """Deltas of the default screen, what is known against one half of controls, truth the other."""

    def __init__(self, screen: Dataset) -> None:
        means = group_means(screen, CONDITION, target_sum=1e4)
        controls = Dataset("controls", screen.controls)
        half = np.arange(controls.cells.n_obs) % 2
        controls.cells.obs["half"] = half
        halves = group_means(controls, ["half", "context"], target_sum=1e4)
        conditions = means.drop(CONTROL, level="perturbation")
        contexts = conditions.index.get_level_values("context")
        self.known = conditions - halves.loc[0].loc[contexts].to_numpy()
        self.true = conditions - halves.loc[1].loc[contexts].to_numpy()
        self.singles = list(screen.features.index)
        self.parts = screen.components.groupby("perturbation")["component"].agg(list)
        self.pairs = [key for key in self.parts.index if key not in self.singles]

    def error(self, predicted: np.ndarray, perturbations: list[str], context: str) -> float:
        true = self.true.loc[context].loc[perturbations].to_numpy()
        return float(np.sqrt(((predicted - true) ** 2).mean(axis=1)).mean())


@pytest.fixture(scope="module")
def deltas(default) -> Deltas:
    return Deltas(default)


def test_additive_beats_the_perturbed_mean_beats_no_change_on_combinations(deltas):
    for context in ("context-1", "context-2", "context-3"):
        known = deltas.known.loc[context].loc[deltas.singles]
        additive = np.array([known.loc[deltas.parts[key]].sum() for key in deltas.pairs])
        perturbed_mean = known.mean().to_numpy()
        errors = [
            deltas.error(prediction, deltas.pairs, context)
            for prediction in (additive, perturbed_mean, 0 * perturbed_mean)
        ]
        assert errors == sorted(errors)
        assert errors[0] < 0.95 * errors[1] < 0.9 * errors[2]


def test_a_perturbation_elsewhere_beats_the_perturbed_mean_in_an_unseen_context(deltas):
    for context in ("context-1", "context-2", "context-3"):
        others = deltas.known.drop(context, level="context")
        transfer = others.groupby("perturbation", observed=True).mean()
        keys = list(transfer.index)
        transferred = deltas.error(transfer.to_numpy(), keys, context)
        assert transferred < 0.85 * deltas.error(others.mean().to_numpy(), keys, context)


def ratio_of_ridge_to_perturbed_mean(deltas: Deltas, features: pd.DataFrame) -> float:
    known = deltas.known.loc["context-1"]
    of_ridge, of_mean = 0.0, 0.0
    for fold in np.array_split(np.array(deltas.singles), 6):
        train = known.loc[[key for key in deltas.singles if key not in set(fold)]]
        ridge = Ridge(alpha=4).fit(features.loc[train.index], train)
        of_ridge += deltas.error(ridge.predict(features.loc[fold]), list(fold), "context-1")
        of_mean += deltas.error(train.mean().to_numpy(), list(fold), "context-1")
    return of_ridge / of_mean


def test_ridge_beats_the_perturbed_mean_on_unseen_perturbations_by_their_own_features(
    default, deltas
):
    shuffled = simulated(shuffle_features=True, n_cells=1, n_controls=1).features
    assert ratio_of_ridge_to_perturbed_mean(deltas, default.features) < 0.95
    assert ratio_of_ridge_to_perturbed_mean(deltas, shuffled) > 1


def test_the_metadata_say_that_the_screen_is_simulated(default):
    metadata = default.cells.uns[UNS]
    assert metadata["source"] == "simulated"
    assert metadata["licence"] == "CC0-1.0"
