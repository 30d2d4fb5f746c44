"""The reference for unseen doses: on the line between doses, and what it says beyond them."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from wildcell.errors import DataError, OptionError
from wildcell.models.answer import unanswerable
from wildcell.models.dose import DoseInterpolation, Series, delta_at, dose_table
from wildcell.models.model import MODELS
from wildcell.names import Expression
from wildcell.scenarios.task import Cells, Query, Task

GENES = np.array(["g1", "g2"], dtype=object)


def cells(rows):
    """Return log-normalised cells: (context, perturbation, values)."""
    obs = pd.DataFrame([row[:2] for row in rows], columns=["context", "perturbation"])
    obs = obs.assign(control_group=obs["context"], batch="", replicate="", total_counts=1.0)
    X = sparse.csr_matrix(np.array([row[2] for row in rows], dtype=float))
    return Cells(X, GENES, obs, Expression.LOG2)


def task_of(trained, asked, unit="uM"):
    """Pose conditions (context, key) after training on deltas; all controls are 5."""
    contexts = sorted({context for context, _ in [*trained, *asked]})
    controls = [(context, "control", [5.0, 5.0]) for context in contexts]
    train = [(context, key, 5 + np.array(delta)) for (context, key), delta in trained.items()]
    keys = sorted({key for _, key in [*trained, *asked]})
    parts = [(key, *f"{key}@nan".split("@")[:2]) for key in keys]
    components = pd.DataFrame(parts, columns=["perturbation", "component", "dose"])
    components = components.astype({"dose": float}).assign(unit=unit, time=np.nan)
    conditions = pd.DataFrame(asked, columns=["context", "perturbation"])
    conditions = conditions.assign(control_group=conditions["context"], category="dose inside")
    empty = cells([(contexts[0], "control", [5.0, 5.0])])
    query = Query(conditions, cells(controls), components)
    return Task(cells([*controls, *train]), empty, query)


def answer(task, **options):
    model = DoseInterpolation(**options)
    model.fit(task)
    return model.deltas(task.query)


SEEN = {("c1", "A@1"): [0.0, 1.0], ("c1", "A@100"): [2.0, -1.0], ("c2", "B@1"): [4.0, 4.0]}


def test_between_two_doses_each_gene_lies_on_the_line_over_log_dose():
    task = task_of(SEEN, [("c1", "A@10"), ("c1", "A@1"), ("c1", "A@31.6227766")])
    expected = [[1.0, 0.0], [0.0, 1.0], [1.5, -0.5]]
    np.testing.assert_allclose(answer(task), expected, atol=1e-6)


def test_beyond_the_doses_it_stays_or_goes_on_as_it_is_told():
    task = task_of(SEEN, [("c1", "A@10000"), ("c1", "A@0.01")])
    np.testing.assert_allclose(answer(task), [[2.0, -1.0], [0.0, 1.0]], atol=1e-6)
    np.testing.assert_allclose(answer(task, beyond="line"), [[4.0, -3.0], [-2.0, 3.0]], atol=1e-6)


def test_a_compound_new_to_the_context_has_the_mean_over_the_others():
    seen = SEEN | {("c3", "A@1"): [0.0, 0.0], ("c3", "A@100"): [4.0, 0.0]}
    np.testing.assert_allclose(answer(task_of(seen, [("c2", "A@10")])), [[1.5, 0.0]], atol=1e-6)


def test_one_dose_alone_is_the_answer_at_every_dose():
    np.testing.assert_allclose(answer(task_of(SEEN, [("c2", "B@7")])), [[4.0, 4.0]], atol=1e-6)


def test_without_a_dose_it_answers_as_context_transfer():
    seen = SEEN | {("c1", "C"): [3.0, 3.0]}
    np.testing.assert_allclose(answer(task_of(seen, [("c2", "C")])), [[3.0, 3.0]], atol=1e-6)


def test_it_declares_that_it_knows_nothing_of_compounds_and_combinations_never_seen():
    task = task_of(SEEN, [("c1", "A@10"), ("c1", "Z@10"), ("c2", "A@10")])
    reasons = unanswerable(MODELS.get("dose-interpolation"), task)
    assert reasons.tolist() == ["", "cannot answer an unseen perturbation", ""]


def test_the_line_agrees_with_an_independent_interpolation():
    rng = np.random.default_rng(0)
    logs, delta = np.sort(rng.normal(size=5)), rng.normal(size=(5, 7))
    for at in np.linspace(logs[0] - 1, logs[-1] + 1, 23):
        found = delta_at(Series(logs, delta), at)
        assert np.allclose(found, [np.interp(at, logs, gene) for gene in delta.T])


def test_doses_in_several_units_and_other_ways_beyond_are_refused():
    task = task_of(SEEN, [("c1", "A@10")])
    task.query.components.loc[0, "unit"] = "nM"
    with pytest.raises(DataError, match="'A' are in nM and uM; bring them to one unit"):
        answer(task)
    with pytest.raises(OptionError, match="nearest or line; got 'spline'"):
        DoseInterpolation(beyond="spline")


def test_a_combination_is_no_dose_of_a_compound():
    components = pd.DataFrame(
        {"perturbation": ["A+B", "A+B", "A@1"], "component": ["A", "B", "A"], "dose": 1.0}
    )
    assert list(dose_table(components.assign(unit="uM")).index) == ["A@1"]
