"""F1: lenient splits over-estimate. F3: performance falls with distance from training."""

from collections.abc import Iterator

import numpy as np

from wildcell.names import CONDITION, Role
from wildcell.results.findings.arm_book import arm_books, first_pair
from wildcell.results.findings.claim import (
    Answer,
    Claim,
    Finding,
    Material,
    answered,
    described,
)
from wildcell.results.rank import PSEUDO_MODELS, QUESTION, without_shams

LENIENT_AND_STRICT = (("near", "far"), ("placebo", "clusters"), ("random", "cluster"))
NEAR, MIDDLE, FAR = "near", "middle", "far"
DISTANCES = ("context_distance", "perturbation_distance")
LEAST_CONDITIONS = 10


def _over_estimate(material: Material) -> Iterator[Finding]:
    for book in arm_books(material):
        pair = first_pair(book, LENIENT_AND_STRICT)
        if pair is None or (pair == (NEAR, FAR) and MIDDLE in book.arms):
            continue
        lenient, strict = pair
        rows = book.rows(f"{lenient} over {strict}", {lenient: 1.0, strict: -1.0})
        what = f"Over-estimate of the arm {lenient} over {strict}"
        yield from answered("F1", book.question, rows, margin=material.margin, what=what)


def _falls(material: Material) -> Iterator[Finding]:
    for book in arm_books(material):
        if not {NEAR, MIDDLE, FAR} <= book.arms:
            continue
        for part, signs in (
            ("near to far", {NEAR: 1.0, FAR: -1.0}),
            ("near to middle", {NEAR: 1.0, MIDDLE: -1.0}),
            ("middle to far", {MIDDLE: 1.0, FAR: -1.0}),
        ):
            rows = book.rows(part, signs)
            what = f"Loss from {part}"
            yield from answered("F3", book.question, rows, margin=material.margin, what=what)
    yield from _associations(material)


def _associations(material: Material) -> Iterator[Finding]:
    """Yield how scores go with distances where training was not varied, which settles nothing."""
    if material.conditions.empty:
        return
    tested = material.conditions[material.conditions["role"] == Role.TEST]
    keys = [*QUESTION, "seed", "fold", *CONDITION]
    own = without_shams(material.scores)
    own = own[(own["metric"] == "pearson_delta") & ~own["model"].isin(PSEUDO_MODELS)]
    means = own.groupby(keys)["value"].mean().reset_index()
    joined = means.merge(tested[[*keys, *DISTANCES]], on=keys, how="inner")
    for question, table in joined.groupby(QUESTION, sort=True):
        if {NEAR, MIDDLE, FAR} & {str(question[2])}:
            continue
        for distance in DISTANCES:
            known = table[[distance, "value"]].dropna()
            if len(known) < LEAST_CONDITIONS or known[distance].nunique() < LEAST_CONDITIONS // 2:
                continue
            r = float(known[distance].corr(known["value"], method="spearman"))
            sentence = (
                f"Over {len(known)} conditions of the arm {question[2]} scores go with {distance} "
                f"by a rank correlation of {described(r)}; harder conditions may be the farther "
                "ones for other reasons, so this settles nothing."
            )
            yield Finding(
                "F3",
                str(question[0]),
                str(question[1]),
                f"association with {distance}",
                "",
                "pearson_delta",
                Answer.UNTOLD,
                -r,
                np.nan,
                np.nan,
                np.nan,
                "",
                len(known),
                sentence,
                FALLS.needs,
            )


OVER_ESTIMATE = Claim(
    "F1",
    "Lenient splits over-estimate what models can do.",
    "score of the same conditions in the lenient arm less that in the strict arm, less the same "
    "of arms built at random",
    "wildcell run context-relatives --data DATA --arm near (and far, placebo-near, placebo-far), "
    "or wildcell run perturbation-clusters --data DATA --arm placebo (and clusters)",
    _over_estimate,
)
FALLS = Claim(
    "F3",
    "Performance falls with distance from training.",
    "score of the same conditions trained on the nearest third of contexts less that on the "
    "farthest third, as many cells of each",
    "wildcell run context-distance --data DATA --arm near (and middle, far)",
    _falls,
)
