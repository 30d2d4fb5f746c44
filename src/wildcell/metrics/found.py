"""What a test finds in predicted cells, beside what it finds in as many true ones.

The more cells, the more genes a test finds: so the same number of cells of both sides are tested,
drawn by the name of the perturbation from those that distances look at. The true cells are tested
against the kept controls, the predicted ones against the given.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wildcell.arrays import Booleans, Codes, Floats, Matrix, moments
from wildcell.metrics.differential import MeanTest, benjamini_hochberg, t_test
from wildcell.metrics.grouped import sampled, sizes_of, stacked
from wildcell.metrics.mann_whitney import RankTest
from wildcell.metrics.remembered import remembered
from wildcell.metrics.response import Response
from wildcell.metrics.tested import Means, rank_tests

CellTest: TypeAlias = Literal["mann_whitney", "welch"]


@dataclass(frozen=True, eq=False)
class Found:
    """What one test finds on both sides, arrays of shape (n_perturbations, n_genes).

    Attributes
    ----------
    true, predicted
        1 where a gene is found to rise, -1 where it is found to fall, else 0.
    tested
        Genes that are tested: the same on both sides.
    p_value
        Of the predicted cells; 1 where there is no test.
    is_defined
        Perturbations that are answered and of whose truth enough is found, (n_perturbations,).
    """

    true: NDArray[np.int8]
    predicted: NDArray[np.int8]
    tested: Booleans
    p_value: Floats
    is_defined: Booleans

    @property
    def right(self) -> Booleans:
        """Genes that are found on both sides, in the same direction."""
        return (self.true != 0) & (self.true == self.predicted)


@remembered
def find(truth: Response, prediction: Response, test: CellTest) -> Found:
    """Test the cells of both sides, at a false discovery rate of `convention.alpha`.

    Parameters
    ----------
    truth, prediction
        With cells and controls.
    test
        By ranks (Mann-Whitney) or by means (Welch).
    """
    assert truth.sample is not None
    assert prediction.sample is not None
    answered, measured = sizes_of(prediction.sample), sizes_of(truth.sample)
    n = np.where(answered > 0, np.minimum(answered, measured), measured)
    tested = ~np.isnan(truth.de.p_value)
    of_truth = _tested(truth, n, test, tested, may_know=True)
    of_prediction = of_truth if prediction is truth else _tested(prediction, n, test, tested)
    alpha = truth.convention.alpha
    true = of_truth.found(alpha)
    is_enough = (true != 0).sum(axis=1) >= truth.convention.min_de_genes
    return Found(
        true,
        of_prediction.found(alpha),
        tested,
        np.nan_to_num(of_prediction.p_value, nan=1.0),
        is_enough & (answered > 0),
    )


class _Tested(NamedTuple):
    """Directions and p-values of some cells, shape (n_perturbations, n_genes)."""

    direction: Floats
    p_value: Floats

    def found(self, alpha: float) -> NDArray[np.int8]:
        """Return the direction of what is found, 0 elsewhere."""
        is_found = benjamini_hochberg(self.p_value) < alpha
        return np.where(is_found, np.nan_to_num(self.direction), 0).astype(np.int8)


def _tested(
    response: Response, n: Codes, test: CellTest, tested: Booleans, *, may_know: bool = False
) -> _Tested:
    """Test `n` cells of each perturbation; all of them may have been tested by ranks already."""
    if test == "welch":
        direction, p_value = _test_means(response, _drawn(response, n))
    else:
        is_known = may_know and response.convention.test == "mann_whitney"
        is_whole = np.array_equal(n, response.n_cells)
        statistic, p_value = (
            (response.de.statistic, response.de.p_value)
            if is_known and is_whole
            else _test_ranks(response, _drawn(response, n))
        )
        direction = statistic - n[:, None] * response.n_controls[:, None] / 2
    return _Tested(np.sign(direction), np.where(tested, p_value, np.nan))


def _test_ranks(response: Response, cells: Sequence[Matrix]) -> RankTest:
    assert response.control_cells is not None
    groups = response.control_groups
    return rank_tests(cells, response.control_cells, groups, response.convention)


def _test_means(response: Response, cells: Sequence[Matrix]) -> MeanTest:
    assert response.control_error is not None
    matrix, codes = stacked(cells, np.arange(len(cells)))
    controls = Means(response.n_controls, response.control, response.control_error)
    return t_test(moments(matrix, codes, len(cells)), controls.moments)


def _drawn(response: Response, n: Codes) -> Sequence[Matrix]:
    assert response.sample is not None
    return sampled(response.sample, n, response.perturbations)
