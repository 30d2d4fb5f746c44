"""The toy screen keeps the laws of data sets, and each law catches a screen that breaks it."""

import numpy as np
import pytest

from wildcell.datasets.dataset import Dataset
from wildcell.errors import BenchmarkError
from wildcell.laws.dataset import DATASET_LAWS
from wildcell.laws.law import LawBrokenError, obey
from wildcell.names import CONTROL, UNS
from wildcell.testing import check_dataset, toy_screen

LAWS = {law.__name__: law for law in DATASET_LAWS}


@pytest.mark.parametrize("law", LAWS)
def test_toy_screen_keeps_law(law):
    obey(LAWS[law], toy_screen(), called="toy screen")


def test_toy_screen_takes_the_options_of_the_simulation():
    screen = toy_screen(n_genes=30, n_contexts=1)
    assert screen.cells.n_vars == 30
    assert set(screen.conditions["context"]) == {"context-1"}
    assert toy_screen().fingerprint == toy_screen().fingerprint != toy_screen(seed=1).fingerprint


def without_components(cells):
    del cells.uns[UNS]["components"]
    return cells


def with_unlabelled_cells(cells):
    cells.obs["context"] = cells.obs["context"].astype(object)
    cells.obs.iloc[-3:, cells.obs.columns.get_loc("context")] = np.nan
    return cells


def with_a_list_in_its_metadata(cells):
    """Files keep a list as an array."""
    cells.uns[UNS]["source"] = ["one paper", "another"]
    return cells


def without_controls(cells):
    return cells[cells.obs["perturbation"] != CONTROL].copy()


@pytest.mark.parametrize(
    ("law", "spoil"),
    [
        ("follows_the_schema", without_components),
        ("every_cell_is_accounted_for", with_unlabelled_cells),
        ("a_file_holds_all_of_it", with_a_list_in_its_metadata),
        ("a_question_can_be_posed", without_controls),
    ],
)
def test_law_catches_a_screen_that_breaks_it(law, spoil):
    cells = spoil(toy_screen().cells.copy())
    with pytest.raises(LawBrokenError, match="The data set 'example' breaks a law"):
        obey(LAWS[law], Dataset("example", cells), called="data set 'example'")


def test_check_says_which_screen_breaks_which_law():
    cells = without_components(toy_screen().cells.copy())
    with pytest.raises(LawBrokenError, match=r"'mine' breaks a law: It follows .*'components'"):
        check_dataset(Dataset("mine", cells))
    assert issubclass(LawBrokenError, BenchmarkError)
