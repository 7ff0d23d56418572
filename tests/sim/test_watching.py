"""Goals that jump at once, and movements that are only watched."""

from __future__ import annotations

import numpy as np
import pytest
from line_rig import Rig
from user_rig import STEADY, T0, goal_at, seated

from bmi.blocks import Block
from bmi.journal import step_dtype
from bmi.ring import Ring
from bmi.signals import EffectorState
from bmi.world import Eyes
from sim import GRID_S
from sim.user import User
from sim.world import PopulationWorld


class TestGoalsThatJump:
    def intentions(self, user: User, jump_s: float, seconds=2.0) -> np.ndarray:
        """Return what is intended when the goal jumps from right to left, with no pause, before a resting cursor."""
        told, effector = [], EffectorState.at_rest(2)
        for i in range(round(seconds / GRID_S)):
            now = i * GRID_S
            right = now < jump_s - 1e-9
            user.see(T0 + now, effector, goal_at(80 if right else -80, 0, trial=0 if right else 1))
            told.append(user.step().copy())
        return np.array(told)

    @pytest.mark.parametrize("reaction_s", [0.1, 0.22, 0.4])
    def test_the_old_goal_is_pursued_until_the_new_one_has_been_perceived(self, reaction_s):
        told = self.intentions(seated(User(reaction_s=reaction_s, rise_s=0.0, **STEADY)), 1.0)
        sign = np.sign(told[round(reaction_s / GRID_S) :, 0])
        turns = GRID_S * (round(reaction_s / GRID_S) + np.flatnonzero(np.diff(sign)) + 1)
        assert turns == pytest.approx([1.0 + reaction_s], abs=GRID_S)

    def test_it_never_rests_between(self):
        told = self.intentions(seated(User(rise_s=0.0, forward_model=0.0, **STEADY)), 1.0)
        assert np.hypot(*told[25:].T).min() > 150.0

    def test_the_error_of_aim_is_drawn_anew_with_the_jump(self):
        user = seated(User(noise=0.0, aim_noise_rad=0.2, rise_s=0.0))
        effector, angle = EffectorState.at_rest(2), []
        for i in range(400):
            user.see(T0 + i * GRID_S, effector, goal_at(1e6, 0, trial=i // 100))
            angle.append(np.arctan2(*user.step()[::-1]))
        changes = np.flatnonzero(np.abs(np.diff(angle[25:])) > 1e-3) + 26
        assert np.allclose(changes, 22 + 100 * np.arange(1, 4), atol=1)

    def test_a_run_of_goals_is_acquired_one_after_the_other(self):
        rng, user, effector = np.random.default_rng(5), seated(User()), EffectorState.at_rest(2)
        goal, trial, inside = np.array([60.0, 0.0]), 0, 0
        for i in range(6000):
            user.see(T0 + i * GRID_S, effector, goal_at(*goal, trial=trial))
            effector.position += GRID_S * user.step()
            inside = inside + 1 if np.linalg.norm(effector.position - goal) <= 12.0 else 0
            if inside == 30:
                goal, trial, inside = rng.uniform(-100, 100, 2), trial + 1, 0
        assert trial > 40


class TestWatching:
    def watched(self, user: User, assist: float, speed_mm_s=90.0) -> np.ndarray:
        """Return what is intended, a row a step, while the cursor goes up by itself and the goal lies right."""
        told, effector = [], EffectorState.at_rest(2)
        for i in range(200):
            effector.velocity[:] = 0.0, speed_mm_s if i >= 50 else 0.0
            effector.position += GRID_S * effector.velocity
            user.see(T0 + i * GRID_S, effector, goal_at(1e6, effector.position[1], assist=assist))
            told.append(user.step().copy())
        return np.array(told)

    def test_a_spectator_imagines_the_movement_seen_late_and_weaker(self):
        user = seated(User(imagery=1.0, imagery_gain=0.6, rise_s=0.0, feedback_delay_s=0.15, **STEADY))
        told = self.watched(user, assist=1.0)
        started = np.flatnonzero(told[:, 1])[0]
        assert started == pytest.approx(50 + 15, abs=1)
        assert np.allclose(told[started:], [0.0, 0.6 * 90.0])
        assert not told[:started].any()

    def test_steering_fades_in_as_assist_fades_out(self):
        right = [
            self.watched(seated(User(imagery=1.0, rise_s=0.0, **STEADY)), assist)[-1, 0]
            for assist in (1.0, 0.75, 0.5, 0.25, 0.0)
        ]
        assert np.allclose(right, [0.0, 50.0, 100.0, 150.0, 200.0], atol=0.5)

    def test_without_imagery_assist_changes_nothing_to_the_last_bit(self):
        alone, helped = (self.watched(seated(User()), assist) for assist in (0.0, 1.0))
        assert alone.tobytes() == helped.tobytes()


class TestWhoeverRunsThemTellsThem:
    def test_in_lock_step_the_goal_carries_the_blocks_assist(self):
        rig = Rig([Block(name="watch", seconds=1.0, assist=(1.0, 0.0)), Block(name="free")])
        told = []
        for _ in range(240):
            rig.push()
            told.append(rig.line.task.goal.assist)
        assert np.allclose(told[:200], np.linspace(1.0, 0.0, 200), atol=0.02)
        assert not any(told[205:])

    def test_live_it_comes_out_of_the_journal(self, tmp_path):
        row = np.zeros(1, step_dtype(1, 2))
        row["now"], row["assist"], row["velocity"] = T0, 0.75, (0.0, 50.0)
        ring = Ring.create(tmp_path / "steps.ring", row.dtype, 4, topic="/steps")
        ring.write(row)
        world = PopulationWorld(n_neurons=4, user=User(imagery=1.0, imagery_gain=1.0, rise_s=0.0, **STEADY))
        world.bind(np.random.default_rng(1), T0)
        Eyes(tmp_path, 2).look(world)
        world.draw(200)
        assert np.allclose(world.intended, [0.0, 0.75 * 50.0])
