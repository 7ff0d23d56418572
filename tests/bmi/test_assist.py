"""The goal-directed intention, and blending toward it."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmi.assist import GoalDirected, blend

far = st.floats(-1e3, 1e3)


@pytest.fixture
def ideal():
    part = GoalDirected(speed_mm_s=150.0, gain_1_s=4.0, rest_mm=8.0)
    part.bind(2)
    return part


def intend(part, goal, position):
    return part.intention(None if goal is None else np.array(goal), np.array(position), np.empty(2))


@pytest.mark.parametrize(
    ("goal", "position", "expected"),
    [
        ([80.0, 0.0], [0.0, 0.0], [150.0, 0.0]),  # far: full speed
        ([20.0, 0.0], [0.0, 0.0], [80.0, 0.0]),  # near: gain times distance
        ([0.0, -30.0], [0.0, -10.0], [0.0, -80.0]),
        ([30.0, 40.0], [0.0, 0.0], [90.0, 120.0]),  # straight at it
        ([8.0, 0.0], [0.0, 0.0], [0.0, 0.0]),  # inside: rest
        ([5.0, 5.0], [5.0, 5.0], [0.0, 0.0]),
    ],
)
def test_the_intention_by_hand(ideal, goal, position, expected):
    assert intend(ideal, goal, position) == pytest.approx(expected)


def test_nothing_asked_means_rest(ideal):
    assert intend(ideal, None, [10.0, 10.0]).tolist() == [0.0, 0.0]


@given(gx=far, gy=far, px=far, py=far)
def test_it_points_at_the_goal_and_never_exceeds_its_speed(gx, gy, px, py):
    part = GoalDirected(speed_mm_s=150.0, gain_1_s=4.0, rest_mm=8.0)
    part.bind(2)
    v = intend(part, [gx, gy], [px, py])
    gap = np.array([gx - px, gy - py])
    d = math.hypot(*gap)
    expected = np.zeros(2) if d <= 8.0 else gap / d * min(4.0 * d, 150.0)
    np.testing.assert_allclose(v, expected, rtol=1e-12, atol=1e-12)


def test_blending_is_linear_between_decoder_and_intention(ideal):
    out = np.empty(2)
    decoded, goal, position = np.array([10.0, 20.0]), np.array([80.0, 0.0]), np.zeros(2)
    assert ideal.blend(decoded, goal, position, 0.25, out) is out
    assert out == pytest.approx([0.75 * 10 + 0.25 * 150, 0.75 * 20])


def test_between_trials_assist_pulls_to_rest(ideal):
    out = ideal.blend(np.array([10.0, 20.0]), None, np.zeros(2), 0.5, np.empty(2))
    assert out.tolist() == [5.0, 10.0]


@pytest.mark.parametrize(("assist", "expected"), [(0.0, [math.nan, 1.0]), (1.0, [150.0, 0.0])])
def test_both_ends_are_exact_even_beside_nan(ideal, assist, expected):
    out = ideal.blend(np.array([math.nan, 1.0]), np.array([80.0, 0.0]), np.zeros(2), assist, np.empty(2))
    np.testing.assert_array_equal(out, expected)


def test_the_bare_blend():
    out = np.empty(1)
    assert blend(np.array([2.0]), np.array([4.0]), 0.5, out).tolist() == [3.0]


# --- clicks ---------------------------------------------------------------------------------------------


GOAL = np.array([50.0, 0.0])


def watched(ideal, *seen):
    """Watch from places on the x axis, (place, now) in turn; return what assist would click."""
    return [ideal.watch(None if x is None else GOAL, 10.0, np.array([x or 0.0, 0.0]), now) for x, now in seen]


def test_a_click_is_intended_after_a_while_inside_and_no_more_outside(ideal):
    said = watched(ideal, (0.0, 1.0), (40.0, 2.0), (45.0, 2.49), (50.0, 2.5), (61.0, 2.6), (55.0, 2.7), (55.0, 3.1))
    assert said == [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]
    assert watched(ideal, (55.0, 3.2), (None, 3.3)) == [1.0, 0.0]


@pytest.mark.parametrize(
    ("since_s", "inside", "outside"), [(0.0, -1, -1), (0.24, -1, -1), (0.26, 1, 0), (0.49, 1, 0), (0.51, -1, 0)]
)
def test_what_a_participant_clicks_is_known_for_as_long_as_it_can_be(ideal, since_s, inside, outside):
    watched(ideal, (0.0, 1.0), (50.0, 2.0))
    assert ideal.clicking(2.0 + since_s) == inside
    watched(ideal, (0.0, 9.0))
    assert ideal.clicking(9.0 + since_s) == outside


def test_bind_forgets_where_the_effector_was(ideal):
    watched(ideal, (50.0, 2.0))
    where = ideal.state()[0].copy()
    ideal.bind(2)
    assert ideal.state()[0].tolist() != where.tolist()
    assert ideal.clicking(2.0) == 0
