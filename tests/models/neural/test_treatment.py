"""Perturbations as inputs: features, one-hot, doses, times and sums over components."""

import numpy as np
import pandas as pd
import pytest

from wildcell.errors import DataError, PredictionError
from wildcell.models.neural.batch import treatment_arrays
from wildcell.models.neural.treatment import learn_encoding


def components(**parts_of):
    rows = [
        (key, name, dose, time)
        for key, parts in parts_of.items()
        for name, dose, time in [(*part, np.nan, np.nan)[:3] for part in parts]
    ]
    return pd.DataFrame(rows, columns=["perturbation", "component", "dose", "time"])


def test_features_are_centred_on_those_trained_on_and_scaled_by_the_spread_of_all():
    table = components(a=[("A",)], b=[("B",)], c=[("C",)])
    features = pd.DataFrame({"x": [1.0, 3.0, 5.0, 7.0]}, index=["A", "B", "C", "D"])
    inputs = learn_encoding(table, features, ["a", "b"]).encode(table, ["b", "a", "c"]).inputs
    assert inputs[:, 0] == pytest.approx(np.array([1.0, -1.0, 3.0]) / np.sqrt(5.0))


def test_what_those_trained_on_share_is_not_blown_up_for_others():
    table = components(a=[("A",)], b=[("B",)], c=[("C",)])
    features = pd.DataFrame({"x": [0.0, 1e-4, 1.0, -1.0]}, index=["A", "B", "C", "D"])
    inputs = learn_encoding(table, features, ["a", "b"]).encode(table, ["a", "b", "c"]).inputs
    assert np.abs(inputs[:, 0]).max() < 2.0


def test_a_component_without_features_has_a_column_of_its_own():
    table = components(a=[("A",)], b=[("B",)], c=[("C",)])
    features = pd.DataFrame({"x": [1.0, 3.0]}, index=["A", "B"])
    inputs = learn_encoding(table, features, ["a", "b", "c"]).encode(table, ["a", "c"]).inputs
    assert inputs[:, :2].tolist() == [[-1.0, 0.0], [0.0, 1.0]]


def test_combinations_are_sums_of_their_components():
    table = components(a=[("A",)], ab=[("A",), ("B",)])
    treatments = learn_encoding(table, None, ["a", "ab"]).encode(table, ["ab", "a"])
    total = treatments.weights @ treatments.inputs
    assert total[:, :2].tolist() == [[1.0, 1.0], [1.0, 0.0]]


def test_weights_grow_with_the_logarithm_of_the_dose_and_reach_one_at_the_largest_trained_on():
    table = components(low=[("A", 9.0)], high=[("A", 99.0)], higher=[("A", 999.0)])
    treatments = learn_encoding(table, None, ["low", "high"]).encode(
        table, ["low", "high", "higher"]
    )
    assert treatments.weights.sum(axis=1).A1.round(6).tolist() == [0.5, 1.0, 1.5]
    assert len(treatments.inputs) == 1


def test_times_tell_treatments_apart():
    table = components(early=[("A", np.nan, 6.0)], late=[("A", np.nan, 24.0)])
    treatments = learn_encoding(table, None, ["early", "late"]).encode(table, ["early", "late"])
    assert treatments.inputs[:, 1].tolist() == [-1.0, 1.0]
    assert np.array_equal(treatments.weights.toarray(), np.eye(2))


def test_what_was_not_trained_on_and_has_no_features_is_refused():
    table = components(a=[("A",)], b=[("B",)])
    encoding = learn_encoding(table, None, ["a"])
    with pytest.raises(PredictionError, match="'B' was not trained on and has no features"):
        encoding.encode(table, ["b"])
    with pytest.raises(DataError, match="'c' has no components"):
        encoding.encode(table, ["c"])


def test_a_batch_holds_the_treatments_that_occur_in_it_and_no_perturbation_weighs_nothing():
    table = components(a=[("A",)], b=[("B",)], ab=[("A",), ("B",)])
    treatments = learn_encoding(table, None, ["a", "b", "ab"]).encode(table, ["a", "b", "ab"])
    inputs, weights, rows, _ = treatment_arrays(treatments, np.array([1, -1, 1]))
    assert inputs[:, :2].tolist() == [[0.0, 1.0]]
    assert weights[rows].tolist() == [[1.0], [0.0], [1.0]]
    _, weights, rows, _ = treatment_arrays(treatments, np.array([-1]))
    assert weights[rows].tolist() == [[0.0]]
