"""The world keeps its contract: deterministic, cut into chunks as one likes, never ahead of its senses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmi.contracts import World
from bmi.errors import ContractError
from bmi.signals import EffectorState, Goal
from sim.user import User
from sim.world import PopulationWorld

T0 = 1e5


def bound(seed=1, **kwargs) -> PopulationWorld:
    world = PopulationWorld(**kwargs)
    world.bind(np.random.default_rng(seed), T0)
    return world


def show(world: PopulationWorld, t: float) -> None:
    """Show a circling cursor and a goal that jumps each half second, as they are ``t`` s after the start."""
    effector = EffectorState(np.array([50 * np.cos(t), 50 * np.sin(t)]), np.zeros(2), T0 + t)
    trial = int(t / 0.5)
    goal = Goal(np.array([80.0, -40.0]) * (-1) ** trial, 12.0, trial != 1, trial, T0 + 0.5 * trial)
    world.see(T0 + t, effector, goal)


def test_it_is_a_world_and_says_what_it_sends():
    world = bound(n_neurons=32, chunk_s=0.02, name="motor")
    assert isinstance(world, World)
    spec = world.spec
    assert (spec.name, spec.type, spec.unit) == ("motor", "spikes", "count")
    assert (spec.n_channels, spec.rate_hz, spec.max_samples) == (32, 1000.0, 20)
    assert len(set(spec.labels)) == 32
    assert spec.source_id == PopulationWorld(name="motor", n_neurons=8).spec.source_id
    assert spec.source_id != PopulationWorld(name="other").spec.source_id


def test_samples_are_counts_the_caller_may_keep():
    world = bound()
    first = world.draw(50)
    kept = first.copy()
    world.draw(500)
    assert first.shape == (50, 96)
    assert first.dtype == np.float32
    assert first.flags.c_contiguous
    assert np.array_equal(first, kept)
    assert np.array_equal(first, np.rint(first))
    assert world.draw(0).shape == (0, 96)


PUNCTUAL_MS = 900


def reference() -> bytes:
    world, rows = bound(n_neurons=16), []
    for ms in range(PUNCTUAL_MS):
        if ms % 20 == 0:
            show(world, ms / 1000)
        rows.append(world.draw(1))
    return np.concatenate(rows).tobytes()


REFERENCE = reference()


@settings(max_examples=40, deadline=None)
@given(
    splits=st.lists(st.integers(1, 40), min_size=1, max_size=200),
    late_ms=st.lists(st.integers(0, 35), min_size=45),
)
def test_neither_chunking_nor_the_moment_of_telling_changes_a_sample(splits, late_ms):
    world, rows, done = bound(n_neurons=16), [], 0
    waiting = sorted((20 * i + late_ms[i], 20 * i) for i in range(PUNCTUAL_MS // 20))
    while done < PUNCTUAL_MS:
        while waiting and waiting[0][0] <= done:
            show(world, waiting.pop(0)[1] / 1000)
        n = min(splits[len(rows) % len(splits)], PUNCTUAL_MS - done)
        rows.append(world.draw(n))
        done += n
    assert np.concatenate(rows).tobytes() == REFERENCE


def test_one_times_twenty_is_twenty_times_one():
    whole, pieces = bound(), bound()
    for _ in range(30):
        assert np.array_equal(whole.draw(20), np.concatenate([pieces.draw(1) for _ in range(20)]))


def test_the_same_seed_gives_the_same_bytes_and_another_does_not():
    same = [bound(seed=5).draw(2000).tobytes() for _ in range(2)]
    assert same[0] == same[1]
    assert bound(seed=6).draw(2000).tobytes() != same[0]


def test_binding_again_is_a_fresh_start():
    world = bound()
    show(world, 0.0)
    first = world.draw(1000).tobytes()
    world.bind(np.random.default_rng(1), T0)
    show(world, 0.0)
    assert world.draw(1000).tobytes() == first


def test_a_numbered_subject_keeps_its_neurons_from_session_to_session():
    monday, tuesday = bound(seed=1, subject=3), bound(seed=2, subject=3)
    assert np.array_equal(monday.population.directions_, tuesday.population.directions_)
    assert monday.draw(1000).tobytes() != tuesday.draw(1000).tobytes()
    stranger = bound(seed=1, subject=4)
    assert not np.array_equal(monday.population.directions_, stranger.population.directions_)


def test_the_intention_shows_in_the_spikes_only_after_the_reaction_time():
    still, asked = bound(), bound()
    asked.see(T0, EffectorState.at_rest(2), Goal(np.array([80.0, 0.0]), 12.0, True, 0, T0))
    before, after = round(1000 * asked.user.reaction_s), 400
    assert np.array_equal(still.draw(before), asked.draw(before))
    assert not np.array_equal(still.draw(after), asked.draw(after))
    assert asked.intended[0] > 50.0
    assert not still.intended.any()


def test_twenty_millisecond_bins_tell_a_linear_decoder_the_intention():
    world = bound(user=User(noise=0.0))
    effector = EffectorState.at_rest(2)
    rng, bins, intended = np.random.default_rng(8), [], []
    goal = Goal(np.zeros(2), 12.0, True, 0, T0)
    for i in range(3000):
        if i % 50 == 0:
            angle = rng.uniform(0, 2 * np.pi)
            goal.position[:] = 80 * np.cos(angle), 80 * np.sin(angle)
            goal.trial += 1
            effector.position[:] = 0.0
        world.see(T0 + 0.02 * i, effector, goal)
        bins.append(world.draw(20).sum(axis=0))
        intended.append(world.intended.copy())
        effector.position += 0.02 * world.intended
    kernel = np.full(8, 1 / 8)
    smooth = np.apply_along_axis(lambda y: np.convolve(y, kernel)[: len(y)], 0, np.array(bins))
    target = np.apply_along_axis(lambda v: np.convolve(v, kernel)[: len(v)], 0, np.array(intended))
    train, test = slice(0, 2000), slice(2000, 3000)
    weights = np.linalg.lstsq(np.column_stack([smooth[train], np.ones(2000)]), target[train], rcond=None)[0]
    decoded = np.column_stack([smooth[test], np.ones(1000)]) @ weights
    residual = ((decoded - target[test]) ** 2).sum() / ((target[test] - target[test].mean(axis=0)) ** 2).sum()
    assert 0.6 < 1 - residual < 0.99


def test_a_push_must_be_a_whole_number_of_samples():
    with pytest.raises(
        ContractError, match=r"chunk_s = 0.0025 holds 2.5 samples at 1000 Hz.*give e.g. 0.002"
    ):
        bound(chunk_s=0.0025)
