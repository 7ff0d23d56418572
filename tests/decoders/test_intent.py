"""Estimators of intention: what each assumes, as figures one can check by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmi import registry
from bmi.assist import GoalDirected as Assist
from bmi.contracts import Intention
from decoders.intent import GoalDirected, OptimalFeedback, Rotated

ESTIMATORS = {"goal-directed": GoalDirected, "rotated": Rotated, "optimal-feedback": OptimalFeedback}
GOAL, RADIUS = np.array([80.0, 0.0]), 12.0
places = st.tuples(*[st.floats(-150, 150)] * 2).map(np.array)
velocities = st.tuples(*[st.floats(-250, 250)] * 2).map(np.array)


def estimate(estimator, position, decoded=(0.0, 0.0), goal=GOAL):
    estimator.bind(2)
    out = np.full(2, np.nan)
    assert estimator.estimate(goal, RADIUS, np.asarray(position, float), np.asarray(decoded, float), out) is out
    return out


@pytest.mark.parametrize("name", ESTIMATORS)
def test_they_are_registered_and_keep_the_contract(name):
    cls = registry.load("intentions", name)
    assert cls is ESTIMATORS[name]
    assert isinstance(cls(), Intention)


@given(position=places, goal=places)
def test_goal_directed_is_what_the_assist_intends(position, goal):
    assist = Assist()
    assist.bind(2)
    wanted = assist.intention(goal, position, np.zeros(2))
    np.testing.assert_allclose(estimate(GoalDirected(), position, goal=goal), wanted, atol=1e-9)


@given(position=places, decoded=velocities)
def test_rotated_keeps_the_speed_and_turns_it_to_the_goal(position, decoded):
    got = estimate(Rotated(), position, decoded)
    away = GOAL - position
    far = np.linalg.norm(away)
    if far <= RADIUS:
        assert not got.any()
    else:
        assert np.linalg.norm(got) == pytest.approx(np.linalg.norm(decoded), abs=1e-9)
        assert got @ away == pytest.approx(np.linalg.norm(decoded) * far, rel=1e-9, abs=1e-6)


def test_rotated_by_hand():
    np.testing.assert_allclose(estimate(Rotated(), [80.0, -50.0], [30.0, 40.0]), [0.0, 50.0], atol=1e-12)
    assert not estimate(Rotated(), [80.0, 12.0], [30.0, 40.0]).any()


def test_optimal_feedback_wants_nothing_at_rest_in_the_goal_and_brakes_before_it():
    ofc = OptimalFeedback()
    assert not estimate(ofc, GOAL).any()
    fast = estimate(ofc, [60.0, 0.0], [200.0, 0.0])
    assert 0.0 < fast[0] < 200.0
    assert 0.0 < ofc.keep_ < 1.0


def test_optimal_feedback_sets_right_what_the_decoder_did():
    """Moving across the line to the goal, the intention has less of it than the movement."""
    got = estimate(OptimalFeedback(), [0.0, 0.0], [0.0, 100.0])
    assert got[0] > 0.0
    assert abs(got[1]) < 100.0


@given(position=places, decoded=velocities)
def test_optimal_feedback_is_never_faster_than_its_limit(position, decoded):
    assert np.linalg.norm(estimate(OptimalFeedback(speed_mm_s=120.0), position, decoded)) <= 120.0 + 1e-9


def cost_of(ofc, approach, keep, n=400):
    """Total cost of a reach from 1 mm away under the law v' = -approach p + keep v, by walking it."""
    a, p, v, total = np.exp(-ofc.step_s / ofc.tau_s), 1.0, 0.0, 0.0
    for _ in range(n):
        new = -approach * p + keep * v
        total += p * p + ofc.velocity_weight_s2 * v * v + ofc.effort_weight_s2 * (new - a * v) ** 2
        p, v = p + ofc.step_s * v, new
    return total


@pytest.mark.parametrize(
    "settings", [{}, {"step_s": 0.1}, {"effort_weight_s2": 0.3, "velocity_weight_s2": 0.0}], ids=str
)
def test_no_neighbouring_law_costs_less_than_the_optimal_one(settings):
    ofc = OptimalFeedback(**settings)
    ofc.bind(2)
    best = cost_of(ofc, ofc.approach_1_s_, ofc.keep_)
    for da, dk in [(0.05, 0), (-0.05, 0), (0, 0.02), (0, -0.02), (0.05, 0.02), (-0.05, -0.02)]:
        assert cost_of(ofc, ofc.approach_1_s_ + da, ofc.keep_ + dk) > best


@pytest.mark.parametrize("name", ESTIMATORS)
def test_turning_the_world_turns_the_intention(name):
    rng = np.random.default_rng(0)
    angle = 1.1
    R = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    for _ in range(20):
        goal, position, decoded = 100 * rng.standard_normal((3, 2))
        straight = estimate(ESTIMATORS[name](), position, decoded, goal)
        turned = estimate(ESTIMATORS[name](), R @ position, R @ decoded, R @ goal)
        np.testing.assert_allclose(turned, R @ straight, atol=1e-9)
