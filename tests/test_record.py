"""What is written of a run."""

import json

import pytest

from wildcell.judge import Judge
from wildcell.names import Status
from wildcell.record import Result, record_of, whole_cost
from wildcell.scenarios.pose import pose
from wildcell.scenarios.scenario import load_scenario
from wildcell.scenarios.split import make_splits
from wildcell.store.provenance import Cost
from wildcell.store.runs import RunKey
from wildcell.testing import toy_screen


@pytest.mark.parametrize(("peak", "expected"), [(float("nan"), None), (120.0, 120.0)])
def test_a_process_that_ended_before_its_memory_was_seen_has_a_record(peak, expected):
    screen, scenario = toy_screen(), load_scenario("unseen-context")
    _, truth = pose(screen, make_splits(scenario, screen, seed=0)[0], scenario)
    cost = whole_cost(Cost(2.0, 1.0, 300.0), Cost(0.1, 0.1, peak))
    record = record_of(
        RunKey("s", "d", "a", "external:mine", 0, 0),
        truth,
        Result(Status.ERROR, Judge(truth, ()).truth.conditions),
        inputs={"dataset": "x"},
        judged="",
        cost=cost,
        started="",
    )
    told = json.loads(json.dumps(record, allow_nan=False, default=str))

    assert told["peak_memory_mb"] == expected
    assert told["cpu_s"] == pytest.approx(1.1)
