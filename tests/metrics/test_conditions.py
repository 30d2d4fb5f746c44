"""Work on many conditions at once."""

import threading

import pytest

from wildcell.metrics.conditions import over_conditions


def test_results_stand_in_the_order_of_the_conditions():
    assert over_conditions(lambda a, b: 10 * a + b, range(50), range(50), n_threads=4) == [
        11 * i for i in range(50)
    ]


def test_conditions_are_worked_on_side_by_side():
    both = threading.Barrier(2, timeout=5)
    assert len(over_conditions(lambda _: both.wait(), range(2), n_threads=2)) == 2


def test_an_error_in_one_condition_is_raised():
    with pytest.raises(ZeroDivisionError):
        over_conditions(lambda x: 1 / x, [1, 0], n_threads=2)


def test_no_conditions_have_no_results():
    assert over_conditions(abs, []) == []
