"""What cells in files say, each file read once: sums, drawn cells, and values to be ranked."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from wildcell.arrays import Booleans, Codes, Floats
from wildcell.evidence import (
    Answer,
    Controls,
    Evidence,
    Side,
    Tests,
    control_groups,
    depths_of,
    library_sizes,
)
from wildcell.metrics.convention import Convention
from wildcell.metrics.grouped import GroupedCells, drawn
from wildcell.metrics.mann_whitney import RankTest
from wildcell.metrics.profile import Profiles, profiles
from wildcell.metrics.rank_store import RankStore
from wildcell.metrics.ranks import NONE, Plan
from wildcell.names import CONDITION
from wildcell.scenarios.controls import halve, noisy_by_moments
from wildcell.scenarios.unread import UnreadPrediction, UnreadTruth
from wildcell.store.spill import temporary_file, write_at_end
from wildcell.streams.normalise import LogStream
from wildcell.streams.row_store import RowWriter, StoredRows
from wildcell.streams.sums import Sums


class Gathered(NamedTuple):
    """What one pass over a file leaves.

    Attributes
    ----------
    sums
        Of the cells of each label.
    rows
        The cells that were kept.
    place
        Where each cell of the file stands among those kept, shape (n_cells,).
    ranks
        Values by gene, to be tested; None where no tests are wanted.
    """

    sums: Sums
    rows: StoredRows
    place: Codes
    ranks: RankStore | None

    def cells(self, of_group: list[Codes]) -> GroupedCells:
        """Return kept cells of groups that are given as cells of the file."""
        return GroupedCells(self.rows, tuple(self.place[rows] for rows in of_group))


def gather(
    stream: LogStream,
    labels: Codes,
    n_labels: int,
    *,
    kept: Booleans,
    has_linear: bool,
    has_tests: bool,
) -> Gathered:
    """Read a file of cells once.

    Parameters
    ----------
    stream
        The cells, shape (n_cells, n_genes).
    labels
        Label of each cell, shape (n_cells,); cells with a negative label are passed over.
    n_labels
        Number of labels.
    kept
        Which cells are wanted themselves, shape (n_cells,).
    has_linear
        Whether linear values are summed.
    has_tests
        Whether values are kept to be ranked.
    """
    n_genes = stream.shape[1]
    sums = Sums.of_nothing(n_labels, n_genes, has_linear=has_linear)
    writer = RowWriter(temporary_file(), n_genes)
    ranks = RankStore.of_nothing(n_genes, n_labels) if has_tests else None
    for start, lognorm, linear, scale in stream.chunks():
        inside = slice(start, start + lognorm.shape[0])
        sums.add(lognorm, linear, scale, labels[inside])
        if kept[inside].any():
            writer.add(lognorm[kept[inside]])
        if ranks is not None:
            ranks.add(lognorm, labels[inside])
    return Gathered(sums, writer.finish(), np.cumsum(kept) - 1, ranks)


@dataclass(frozen=True, eq=False)
class _Layout:
    """Labels of a truth's cells: of n conditions c and n + c are the halves of condition c.

    After the conditions come the control groups, kept and given: 2g and 2g + 1 of each.
    """

    n: int
    groups: pd.Index
    group: Codes
    is_anchored_to_all: bool

    @property
    def n_labels(self) -> int:
        return 2 * (self.n + len(self.groups))

    def half(self, part: int) -> slice:
        """Return the labels of the first (0) or the second (1) halves of the conditions."""
        return slice(part * self.n, (part + 1) * self.n)

    def side(self, side: Side) -> Codes:
        """Return the label of each control group on one side."""
        return 2 * (self.n + np.arange(len(self.groups))) + (side == "given")

    def reference(self, side: Side) -> Codes:
        """Return which group's controls a label's cells are, on one side, shape (n_labels,)."""
        reference = np.full(self.n_labels, NONE)
        reference[self.side(side)] = np.arange(len(self.groups))
        if side == "given" and self.is_anchored_to_all:
            reference[self.side("kept")] = np.arange(len(self.groups))
        return reference


def truth_evidence(
    unread: UnreadTruth,
    convention: Convention,
    *,
    has_tests: bool,
    has_fold_changes: bool = True,
    ranks: RankTest | None = None,
) -> Evidence:
    """Read a truth's file once.

    Parameters
    ----------
    unread
        The truth.
    convention
        How much is drawn and at which library size linear means are taken.
    has_tests
        Whether rank tests will be asked for.
    has_fold_changes
        Whether fold changes will be, which linear means are taken for.
    ranks
        Those of all test cells against the kept controls, where they are known and no others will
        be asked for.
    """
    truth, rows = unread.truth, unread.rows
    groups = control_groups(truth.conditions)
    layout = _Layout(
        n=len(truth.conditions),
        groups=groups,
        group=groups.get_indexer(truth.conditions["control_group"]),
        is_anchored_to_all=bool(np.isin(rows["given"], rows["kept"]).any()),
    )
    code, is_second = _tested_by(unread)
    labels = np.full(unread.X.shape[0], NONE)
    for side in ("given", "kept"):
        own = groups.get_indexer(getattr(truth, side).obs["control_group"])
        labels[rows[side]] = layout.side(side)[own]
    labels[rows["test"]] = code + layout.n * is_second
    names = list(truth.conditions["perturbation"])
    of_condition = [
        _drawn_of(rows["test"][taken], code[taken], names, convention)
        for taken in (np.ones(len(code), bool), ~is_second, is_second)
    ]
    kept = np.zeros(len(labels), dtype=bool)
    for group in (*(rows for part in of_condition for rows in part), rows["kept"], rows["given"]):
        kept[group] = True
    stream = unread.stream(convention.lfc_target_sum)
    has_linear = has_fold_changes and stream.has_linear
    found = gather(
        stream,
        labels,
        layout.n_labels,
        kept=kept,
        has_linear=has_linear,
        has_tests=has_tests and ranks is None,
    )
    halves = [found.sums.take(layout.half(part)) for part in (0, 1)]
    whole = halves[0] + halves[1]
    tests = None
    if has_tests:
        tests = _TruthTests(layout, found.sums.n, found.ranks, convention, ranks)
    depths = _depths(unread)
    noisy_groups = _noisy(unread, layout, found.sums, whole)

    cells = [found.cells(part) for part in of_condition]

    def answer(part: int, shown: Profiles) -> Answer:
        return Answer(
            shown,
            cells[part],
            library_sizes(depths, of_condition[part]),
            None if tests is None else tests.of(part),
        )

    controls = {
        side: _controls(side, unread, layout, found, has_linear=has_linear)
        for side in ("kept", "given")
    }
    first, second = (_put_by(profiles(half, has_linear=has_linear)) for half in halves)
    return Evidence(
        answer(0, profiles(whole, has_linear=has_linear)),
        lambda: (answer(1, first()), answer(2, second())),
        controls["kept"],
        controls["given"],
        noisy_groups,
    )


def _put_by(shown: Profiles) -> Callable[[], Profiles]:
    """Write profiles to a temporary file, and return how they are read again."""
    file, shape = temporary_file(), shown.mean.shape
    arrays = [shown.mean, shown.error, *([] if shown.linear is None else [shown.linear])]
    for array in arrays:
        write_at_end(file, array)
    n, n_arrays = shown.n.copy(), len(arrays)

    def read() -> Profiles:
        file.seek(0)
        mean, error, *linear = (
            np.fromfile(file, count=math.prod(shape)).reshape(shape) for _ in range(n_arrays)
        )
        return Profiles(n, mean, error, linear[0] if linear else None)

    return read


def answer_evidence(
    prediction: UnreadPrediction,
    unread: UnreadTruth,
    given: Controls,
    convention: Convention,
) -> Answer:
    """Read a prediction's file once; again if its cells are tested.

    Parameters
    ----------
    prediction
        The file.
    unread
        What it answers.
    given
        The controls that it is measured against.
    convention
        As in `truth_evidence`.
    """
    conditions = unread.truth.conditions
    keys = pd.MultiIndex.from_frame(conditions[CONDITION])
    codes = np.where(prediction.is_control, NONE, keys.get_indexer(prediction.conditions))
    own = _drawn_of(np.arange(len(codes)), codes, list(conditions["perturbation"]), convention)
    kept = np.zeros(len(codes), dtype=bool)
    for rows in own:
        kept[rows] = True
    stream = prediction.stream(unread, convention.lfc_target_sum)
    has_linear = stream.has_linear and given.profiles.linear is not None
    found = gather(stream, codes, len(keys), kept=kept, has_linear=has_linear, has_tests=False)

    shown = profiles(found.sums, has_linear=has_linear)
    answers = unread.truth.answered_by

    def tests_with_shams(side: Side) -> RankTest:
        assert side == "given"
        tests = _tests_of_answer(stream, codes, shown.n, given, convention)
        return tests.take(answers)

    depths = depths_of(prediction.read.cells.obs)
    drawn_rows = [own[row] for row in answers]
    return Answer(
        shown.take(answers),
        found.cells(drawn_rows),
        library_sizes(depths if stream.total_counts is None else stream.total_counts, drawn_rows),
        tests_with_shams,
    )


def _tests_of_answer(
    stream: LogStream, codes: Codes, sizes: Codes, given: Controls, convention: Convention
) -> RankTest:
    n, n_groups = len(sizes), len(given.cells)
    ranks = RankStore.of_nothing(stream.shape[1], n + n_groups)
    for chunk in stream.chunks():
        ranks.add(chunk.lognorm, codes[chunk.start : chunk.start + chunk.lognorm.shape[0]])
    for group, cells in enumerate(given.cells):
        ranks.add(cells, np.full(cells.shape[0], n + group))
    plan = Plan(
        groups=np.append(np.arange(n), np.full(n_groups, NONE))[:, None],
        reference=np.append(np.full(n, NONE), np.arange(n_groups)),
        compared_with=given.group.astype(np.intp),
        sizes=sizes.astype(np.int64),
        reference_sizes=np.array([len(rows) for rows in given.cells.rows], np.int64),
        is_own=False,
    )
    return ranks.test(plan, continuity=convention.has_continuity)


@dataclass(frozen=True, eq=False)
class _TruthTests:
    """Rank tests of a truth's conditions and of their halves."""

    layout: _Layout
    sizes: Codes
    ranks: RankStore | None
    convention: Convention
    known: RankTest | None

    def of(self, part: int) -> Tests:
        """Return the tests of all cells (0), of the first halves (1) or of the second (2)."""
        return lambda side: self._test(part, side)

    def _test(self, part: int, side: Side) -> RankTest:
        if self.known is not None:
            assert (part, side) == (0, "kept")
            return self.known
        layout, n, sizes = self.layout, self.layout.n, self.sizes
        reference = layout.reference(side)
        group_of = np.full(layout.n_labels, NONE)
        for half in (0, 1):
            if part in {0, half + 1}:
                group_of[layout.half(half)] = np.arange(n)
        is_in, is_beside = group_of >= 0, reference >= 0
        plan = Plan(
            groups=group_of[:, None],
            reference=reference,
            compared_with=layout.group.astype(np.intp),
            sizes=np.bincount(group_of[is_in], sizes[is_in], n).astype(np.int64),
            reference_sizes=np.bincount(
                reference[is_beside], sizes[is_beside], len(layout.groups)
            ).astype(np.int64),
            is_own=False,
        )
        assert self.ranks is not None
        return self.ranks.test(plan, continuity=self.convention.has_continuity)


def _tested_by(unread: UnreadTruth) -> tuple[Codes, Booleans]:
    """Return the condition of each test cell, and whether it is of the second half."""
    conditions, obs = unread.truth.conditions, unread.truth.test.obs
    keys = pd.MultiIndex.from_frame(conditions[CONDITION])
    strata = obs[[*CONDITION, "batch", "replicate"]].agg("\x1f".join, axis=1).to_numpy(object)
    is_first = halve(strata, np.random.default_rng(unread.truth.origin.seed))
    return keys.get_indexer(pd.MultiIndex.from_frame(obs[CONDITION])), ~is_first


def _drawn_of(rows: Codes, codes: Codes, names: list[str], convention: Convention) -> list[Codes]:
    """Return the rows that are drawn of each condition."""
    order = np.argsort(codes, kind="stable")
    ends = np.searchsorted(codes[order], np.arange(len(names) + 1))
    own = [rows[part] for part in np.split(order, ends)[1:-1]]
    return [
        part[drawn(len(part), convention.max_cells, name)]
        for part, name in zip(own, names, strict=True)
    ]


def _controls(
    side: Side, unread: UnreadTruth, layout: _Layout, found: Gathered, *, has_linear: bool
) -> Controls:
    sums = found.sums.take(layout.side(side))
    if side == "given" and layout.is_anchored_to_all:
        sums += found.sums.take(layout.side("kept"))
    obs = getattr(unread.truth, side).obs
    codes = layout.groups.get_indexer(obs["control_group"])
    rows = [unread.rows[side][codes == group] for group in range(len(layout.groups))]
    return Controls(
        side,
        profiles(sums, has_linear=has_linear).take(layout.group),
        found.cells(rows),
        library_sizes(_depths(unread), rows),
        layout.group,
        sums.expressed,
    )


def _depths(unread: UnreadTruth) -> Floats:
    """Return the total counts that are stated of all cells of the file, else NaN."""
    depths = np.full(unread.X.shape[0], np.nan)
    for side, rows in unread.rows.items():
        depths[rows] = getattr(unread.truth, side).obs["total_counts"].to_numpy(float)
    return depths


def _noisy(unread: UnreadTruth, layout: _Layout, sums: Sums, tested: Sums) -> tuple[str, ...]:
    """Return the truth's own noisy groups, or what its numbers say where it was posed without."""
    if not unread.is_posed_here:
        return unread.truth.noisy_groups
    whole = sums.take(layout.side("kept")) + sums.take(layout.side("given"))
    groups = unread.truth.conditions["control_group"]
    return noisy_by_moments(groups, tested.moments, layout.groups, whole.moments)
