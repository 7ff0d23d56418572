"""Bits per second against figures worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmi.bitrate import (
    WIDTH_PER_SD,
    difficulty_bit,
    effective_throughput,
    grid_bit_rate,
    grid_bit_rate_interval,
)
from bmi.errors import ContractError


def test_a_grid_by_hand():
    """33 targets carry log2(32) = 5 bit; 14 right and 4 wrong leave 10, in 25 s: 2 bit/s."""
    assert grid_bit_rate(33, 14, 4, 25.0) == 2.0
    assert grid_bit_rate(3, 10, 0, 10.0) == 1.0
    assert grid_bit_rate(2, 10, 0, 10.0) == 0.0  # two targets, of which one is the undo


def test_without_time_there_is_no_rate():
    assert math.isnan(grid_bit_rate(9, 0, 0, 0.0))
    assert grid_bit_rate(9, 0, 0, 10.0) == 0.0


@given(st.integers(2, 400), st.integers(0, 100), st.integers(0, 100), st.floats(0.1, 1000.0))
def test_at_chance_and_below_it_is_zero_and_never_negative(n_targets, correct, wrong, seconds):
    rate = grid_bit_rate(n_targets, correct, wrong, seconds)
    assert rate >= 0.0
    if correct <= wrong:
        assert rate == 0.0


def test_a_guesser_has_no_bit_rate():
    """One in N right, as a guesser has on average: N - 1 wrong for each right one."""
    assert all(grid_bit_rate(n, 10, 10 * (n - 1), 60.0) == 0.0 for n in range(2, 100))


@given(st.integers(3, 400), st.integers(1, 50), st.floats(0.5, 100.0))
def test_right_adds_what_wrong_takes(n_targets, correct, seconds):
    both = grid_bit_rate(n_targets, correct + 3, 3, seconds)
    assert both == pytest.approx(grid_bit_rate(n_targets, correct, 0, seconds))


def test_the_interval_of_two_selections_by_hand():
    """1 s each, one right, one wrong, of 3 (1 bit): right minus wrong is -2, 0, 2 with 1/4, 1/2, 1/4, in 2 s."""
    assert grid_bit_rate_interval(3, [True, False], [1.0, 1.0], 0) == (0.0, 0.0, 1.0)


def test_the_interval_knows_that_some_selections_take_longer():
    found = grid_bit_rate_interval(33, [True] * 20, [1.0, 3.0] * 10, 0)
    assert found.value == grid_bit_rate(33, 20, 0, 40.0)
    # standard error of the mean time: 1 s / sqrt 20 = 0.224 s on 2 s
    assert (found.low, found.high) == pytest.approx((5 / (2 + 1.96 * 0.224), 5 / (2 - 1.96 * 0.224)), rel=0.05)
    even = grid_bit_rate_interval(33, [True] * 20, [2.0] * 20, 0)
    assert even == (2.5, 2.5, 2.5)


def test_the_interval_is_about_the_rate():
    rng = np.random.default_rng(0)
    right, seconds = rng.random(60) < 0.9, rng.uniform(0.5, 2.0, 60)
    found = grid_bit_rate_interval(36, right, seconds, 1)
    assert found.value == pytest.approx(grid_bit_rate(36, right.sum(), (~right).sum(), seconds.sum()))
    assert found.low < found.value < found.high


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: grid_bit_rate(1, 1, 0, 1.0), "n_targets=1, expected at least 2"),
        (lambda: grid_bit_rate(9, -1, 0, 1.0), "at least 0, given -1"),
        (lambda: grid_bit_rate(9, 1, 0, -1.0), "-1 s"),
        (lambda: grid_bit_rate_interval(0, [True], [1.0], 0), "n_targets=0"),
        (lambda: grid_bit_rate_interval(9, [True], [1.0, 2.0], 0), "one time of at least 0 s a selection"),
        (lambda: grid_bit_rate_interval(9, [True], [-1.0], 0), "one time of at least 0 s a selection"),
        (lambda: effective_throughput([[0.0]], [[1.0]], [[1.0, 2.0]], [1.0], [0], 0), "expected three"),
    ],
)
def test_what_makes_no_sense_is_refused(call, message):
    with pytest.raises(ContractError, match=message):
        call()


# --- effective throughput -----------------------------------------------------------------------------


def reaches(ends, *, times=None, condition=None, goal=(80.0, 0.0)):
    n = len(ends)
    times = [1.0] * n if times is None else times
    return (
        np.zeros((n, 2)), np.tile(goal, (n, 1)), np.asarray(ends, float), np.asarray(times, float),
        np.zeros(n, int) if condition is None else np.asarray(condition),
    )  # fmt: skip


THREE = [(78, 5), (80, -7), (82, 0)]


def test_three_end_points_by_hand():
    """78, 80, 82 along the axis: mean 80, SD 2, width 8.266; log2(80 / 8.266 + 1) = 3.4166 bit in 1 s."""
    assert effective_throughput(*reaches(THREE, times=[0.5, 1.0, 1.5]), 0).value == pytest.approx(3.4166, abs=1e-4)
    assert difficulty_bit(80.0, 8.266) == pytest.approx(3.4166, abs=1e-4)


def test_conditions_are_averaged_not_pooled():
    """The second condition spreads twice as far in half the time: log2(80 / 16.532 + 1) / 0.5 = 5.0915."""
    ends = [*THREE, (76, 0), (80, 0), (84, 0)]
    found = effective_throughput(*reaches(ends, times=[1, 1, 1, 0.5, 0.5, 0.5], condition=[1, 1, 1, 2, 2, 2]), 0)
    assert found.value == pytest.approx((3.4166 + 5.0915) / 2, abs=1e-4)


def test_a_condition_of_two_end_points_is_left_out():
    ends = [*THREE, (70, 0), (90, 0)]
    assert effective_throughput(*reaches(ends, condition=[0, 0, 0, 1, 1]), 0).value == pytest.approx(3.4166, abs=1e-4)
    assert math.isnan(effective_throughput(*reaches(THREE[:2]), 0).value)
    assert math.isnan(effective_throughput(*reaches([(80, k) for k in range(5)]), 0).value)  # no spread along the axis
    assert math.isnan(effective_throughput(*reaches([(-9, 0), (-8, 0), (-5, 0)]), 0).value)  # went backwards


def test_where_a_reach_began_does_not_widen_its_end_points():
    """Begun at 0, -10 and 10 and ended at 78, 80 and 82: 78, 90 and 72 mm covered, 80 on average."""
    start, goal, end, times, condition = reaches(THREE)
    start[:, 0] = [0.0, -10.0, 10.0]
    assert effective_throughput(start, goal, end, times, condition, 0).value == pytest.approx(3.4166, abs=1e-4)


def test_falling_short_costs_distance_not_width():
    """All 10 mm short: D_e = 70, W_e as before."""
    short = [(x - 10, y) for x, y in THREE]
    assert effective_throughput(*reaches(short), 0).value == pytest.approx(math.log2(70 / 8.266 + 1))


@given(st.floats(0, 2 * math.pi), st.floats(-50, 50))
@settings(max_examples=30, deadline=None)
def test_turning_and_shifting_the_room_changes_nothing(angle, shift):
    c, s = math.cos(angle), math.sin(angle)
    turn = np.array([[c, -s], [s, c]])
    start, goal, end, times, condition = reaches(THREE)
    turned = [x @ turn.T + shift for x in (start, goal, end)]
    found = effective_throughput(*turned, times, condition, 0, n_bootstrap=50)
    assert found == pytest.approx(effective_throughput(start, goal, end, times, condition, 0, n_bootstrap=50))


def test_normal_end_points_that_fill_the_width_give_the_nominal_difficulty():
    """4.133 SD is the width that 96 % of normal end points fall into."""
    rng = np.random.default_rng(0)
    ends = np.stack([80 + rng.normal(0, 16.0 / WIDTH_PER_SD, 4000), rng.normal(0, 3, 4000)], 1)
    found = effective_throughput(*reaches(ends), 0, n_bootstrap=300)
    assert found.value == pytest.approx(difficulty_bit(80, 16), rel=0.01)
    assert pytest.approx(math.sqrt(2 * math.pi * math.e), abs=1e-3) == WIDTH_PER_SD
    assert np.mean(np.abs(ends[:, 0] - 80) <= 8.0) == pytest.approx(0.96, abs=0.01)


@pytest.mark.parametrize(("conditions", "each", "at_least"), [(3, 12, 0.88), (8, 5, 0.95)])
def test_the_interval_holds_the_truth_as_often_as_it_should(conditions, each, at_least):
    """150 experiments; a plain percentile interval reaches 72 and 13 %, one that is only reflected 89 and 91 %."""
    rng = np.random.default_rng(1)
    truth = difficulty_bit(80.0, 4.0 * WIDTH_PER_SD)
    inside = []
    for k in range(150):
        ends = np.stack([80 + rng.normal(0, 4, conditions * each), np.zeros(conditions * each)], 1)
        condition = np.repeat(np.arange(conditions), each)
        found = effective_throughput(*reaches(ends, condition=condition), k, n_bootstrap=300)
        inside.append(found.low <= truth <= found.high)
    assert at_least <= np.mean(inside) < 1.0
