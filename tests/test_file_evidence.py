"""Cells in files say what the same cells say in memory."""

import os
from dataclasses import replace
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from wildcell.datasets.open import open_cells
from wildcell.evidence import answer_of
from wildcell.file_evidence import answer_evidence, truth_evidence
from wildcell.judge import Judge
from wildcell.metrics.convention import OURS, Convention
from wildcell.metrics.metric import METRICS
from wildcell.names import Expression, Kind, Need
from wildcell.scenarios.answer import as_cells, to_truth
from wildcell.scenarios.file_case import Reading, open_case
from wildcell.scenarios.folder import prediction_from
from wildcell.scenarios.outside import as_dataset, pose_from_files
from wildcell.scenarios.reading import Labels, labelled
from wildcell.store.atomic import write_cells
from wildcell.testing import toy_screen

ROOT = Path(__file__).parents[1]
GOLDEN = Path(os.environ.get("WILDCELL_TEST_DATA", ROOT.parent / "shared")) / "golden"


def pair(*, is_log=False):
    """Return predicted and true cells of two contexts, as plain AnnData."""
    cells = toy_screen(n_contexts=2, n_controls=60, depth=400.0).cells
    X = sparse.csr_matrix(cells.X)
    if is_log:
        X.data = np.log1p(X.data * np.repeat(1e4 / X.sum(axis=1).A1, np.diff(X.indptr)))
    obs = cells.obs[["context", "perturbation"]].astype(str)
    plain = ad.AnnData(X.astype(np.float32), obs=obs, var=pd.DataFrame(index=cells.var_names))
    is_control = (obs["perturbation"] == "control").to_numpy()
    is_even = np.arange(len(obs)) % 2 == 0
    shuffled = np.random.default_rng(0).permutation(np.flatnonzero(is_control | is_even))
    return plain[~is_control & ~is_even].copy(), plain[shuffled].copy()


def opened(prediction, truth, reading):
    return open_case({"prediction": prediction}, truth, None, reading)


def judged_from_file(case, convention=OURS):
    evidence = truth_evidence(case.unread, convention, has_tests=True)
    judge = Judge(
        replace(case.truth, noisy_groups=evidence.noisy_groups),
        [METRICS.get(name) for name in METRICS.names()],
        convention,
        evidence=evidence,
    )
    answer = answer_evidence(
        case.answers["prediction"].unread, case.unread, evidence.given, convention
    )
    return judge, judge.score_answer(answer)


def judged_in_memory(prediction, truth, reading, convention=OURS):
    """Return the judge of the same cells, and the scores, by the way that reads them whole."""
    case = opened(prediction, truth, reading)
    if case.unread.is_posed_here:
        shown = labelled(open_cells(truth), reading.labels)
        expression = case.truth.test.expression
        screen = as_dataset(shown, expression, case.truth.test.target_sum)
        posed = pose_from_files(
            screen,
            None,
            seed=reading.seed,
            target_sum=case.truth.test.target_sum,
            is_anchored_to_all=reading.is_anchored_to_all,
        ).truth
    answered = labelled(open_cells(prediction), reading.labels).in_memory
    own = prediction_from(
        answered, expression=case.answers["prediction"].expression, kind=Kind.CELLS
    )
    judge = Judge(posed, [METRICS.get(name) for name in METRICS.names()], convention)
    return judge, judge.score(replace(own, target_sum=case.answers["prediction"].depth))


def assert_same(one, other):
    keys = ["context", "perturbation", "metric"]
    pd.testing.assert_frame_equal(
        one.sort_values(keys, ignore_index=True),
        other.sort_values(keys, ignore_index=True),
        rtol=1e-5,
        atol=1e-6,
        check_dtype=False,
    )


@pytest.mark.parametrize("is_log", [False, True])
@pytest.mark.parametrize("anchor", [False, True])
def test_files_are_judged_as_the_same_cells_in_memory(is_log, anchor):
    reading = Reading(is_anchored_to_all=anchor, seed=3)
    cells = pair(is_log=is_log)
    ours, scores = judged_from_file(opened(*cells, reading))
    whole, expected = judged_in_memory(*cells, reading)
    assert ours.truth.noisy_groups == whole.truth.noisy_groups
    assert_same(scores, expected)
    assert_same(ours.ceilings(), whole.ceilings())
    assert_same(ours.replicate(), whole.replicate(np.random.default_rng(3)))


def test_cells_are_drawn_alike_from_files_and_memory():
    few = Convention(max_cells=6)
    cells = pair()
    _, scores = judged_from_file(opened(*cells, Reading()), few)
    _, expected = judged_in_memory(*cells, Reading(), few)
    of_cells = [name for name in METRICS.names() if Need.CELLS in METRICS.get(name).needs]
    assert_same(*(table[table["metric"].isin(of_cells)] for table in (scores, expected)))


def test_genes_in_another_order_are_found():
    prediction, truth = pair(is_log=True)
    _, expected = judged_from_file(opened(prediction, truth, Reading()))
    turned = prediction[:, ::-1].copy()
    _, scores = judged_from_file(opened(turned, truth, Reading()))
    assert_same(scores, expected)


STORED = {
    "dense": lambda X: X.toarray(),
    "csc": sparse.csc_matrix,
    "float64": lambda X: X.astype(np.float64),
    "int32": lambda X: X.astype(np.int32),
}


@pytest.mark.parametrize("suffix", ["h5ad", "zarr"])
@pytest.mark.parametrize("stored", STORED.values(), ids=STORED)
def test_how_a_file_is_stored_does_not_matter(stored, suffix, tmp_path):
    cells = pair()
    _, expected = judged_from_file(opened(*cells, Reading()))
    paths = []
    for name, one in zip(("prediction", "truth"), cells, strict=True):
        changed = ad.AnnData(stored(one.X), obs=one.obs, var=one.var)
        paths.append(tmp_path / f"{name}.{suffix}")
        write_cells(paths[-1], changed)
    _, scores = judged_from_file(opened(*paths, Reading()))
    assert_same(scores, expected)
    if suffix == "h5ad":
        backed = [ad.read_h5ad(path, backed="r") for path in paths]
        _, scores = judged_from_file(opened(*backed, Reading()))
        assert_same(scores, expected)


@pytest.mark.skipif(not GOLDEN.is_dir(), reason="golden files are not at hand: WILDCELL_TEST_DATA")
@pytest.mark.parametrize("scale", ["counts", "log1p_cp10k"])
def test_the_golden_pair_is_judged_as_in_memory(scale):
    paths = [GOLDEN / f"{side}_{scale}.h5ad" for side in ("pred", "real")]
    reading = Reading(labels=Labels("target", "context", "non-targeting"))
    _, scores = judged_from_file(opened(*paths, reading))
    _, expected = judged_in_memory(*map(ad.read_h5ad, paths), reading)
    assert_same(scores, expected)


def test_predicted_cells_are_tested_as_those_in_memory():
    prediction, truth = pair()
    case = opened(prediction, truth, Reading())
    given = truth_evidence(case.unread, OURS, has_tests=False).given
    answer = answer_evidence(case.answers["prediction"].unread, case.unread, given, OURS)
    judge, _ = judged_in_memory(prediction, truth, Reading())
    read = labelled(open_cells(prediction), Labels()).in_memory
    own = to_truth(
        prediction_from(read, expression=Expression.COUNTS, kind=Kind.CELLS), judge.truth
    )
    expected = judge._responses(
        answer_of(as_cells(own), judge.truth.conditions, OURS), judge._given
    )
    for block, response in expected.items():
        found = answer.tests("given").p_value[judge._rows[block]]
        np.testing.assert_allclose(
            np.where(np.isnan(response.de.p_value), 0, found),
            np.nan_to_num(response.de.p_value),
            rtol=1e-6,
        )
