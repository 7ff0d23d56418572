"""Scores against figures worked out by hand."""

import json
import math

import numpy as np
import pytest

from bmi.contracts import TrialResult
from bmi.score import MOVEMENT, Trajectory, path_efficiency, score, throughput_bit_s


def trial(k=0, *, success=True, acquire_s=1.0, path_mm=68.0, distance_mm=80.0, width_mm=24.0, t=0.0):
    return TrialResult(k, success, t, acquire_s, path_mm, distance_mm, width_mm, k % 8)


FOUR = [
    trial(0, acquire_s=0.5, t=0.0),
    trial(1, acquire_s=0.7, t=2.0, path_mm=136.0),
    trial(2, acquire_s=1.5, t=4.0),
    trial(3, success=False, acquire_s=4.0, t=6.0, path_mm=1000.0),
]


def test_four_trials_by_hand():
    s = score(FOUR, n_targets=8, seed=0)
    assert s.n_trials == 4
    assert s.success.value == 0.75
    assert s.acquire_s.value == 0.7
    assert s.path_efficiency.value == pytest.approx((1.0 + 0.5 + 1.0) / 3)
    difficulty = math.log2(80 / 24 + 1)
    assert s.throughput_bit_s.value == pytest.approx(difficulty * (1 / 0.5 + 1 / 0.7 + 1 / 1.5) / 3)
    # 3 right, 1 wrong, 7 alternatives, from the first onset (0 s) to the last end (10 s)
    assert s.bit_rate_bit_s.value == pytest.approx(math.log2(7) * (3 - 1) / 10.0)
    assert s.chance_success == 1 / 8


def test_bit_rate_counts_the_time_it_is_given():
    s = score(FOUR, n_targets=8, seed=0, elapsed_s=20.0)
    assert s.bit_rate_bit_s.value == pytest.approx(math.log2(7) * 2 / 20.0)


def test_bit_rate_is_as_sure_as_times_and_outcomes_are_alike():
    alike = score([trial(k) for k in range(20)], n_targets=8, seed=0).bit_rate_bit_s
    assert (alike.low, alike.high) == pytest.approx((alike.value, alike.value))
    slow = score([trial(k, acquire_s=0.5 + k % 2) for k in range(20)], n_targets=8, seed=0, elapsed_s=40.0)
    assert slow.bit_rate_bit_s.low < 0.95 * slow.bit_rate_bit_s.value < 1.05 * slow.bit_rate_bit_s.value
    assert slow.bit_rate_bit_s.value == pytest.approx(math.log2(7) * 20 / 40.0)
    assert slow.bit_rate_bit_s.high > 1.05 * slow.bit_rate_bit_s.value


def test_bit_rate_is_never_negative():
    lost = [trial(k, success=False) for k in range(3)]
    assert score([*lost, trial(3)], n_targets=8, seed=0, elapsed_s=5.0).bit_rate_bit_s.value == 0.0


def test_one_reach_by_hand():
    assert throughput_bit_s(trial(distance_mm=72.0, acquire_s=0.8)) == pytest.approx(2.0 / 0.8)
    assert path_efficiency(trial(path_mm=85.0)) == pytest.approx(68.0 / 85.0)
    assert path_efficiency(trial(path_mm=60.0)) == 1.0
    assert math.isnan(path_efficiency(trial(path_mm=0.0)))


def test_the_median_of_an_even_number_lies_between():
    s = score(FOUR[:2], n_targets=8, seed=0)
    assert s.acquire_s.value == pytest.approx(0.6)


@pytest.mark.parametrize("n", range(1, 8))
def test_the_median_leaves_failures_out(n):
    times = np.random.default_rng(n).uniform(0.3, 3.0, n)
    trials = [trial(k, acquire_s=t, t=5.0 * k) for k, t in enumerate(times)]
    s = score([*trials, trial(n, success=False, acquire_s=4.0, t=50.0)], n_targets=8, seed=0)
    assert s.acquire_s.value == pytest.approx(np.median(times))


def test_intervals_follow_from_the_seed_and_cover_the_value():
    a, b, c = (score(FOUR * 10, n_targets=8, seed=k) for k in (1, 1, 2))
    assert a == b
    assert a != c
    assert a.success.low < 0.75 < a.success.high
    # binomial standard error of 0.75 with 40 trials: 0.068
    assert a.success.high - a.success.low == pytest.approx(4 * 0.068, rel=0.2)


def test_without_success_nothing_is_invented():
    s = score([trial(success=False)] * 3, n_targets=8, seed=0)
    assert s.success == (0.0, 0.0, pytest.approx(1.96**2 / (3 + 1.96**2), abs=1e-4))  # three prove little
    assert math.isnan(s.acquire_s.value)
    assert math.isnan(s.throughput_bit_s.value)


def test_without_trials_nothing_is_invented():
    s = score([], n_targets=8, seed=0)
    assert s.n_trials == 0
    assert math.isnan(s.success.value)


def way(xs, goal=(80.0, 0.0), dt=0.1):
    position = np.stack([np.asarray(xs, float), np.zeros(len(xs))], 1)
    return Trajectory(np.arange(len(xs)) * dt, position, np.asarray(goal), 12.0)


def test_overshoots_and_dial_in_time():
    """In at 0.2 s, out again, in at 0.5 s and held: one overshoot, 0.3 s of dialling in."""
    ways = [way([0, 40, 75, 95, 95, 85, 82, 80, 80])]
    s = score([trial()], n_targets=8, seed=0, trajectories=ways)
    assert s.overshoots.value == 1.0
    assert s.dial_in_s.value == pytest.approx(0.3)


AROUND = [  # to the right and up; the last sample of each is inside its target
    Trajectory(np.arange(4) * 0.1, np.array(p, float), np.array(p[-1], float), 12.0)
    for p in ([(0, 0), (30, 6), (60, -3), (80, 0)], [(0, 0), (-6, 30), (3, 60), (0, 80)])
]


def test_the_way_is_scored_beside_its_chance():
    """Beside its own axis each way is 0, 6, 3, 0 mm; beside the axis to the other target 0, 30, 60, 80."""
    s = score([trial(), trial(1)], n_targets=8, seed=0, trajectories=AROUND)
    assert s.movement_error_mm == pytest.approx((9 / 4, 9 / 4, 9 / 4))
    assert s.chance_movement_error_mm == pytest.approx(170 / 4)
    assert (s.axis_crossings.value, s.direction_changes.value, s.orthogonal_changes.value) == (1, 2, 0)
    assert s.movement_offset_mm.value == pytest.approx(3 / 4)  # (6 - 3) / 4, both to the left first
    assert s.peak_speed_mm_s.value == pytest.approx(math.hypot(30, 9) / 0.1)
    assert "movement error   2.25" in str(s)


def test_holding_the_target_adds_nothing_to_the_way_there():
    held = [
        w._replace(t=np.arange(9) * 0.1, position=np.vstack([w.position, np.tile(w.goal + 3.0, (5, 1))]))
        for w in AROUND
    ]
    before, after = (score([trial(), trial(1)], n_targets=8, seed=0, trajectories=ways) for ways in (AROUND, held))
    assert after.movement_error_mm == before.movement_error_mm
    assert after.chance_movement_error_mm == before.chance_movement_error_mm


def test_only_successful_ways_are_averaged():
    far = AROUND[1]._replace(position=AROUND[1].position + np.array([500.0, 0.0]))
    s = score([trial(), trial(1, success=False)], n_targets=8, seed=0, trajectories=[AROUND[0], far])
    assert s.movement_error_mm.value == pytest.approx(9 / 4)
    assert math.isnan(s.chance_movement_error_mm)  # nowhere else was reached
    assert s.reentries.value == 0.0


def test_throughput_by_end_points():
    """78, 80, 82 mm along the axis in 1 s: W_e = 4.133 x 2 mm, D_e = 80 mm. Two of a kind are too few."""
    ways = [way([0.0, 50.0, x]) for x in (78.0, 80.0, 82.0)]
    s = score([trial(k) for k in range(3)], n_targets=8, seed=0, trajectories=ways)
    assert s.effective_throughput_bit_s.value == pytest.approx(math.log2(80 / 8.266 + 1))
    # log2(80 / 24 + 1) = 2.12 bit; 1.13 bit at 28.5 mm is less than one bit easier, 1.07 bit at 26.4 mm more
    near = [trial(0), trial(1), trial(2, distance_mm=28.5)]
    assert score(near, n_targets=8, seed=0, trajectories=ways).effective_throughput_bit_s.value > 0
    mixed = [trial(0), trial(1), trial(2, distance_mm=26.4)]
    assert math.isnan(score(mixed, n_targets=8, seed=0, trajectories=ways).effective_throughput_bit_s.value)
    wider = [trial(0), trial(1), trial(2, width_mm=25.0)]
    assert math.isnan(score(wider, n_targets=8, seed=0, trajectories=ways).effective_throughput_bit_s.value)


def test_of_very_many_targets_some_are_drawn_for_chance():
    """Each way waits at target 0, 1 or 2 of 100: it would have hit one of 99 others, or its own."""
    ways = [way([100.0 * (k % 3)] * 9, goal=(100.0 * k, 0.0)) for k in range(100)]
    chance = score([trial(k) for k in range(100)], n_targets=100, seed=0, trajectories=ways).chance_success
    assert chance == pytest.approx(97 / 100 / 99, abs=0.003)


def test_chance_is_how_often_the_same_ways_would_have_hit_other_targets():
    """Standing at the right target all the time acquires it for both asked targets: chance is one half."""
    right = way([80.0] * 9)
    left_asked = way([80.0] * 9, goal=(-80.0, 0.0))
    s = score([trial(), trial(1, success=False)], n_targets=2, seed=0, trajectories=[right, left_asked])
    assert s.chance_success == 0.5


def test_chance_needs_a_hold():
    through = way([-80.0, -80.0, 0, 80.0, 80.0, 80.0, 80.0])  # only 0.1 s at the left one
    other = way([0.0] * 9, goal=(-80.0, 0.0))
    s = score([trial(), trial(1, success=False)], n_targets=2, seed=0, trajectories=[through, other])
    assert s.chance_success == 0.0


def test_trajectories_must_match_the_trials():
    with pytest.raises(ValueError, match="one trajectory a trial"):
        score(FOUR, n_targets=8, seed=0, trajectories=[])


def test_it_prints_chance_and_travels_as_json():
    s = score(FOUR, n_targets=8, seed=0)
    assert "chance 0.125" in str(s)
    plain = json.loads(json.dumps(s.as_dict(), allow_nan=False))
    assert plain["success"][0] == 0.75
    assert plain["dial_in_s"] == [None, None, None]
    assert all(plain[k] == [None, None, None] for k in (*MOVEMENT, "effective_throughput_bit_s"))
    assert plain["chance_movement_error_mm"] is None
