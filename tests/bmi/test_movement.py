"""The way to a target, every figure worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bmi.movement import NO_MOVEMENT, Trajectory, deviation, held, movement, reach, sparc


def way(positions, goal, *, radius=2.0, dt=0.1):
    position = np.asarray(positions, float)
    return Trajectory(np.arange(len(position)) * dt, position, np.asarray(goal, float), radius)


ZIGZAG = way([(0, 0), (2, 2), (4, -1), (7, -1), (6, 3), (9, 0), (10, 0)], (10, 0))


def test_a_zigzag_by_hand():
    """The target is entered at (9, 0); until then y = 0, 2, -1, -1, 3, 0 and x = 0, 2, 4, 7, 6, 9."""
    m = movement(ZIGZAG)
    assert m.error_mm == pytest.approx(7 / 6)
    assert m.offset_mm == pytest.approx(3 / 6)
    # from the mean of 0.5: 0.25 + 2.25 + 2.25 + 2.25 + 6.25 + 0.25 = 13.5, over 5
    assert m.variability_mm == pytest.approx(math.sqrt(2.7))
    assert m.axis_crossings == 2  # 2 to -1 and -1 to 3
    assert m.direction_changes == 3  # dy = 2, -3, 0, 4, -3
    assert m.orthogonal_changes == 2  # dx = 2, 2, 3, -1, 3
    assert (m.reentries, m.overshoot_mm, m.dial_in_s) == (0, 0, 0)
    # steps of sqrt 8, sqrt 13, 3, sqrt 17, sqrt 18, 1 mm in 0.1 s; the fifth lies between 0.4 and 0.5 s
    assert m.peak_speed_mm_s == pytest.approx(math.sqrt(18) / 0.1)
    assert m.peak_s == pytest.approx(0.45)


def test_an_orbit_by_hand():
    """Rim at 68 and 92 mm: in at 0.2 s, out at 95 and 97, in again at 0.5 s and held."""
    m = movement(way([(x, 0) for x in (0, 40, 75, 95, 97, 85, 82, 80)], (80, 0), radius=12.0))
    assert m.reentries == 1
    assert m.overshoot_mm == pytest.approx(5.0)
    assert m.dial_in_s == pytest.approx(0.3)
    assert m.orthogonal_changes == 1  # up to the last entry: dx = 40, 35, 20, 2, -12
    assert (m.error_mm, m.offset_mm, m.axis_crossings, m.direction_changes) == (0, 0, 0, 0)


def test_leaving_by_the_side_is_a_reentry_but_no_overshoot():
    m = movement(way([(0, 0), (9, 0), (9, 5), (9, 0)], (10, 0)))
    assert (m.reentries, m.overshoot_mm) == (1, 0)


def test_a_way_that_never_arrives_counts_to_its_end():
    m = movement(way([(0, 0), (1, 1), (2, 1), (3, 0)], (10, 0)))
    assert m.error_mm == 0.5
    assert math.isnan(m.dial_in_s)
    assert m.reentries == 0


def test_touching_the_axis_is_not_crossing_it():
    assert movement(way([(0, 0), (1, 1), (2, 0), (3, 1), (4, 0), (5, -1)], (10, 0))).axis_crossings == 1


def test_left_of_the_axis_is_positive():
    right = movement(way([(0, 0), (1, 2), (1, 4)], (0, 10)))  # going up, x > 0 is to the right
    assert right.offset_mm == pytest.approx(-2 / 3)
    assert right.error_mm == pytest.approx(2 / 3)


def test_three_dimensions_by_hand():
    """Beside the axis by (0, 0), (3, 4), (0, 0), (-3, -4): 0, 5, 0, 5 mm, and 0 on average."""
    m = movement(way([(0, 0, 0), (3, 4, 2), (0, 0, 5), (-3, -4, 7)], (0, 0, 10)))
    assert m.error_mm == pytest.approx(2.5)
    assert m.offset_mm == pytest.approx(0.0, abs=1e-12)
    assert m.variability_mm == pytest.approx(math.sqrt(50 / 3))
    assert math.isnan(m.axis_crossings)
    assert math.isnan(m.direction_changes)
    assert m.orthogonal_changes == 0


def test_one_dimension_has_no_beside():
    m = movement(way([(0,), (4,), (3,), (9,)], (10,)))
    assert all(math.isnan(v) for v in (m.error_mm, m.offset_mm, m.variability_mm, m.axis_crossings))
    assert m.orthogonal_changes == 2


def test_what_is_not_known_is_not_invented():
    assert movement(way(np.zeros((0, 2)), (10, 0))) == NO_MOVEMENT
    alone = movement(way([(0, 0)], (10, 0)))
    assert math.isnan(alone.variability_mm)
    assert math.isnan(alone.peak_speed_mm_s)
    at_the_goal = movement(way([(10, 0), (10, 0), (10, 1)], (10, 0)))  # no axis
    assert math.isnan(at_the_goal.error_mm)
    assert math.isnan(at_the_goal.axis_crossings)
    assert at_the_goal.dial_in_s == 0.0
    assert math.isnan(movement(way([(0, 0)] * 9, (10, 0))).smoothness)  # nothing moves


def test_two_samples_of_one_time_have_no_speed():
    twice = ZIGZAG._replace(t=np.array([0.0, 0.1, 0.1, 0.3, 0.4, 0.5, 0.6]))
    assert movement(twice).peak_speed_mm_s < 100.0


def test_only_the_last_entry_ends_the_reach():
    np.testing.assert_array_equal(reach(ZIGZAG), ZIGZAG.position[:6])
    out_again = way([(0, 0), (9, 0), (13, 0)], (10, 0))
    np.testing.assert_array_equal(reach(out_again), out_again.position)
    begun_there = way([(10, 0), (9, 0)], (10, 0))
    np.testing.assert_array_equal(reach(begun_there), [(10, 0)])


def test_a_stay_must_be_long_enough_and_in_one_piece():
    w = way([(x, 0) for x in (0, 9, 9, 0, 9, 9, 9, 9, 0)], (10, 0))
    assert held(w, w.goal, 0.3)  # four samples: 0.3 s
    assert not held(w, w.goal, 0.31)
    assert not held(w, np.array([-10.0, 0.0]), 0.0)
    assert held(w, w.goal, 0.0)


@st.composite
def ways(draw):
    n = draw(st.integers(3, 20))
    steps = draw(st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=n, max_size=n))
    goal = draw(st.tuples(st.integers(20, 60), st.integers(-60, 60)))
    return way(np.vstack([[(0, 0)], np.cumsum(steps, 0)]), goal)


def clear(w):
    """Whether no sample lies so near the rim, or speeds so near each other, that rounding decides."""
    rim = np.abs(np.linalg.norm(w.position - w.goal, axis=1) - w.radius_mm).min()
    speeds = np.sort(np.linalg.norm(np.diff(w.position, axis=0), axis=1))
    return rim > 1e-6 and speeds[-1] - speeds[-2] > 1e-6


@given(ways(), st.floats(0, 2 * math.pi), st.floats(-100, 100))
@settings(max_examples=100, deadline=None)
def test_turning_and_shifting_the_room_changes_nothing(w, angle, shift):
    assume(clear(w))
    c, s = math.cos(angle), math.sin(angle)
    turn = np.array([[c, -s], [s, c]])
    turned = Trajectory(w.t, w.position @ turn.T + shift, turn @ w.goal + shift, w.radius_mm)
    np.testing.assert_allclose(movement(turned), movement(w), rtol=1e-6, atol=1e-6)


@given(ways())
@settings(max_examples=50, deadline=None)
def test_a_mirror_changes_the_sign_of_the_offset_alone(w):
    mirrored = movement(Trajectory(w.t, w.position * [1, -1], w.goal * [1, -1], w.radius_mm))
    m = movement(w)
    np.testing.assert_allclose(mirrored._replace(offset_mm=-mirrored.offset_mm), m, rtol=1e-9, atol=1e-9)


@given(ways())
@settings(max_examples=50, deadline=None)
def test_error_is_at_least_the_offset_and_nothing_is_negative(w):
    m = movement(w)
    assert m.error_mm >= abs(m.offset_mm) - 1e-12
    assert math.isnan(m.smoothness) or m.smoothness <= -1.0 + 1e-12
    assert min(m.variability_mm if len(reach(w)) > 1 else 0.0, m.overshoot_mm, m.reentries, m.peak_speed_mm_s) >= 0


@given(ways())
@settings(max_examples=50, deadline=None)
def test_along_and_across_are_the_whole_way(w):
    along, across = deviation(w.position, w.goal)
    np.testing.assert_allclose(along**2 + across[:, 0] ** 2, (w.position**2).sum(1), atol=1e-8)


# --- smoothness ---------------------------------------------------------------------------------------


def stroke(duration_s, rate_hz=100.0, rest_s=0.5):
    """Speed of a minimum-jerk reach of 1 mm: 30 u^2 (1 - u)^2 / T."""
    u = np.arange(0, duration_s, 1 / rate_hz) / duration_s
    rest = np.zeros(round(rest_s * rate_hz))
    return np.concatenate([rest, 30 * u**2 * (1 - u) ** 2 / duration_s, rest])


def test_an_instant_of_motion_has_a_flat_spectrum_of_length_one():
    speed = np.zeros(64)
    speed[20] = 7.0
    assert sparc(speed, 100.0) == pytest.approx(-1.0, abs=1e-9)


def test_two_instants_have_the_length_of_a_rectified_cosine():
    """d apart, the magnitude is abs(cos(pi f d)): length of that curve over 0 to 10 Hz drawn 1 wide."""
    rate = 102.4  # the zero-padded spectrum then has a component at 10 Hz exactly
    speed = np.zeros(256)  # long, so that the spectrum is finely drawn
    speed[[0, 10]] = 1.0
    f = np.linspace(0.0, 10.0, 100001)
    curve = np.abs(np.cos(np.pi * f * 10 / rate))
    length = np.hypot(np.diff(f) / 10.0, np.diff(curve)).sum()
    assert length == pytest.approx(2.3, abs=0.1)  # down by 1 and up by 1 on a way of 1
    assert sparc(speed, rate) == pytest.approx(-length, rel=0.005)


@pytest.mark.parametrize("duration_s", [0.5, 1.0, 2.0])
def test_one_stroke_is_smooth_however_long_it_takes(duration_s):
    assert sparc(stroke(duration_s), 100.0) == pytest.approx(-1.42, abs=0.05)


def test_each_further_submovement_costs():
    one = stroke(0.6, rest_s=0.2)
    lengths = [sparc(np.concatenate([one] * k), 100.0) for k in (1, 2, 3, 4)]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] - lengths[-1] > 1.0


def test_rests_and_amplitude_do_not_matter():
    a = sparc(stroke(1.0, rest_s=0.1), 100.0)
    assert sparc(50.0 * stroke(1.0, rest_s=0.1), 100.0) == pytest.approx(a)
    assert sparc(stroke(1.0, rest_s=1.0), 100.0) == pytest.approx(a, rel=0.02)


def test_a_trembling_reach_is_less_smooth():
    speed = stroke(1.0)
    tremble = 0.8 * np.abs(np.sin(2 * np.pi * 4 * np.arange(len(speed)) / 100.0)) * (speed > 0)
    assert sparc(speed + tremble, 100.0) < sparc(speed, 100.0) - 0.5


def test_smoothness_of_a_way_survives_uneven_steps():
    """The live loop does not sample on a raster; a reach is put back on one."""
    rng = np.random.default_rng(0)

    def along(t):
        u = np.clip((t - 0.3) / 1.0, 0, 1)
        return 80 * (10 * u**3 - 15 * u**4 + 6 * u**5)

    even = np.arange(0, 1.8, 0.02)
    uneven = np.sort(even + rng.uniform(-0.004, 0.004, len(even)))
    found = [movement(Trajectory(t, np.stack([along(t), 0 * t], 1), np.array([80.0, 0]), 12.0)) for t in (even, uneven)]
    assert found[1].smoothness == pytest.approx(found[0].smoothness, rel=0.03)
    assert found[0].smoothness == pytest.approx(-1.42, abs=0.05)
    assert found[0].peak_speed_mm_s == pytest.approx(1.875 * 80.0, rel=0.01)  # 30 / 16 of the mean speed
    assert found[0].peak_s == pytest.approx(0.8, abs=0.02)
