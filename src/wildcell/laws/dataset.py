"""The laws of data sets, each a function of one curated screen."""

from pathlib import Path
from tempfile import TemporaryDirectory

from wildcell.datasets.check import check_cells
from wildcell.datasets.dataset import Dataset
from wildcell.datasets.read import read_cells
from wildcell.errors import BenchmarkError
from wildcell.laws.law import Law
from wildcell.names import CONTROL
from wildcell.scenarios.pose import pose
from wildcell.scenarios.scenario import load_scenario
from wildcell.scenarios.split import make_splits
from wildcell.store.atomic import write_cells


def follows_the_schema(dataset: Dataset) -> str:
    """It follows the curated schema."""
    return " ".join(check_cells(dataset.cells))


def every_cell_is_accounted_for(dataset: Dataset) -> str:
    """Every cell is a control or of one listed condition."""
    n_listed = int(dataset.conditions["n_cells"].sum()) + int(dataset.is_control.sum())
    if n_listed != dataset.cells.n_obs:
        return f"{n_listed} of {dataset.cells.n_obs} cells are."
    if CONTROL in set(dataset.conditions["perturbation"]):
        return "controls are listed as a condition."
    return ""


def a_file_holds_all_of_it(dataset: Dataset) -> str:
    """Written to a file and read again, it is the same."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "screen.h5ad"
        write_cells(path, dataset.cells)
        again = Dataset(dataset.name, read_cells(path))
        if again.fingerprint != dataset.fingerprint:
            return f"its fingerprint was {dataset.fingerprint}, and is {again.fingerprint}."
    return ""


def a_question_can_be_posed(dataset: Dataset) -> str:
    """A question can be posed on it: that of other cells of the same conditions."""
    scenario = load_scenario("iid")
    try:
        task, truth = pose(dataset, make_splits(scenario, dataset, seed=0)[0], scenario)
    except BenchmarkError as error:
        return str(error)
    if not task.train.n or not truth.test.n or not truth.kept.n or not truth.given.n:
        return "there are no cells for training, no test cells, or no controls on one side."
    return ""


DATASET_LAWS: tuple[Law[Dataset], ...] = (
    follows_the_schema,
    every_cell_is_accounted_for,
    a_file_holds_all_of_it,
    a_question_can_be_posed,
)
