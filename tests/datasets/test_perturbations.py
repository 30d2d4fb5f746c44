import numpy as np
import pandas as pd
import pytest

from wildcell.datasets.perturbations import name_perturbations, perturbation_times
from wildcell.errors import DataError


def test_a_separator_is_one_only_if_it_is_said_to_be():
    keys, components = name_perturbations(pd.Series(["control", "(+)-JQ1"]))

    assert keys.tolist() == ["control", "(%2B)-JQ1"]
    assert components["component"].tolist() == ["(+)-JQ1"]


def test_a_combination_has_one_key_whichever_way_round_it_is_written():
    labels = pd.Series(["ctrl", "A_B", "B_A", "ctrl_A", "A_A", "ctrl_ctrl"])

    keys, components = name_perturbations(labels, control="ctrl", separator="_")

    assert keys.tolist() == ["control", "A+B", "A+B", "A", "A", "control"]
    assert components[["perturbation", "component"]].to_numpy().tolist() == [
        ["A", "A"],
        ["A+B", "A"],
        ["A+B", "B"],
    ]


@pytest.mark.parametrize("doses", [["vehicle", "10", "0.5"], [np.nan, 10.0, 0.5]])
def test_doses_are_part_of_the_key_and_controls_have_none(doses):
    labels = pd.Series(["control", "drug", "drug"])

    keys, components = name_perturbations(labels, pd.Series(doses), unit="nM")

    assert keys.tolist() == ["control", "drug@10", "drug@0.5"]
    assert components["dose"].tolist() == [0.5, 10.0]
    assert set(components["unit"]) == {"nM"}


def test_a_dose_and_its_key_have_the_same_digits():
    labels = pd.Series(["control", "drug", "drug"])

    keys, components = name_perturbations(labels, pd.Series([0.0, 0.2, np.float32(0.2)]))

    assert keys.tolist()[1:] == ["drug@0.2", "drug@0.2"]
    assert components["dose"].tolist() == [0.2]


def test_a_perturbed_cell_without_a_dose_has_none():
    keys, components = name_perturbations(
        pd.Series(["control", "drug"]), pd.Series([0.0, np.nan]), unit="nM"
    )

    assert keys.tolist() == ["control", "drug"]
    assert np.isnan(components["dose"]).all()
    assert components["unit"].tolist() == [""]


@pytest.mark.parametrize("dose", ["1+1", "10 nM", "-1", "inf"])
def test_a_dose_that_is_no_number_is_named(dose):
    doses = pd.Series(["x", dose], name="dose_val")

    with pytest.raises(DataError) as caught:
        name_perturbations(pd.Series(["control", "drug"]), doses)

    assert f"'dose_val' is not a number: {dose!r}" in str(caught.value)


def test_a_control_label_that_no_cell_has_is_told_the_labels():
    with pytest.raises(DataError, match="control label 'DMSO'; the labels are 'drug', 'vehicle'"):
        name_perturbations(pd.Series(["vehicle", "drug"]), control="DMSO")


def test_a_perturbation_is_not_taken_for_a_control_by_its_name():
    with pytest.raises(DataError, match="called 'control'"):
        name_perturbations(pd.Series(["DMSO", "control"]), control="DMSO")


@pytest.fixture
def conditions():
    return pd.DataFrame({"context": list("aaabb"), "perturbation": ["control", "x", "y", "x", "y"]})


def test_a_perturbation_has_a_time_if_it_is_the_same_everywhere(conditions):
    times, sentences = perturbation_times(conditions, pd.Series(["-", "6", "24", "6", "48"]))

    assert times["x"] == 6
    assert np.isnan(times["y"])
    assert len(sentences) == 1
    assert "'y'" in sentences[0]


def test_a_condition_of_several_times_is_refused(conditions):
    conditions["context"] = "a"

    with pytest.raises(DataError, match="1 conditions mix several times: 'y in a'"):
        perturbation_times(conditions, pd.Series([0, 6, 24, 6, 48]))
