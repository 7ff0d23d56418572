"""The user wants the goal, learns of it late, sees the cursor late, and rests once there."""

from __future__ import annotations

import numpy as np
import pytest
from user_rig import STEADY, T0, goal_at, seated

from bmi.signals import EffectorState, Goal
from sim import GRID_S
from sim.user import User


def reach(user: User, goal: Goal, seconds: float, gain=1.0, n_dims=2) -> tuple[np.ndarray, np.ndarray]:
    """Let a cursor obey the user at once; return positions and intentions, a row a grid step."""
    effector = EffectorState.at_rest(n_dims)
    positions, intentions = [], []
    for i in range(round(seconds / GRID_S)):
        user.see(T0 + i * GRID_S, effector, goal)
        velocity = user.step()
        effector.position += gain * GRID_S * velocity
        positions.append(effector.position.copy())
        intentions.append(velocity.copy())
    return np.array(positions), np.array(intentions)


class TestDelays:
    @pytest.mark.parametrize("reaction_s", [0.1, 0.22, 0.355])
    def test_nobody_reacts_before_the_reaction_time(self, reaction_s):
        user = seated(User(reaction_s=reaction_s))
        nothing, goal = goal_at(0, 0, active=False, trial=-1), goal_at(80, 0)
        appears = 0.5
        started = None
        for i in range(120):
            now = i * GRID_S
            user.see(T0 + now, EffectorState.at_rest(2), goal if now >= appears - 1e-9 else nothing)
            if started is None and user.step().any():
                started = now
        assert started is not None
        assert reaction_s - 1e-9 <= started - appears <= reaction_s + GRID_S

    @pytest.mark.parametrize("delay_s", [0.03, 0.1, 0.155])
    def test_a_jump_of_the_cursor_changes_nothing_before_it_is_seen(self, delay_s):
        quiet, startled = (seated(User(feedback_delay_s=delay_s)) for _ in range(2))
        here, jumped = EffectorState.at_rest(2), EffectorState.at_rest(2)
        jumped.position[:] = 0.0, 60.0
        goal, jump = goal_at(80, 0), 1.0
        differs = None
        for i in range(150):
            now = i * GRID_S
            quiet.see(T0 + now, here, goal)
            startled.see(T0 + now, jumped if now >= jump - 1e-9 else here, goal)
            same = np.array_equal(quiet.step(), startled.step())
            if not same and differs is None:
                differs = now
        assert differs is not None
        assert delay_s - 1e-9 <= differs - jump <= delay_s + GRID_S

    def test_what_is_told_late_counts_from_its_stamp_and_never_replaces_something_newer(self):
        user = seated(User(feedback_delay_s=0.05, **STEADY))
        near, far = EffectorState.at_rest(2), EffectorState.at_rest(2)
        far.position[:] = -300.0, 0.0
        user.see(T0, near, goal_at(80, 0))
        for _ in range(40):
            user.step()
        user.see(T0 + 0.39, near, goal_at(80, 0))
        for _ in range(20):
            user.step()
        before = user._plan.copy()
        user.see(T0 + 0.10, far, goal_at(-80, 0, trial=1))  # half a second old, and older than what is known
        for _ in range(30):
            user.step()
        assert user.intended[0] > 0
        assert before[0] > 0

    def test_values_are_copied_when_seen(self):
        user = seated(User(**STEADY))
        effector, goal = EffectorState.at_rest(2), goal_at(80, 0)
        user.see(T0, effector, goal)
        goal.position[:] = -80.0, 0.0
        effector.position[:] = 1e6
        for _ in range(60):
            user.step()
        assert user.intended[0] > 0


class TestReaches:
    @pytest.mark.parametrize("angle_deg", [0, 45, 160, 270])
    def test_it_goes_straight_there_and_rests_inside(self, angle_deg):
        direction = np.array([np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))])
        positions, intentions = reach(seated(User(**STEADY)), goal_at(*(80 * direction)), 2.5)
        assert np.linalg.norm(positions[-50:] - 80 * direction, axis=1).max() < 12.0
        assert np.abs(positions @ [-direction[1], direction[0]]).max() < 1e-6
        assert np.linalg.norm(intentions[-20:], axis=1).max() < 2.0

    def test_speed_rises_and_falls_once_and_keeps_below_the_users_limit(self):
        _, intentions = reach(seated(User(speed_mm_s=150.0, **STEADY)), goal_at(150, 0), 3.0)
        speed = intentions[:, 0]
        peak = int(np.argmax(speed))
        assert 140.0 < speed[peak] <= 150.0
        assert (np.diff(speed[: peak + 1]) >= -1e-9).all()
        assert (np.diff(speed[peak:]) <= 1e-9).all()

    def test_remembering_its_intentions_spares_it_the_overshoot(self):
        beyond = {}
        for forward_model in (0.0, 1.0):
            user = seated(User(feedback_delay_s=0.2, forward_model=forward_model, **STEADY))
            positions, _ = reach(user, goal_at(80, 0), 2.5)
            beyond[forward_model] = positions[:, 0].max() - 80.0
        assert beyond[0.0] > 5.0
        assert beyond[1.0] < 0.0

    def test_without_a_goal_it_rests(self):
        _, intentions = reach(seated(User()), goal_at(80, 0, active=False), 2.0)
        assert not intentions.any()

    @pytest.mark.parametrize("n_dims", [1, 2, 3])
    def test_it_moves_in_as_many_dimensions_as_asked(self, n_dims):
        target = np.full(n_dims, 60.0)
        user = seated(User(), n_dims=n_dims)
        positions, _ = reach(user, goal_at(*target), 3.0, n_dims=n_dims)
        assert np.linalg.norm(positions[-1] - target) < 12.0


class TestNoise:
    def test_noise_is_in_proportion_to_speed(self):
        def spread(speed):
            user = seated(User(speed_mm_s=speed, noise=0.2, aim_noise_rad=0.0))
            user.see(T0, EffectorState.at_rest(2), goal_at(1e5, 0))
            return np.std([user.step()[1] for _ in range(20_000)][100:])

        assert spread(200.0) == pytest.approx(0.2 * 200.0, rel=0.1)
        assert spread(50.0) == pytest.approx(0.2 * 50.0, rel=0.1)

    def test_the_error_of_aim_is_drawn_once_a_trial(self):
        user = seated(User(noise=0.0, aim_noise_rad=0.2, rise_s=0.0))
        effector, angles = EffectorState.at_rest(2), []
        for i in range(60 * 50):
            user.see(T0 + i * GRID_S, effector, goal_at(1e6, 0, trial=i // 50))
            angles.append(np.arctan2(*user.step()[::-1]))
        per_trial = np.array(angles[22:-28]).reshape(-1, 50)  # the reaction time shifts trials
        assert np.ptp(per_trial, axis=1).max() < 1e-4
        assert np.std(per_trial[:, 0]) == pytest.approx(0.2, rel=0.35)

    def test_the_same_seed_is_the_same_person_and_another_is_not(self):
        runs = [reach(seated(User(), seed=seed), goal_at(80, 0), 1.0)[1] for seed in (3, 3, 4)]
        assert np.array_equal(runs[0], runs[1])
        assert not np.array_equal(runs[0], runs[2])
