"""Spikes from outside come of currents that sum to zero; the array in µV yields what the array at 1 kHz does."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import butter, sosfilt

from bmi.errors import ContractError
from sim.electrodes import BEFORE_S
from sim.sensors import templates as sut
from sim.sensors.array import Array
from sim.sensors.raw import Raw, waveforms
from sim.sensors.templates import RATE_HZ, bank, templates


@pytest.fixture(scope="module")
def healthy():
    return templates(4, 1)


class TestTemplates:
    def test_the_currents_of_a_cell_sum_to_zero(self):
        cell, current_na = sut._fire(2, np.ones((3, 2)))
        assert cell.n_compartments == 20
        assert np.abs(current_na.sum(axis=2)).max() < 1e-5 * np.abs(current_na).max()

    def test_they_are_those_of_cortex(self, healthy):
        assert ((healthy.depths_uv[:, 0] > 60) & (healthy.depths_uv[:, 0] < 400)).all()
        assert ((healthy.peaks_s > 0.2e-3) & (healthy.peaks_s < 0.6e-3)).all()
        assert healthy.peaks_s[-1] < healthy.peaks_s[:-1].min()  # the inhibitory one is narrow
        assert (healthy.waves_uv[:, 0].argmin(axis=1) == round(BEFORE_S * RATE_HZ)).all()

    def test_they_fall_with_distance_faster_than_a_point_and_slower_than_its_cube(self, healthy):
        assert (np.diff(healthy.depths_uv, axis=1) < 0).all()
        slope = np.diff(np.log(healthy.depths_uv), axis=1) / np.diff(np.log(healthy.distances_um))
        assert ((slope < -1.0) & (slope > -3.0)).all()

    def test_less_nav11_is_a_smaller_spike_of_inhibitory_cells_alone(self, healthy):
        less = templates(4, 1, nav11=0.65)
        assert np.array_equal(less.waves_uv[:3], healthy.waves_uv[:3])
        assert less.depths_uv[3, 0] < 0.85 * healthy.depths_uv[3, 0]

    def test_a_seed_decides(self, healthy):
        assert np.array_equal(templates(4, 1).waves_uv, healthy.waves_uv)
        assert not np.array_equal(templates(4, 2).waves_uv, healthy.waves_uv)
        one_of_more = templates(6, 1, inhibitory=0)
        assert one_of_more.waves_uv.shape == (6, *healthy.waves_uv.shape[1:])

    def test_a_bank_holds_eight_positions_between_samples(self, healthy):
        made = bank(healthy)
        assert made.shape == (4, 8, 40)
        assert np.abs(made.min(axis=2) + 1.0).max() < 0.1
        whole = healthy.waves_uv[:, 0] / healthy.depths_uv[:, :1]
        for late in range(8):
            assert np.allclose(made[:, late, 10:30], whole[:, 80 - late : 240 - late : 8], atol=1e-6)

    @pytest.mark.parametrize(("wrong", "told"), [
        ({"n": 0}, "1 to 100"), ({"n": 2, "inhibitory": 3}, "inhibitory"), ({"n": 1, "nav11": -1.0}, "nav11"),
        ({"n": 1, "nav11": 0.1}, "does not fire"), ({"n": 1, "distances_um": (20.0, 10.0)}, "ascending"),
        ({"n": 1, "distances_um": (1.0,)}, "ascending, from 5"),
    ])  # fmt: skip
    def test_unsound(self, wrong, told):
        with pytest.raises(ContractError, match=told):
            templates(**{"seed": 1, **wrong})


def raw(seed=1, bank=None, **settings) -> Raw:
    array = Array(**{"n_channels": 12, "common_hz": 0.0, **settings})
    array.bind(seed, n_neurons=120)
    made = Raw(array=array, bank=bank)
    made.bind(seed)
    return made


def spikes(blocks, rate_hz=20.0, seed=2) -> np.ndarray:
    return (np.random.default_rng(seed).random((blocks, 10, 120)) < rate_hz / 1000).astype(np.float32)


def run(sensor, blocks, artefact_uv=None) -> np.ndarray:
    return np.concatenate([sensor.take(b, artefact_uv).copy() for b in blocks])


def crossed(y, level) -> np.ndarray:
    """Return crossings of ``-level`` (n_channels,) with a dead time of 1.5 ms, per channel."""
    counts = np.zeros(y.shape[1])
    for c in range(y.shape[1]):
        below = y[:, c] < -level[c]
        last = -100
        for k in np.flatnonzero(below[1:] & ~below[:-1]):
            if k - last >= 45:
                counts[c] += 1
                last = k
    return counts


class TestRaw:
    def test_yields_are_those_at_1_khz_at_any_threshold(self):
        made, blocks = raw(near_uv=150.0), spikes(400)
        band = butter(2, [300, 6000], "bandpass", fs=30_000, output="sos")
        y, noise_uv = sosfilt(band, run(made, blocks), axis=0)[300:], made.array.heard().noise_uv
        for threshold in (3.5, 4.5, 6.0):
            array = Array(n_channels=12, common_hz=0.0, near_uv=150.0, threshold=threshold)
            array.bind(1, n_neurons=120)
            fast, slow = run(array, blocks).sum(axis=0), crossed(y, threshold * noise_uv)
            assert fast.sum() == pytest.approx(slow.sum(), rel=0.06)
            assert (np.abs(fast - slow) < 4 * np.sqrt(fast + slow)).all()

    def test_noise_is_as_loud_as_said_and_dead_electrodes_are_flat(self):
        made = raw(thermal_uv=5.0)
        made.array.receive("dead", 0.25)
        made.array.receive("impedance", 2.0)
        x, live = run(made, np.zeros((300, 10, 120), np.float32)), made.array.heard().live
        assert (x[:, ~live] == 0).all()
        assert np.allclose(x[:, live].std(axis=0), np.hypot(10.0, 6.0) * made.array.levels_[live], rtol=0.02)

    def test_a_spike_of_a_cell_is_its_template(self, healthy):
        made = raw(bank=bank(healthy), neurons=1, thermal_uv=0.0, hash_uv=1e-3, spread=0.0)
        blocks = np.zeros((3, 10, 120), np.float32)
        blocks[1, 2, made.array.heard().neuron[5, 0]] = 1.0
        x = run(made, blocks)
        assert np.flatnonzero(np.ptp(x, axis=0) > 1).tolist() == [5]
        assert -x[:, 5].min() == pytest.approx(made.array.heard().depth_uv[5, 0], rel=0.1)
        assert 360 <= x[:, 5].argmin() < 400

    def test_artefacts_decay_and_saturate(self):
        made, pulse = raw(hash_uv=1e-3, thermal_uv=0.0), np.zeros(10, np.float32)
        pulse[3] = 20_000.0
        x = run(made, np.zeros((1, 10, 120), np.float32), pulse)
        assert (x[90] == 6400.0).sum() > 6
        small = 1e4 * made.array.gains_ * np.exp(-np.arange(60)[:, None] / 9.0) * 2
        assert np.allclose(x[90:150], np.minimum(small, 6400.0), rtol=1e-3, atol=0.1)

    def test_hum_and_what_is_common(self):
        quiet = {"hash_uv": 1e-3, "thermal_uv": 0.0}
        hum = run(raw(line_uv=2.0, **quiet), np.zeros((10, 10, 120), np.float32))
        assert hum.max() == pytest.approx(2.0 * 36, rel=0.01)
        assert np.allclose(hum[:600], hum[600:1200], atol=0.05)
        common = run(raw(**{**quiet, "common_hz": 50.0}), np.zeros((50, 10, 120), np.float32))
        assert np.allclose(common, common[:, :1], atol=0.05)
        assert 8 < (common[:, 0].reshape(-1, 30).min(axis=1) < -400).sum() < 50

    def test_state_restored_and_reset_give_the_same_bits(self):
        made, blocks = raw(), spikes(8)
        fresh = run(made, blocks)
        kept = {k: v.copy() for k, v in made.state().items()}
        first = run(made, blocks)
        for name, value in made.state().items():
            value[...] = kept[name]
        assert np.array_equal(run(made, blocks), first)
        made.reset()
        assert np.array_equal(run(made, blocks), fresh)

    def test_waveforms_are_of_depth_1_and_unsound_ones_refused(self):
        assert np.abs(waveforms().min(axis=2) + 1).max() < 0.06
        with pytest.raises(ContractError, match="n_shapes, 8"):
            raw(bank=np.zeros((3, 40)))
