"""Artefacts come regularly, dwarf everything, decay exponentially, and stop at the amplifier's range."""

from __future__ import annotations

import numpy as np
import pytest

from bmi.errors import ContractError
from sim.artefacts import Stimulation
from sim.background import Background
from sim.broadband import BroadbandWorld
from sim.electrodes import Electrodes

RATE_HZ = 30_000.0


def artefacts(stimulation: Stimulation, seconds: float, n_channels=6) -> np.ndarray:
    """Return them alone, (n_samples, n_channels) µV."""
    stimulation.bind(np.random.default_rng(1), n_channels=n_channels, n_samples=30, rate_hz=RATE_HZ)
    out = np.zeros((round(seconds * 1000), 30, n_channels), np.float32)
    for rows in out:
        stimulation.step(rows)
    return out.reshape(-1, n_channels)


def test_each_pulse_jumps_and_decays_by_its_time_constant():
    stimulation = Stimulation(pulses_hz=100.0, amplitude_uv=1000.0, spread=0.0, decay_s=0.0005)
    x = artefacts(stimulation, 0.1)
    at = stimulation.pulses(0, len(x))
    assert at.tolist() == list(range(300, 3000, 300))
    assert np.allclose(x[at], 1000.0, rtol=1e-4)
    assert np.allclose(x[at + 15], 1000.0 / np.e, rtol=1e-4)
    assert not x[:300].any()


def test_pulses_that_overlap_add_up():
    x = artefacts(Stimulation(pulses_hz=1000.0, amplitude_uv=1.0, spread=0.0, decay_s=0.01), 0.5)
    assert x[-30:].max() == pytest.approx(1 / (1 - np.exp(-0.1)), rel=1e-3)


def test_pulses_fall_on_samples_even_when_their_rate_does_not_divide():
    stimulation = Stimulation(pulses_hz=130.0)
    artefacts(stimulation, 0.1)
    at = stimulation.pulses(0, 300_000)
    assert len(at) == 1299
    assert set(np.diff(at)) == {230, 231}
    pieces = np.concatenate([stimulation.pulses(k, k + 30) for k in range(0, 300_000, 30)])
    assert np.array_equal(at, pieces)


def test_channels_differ_in_size_alone():
    x = artefacts(Stimulation(pulses_hz=50.0), 0.2, n_channels=60)
    assert np.linalg.matrix_rank(x, tol=0.01 * np.linalg.norm(x)) == 1
    assert np.std(np.log(x.max(axis=0))) == pytest.approx(0.5, rel=0.4)


def test_without_pulses_there_is_nothing():
    stimulation = Stimulation()
    assert not artefacts(stimulation, 0.1).any()
    assert len(stimulation.pulses(0, 10_000)) == 0


def test_the_amplifier_saturates_first_and_shows_the_decay_afterwards():
    world = BroadbandWorld(
        n_channels=1,
        rail_uv=5000.0,
        electrodes=Electrodes(near_uv=1e-3),
        background=Background(thermal_uv=0.0, hash_uv=0.0),
        stimulation=Stimulation(pulses_hz=10.0, amplitude_uv=20_000.0, spread=0.0, decay_s=0.001),
    )
    world.bind(np.random.default_rng(1), 0.0)
    x = world.draw(6000)[3000:, 0]
    flat = int(30 * np.log(4.0))  # until 20 mV have decayed to 5 mV
    assert (x[: flat + 1] == 5000.0).all()
    assert np.allclose(x[flat + 1 : 200], 20_000.0 * np.exp(-np.arange(flat + 1, 200) / 30), rtol=1e-3, atol=0.01)
    assert np.abs(x).max() == 5000.0


def test_more_pulses_than_samples_are_refused():
    with pytest.raises(ContractError, match="pulses_hz is 40000, expected at most 30000"):
        artefacts(Stimulation(pulses_hz=40_000.0), 0.1)
