"""Retrieval beside the headline's: by distances, of predictions from truths, and of the nearest."""

from wildcell.arrays import Floats
from wildcell.metrics.metric import metric
from wildcell.metrics.response import Response
from wildcell.metrics.retrieval import row_retrieval
from wildcell.metrics.similarity import column_retrieval, is_among_nearest, similarity_of_deltas
from wildcell.names import Need, Status

CELL_EVAL = "cell-eval 0.8.2 (Arc Institute)"
PERTURBENCH = "Wu et al. 2024, PerturBench, arXiv:2408.10609"


@metric(
    "retrieval_l1",
    best="high",
    family="retrieval",
    needs=(Need.DELTA,),
    null=0.5,
    undefined=Status.TOO_FEW_CANDIDATES,
    formula="1 - rank / (N - 1) of the own D in the context, by Manhattan distance to d",
    range="0 to 1",
    cite=CELL_EVAL,
)
def retrieval_l1(truth: Response, prediction: Response) -> Floats:
    """Retrieval of the own truth by Manhattan distance of deltas: 1 best, 0.5 chance.

    Large answers are nearest to large truths: half of the right answer three times over may beat
    the right one.
    """
    return row_retrieval(similarity_of_deltas(truth, prediction, "l1"))


@metric(
    "retrieval_l2",
    best="high",
    family="retrieval",
    needs=(Need.DELTA,),
    null=0.5,
    undefined=Status.TOO_FEW_CANDIDATES,
    formula="1 - rank / (N - 1) of the own D in the context, by Euclidean distance to d",
    range="0 to 1",
    cite=CELL_EVAL,
)
def retrieval_l2(truth: Response, prediction: Response) -> Floats:
    """Retrieval of the own truth by Euclidean distance of deltas: 1 best, 0.5 chance.

    Large answers are nearest to large truths: half of the right answer three times over may beat
    the right one.
    """
    return row_retrieval(similarity_of_deltas(truth, prediction, "l2"))


@metric(
    "column_retrieval_cosine",
    best="high",
    family="retrieval",
    needs=(Need.DELTA,),
    null=0.5,
    undefined=Status.TOO_FEW_CANDIDATES,
    formula="1 - rank / (N - 1) of the own d among those of the context, by cosine with D",
    range="0 to 1",
    cite=PERTURBENCH,
    compares_answers=True,
)
def column_retrieval_cosine(truth: Response, prediction: Response) -> Floats:
    """Retrieval of the own answer by cosine of deltas from each truth."""
    return column_retrieval(similarity_of_deltas(truth, prediction, "cosine"))


@metric(
    "column_retrieval_pearson",
    best="high",
    family="retrieval",
    needs=(Need.DELTA,),
    null=0.5,
    undefined=Status.TOO_FEW_CANDIDATES,
    formula="1 - rank / (N - 1) of the own d among those of the context, by correlation with D",
    range="0 to 1",
    compares_answers=True,
)
def column_retrieval_pearson(truth: Response, prediction: Response) -> Floats:
    """Retrieval of the own answer by correlation of deltas from each truth."""
    return column_retrieval(similarity_of_deltas(truth, prediction, "pearson"))


@metric(
    "column_retrieval_l1",
    best="high",
    family="retrieval",
    needs=(Need.DELTA,),
    null=0.5,
    undefined=Status.TOO_FEW_CANDIDATES,
    formula="1 - rank / (N - 1) of the own d in the context, by Manhattan distance from D",
    range="0 to 1",
    compares_answers=True,
)
def column_retrieval_l1(truth: Response, prediction: Response) -> Floats:
    """Retrieval of the own answer by Manhattan distance of deltas from each truth."""
    return column_retrieval(similarity_of_deltas(truth, prediction, "l1"))


@metric(
    "column_retrieval_l2",
    best="high",
    family="retrieval",
    needs=(Need.DELTA,),
    null=0.5,
    undefined=Status.TOO_FEW_CANDIDATES,
    formula="1 - rank / (N - 1) of the own d in the context, by Euclidean distance from D",
    range="0 to 1",
    cite=PERTURBENCH,
    compares_answers=True,
)
def column_retrieval_l2(truth: Response, prediction: Response) -> Floats:
    """Retrieval of the own answer by Euclidean distance of deltas from each truth."""
    return column_retrieval(similarity_of_deltas(truth, prediction, "l2"))


@metric(
    "retrieval_top1",
    best="high",
    family="retrieval",
    needs=(Need.DELTA,),
    null=0.0,
    undefined=Status.TOO_FEW_CANDIDATES,
    formula="1 where the own D is that of largest cosine with d, else 0; chance 1 / N",
    range="0 to 1",
)
def retrieval_top1(truth: Response, prediction: Response) -> Floats:
    """Whether the own truth is the most similar by cosine of deltas: chance is 1 in N."""
    return is_among_nearest(similarity_of_deltas(truth, prediction, "cosine"), 1)


@metric(
    "retrieval_top5",
    best="high",
    family="retrieval",
    needs=(Need.DELTA,),
    null=0.0,
    undefined=Status.TOO_FEW_CANDIDATES,
    formula="1 where the own D is among the 5 of largest cosine with d, else 0; chance 5 / N",
    range="0 to 1",
)
def retrieval_top5(truth: Response, prediction: Response) -> Floats:
    """Whether the own truth is among the 5 most similar by cosine of deltas: chance is 5 in N."""
    return is_among_nearest(similarity_of_deltas(truth, prediction, "cosine"), 5)
