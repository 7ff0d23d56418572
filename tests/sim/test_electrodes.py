"""Spikes are planted where, when and as large as said, and no neuron fires while it cannot."""

from __future__ import annotations

import numpy as np
import pytest
import reference_sim
from scipy import stats

from bmi.errors import ContractError
from sim._electrodes_kernels import TICKS, Sites, plant
from sim.electrodes import AFTER_S, BEFORE_S, FALLOFF_UM, NEAREST_UM, Electrodes, waveform

RATE_HZ = 30_000.0
N = 30


def placed(electrodes: Electrodes, *, n_channels=64, seed=1, rate_hz=RATE_HZ) -> Electrodes:
    noise_uv = np.linspace(4.0, 10.0, n_channels)
    electrodes.bind(*np.random.default_rng(seed).spawn(2), noise_uv=noise_uv, rate_hz=rate_hz)
    return electrodes


def play(electrodes: Electrodes, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (samples, n_channels) µV and the spikes (n, 2) of counts (n_slots, n_neurons)."""
    n_channels = electrodes.channels_[-1] + 1
    out, found = np.zeros((N * len(counts), n_channels), np.float32), []
    for row, rows in zip(counts, out.reshape(-1, N, n_channels), strict=True):
        electrodes.step(row, rows)
        found.append(electrodes.found())
    return out, np.concatenate(found)


def poisson(rate_hz: float, seconds: float, n: int, seed=2) -> np.ndarray:
    return np.random.default_rng(seed).poisson(rate_hz / 1000, (round(1000 * seconds), n)).astype(np.float32)


class TestPlaces:
    def test_depth_falls_with_distance_as_declared(self):
        electrodes = placed(Electrodes(near_uv=300.0), n_channels=5000)
        d = electrodes.distances_um_
        assert np.allclose(electrodes.depths_uv_, 300.0 / (1 + d / FALLOFF_UM))
        assert NEAREST_UM <= d.min() <= d.max() <= 100.0
        evenly = (d**3 - NEAREST_UM**3) / (100.0**3 - NEAREST_UM**3)
        assert stats.kstest(evenly, "uniform").pvalue > 0.01

    def test_or_is_a_lognormal_multiple_of_the_channels_noise(self):
        electrodes = placed(Electrodes(law="snr", snr=5.0, snr_spread=0.2), n_channels=5000)
        snr = electrodes.depths_uv_ / np.linspace(4.0, 10.0, 5000)
        assert stats.kstest(np.log(snr / 5.0) / 0.2, "norm").pvalue > 0.01

    def test_every_channel_hears_as_many_neurons_as_asked_each_heard_once(self):
        electrodes = placed(Electrodes(neurons=3), n_channels=10)
        assert np.array_equal(electrodes.channels_, np.repeat(np.arange(10), 3))
        out, found = play(electrodes, np.eye(30, dtype=np.float32)[[3, 4, 5, 0, 0]] * [[1], [1], [1], [0], [0]])
        assert found[:, 1].tolist() == [3, 4, 5]
        assert np.flatnonzero(out.any(axis=0)).tolist() == [1]


class TestWaveforms:
    def test_a_spike_is_a_trough_of_its_depth_and_a_slower_hump_of_equal_area(self):
        t = np.arange(-BEFORE_S, AFTER_S, 1e-7)
        for peak_s in (0.00025, 0.00035, 0.00045):
            w = waveform(t, peak_s)
            assert w.min() == pytest.approx(-1.0, abs=0.01)
            assert abs(t[np.argmin(w)]) < 1e-5
            assert t[np.argmax(w)] == pytest.approx(peak_s, abs=3e-5)
            assert abs(w.sum()) < 0.1 * np.abs(w).sum()
            assert np.abs(w[[0, -1]]).max() < 1e-3

    def test_averaging_about_the_planted_spikes_returns_depth_and_width(self):
        electrodes = placed(Electrodes(refractory_s=0.0015), n_channels=16)
        out, found = play(electrodes, poisson(20.0, 20.0, 16))
        for neuron in range(16):
            at = found[found[:, 1] == neuron, 0]
            at = at[(at > 30) & (at < len(out) - 60)]
            mean = np.mean([out[k - 9 : k + 30, neuron] for k in at], axis=0)
            assert np.argmin(mean) == 9
            assert -mean[9] == pytest.approx(electrodes.depths_uv_[neuron], rel=0.05)
            assert 6 <= np.argmax(mean) - 9 <= 15  # 0.25 to 0.45 ms

    def test_troughs_fall_evenly_between_samples(self):
        electrodes = placed(Electrodes(), n_channels=200)
        play(electrodes, np.ones((1, 200), np.float32))
        ticks = np.concatenate(
            [(play(electrodes, np.ones((1, 200), np.float32)), electrodes._found[: electrodes.n_found, 0])[1] % TICKS
             for _ in range(40)]
        )  # fmt: skip
        assert stats.chisquare(np.bincount(ticks, minlength=TICKS)).pvalue > 0.001

    def test_sampling_takes_at_most_a_twentieth_of_a_depth(self):
        bank = placed(Electrodes())._sites.bank
        assert np.abs(bank.min(axis=2) + 1.0).max() < 0.05


class TestFiring:
    def test_no_neuron_fires_twice_within_its_refractory_time(self):
        electrodes = placed(Electrodes(refractory_s=0.002), n_channels=8)
        _, found = play(electrodes, poisson(150.0, 20.0, 8))
        for neuron in range(8):
            assert np.diff(found[found[:, 1] == neuron, 0]).min() >= 0.002 * RATE_HZ - 1

    @pytest.mark.parametrize("rate_hz", [10.0, 60.0, 150.0])
    def test_the_dead_time_costs_what_theory_says(self, rate_hz):
        electrodes = placed(Electrodes(refractory_s=0.002), n_channels=50)
        _, found = play(electrodes, poisson(rate_hz, 20.0, 50))
        told = rate_hz / (1 + rate_hz * 0.002)
        assert len(found) / (50 * 20.0) == pytest.approx(told, rel=0.01 + 4 / np.sqrt(len(found)))

    def test_spikes_keep_to_their_millisecond(self):
        electrodes = placed(Electrodes(), n_channels=20)
        counts = poisson(20.0, 5.0, 20)
        _, found = play(electrodes, counts)
        begin, neuron = found[:, 0] - round(BEFORE_S * RATE_HZ), found[:, 1]
        assert (counts[begin // N % len(counts), neuron] + counts[(begin - 1) // N, neuron] > 0).all()  # rounded up

    def test_the_kernel_adds_waveforms_as_the_definition_says(self):
        rng = np.random.default_rng(3)
        counts, uniform = poisson(120.0, 0.2, 12), rng.random((200, 12))
        bank = rng.normal(size=(3, TICKS, 41)).astype(np.float32)
        sites = Sites(np.repeat(np.arange(4), 3), rng.random(12).astype(np.float32), rng.integers(0, 3, 12), bank)
        last, ring = np.full(12, -10_000), np.zeros((N + 41, 4), np.float32)
        found, out, spikes = np.zeros((12, 2), np.int64), np.zeros((200 * N, 4)), []
        for slot in range(200):
            n = plant(counts[slot], uniform[slot], slot, N, 400, sites, last, ring, found)
            spikes += [tuple(row) for row in found[:n].tolist()]
            for k in range(slot * N, (slot + 1) * N):
                out[k] = ring[k % len(ring)]
                ring[k % len(ring)] = 0.0
        expected, told = reference_sim.plant(counts, uniform, N, 400, sites, 4)
        assert spikes == told
        assert len(spikes) > 200
        assert np.allclose(out, expected[: len(out)], atol=1e-5)


def test_widths_the_wrong_way_round_are_refused():
    with pytest.raises(ContractError, match=r"peak_max_s is 0.0001.*peak_min_s = 0.00025"):
        placed(Electrodes(peak_max_s=0.0001))
