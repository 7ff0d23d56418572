"""The world of the tissue keeps the contract of worlds, and its spikes are enough to reach with."""

from __future__ import annotations

import numpy as np
import pytest
from figures import measured
from hypothesis import given, settings
from hypothesis import strategies as st

from bmi import recipe
from bmi.contracts import World
from bmi.errors import ContractError
from bmi.signals import EffectorState, Goal
from bmi.simulate import simulate
from sim.circuits.tissue import Tissue
from sim.tissue_world import Progress, TissueWorld

T0 = 1e5


def bound(seed=1, **kwargs) -> TissueWorld:
    small = {"n_neurons": 16, "tissue": Tissue(n_neurons=200, contacts=30)}
    world = TissueWorld(**(small | kwargs))
    world.bind(np.random.default_rng(seed), T0)
    return world


def show(world: TissueWorld, t: float) -> None:
    """Show a circling cursor and a goal that jumps each half second, as they are ``t`` s after the start."""
    effector = EffectorState(np.array([50 * np.cos(t), 50 * np.sin(t)]), np.zeros(2), T0 + t)
    trial = int(t / 0.5)
    goal = Goal(np.array([80.0, -40.0]) * (-1) ** trial, 12.0, trial != 1, trial, T0 + 0.5 * trial)
    world.see(T0 + t, effector, goal)


def test_it_is_a_world_and_says_what_it_sends():
    world = bound(chunk_s=0.02, name="motor")
    assert isinstance(world, World)
    spec = world.spec
    assert (spec.name, spec.type, spec.unit) == ("motor", "spikes", "count")
    assert (spec.n_channels, spec.rate_hz, spec.max_samples) == (16, 1000.0, 20)
    assert len(set(spec.labels)) == 16
    assert spec.source_id != TissueWorld(name="other").spec.source_id


def test_samples_are_counts_the_caller_may_keep():
    world = bound()
    first = world.draw(50)
    kept = first.copy()
    rates = world.draw(3000).mean(axis=0) * 1000.0
    assert first.shape == (50, 16)
    assert first.dtype == np.float32
    assert np.array_equal(first, kept)
    assert np.array_equal(first, np.rint(first))
    assert 4.0 < np.median(rates) < 15.0
    assert world.draw(0).shape == (0, 16)


LENGTH_MS = 500


def run(splits, late_ms) -> bytes:
    world, rows, done = bound(), [], 0
    waiting = sorted((20 * i + late, 20 * i) for i, late in enumerate(late_ms[: LENGTH_MS // 20]))
    while done < LENGTH_MS:
        while waiting and waiting[0][0] <= done:
            show(world, waiting.pop(0)[1] / 1000)
        until = min([done + splits[len(rows) % len(splits)], LENGTH_MS] + [w[0] for w in waiting[:1]])
        rows.append(world.draw(until - done))
        done = until
    return np.concatenate(rows).tobytes()


REFERENCE: list[bytes] = []


@settings(max_examples=5, deadline=None)
@given(splits=st.lists(st.integers(1, 40), min_size=1), late_ms=st.lists(st.integers(0, 35), min_size=25))
def test_neither_chunking_nor_the_moment_of_telling_changes_a_sample(splits, late_ms):
    if not REFERENCE:
        REFERENCE.append(run([1], [0] * 25))
    assert run(splits, late_ms) == REFERENCE[0]


def test_a_subject_keeps_circuit_and_electrodes_from_session_to_session():
    one, other = bound(1, subject=3), bound(2, subject=3)
    assert np.array_equal(one.channels_, other.channels_)
    assert not np.array_equal(one.draw(200), other.draw(200))
    assert not np.array_equal(bound(1).channels_, bound(2).channels_)


def test_electrodes_hear_both_kinds_of_neurons_and_none_twice():
    world = bound(n_neurons=200)
    assert np.array_equal(np.sort(world.channels_), np.arange(200))
    with pytest.raises(ContractError, match="expected at most the 200 neurons"):
        bound(n_neurons=201)


def test_a_push_is_a_whole_number_of_milliseconds():
    with pytest.raises(ContractError, match="expected a whole number"):
        bound(chunk_s=0.0015)


def perceived(x: float, active: float = 1.0, trial: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return a cursor at ``x`` mm and the goal at the origin."""
    return np.array([x, 0.0]), np.array([0.0, 0.0, 10.0, active, trial])


def test_reward_is_progress_beyond_what_is_usual():
    progress = Progress(speed_mm_s=200.0)
    assert progress.step(*perceived(100.0)) == 0.0  # a new trial: nothing to compare with
    assert progress.step(*perceived(98.0)) == pytest.approx(1.0)
    assert progress.step(*perceived(99.0)) < -0.4
    usual = [progress.step(*perceived(99.0 - 0.001 * k)) for k in range(3000)]
    assert abs(usual[-1]) < 0.01
    assert progress.step(*perceived(0.0, active=0.0)) == 0.0
    assert progress.step(*perceived(50.0, trial=1.0)) == 0.0


def test_reward_teaches_the_tissue_only_if_it_is_wanted():
    taught, untaught = bound(reward=5.0), bound(reward=0.0)
    for k in range(60):
        for world in (taught, untaught):
            show(world, k / 50)
            world.draw(20)
    weights = [w._preparation.component.state()["weight"] for w in (taught, untaught)]
    assert not np.array_equal(*weights)
    assert untaught._preparation.component.state()["input.reward"] == 0.0


@pytest.mark.bars
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("plastic", [True, False])
def test_centre_out_is_reached_over_10_seeds(plastic):
    success = []
    for seed in range(10):
        changes = {"session.seed": seed, "world.tissue.plastic": plastic}
        success.append(simulate(recipe.load("circuit_center_out", changes)).summary["success_rate"])
    measured("success, plastic" if plastic else "success, not plastic", success)
    assert np.mean(success) >= 0.85


@pytest.mark.bars
@pytest.mark.timeout(600)
def test_with_permuted_channels_it_fails():
    changes = {"session.permute_channels": True, "blocks.1.trials": 8}
    assert simulate(recipe.load("circuit_center_out", changes)).summary["success_rate"] < 0.5
