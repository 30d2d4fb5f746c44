"""What a truth in a file comes to by itself, kept for the next prediction that is held to it.

Kept are what costs more to compute than to read: rank tests, principal components, distances and
self-costs within the truth, and the scores of the replicate. Sums and drawn cells are read anew.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd

from wildcell.datasets.open import content_of
from wildcell.evidence import Evidence, Side, Tests
from wildcell.file_evidence import truth_evidence
from wildcell.judge import Judge
from wildcell.metrics.convention import OURS
from wildcell.metrics.mann_whitney import RankTest
from wildcell.metrics.metric import Metric
from wildcell.names import Need
from wildcell.scenarios.file_case import FileCase, Reading, Source
from wildcell.store.fingerprint import fingerprint
from wildcell.store.keeping import Shelf, open_shelf
from wildcell.store.provenance import versions

TRUTHS = "truths"
"""The folder of the cache in which each truth has a shelf."""

RANKS = "rank-tests"


def shelf_of_truth(cache: Path, source: Source, case: FileCase, reading: Reading) -> Shelf | None:
    """Return where what is computed of a truth is kept; None where its numbers were read whole.

    Parameters
    ----------
    cache
        The cache folder.
    source
        The truth as it was given.
    case
        What was opened.
    reading
        How.
    """
    if case.unread is None:
        return None
    truth = case.truth
    words = {
        "content": content_of(source),
        "labels": reading.labels,
        "seed": reading.seed,
        "anchor": reading.is_anchored_to_all,
        "target_sum": truth.test.target_sum,
        "genes": list(truth.test.genes),
        "convention": OURS,
        "versions": versions(),
    }
    return open_shelf(cache / TRUTHS, fingerprint(words))


def evidence_of(case: FileCase, metrics: Sequence[Metric], shelf: Shelf | None) -> Evidence:
    """Read a truth's file, without ranking what was ranked before."""
    assert case.unread is not None
    has_tests = any(Need.DE in item.needs for item in metrics)
    ranks = _known_ranks(shelf, metrics) if shelf is not None and has_tests else None
    evidence = truth_evidence(
        case.unread,
        OURS,
        has_tests=has_tests,
        has_fold_changes=any(map(_may_take_fold_changes, metrics)),
        ranks=ranks,
    )
    if shelf is None or evidence.test.tests is None:
        return evidence
    return replace(
        evidence, test=replace(evidence.test, tests=_kept_tests(evidence.test.tests, shelf))
    )


def _known_ranks(shelf: Shelf, metrics: Sequence[Metric]) -> RankTest | None:
    """Return the rank tests that were kept, where those of the replicate are not wanted either."""
    replicate, ranks = shelf.find(_replicate(metrics)), shelf.find(RANKS)
    return None if replicate is None or ranks is None else RankTest(**ranks)


def replicate_of(judge: Judge) -> pd.DataFrame:
    """Return the scores of the replicate, which follow from the truth alone."""
    if judge.shelf is None or not all(map(_is_of_the_house, judge.metrics)):
        return judge.replicate()
    return _kept_table(judge.shelf, _replicate(judge.metrics), judge.replicate)


def _kept_tests(tests: Tests, shelf: Shelf) -> Tests:
    """Return the rank tests of a truth, which are kept when they are made."""

    def kept(side: Side) -> RankTest:
        made = tests(side)
        if side == "kept" and RANKS not in shelf:
            shelf.keep(RANKS, made._asdict())
        return made

    return kept


def _may_take_fold_changes(metric: Metric) -> bool:
    """Whether a metric looks at fold changes; those from elsewhere need not say so."""
    return Need.LFC in metric.needs or not _is_of_the_house(metric)


def _is_of_the_house(metric: Metric) -> bool:
    """Whether a metric is part of this package, so that the shelf knows when it changes."""
    return metric.compute.__module__.startswith("wildcell.")


def _replicate(metrics: Sequence[Metric]) -> str:
    return f"replicate-{fingerprint([item.name for item in metrics])}"


def _kept_table(shelf: Shelf, name: str, make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    found = shelf.find(name)
    if found is not None:
        return pd.read_parquet(BytesIO(found["parquet"].tobytes()))
    table = make()
    content = table.to_parquet()
    shelf.keep(name, {"parquet": np.frombuffer(content, np.uint8)})
    return table
