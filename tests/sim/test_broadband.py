"""The broadband world keeps the contract of a world, and what it plants can be found again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from bmi.contracts import World
from bmi.errors import ContractError
from bmi.signals import EffectorState, Goal
from sim.artefacts import Stimulation
from sim.background import Background
from sim.broadband import BroadbandWorld
from sim.electrodes import Electrodes
from sim.population import Population
from sim.user import User

T0 = 1e5
EVERYTHING = {
    "background": Background(common_uv=5.0, line_uv=20.0, lfp_uv=100.0),
    "stimulation": Stimulation(pulses_hz=70.0),
    "electrodes": Electrodes(neurons=2),
}


def bound(seed=1, **kwargs) -> BroadbandWorld:
    world = BroadbandWorld(**kwargs)
    world.bind(np.random.default_rng(seed), T0)
    return world


def show(world: BroadbandWorld, t: float) -> None:
    """Show a goal that jumps each half second, as it is ``t`` s after the start."""
    trial = int(t / 0.5)
    goal = Goal(np.array([80.0, -40.0]) * (-1) ** trial, 12.0, True, trial, T0 + 0.5 * trial)
    world.see(T0 + t, EffectorState(np.array([50 * np.cos(t), 50 * np.sin(t)]), np.zeros(2), T0 + t), goal)


def test_it_is_a_world_and_says_what_it_sends():
    world = bound(n_channels=32, name="motor")
    assert isinstance(world, World)
    spec = world.spec
    assert (spec.name, spec.type, spec.unit) == ("motor", "broadband", "µV")
    assert (spec.n_channels, spec.rate_hz, spec.max_samples) == (32, 30_000.0, 30)
    assert len(set(spec.labels)) == 32
    assert spec.source_id == BroadbandWorld(name="motor", n_channels=8).spec.source_id


def test_samples_are_microvolts_the_caller_may_keep():
    world = bound(n_channels=8)
    first = world.draw(50)
    kept = first.copy()
    world.draw(500)
    assert (first.shape, first.dtype, first.flags.c_contiguous) == ((50, 8), np.float32, True)
    assert np.array_equal(first, kept)
    assert world.draw(0).shape == (0, 8)
    assert 4.0 < world.draw(3000).std() < 12.0


PUNCTUAL = 15_000


def drawn(world: BroadbandWorld, splits: list[int]) -> bytes:
    """Return half a second of samples in pieces of these sizes, over and over, shown each 20 ms what there is."""
    rows, done, shown, k = [], 0, 0, 0
    while done < PUNCTUAL:
        while shown <= done:
            show(world, shown / 30_000)
            shown += 600
        n = min(splits[k % len(splits)], shown - done, PUNCTUAL - done)
        rows.append(world.draw(n))
        done, k = done + n, k + 1
    return np.concatenate(rows).tobytes()


REFERENCE = drawn(bound(n_channels=6, **EVERYTHING), [30])


@settings(max_examples=25, deadline=None)
@given(splits=st.lists(st.integers(1, 700), min_size=1, max_size=40))
def test_chunking_never_changes_a_sample(splits):
    assert drawn(bound(n_channels=6, **EVERYTHING), splits) == REFERENCE


def test_the_same_seed_gives_the_same_bytes_another_does_not_and_binding_again_is_a_fresh_start():
    world = bound(seed=5, n_channels=4, **EVERYTHING)
    first = world.draw(6000).tobytes()
    assert bound(seed=6, n_channels=4, **EVERYTHING).draw(6000).tobytes() != first
    world.bind(np.random.default_rng(5), T0)
    assert world.draw(6000).tobytes() == first


def test_a_numbered_subject_keeps_neurons_and_electrodes_but_not_the_noise():
    monday, tuesday = (bound(seed=s, n_channels=8, subject=3) for s in (1, 2))
    assert np.array_equal(monday.population.directions_, tuesday.population.directions_)
    assert np.array_equal(monday.electrodes.depths_uv_, tuesday.electrodes.depths_uv_)
    assert np.array_equal(monday.background.sd_uv_, tuesday.background.sd_uv_)
    assert abs(np.corrcoef(monday.draw(3000)[:, 0], tuesday.draw(3000)[:, 0])[0, 1]) < 0.1


def test_at_another_rate_channel_count_and_chunk_it_says_the_same_in_other_words():
    world = bound(n_channels=3, rate_hz=20_000.0, chunk_s=0.002, keep_planted=10_000)
    x = world.draw(200_000)
    assert world.spec.max_samples == 40
    assert np.allclose(x.std(axis=0), world.background.sd_uv_, rtol=0.2)
    assert len(world.planted().sample) / 30 == pytest.approx(world.population.baselines_hz_.mean(), rel=0.3)


class TestTruth:
    def test_nothing_is_remembered_unless_asked(self):
        world = bound(n_channels=4)
        world.draw(30_000)
        assert [len(a) for a in world.planted()] == [0, 0, 0]

    def test_what_is_remembered_is_bounded_and_told_once(self):
        world = bound(n_channels=16, keep_planted=100)
        world.draw(60_000)
        told = world.planted()
        assert [len(a) for a in told] == [100, 100, 100]
        assert told.sample.min() > 30_000  # the newest
        assert (np.diff(told.sample) >= 0).all()
        assert len(world.planted().sample) == 0

    def test_where_a_spike_is_said_to_be_there_is_a_trough(self):
        world = bound(n_channels=8, keep_planted=10_000, background=Background(thermal_uv=0.3, hash_uv=0.0))
        x = world.draw(90_000)
        told = world.planted()
        inside = told.sample < len(x) - 30
        depth = -x[told.sample[inside], told.channel[inside]]
        expected = world.electrodes.depths_uv_[told.neuron[inside]]
        assert np.abs(depth / expected - 1).max() < 0.4  # a spike may lie on the hump of the one before
        assert np.median(np.abs(depth / expected - 1)) < 0.03
        quiet = np.ones(len(x), bool)
        for k in told.sample[told.channel == 0]:
            quiet[max(0, k - 10) : k + 31] = False
        assert x[quiet, 0].std() == pytest.approx(world.background.sd_uv_[0], rel=0.03)

    def test_rates_and_tuning_are_those_of_the_population(self):
        world = bound(
            n_channels=40,
            keep_planted=1_000_000,
            population=Population(shared=0.0, baseline_hz=40.0, baseline_spread=0.1, depth_hz=15.0, lag_max_s=0.0),
            user=User(noise=0.0, aim_noise_rad=0.0, feedback_delay_s=0.02),
        )
        rng, effector, goal = np.random.default_rng(8), EffectorState.at_rest(2), Goal(np.zeros(2), 12.0, True, 0, T0)
        intended, rates = [], []
        for i in range(6000):
            if i % 50 == 0:
                goal.position[:], goal.trial = 1e5 * rng.standard_normal(2), i // 50
            world.see(T0 + 0.01 * i, effector, goal)
            world.draw(300)
            intended.append(world.intended.copy())
            rates.append(np.bincount(world.planted().neuron, minlength=40) / 0.01)
        v, r = np.array(intended), np.array(rates)
        speed = np.linalg.norm(v, axis=1)
        regressors = np.column_stack([v / 200.0, speed / 200.0, np.ones_like(speed)])
        found = np.linalg.lstsq(regressors, r, rcond=None)[0]
        depth = np.linalg.norm(found[:2], axis=0)
        cosine = np.sum(found[:2].T / depth[:, None] * world.population.directions_, axis=1)
        strong = world.population.depths_hz_ > 12.0
        assert np.degrees(np.arccos(cosine[strong])).max() < 15.0
        dead = 1 / (1 + r.mean(axis=0) / (1 - r.mean(axis=0) * 0.0015) * 0.0015) ** 2  # d r/(1+r tau) / d r
        assert np.median(depth[strong] / (world.population.depths_hz_ * dead)[strong]) == pytest.approx(1.0, abs=0.08)

    def test_a_plain_threshold_finds_large_spikes_and_little_else(self):
        world = bound(n_channels=12, keep_planted=100_000, electrodes=Electrodes(law="snr", snr=10.0, snr_spread=0.0))
        x, truth = world.draw(300_000), world.planted()
        band = signal.butter(2, [300, 6000], "bandpass", fs=30_000, output="sos")
        y = signal.sosfilt(band, x, axis=0)
        found = y < -4.5 * np.median(np.abs(y), axis=0) / 0.6745
        hits, false = 0, 0
        for c in range(12):
            at = truth.sample[truth.channel == c]
            crossed = np.flatnonzero(np.diff(found[:, c].astype(int)) == 1)
            near = np.abs(crossed[:, None] - at[None]) <= 15
            hits += near.any(axis=0).sum()
            false += (~(np.abs(crossed[:, None] - at[None]) <= 40).any(axis=1)).sum()
        assert hits / len(truth.sample) > 0.98
        assert false / (12 * 10.0) < 0.5


class TestRefusals:
    def test_a_push_must_be_a_whole_number_of_samples(self):
        with pytest.raises(ContractError, match=r"BroadbandWorld 'm1': chunk_s = 0.00125 holds 37.5 samples"):
            bound(chunk_s=0.00125)

    def test_so_must_a_millisecond(self):
        with pytest.raises(ContractError, match=r"rate_hz is 24500, expected a multiple of 1000 Hz"):
            bound(rate_hz=24_500.0, chunk_s=0.002)
