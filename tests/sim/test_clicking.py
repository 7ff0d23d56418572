"""The user clicks what is reached: after a moment inside, briefly, at rest, and not again before an effect."""

from __future__ import annotations

import numpy as np
import pytest
from user_rig import STEADY, T0, goal_at, seated

from bmi.signals import EffectorState
from sim import GRID_S
from sim.clicking import Clicking
from sim.population import Population
from sim.user import User
from sim.world import PopulationWorld

GOAL = (80.0, 0.0)


def clicks(user: User, seconds: float, *, trial_at=lambda now: 0, inside_at=lambda now: True) -> np.ndarray:
    """Return (n, 2): intended click and intended speed of a user shown a cursor in or out of the goal."""
    effector, told = EffectorState.at_rest(2), []
    for i in range(round(seconds / GRID_S)):
        now = i * GRID_S
        effector.position[:] = GOAL if inside_at(now) else (0.0, 0.0)
        user.see(T0 + now, effector, goal_at(*GOAL, trial=trial_at(now)))
        speed = np.hypot(*user.step())
        told.append((user.intended_click, speed))
    return np.array(told)


def onsets_s(click: np.ndarray) -> np.ndarray:
    return GRID_S * np.flatnonzero(np.diff(click, prepend=0.0) > 0)


class TestWhen:
    def test_it_clicks_only_after_having_perceived_the_cursor_inside_for_a_moment(self):
        user = seated(User(clicks=True, feedback_delay_s=0.1, click_after_s=0.15, **STEADY))
        told = clicks(user, 2.0, inside_at=lambda now: now >= 1.0 - 1e-9)
        assert onsets_s(told[:, 0])[0] == pytest.approx(1.0 + 0.1 + 0.15, abs=1.5 * GRID_S)

    def test_not_before_the_goal_itself_is_perceived(self):
        user = seated(User(clicks=True, reaction_s=0.3, feedback_delay_s=0.05, click_after_s=0.1, **STEADY))
        assert onsets_s(clicks(user, 1.0)[:, 0])[0] == pytest.approx(0.4, abs=1.5 * GRID_S)

    def test_a_cursor_passing_through_is_not_clicked(self):
        user = seated(User(clicks=True, click_after_s=0.1, **STEADY))
        told = clicks(user, 3.0, inside_at=lambda now: now % 0.2 < 0.08)
        assert not told[:, 0].any()

    def test_a_click_lasts_as_long_as_said_and_is_tried_again_only_after_patience(self):
        user = seated(User(clicks=True, click_after_s=0.1, click_s=0.2, click_patience_s=0.5, **STEADY))
        click = clicks(user, 4.0)[:, 0]
        starts = onsets_s(click)
        assert np.allclose(np.diff(starts), 0.2 + 0.5 + 0.1, atol=1e-9)
        assert len(starts) >= 4
        assert click[: round((starts[0] + 0.79) / GRID_S)].sum() == 20

    def test_a_new_goal_ends_the_wait(self):
        user = seated(User(clicks=True, click_after_s=0.1, click_patience_s=10.0, **STEADY))
        starts = onsets_s(clicks(user, 4.0, trial_at=lambda now: int(now))[:, 0])
        assert np.allclose(starts, user.reaction_s + 0.1 + np.arange(4), atol=1.5 * GRID_S)

    def test_nothing_is_clicked_when_nothing_is_asked(self):
        user, effector = seated(User(clicks=True)), EffectorState.at_rest(2)
        for i in range(200):
            user.see(T0 + i * GRID_S, effector, goal_at(0, 0, active=False))
            user.step()
            assert user.intended_click == 0.0

    def test_the_decision_itself_counts_steps(self):
        clicking = Clicking(2, 3, 4)
        told = "".join("#" if clicking.step(True, 0.0) else "." for _ in range(20))
        assert told == "..###......###......"


class TestWhat:
    def test_the_intended_velocity_rests_while_clicking(self):
        """The cursor hangs at the rim, so that the user wants to move whenever no click is under way."""
        user = seated(User(clicks=True, click_s=0.4, rise_s=0.02, forward_model=0.0, **STEADY))
        effector, told = EffectorState.at_rest(2), []
        effector.position[:] = GOAL[0] - 11.0, 0.0
        for i in range(300):
            user.see(T0 + i * GRID_S, effector, goal_at(*GOAL))
            told.append((np.hypot(*user.step()), user.intended_click))
        speed, click = np.array(told).T
        settled = np.convolve(click, np.ones(20))[: len(click)] == 20  # 0.2 s into it
        assert settled.any()
        assert speed[settled].max() < 0.01
        assert speed[30:45].max() > 20.0

    def test_steering_is_the_same_to_the_last_bit_in_who_may_click_but_does_not(self):
        runs = []
        for may in (False, True):
            user, effector, rows = seated(User(clicks=may)), EffectorState.at_rest(2), []
            for i in range(300):
                user.see(T0 + i * GRID_S, effector, goal_at(*GOAL))
                rows.append(user.step().copy())
            runs.append(np.array(rows).tobytes())
        assert runs[0] == runs[1]

    def test_each_neuron_is_moved_by_a_click_as_its_weight_says(self):
        counts = {}
        for click in (0.0, 1.0):
            population = Population(shared=0.0, baseline_hz=60.0, baseline_spread=0.0)
            population.bind(*np.random.default_rng(1).spawn(2), n_neurons=40, n_dims=2, rate_hz=1000.0)
            total, block = np.zeros(40), np.empty((10, 40), np.float32)
            for i in range(10_010):
                population.step(np.zeros(2), block, click)
                total += block.sum(axis=0) if i >= 10 else 0.0  # the longest lag is over
            counts[click] = total / 100.0
        change = counts[1.0] - counts[0.0]
        assert np.abs(change - population.clicks_hz_).max() < 4.5  # 4 sd of a difference of two Poisson rates
        assert np.std(population.clicks_hz_) == pytest.approx(8.0, rel=0.3)

    def test_the_neurons_of_old_are_untouched_by_what_a_click_does(self):
        plain, keen = (Population(click_hz=hz) for hz in (0.0, 30.0))
        blocks = []
        for population in (plain, keen):
            population.bind(*np.random.default_rng(2).spawn(2), n_neurons=30, n_dims=2, rate_hz=1000.0)
            block = np.empty((10, 30), np.float32)
            population.step(np.array([100.0, 0.0]), block)
            blocks.append(block)
        assert np.array_equal(plain.directions_, keen.directions_)
        assert np.array_equal(*blocks)

    def test_the_world_tells_and_its_spikes_tell_a_linear_classifier(self):
        world = PopulationWorld(user=User(clicks=True))
        world.bind(np.random.default_rng(3), T0)
        rng, effector, goal = np.random.default_rng(4), EffectorState.at_rest(2), goal_at(0, 0)
        bins, label = [], []
        for i in range(4000):
            if i % 60 == 0:
                goal.position[:], goal.trial = rng.uniform(-80, 80, 2), i // 60
            world.see(T0 + 0.02 * i, effector, goal)
            bins.append(world.draw(20).sum(axis=0))
            label.append(world.intended_click)
            effector.position += 0.02 * world.intended
        y, c = np.array(bins), np.array(label)
        y = np.apply_along_axis(lambda v: np.convolve(v, np.ones(8) / 8)[: len(v)], 0, y)[4:]  # centred on 60 ms ago
        c = c[:-4]
        train, test = slice(0, 3000), slice(3000, None)
        mean = [y[train][c[train] == k].mean(axis=0) for k in (0, 1)]
        scatter = sum(np.cov(y[train][c[train] == k].T) for k in (0, 1)) + 0.01 * np.eye(96)
        score = y[test] @ np.linalg.solve(scatter, mean[1] - mean[0])
        hit, miss = score[c[test] == 1], score[c[test] == 0]
        auc = (hit[:, None] > miss[None]).mean()
        assert 0.05 < c.mean() < 0.5
        assert auc > 0.9
