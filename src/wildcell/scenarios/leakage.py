"""The leak audit: whether anything of the test is in what a model may see."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from wildcell.names import CONDITION, SHAM
from wildcell.scenarios.claims import WORDS, Claim, broken, claims_made
from wildcell.scenarios.duplicates import Copies, Pile
from wildcell.scenarios.feature_leaks import leaking_columns
from wildcell.scenarios.graph_leaks import Untold, leaking_measure
from wildcell.scenarios.leak import JUDGE_SIDES, N_EXAMPLES, Audit, Case, Kind, Leak, Severity, Side
from wildcell.scenarios.name_leaks import Renamed, renamed_perturbations
from wildcell.scenarios.pooled_cells import pooled_rows
from wildcell.scenarios.replicate_leaks import shared_donors, shared_replicates
from wildcell.scenarios.rows import pack_all
from wildcell.scenarios.spelling import Lexicon
from wildcell.scenarios.task import Cells, Task, Truth, cells_on
from wildcell.scenarios.untold import untold
from wildcell.streams.matrix import stream_of

LENIENT_CATEGORIES = {"seen", SHAM}

HOW_LEARNED = {"train": "trained on", "val": "in validation"}

OTHER_GENES_SHARE = 0.01
"""Genes chosen anew may differ by this share from those of a task, which had held out shams."""


def is_strict(conditions: pd.DataFrame) -> bool:
    """Whether a question claims that what it tests was not trained on, by column category."""
    return not set(conditions["category"]) <= LENIENT_CATEGORIES


def audit(
    task: Task,
    truth: Truth,
    *,
    strict: bool | None = None,
    aliases: Mapping[str, str] | None = None,
    feature_origin: Mapping[str, Any] | None = None,
    graph_origin: Mapping[str, Any] | None = None,
    foreign: Sequence[Cells] = (),
) -> Audit:
    """Look for anything of the truth in a task.

    Parameters
    ----------
    task
        What a model may see.
    truth
        The judge's side.
    strict
        Whether leaks stop the scenario; if None, unless it tests conditions it trains on.
    aliases
        What other names of genes and compounds stand for.
    feature_origin, graph_origin
        What the files of features and of the graph say of themselves; `cells` other than `train`
        is a leak.
    foreign
        Foreign cells of the task as they were measured, before they were scaled: copies of test
        cells are found in them that thinning would hide.

    Examples
    --------
    >>> from wildcell.testing import toy_questions
    >>> task, truth = toy_questions()["unseen-context"]
    >>> audit(task, truth).leaks
    ()
    """
    cells = {
        "train": task.train,
        "val": task.val,
        "given": task.query.controls,
        "test": truth.test,
        "kept": truth.kept,
        **{f"foreign {number}": some for number, some in enumerate(foreign, start=1)},
    }
    return examine(
        Case(
            sides=sides_of(cells, task.unmeasured),
            tested=truth.conditions,
            components=task.query.components,
            genes=list(task.train.genes),
            is_strict=is_strict(truth.conditions) if strict is None else strict,
            flags=truth.origin.flags,
            claims_of=claims_of(task, truth),
            truth=truth,
            features=task.query.features,
            feature_origin=feature_origin or {},
            graph=task.query.graph,
            graph_origin=graph_origin or {},
            aliases=aliases or {},
        )
    )


def sides_of(
    cells: Mapping[str, Cells], unmeasured: Mapping[str, Collection[str]]
) -> dict[str, Side]:
    """Return cells as sides of an audit, on the genes that can be compared.

    Parameters
    ----------
    cells
        By the name of the side.
    unmeasured
        Genes that a screen did not measure, by the name of the screen.
    """
    common = comparable_genes(cells.values(), unmeasured)
    return {name: _side_of(_on_genes(some, common)) for name, some in cells.items()}


def comparable_genes(
    cells: Iterable[Cells], unmeasured: Mapping[str, Collection[str]]
) -> list[str]:
    """Return the genes that all cells have and every screen measured, in the order of the first."""
    first, *others = (some.genes for some in cells)
    lacking = set().union(*unmeasured.values())
    shared = set(first).intersection(*map(set, others)) - lacking
    return [gene for gene in first if gene in shared]


def _on_genes(cells: Cells, genes: list[str]) -> Cells:
    return cells if list(cells.genes) == genes else cells_on(cells, np.array(genes, dtype=object))


def _side_of(cells: Cells) -> Side:
    return Side(cells.obs, Pile(pack_all(stream_of(cells.X), cells.expression), np.arange(cells.n)))


def claims_of(task: Task, truth: Truth | None) -> str:
    """Return the screen whose training cells alone count against what is claimed, "" for all.

    Where foreign cells of what is held out are trained on by intent, only the target's own are
    held against the claim that it was never trained on.
    """
    words = {} if truth is None else truth.origin.pool
    return task.target if words.get("held_out", "") == "keep" else ""


def examine(case: Case) -> Audit:
    """Run every check that can be run."""
    leaks: list[Leak] = []
    skipped: dict[str, str] = {}
    for words, check in CHECKS.items():
        found = check(case)
        if isinstance(found, str):
            skipped[words] = found
        else:
            leaks += found
    return Audit(
        leaks=tuple(sorted(leaks, key=lambda leak: not leak.stops)),
        checks=tuple(words for words in CHECKS if words not in skipped),
        skipped={**skipped, **untold(case)},
        n_test=_n_cells(case, "test"),
        n_train=_n_cells(case, "train"),
    )


def _n_cells(case: Case, side: str) -> int:
    return len(case.sides[side].obs) if side in case.sides else 0


def _check_cells(case: Case) -> list[Leak] | str:
    return _copied(case, "test", Kind.COPIED_CELLS, Kind.THINNED_CELLS)


def _check_pooled(case: Case) -> list[Leak] | str:
    if "test" not in case.sides or case.sides["test"].pile is None:
        return "the test cells are not at hand"
    leaks = []
    for name, seen in case.sides.items():
        found = [] if name in JUDGE_SIDES else pooled_rows(case.sides["test"], seen)
        if found:
            what = f"{len(found)} tested conditions have their sum or mean among {name} cells"
            examples = [f"{row.perturbation} in {row.context} as {name} {row.row}" for row in found]
            leaks.append(case.leak(Kind.POOLED_CELLS, what, len(found), examples))
    return leaks


def _check_controls(case: Case) -> list[Leak] | str:
    return _copied(case, "kept", Kind.KEPT_CONTROLS, Kind.KEPT_CONTROLS)


def _copied(case: Case, judged: str, exact: Kind, thinned: Kind) -> list[Leak] | str:
    if judged not in case.sides or case.sides[judged].pile is None:
        return f"the {judged} cells are not at hand"
    leaks = []
    for (side, seen), copies in case.copies.items():
        if side != judged:
            continue
        for is_exact, kind in ((True, exact), (False, thinned)):
            chosen = np.flatnonzero(copies.is_exact == is_exact)
            manner = "equal to" if is_exact else "thinned copies of, or thinned into,"
            if len(chosen):
                what = f"{len(chosen)} {judged} cells are {manner} {seen} cells"
                examples = [
                    _example(case, (judged, seen), copies, at) for at in chosen[:N_EXAMPLES]
                ]
                leaks.append(case.leak(kind, what, len(chosen), examples))
    return leaks


def _example(case: Case, names: tuple[str, str], copies: Copies, at: int) -> str:
    labels = [
        f"{name} {row} ({case.sides[name].obs['context'].iloc[row]}, "
        f"{case.sides[name].obs['perturbation'].iloc[row]})"
        for name, row in zip(names, (copies.judged[at], copies.seen[at]), strict=True)
    ]
    return f"{labels[0]} and {labels[1]}, depth {copies.shares[at]:.0%}"


def _check_conditions(case: Case) -> list[Leak] | str:
    if "train" not in case.sides:
        return "the training cells are not at hand"
    claimed = case.held_out[case.held_out["category"] != "seen"]
    keys = pd.MultiIndex.from_frame(claimed[CONDITION].astype(str))
    leaks = []
    for side, learned in case.learned.groupby("side", sort=False):
        both = claimed[keys.isin(pd.MultiIndex.from_frame(learned[CONDITION]))]
        if len(both):
            what = f"{len(both)} conditions that are held out are {HOW_LEARNED[str(side)]}"
            examples = [f"{name} in {context}" for context, name in both[CONDITION].to_numpy()]
            leaks.append(case.leak(Kind.TRAINED_CONDITIONS, what, len(both), examples))
    return leaks


def _check_claims(case: Case) -> list[Leak] | str:
    if "train" not in case.sides:
        return "the training cells are not at hand"
    made = claims_made(case)
    leaks = []
    for claim in Claim:
        found = broken(case, claim, case.held_out[made == claim])
        if found:
            what = f"{len(found)} held-out conditions have {WORDS[claim]}, in what was learned from"
            examples = [f"{tested} by {learned}" for tested, learned in found.items()]
            leaks.append(case.leak(Kind.BROKEN_CLAIM, what, len(found), examples))
    unknown = sorted(set(case.held_out.loc[made == "", "category"]))
    if unknown and not leaks:
        return f"nothing says what is claimed of the category {', '.join(map(repr, unknown))}"
    return leaks


def _check_names(case: Case) -> list[Leak] | str:
    if "train" not in case.sides:
        return "the training cells are not at hand"
    stems = {*case.genes, *case.components["component"].astype(str)}
    lexicon = Lexicon(frozenset(case.genes), frozenset(stems), case.aliases)
    held_out, learned = (set(table["perturbation"]) for table in (case.held_out, case.learned))
    renamed = renamed_perturbations(held_out - learned, learned, case.components, lexicon)
    leaks = []
    for are_joint, kind, words in [
        (False, Kind.RENAMED_PERTURBATION, "under another name"),
        (True, Kind.REORDERED_COMPONENTS, "with their components otherwise spelled"),
    ]:
        found = [pair for pair in renamed if pair.is_joint == are_joint]
        if found:
            what = f"{len(found)} perturbations that are held out are in training or validation"
            examples = [_as_words(pair) for pair in found]
            leaks.append(case.leak(kind, f"{what} {words}", len(found), examples))
    return leaks


def _as_words(pair: Renamed) -> str:
    return f"{pair.tested} as {pair.trained}"


def _check_genes(case: Case) -> list[Leak] | str:
    if case.flags is None and not case.panels:
        return "nothing says how the genes were chosen"
    flagged = [flag for flag in case.flags or () if "genes were chosen on" in flag]
    if flagged or _are_of_all_cells(case):
        what = "Genes were chosen on all cells, test cells included"
        return [case.leak(Kind.CHOSEN_GENES, what, len(case.genes))]
    return []


def _are_of_all_cells(case: Case) -> bool:
    """Whether the genes are those chosen on all cells, and clearly not those of training cells."""
    if not case.panels:
        return False
    genes = frozenset(case.genes)
    n_other = len(genes - case.panels["train"])
    return genes == case.panels["all"] and n_other > max(1, OTHER_GENES_SHARE * len(genes))


def _check_replicates(case: Case) -> list[Leak] | str:
    if not {"train", "test"} <= set(case.sides):
        return "the test cells are not at hand"
    learned, test = case.learned_obs, case.sides["test"].obs
    if any("replicate" not in obs or (obs["replicate"] == "").all() for obs in (learned, test)):
        return "no replicates are named"
    leaks = []
    samples = shared_replicates(learned, test)
    if samples:
        what = f"{len(samples)} samples of tested conditions have cells on both sides"
        leaks.append(case.leak(Kind.SHARED_REPLICATES, what, len(samples), samples))
    donors = shared_donors(learned, test)
    if donors:
        what = f"{len(donors)} donors or samples are in contexts of both sides"
        few = tuple(donors[:N_EXAMPLES])
        leaks.append(Leak(Kind.SHARED_REPLICATES, Severity.MARK, what, len(donors), few))
    return leaks


def _check_features(case: Case) -> list[Leak] | str:
    if case.features is None:
        return "there are no features"
    made_of = str(case.feature_origin.get("cells", "train"))
    if made_of not in {"train", "none"}:
        what = f"The features say that they were made of {made_of} cells"
        return [case.leak(Kind.TEST_FEATURES, what, case.features.shape[1])]
    if case.truth is None:
        return "the truth is not at hand"
    columns = leaking_columns(case.features, case.truth, case.components)
    if isinstance(columns, str):
        return columns
    what = f"{len(columns)} features follow the test deltas more closely than their noise allows"
    return [case.leak(Kind.TEST_FEATURES, what, len(columns), columns)] if columns else []


def _check_graph(case: Case) -> list[Leak] | str:
    if case.graph is None:
        return "there is no graph"
    n_edges = len(case.graph)
    made_of = str(case.graph_origin.get("cells", "train"))
    if made_of not in {"train", "none"}:
        what = f"The graph says that it was made of {made_of} cells"
        return [case.leak(Kind.TEST_GRAPH, what, n_edges)]
    if case.truth is None:
        return "the truth is not at hand"
    measure = leaking_measure(case.graph, case.truth, case.components)
    if isinstance(measure, Untold):
        return measure.reason
    what = f"The graph follows the {measure} of test deltas more closely than their noise allows"
    return [case.leak(Kind.TEST_GRAPH, what, n_edges)] if measure else []


CHECKS: Mapping[str, Callable[[Case], list[Leak] | str]] = {
    "test cells among those seen": _check_cells,
    "sums and means of test cells among those seen": _check_pooled,
    "kept controls among those seen": _check_controls,
    "held-out conditions in training or validation": _check_conditions,
    "what is claimed never to have been learned from": _check_claims,
    "held-out perturbations under other names": _check_names,
    "genes chosen on test cells": _check_genes,
    "samples on both sides": _check_replicates,
    "features made from test cells": _check_features,
    "graph made from test cells": _check_graph,
}
"""The checks by what they look for; each returns leaks, or why it cannot be run."""
