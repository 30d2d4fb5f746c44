"""What an arm makes of the features of components."""

import numpy as np
import pandas as pd
import pytest

from wildcell.errors import OptionError
from wildcell.scenarios.feature_arms import features_in_arm

GIVEN = pd.DataFrame(np.arange(12.0).reshape(6, 2), index=list("abcdef"))
COMPONENTS = pd.DataFrame({"component": list("bab")})


def made(rule, features=GIVEN, seed=0):
    return features_in_arm(rule, features, COMPONENTS, np.random.default_rng(seed))


def test_given_features_are_copied_and_none_are_none():
    table = made("given")
    table.iloc[0, 0] = -1
    assert GIVEN.iloc[0, 0] == 0
    assert made("none") is None
    assert made("given", None) is None


def test_one_hot_features_tell_all_components_apart_whatever_is_given():
    table = made("one-hot", None)
    assert table.loc["a"].tolist() == [1, 0]
    assert table.loc["b"].tolist() == [0, 1]


@pytest.mark.parametrize("seed", range(10))
def test_shuffled_features_are_the_same_rows_and_no_component_keeps_its_own(seed):
    table = made("shuffled", seed=seed)
    assert sorted(map(tuple, table.to_numpy())) == sorted(map(tuple, GIVEN.to_numpy()))
    assert (table.to_numpy() != GIVEN.to_numpy()).any(axis=1).all()


@pytest.mark.parametrize("features", [None, GIVEN.iloc[:1]])
def test_there_must_be_features_to_shuffle(features):
    with pytest.raises(OptionError, match="no features to shuffle"):
        made("shuffled", features)
