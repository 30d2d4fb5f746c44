"""F2: merging data sets hurts, scaling repairs it, and metrics differ on when to merge."""

from collections.abc import Iterator

import numpy as np

from wildcell.results.findings.arm_book import ArmBook, arm_books
from wildcell.results.findings.claim import (
    ALPHA,
    BOUNDED,
    Answer,
    Claim,
    Finding,
    Material,
    answered,
    p_value,
)
from wildcell.results.simultaneous import holm
from wildcell.results.words import listed

SINGLE, BEFORE, AFTER, SCALED = "single", "merge-before", "merge-after", "-scaled"


def _find(material: Material) -> Iterator[Finding]:
    for book in arm_books(material):
        for arm in (BEFORE, AFTER):
            yield from answered(
                "F2",
                book.question,
                book.rows(f"{arm} hurts", {SINGLE: 1.0, arm: -1.0}),
                margin=material.margin,
                what=f"Loss by {arm}",
            )
            yield from answered(
                "F2",
                book.question,
                book.rows(f"scaling repairs {arm}", {arm + SCALED: 1.0, arm: -1.0}),
                margin=material.margin,
                what=f"Gain by scaling before {arm}",
            )
        if {BEFORE, AFTER} <= book.arms:
            yield _favours(book)


def _favours(book: ArmBook) -> Finding:
    """Ask whether one metric surely favours merging before the choice of genes, another after."""
    found = {
        metric: book.averaged(metric, {BEFORE: 1.0, AFTER: -1.0})
        for metric in BOUNDED
        if metric in book.of_metric
    }
    known = {metric: one for metric, one in found.items() if np.isfinite(one.mean)}
    adjusted = dict(
        zip(known, holm(np.array([p_value(one) for one in known.values()])), strict=True)
    )
    before = [name for name, one in known.items() if adjusted[name] < ALPHA and one.mean > 0]
    after = [name for name, one in known.items() if adjusted[name] < ALPHA and one.mean < 0]
    answer = Answer.UNTOLD
    if before and after:
        answer = Answer.HOLDS
    elif len(known) > 1 and len(before) + len(after) == len(known):
        answer = Answer.FAILS
    told = "; ".join(
        f"{listed(names)} {'favours' if len(names) == 1 else 'favour'} {arm}"
        for names, arm in ((before, BEFORE), (after, AFTER))
        if names
    )
    told = f"{told[:1].upper()}{told[1:]}" or "No metric surely favours either"
    return Finding(
        "F2",
        *book.question,
        "before and after favour different metrics",
        "",
        "",
        answer,
        np.nan,
        np.nan,
        np.nan,
        np.nan,
        "",
        len(known),
        f"{told}: {answer}.",
        "" if answer is not Answer.UNTOLD else "more conditions, or contexts, that both arms test",
    )


MERGING = Claim(
    "F2",
    "Merging data sets without alignment hurts; scaling counts repairs it; merging before and "
    "after the choice of genes favour different metrics.",
    "score of the target's test in the arm single less that in a merged arm; that of the scaled "
    "merged arm less that of the unscaled one",
    "wildcell run cross-data-set --data TARGET --foreign OTHER --arm single (and merge-before, "
    "merge-before-scaled, merge-after, merge-after-scaled)",
    _find,
)
