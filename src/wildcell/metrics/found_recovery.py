"""Whether a test finds in predicted cells what it finds in as many true ones.

R is what is found in the truth, S what is found in the answer. A gene counts as recovered only
where its direction is right, too. Each metric is there for the Mann-Whitney test and, with `_welch`
at the end of its name, for Welch's t-test; a test is made once for all of them.

Supplements: an answer that moves all genes a little, and surely, has most genes in S.
"""

from collections.abc import Callable
from functools import wraps
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from wildcell.arrays import Booleans, Codes, Floats
from wildcell.metrics.de_recovery import above_chance
from wildcell.metrics.found import CellTest, Found, find
from wildcell.metrics.metric import Best, Compute, metric
from wildcell.metrics.recovery import divided, positions, roc_auc
from wildcell.metrics.response import Response
from wildcell.names import Need, Status

Measure: TypeAlias = Callable[[Found, Response, Response], Floats]

ON_MEANS = "_welch"
"""What is added to a metric's name where Welch's test takes the place of the Mann-Whitney test."""

TESTS: dict[CellTest, str] = {"mann_whitney": "", "welch": ON_MEANS}

NEEDS = (Need.CELLS, Need.DE, Need.DELTA)


def found_metric(
    name: str,
    *,
    formula: str,
    needs: tuple[Need, ...] = NEEDS,
    null: float = 0.0,
    best: Best = "high",
    range: str = "0 to 1",  # noqa: A002  the word of the field
    alias_of: str | None = None,
    cite: str = "",
) -> Callable[[Measure], Measure]:
    """Register a measure of what is found in predicted cells, once for each test.

    Parameters
    ----------
    name, formula, needs, null, best, range, alias_of, cite
        As in `metric`.
    """

    def register(measure: Measure) -> Measure:
        for test, ending in TESTS.items():
            metric(
                name + ending,
                best=best,
                family="genes",
                needs=needs,
                null=null,
                undefined=Status.TOO_FEW_DE_GENES,
                alias_of=alias_of and alias_of + ending,
                cite=cite,
                formula=formula,
                range=range,
                is_matched=True,
                twin_of=name if ending else None,
            )(_by(test, measure))
        return measure

    return register


def _by(test: CellTest, measure: Measure) -> Compute:
    @wraps(measure)
    def compute(truth: Response, prediction: Response) -> Floats:
        found = find(truth, prediction, test)
        return np.where(found.is_defined, measure(found, truth, prediction), np.nan)

    return compute


@found_metric(
    "found_recall",
    formula="share of R that is in S, in the same direction",
)
def recall(found: Found, _truth: Response, _prediction: Response) -> Floats:
    """Share of what is found in true cells that is found in predicted ones, the same way."""
    return divided(found.right.sum(axis=1), _size(found.true))


@found_metric(
    "found_precision",
    formula="share of S that is in R, in the same direction; 0 where S is empty",
)
def precision(found: Found, _truth: Response, _prediction: Response) -> Floats:
    """Share of what is found in predicted cells that is found in true ones, the same way."""
    return np.nan_to_num(divided(found.right.sum(axis=1), _size(found.predicted)))


@found_metric(
    "found_jaccard",
    formula="genes in R and S in the same direction, over pairs of gene and direction in either",
)
def jaccard(found: Found, _truth: Response, _prediction: Response) -> Floats:
    """Intersection over union of what is found in true and in predicted cells, by direction."""
    n_right = found.right.sum(axis=1)
    return divided(n_right, _size(found.true) + _size(found.predicted) - n_right)


@found_metric(
    "found_mcc",
    formula="Matthews correlation of R and S over the 2 G pairs of gene and direction",
    range="about 0 to 1",
    cite="Matthews, Biochim Biophys Acta 405:442 (1975)",
)
def matthews(found: Found, _truth: Response, _prediction: Response) -> Floats:
    """Matthews correlation of what is found in true and in predicted cells, by direction."""
    n_right, n_true, n_predicted = (
        found.right.sum(axis=1),
        _size(found.true),
        _size(found.predicted),
    )
    n_pairs = 2 * found.tested.sum(axis=1)
    by_chance = n_true * n_predicted
    spread = by_chance * (n_pairs - n_true) * (n_pairs - n_predicted)
    return np.nan_to_num(divided(n_pairs * n_right - by_chance, np.sqrt(spread.astype(float))))


@found_metric(
    "found_auprc",
    formula="(AP - R/G) / (1 - R/G): AP the average precision of R by rising p of predicted cells",
    range="about 0 to 1",
)
def area_under_precision(found: Found, _truth: Response, _prediction: Response) -> Floats:
    """Average precision of ranking genes by the test of predicted cells, above chance."""
    return _of_tested(above_chance, found)


@found_metric(
    "found_auroc",
    formula="area under the ROC curve of R by rising p of predicted cells, ties half",
    null=0.5,
)
def area_under_roc(found: Found, _truth: Response, _prediction: Response) -> Floats:
    """Chance that a gene found in true cells has the lower p in predicted ones than another."""
    return _of_tested(lambda is_hit, score: float(roc_auc(is_hit[None], score[None])[0]), found)


def _of_tested(measure: Callable[[Booleans, Floats], float], found: Found) -> Floats:
    """Return a measure of what is found in the truth and of how sure the prediction is of it."""
    rows = zip(found.true != 0, -found.p_value, found.tested, strict=True)
    return np.array([measure(is_hit[use], score[use]) for is_hit, score, use in rows])


def _size(found: NDArray[np.int8]) -> Codes:
    return np.count_nonzero(found, axis=1)


def _top(found: Found, truth: Response, prediction: Response, k: int | None) -> tuple[Codes, ...]:
    """Return the true and predicted top genes that agree, and how many of either there are.

    The top are the `k` genes of largest fold change of those that are found; as many as are found
    in the truth if None.
    """
    most = _size(found.true)[:, None] if k is None else k
    is_true = positions(np.abs(truth.lfc), found.true != 0) < most
    is_predicted = positions(np.abs(prediction.lfc), found.predicted != 0) < most
    return tuple(
        among.sum(axis=1) for among in (is_true & is_predicted & found.right, is_true, is_predicted)
    )


def _said(found: str, fold_change: str, k: int | str | None) -> str:
    return f"the {k} of {found} of largest |{fold_change}|" if k else found


def _overlap_of_top(ending: str, k: int | None, alias_of: str | None = None) -> None:
    """Register the share of the top genes of the truth that are recovered."""

    @found_metric(
        f"found_overlap_{ending}",
        formula=(
            f"share of {_said('R', 'L', k)} that is in {_said('S', 'l', k or 'R')}, in the same "
            "direction"
        ),
        needs=(*NEEDS, Need.LFC),
        alias_of=alias_of,
    )
    def overlap(found: Found, truth: Response, prediction: Response) -> Floats:
        """Share of the top genes of true cells, by fold change, that are top in predicted ones."""
        n_right, n_true, _ = _top(found, truth, prediction, k)
        return divided(n_right, n_true)


def _precision_of_top(ending: str, k: int | None, alias_of: str | None = None) -> None:
    """Register the share of the top genes of an answer that are right."""

    @found_metric(
        f"found_precision_{ending}",
        formula=(
            f"share of {_said('S', 'l', k or 'R')} that is in {_said('R', 'L', k)}, in the same "
            "direction; 0 where S is empty"
        ),
        needs=(*NEEDS, Need.LFC),
        alias_of=alias_of,
    )
    def precision_of_top(found: Found, truth: Response, prediction: Response) -> Floats:
        """Share of the top genes of predicted cells, by fold change, that are top in true ones."""
        n_right, _, n_predicted = _top(found, truth, prediction, k)
        return np.nan_to_num(divided(n_right, n_predicted))


# Of no more than 100 found genes all are at the top, in which case two of these say nothing new.
for _k in (20, 50, 100):
    _overlap_of_top(str(_k), _k, "found_recall" if _k == 100 else None)
    _precision_of_top(str(_k), _k, "found_precision" if _k == 100 else None)
_overlap_of_top("n", None)
_precision_of_top("n", None)


@found_metric(
    "found_count",
    best="zero",
    null=6.9,
    formula="log of (genes in S + 1) over (genes in R + 1)",
    range="any",
)
def log_count(found: Found, _truth: Response, _prediction: Response) -> Floats:
    """Log of how many genes are found in predicted cells, over how many in as many true ones."""
    return np.log((_size(found.predicted) + 1) / (_size(found.true) + 1))
