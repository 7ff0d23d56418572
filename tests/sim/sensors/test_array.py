"""An array counts what its mathematics says, ages by shares that nest, and is the same at its baseline given or not."""

from __future__ import annotations

import copy
import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_array import Twin
from scipy.signal import butter, sosfilt, sosfreqz
from scipy.stats import multivariate_normal, norm

from bmi.errors import ContractError
from sim.background import innovation
from sim.electrodes import FALLOFF_UM, waveform
from sim.sensors import crossings
from sim.sensors.array import BASELINE, Array

N = 400
SHARES = st.floats(0.0, 1.0)


def bound(seed=1, n_neurons=N, **settings) -> Array:
    given = {key: settings.pop(key) for key in ("active", "tuned", "positions_um") if key in settings}
    array = Array(**{"n_channels": 24, **settings})
    array.bind(seed, n_neurons=n_neurons, **given)
    return array


@functools.cache
def once() -> Array:
    """An array that several tests may look at; each leaves it at its baseline."""
    return bound(n_channels=40)


def spikes(blocks, n=N, rate_hz=20.0, seed=2) -> np.ndarray:
    return (np.random.default_rng(seed).random((blocks, 10, n)) < rate_hz / 1000).astype(np.float32)


def run(array, blocks, artefact_uv=None) -> np.ndarray:
    return np.concatenate([array.take(b, artefact_uv).copy() for b in blocks])


def silence(blocks, n=N) -> np.ndarray:
    return np.zeros((blocks, 10, n), np.float32)


class TestKernel:
    @pytest.mark.parametrize(
        "settings", [{}, {"blank_s": 0.0}, {"line_uv": 12.0, "common_hz": 30.0, "refractory_s": 0.0023}]
    )
    def test_twin(self, settings):
        array = bound(seed=5, n_channels=7, near_uv=200.0, **settings)
        for name, value in {"dead": 0.2, "turnover": 0.4, "survival": 0.7, "impedance": 1.5}.items():
            array.receive(name, value)
        twin, blocks = Twin(array, 5), spikes(40, rate_hz=80.0)
        artefact = np.array([0, 0, -20_000, 0, 0, 60, 0, 0, 500, 0], np.float32)
        pulses = [artefact * (k % 3 > 0) for k in range(40)]
        ours = np.concatenate([array.take(b, p).copy() for b, p in zip(blocks, pulses, strict=True)])
        theirs = np.concatenate([twin.take(b, p) for b, p in zip(blocks, pulses, strict=True)])
        assert np.array_equal(ours, theirs)
        assert ours.sum() > 100


class TestWhatIsCounted:
    def test_a_neuron_yields_the_probability_of_its_trough(self):
        array = bound(neurons=1, near_uv=100.0, n_channels=100, common_hz=0.0)
        heard, blocks = array.heard(), silence(400)
        blocks[:, ::5] = 1.0
        yielded = run(array, blocks).reshape(400, 10, -1)[:, ::5].mean(axis=(0, 1))
        assert heard.detected.min() < 0.05 < 0.6 < heard.detected.max()
        assert np.abs(yielded - heard.detected[:, 0]).max() < 4.5 * 0.5 / np.sqrt(800)
        assert np.allclose(heard.detected, norm.cdf(heard.snr + crossings.LIFT - 4.5))

    def test_noise_crosses_as_often_as_rice_says(self):
        array = bound(threshold=3.0, common_hz=0.0)
        found = run(array, silence(1000)).sum()
        expected = 24 * 10.0 * 2300.0 * np.exp(-4.5)
        assert abs(found - expected * (1 - 1.5e-3 * 2300.0 * np.exp(-4.5))) < 4 * np.sqrt(expected)

    def test_hum_lets_more_noise_cross_and_at_its_crest(self):
        array = bound(threshold=4.0, line_uv=6.0, common_hz=0.0)
        phase = run(array, silence(2000)).sum(axis=1).reshape(-1, 20).sum(axis=0)
        assert phase[3:7].sum() > 20 * max(phase[13:17].sum(), 1)

    def test_two_spikes_within_the_dead_time_are_one(self):
        array = bound(neurons=2, near_uv=5000.0, n_channels=30, refractory_s=0.002, common_hz=0.0)
        assert array.heard().detected.min() > 0.999999
        each = run(array, np.ones((100, 10, N), np.float32))
        assert each.sum(axis=0).max() <= 500
        array.reset()
        apart = silence(100)
        apart[:, ::5] = 1.0
        assert (run(array, apart).sum(axis=0) == 200).all()

    def test_what_is_common_crosses_everywhere_at_once(self):
        array = bound(common_hz=20.0, threshold=8.0)
        together = run(array, silence(200)).sum(axis=1)
        assert set(together) == {0.0, 24.0}
        assert 20 < (together == 24.0).sum() < 65

    def test_pulses_cross_unless_blanked_and_cost_the_blanked_time(self):
        pulse = np.zeros(10, np.float32)
        pulse[4] = 20_000.0
        crossing, blanked = (bound(blank_s=s, common_hz=0.0, threshold=6.0) for s in (0.0, 0.0012))
        assert np.array_equal(run(crossing, silence(20), pulse).sum(axis=1), np.tile(24.0 * (pulse > 0), 20))
        assert run(blanked, silence(20), pulse).sum() == 0
        loud = bound(near_uv=5000.0, neurons=1, common_hz=0.0)
        blocks = silence(400)
        blocks[:, 4:6] = 1.0
        at = run(loud, blocks, pulse).reshape(400, 10, 24).mean(axis=(0, 2))
        assert at[4] == 0.0
        assert at[5] == pytest.approx(0.8, abs=0.02)


class TestWhereTheyAre:
    def test_depth_falls_with_distance_and_grid_covers_the_sheet(self):
        places = np.random.default_rng(0).uniform(0, 1000, (N, 2))
        array = bound(n_channels=96, neurons=2, positions_um=places)
        depth = array.heard().depth_uv
        assert np.allclose(depth, 250.0 / (1 + array.distances_um_[0] / FALLOFF_UM))
        away = np.linalg.norm(places[array.heard().neuron] - array.places_um_[:, None], axis=2)
        assert np.median(away) < 80
        assert np.ptp(array.places_um_, axis=0).min() > 850
        corners = np.abs(array.places_um_ - 500.0).min(axis=1) > 430
        assert not corners.any()

    def test_only_active_neurons_are_heard_and_none_twice_while_there_are_others(self):
        active = np.arange(100, 250)
        array = bound(active=active)
        first = array.heard().neuron.copy()
        array.receive("turnover", 1.0)
        both = np.concatenate([first.ravel(), array.heard().neuron.ravel()])
        assert np.isin(both, active).all()
        assert len(np.unique(both)) == 144

    def test_subject_keeps_the_implant_and_the_seed_draws_the_noise(self):
        one, other = bound(seed=1, subject=3), bound(seed=2, subject=3)
        assert np.array_equal(one.heard().neuron, other.heard().neuron)
        assert not np.array_equal(run(one, spikes(50)), run(other, spikes(50)))


class TestAgeing:
    def test_baselines_given_change_no_bit(self):
        array, told = bound(), bound()
        for name, value in BASELINE.items():
            told.receive(name, value)
        assert np.array_equal(run(array, spikes(50)), run(told, spikes(50)))

    @given(low=SHARES, high=SHARES)
    @settings(max_examples=20, deadline=None)
    def test_a_larger_share_takes_the_same_and_more(self, low, high):
        low, high = sorted((low, high))
        array = once()
        array.reset()
        fresh, gone = array.heard(), {}
        for share in (low, high):
            array.receive("dead", share)
            array.receive("turnover", share)
            dead, replaced = ~array.heard().live, array.heard().neuron != fresh.neuron
            array.receive("turnover", 0.0)
            array.receive("survival", 1.0 - share)
            lost = array.heard().neuron < 0
            gone[share] = dead, replaced, lost
            array.receive("survival", 1.0)
            for those in (dead, replaced):
                assert abs(those.mean() - share) <= 0.5 / those.size + 1e-9
        assert all((more | ~less).all() for less, more in zip(gone[low], gone[high], strict=True))
        array.receive("dead", 0.0)
        assert array.heard().live.all()
        assert np.array_equal(array.heard().neuron, fresh.neuron)

    def test_survival_counts_exactly_and_leaves_untuned_neurons_alone(self):
        array = bound(n_channels=1, neurons=200, tuned=np.arange(100))
        array.receive("survival", 0.37)
        first, heard = bound(n_channels=1, neurons=200).heard().neuron, array.heard().neuron
        lost = first[heard < 0]
        assert lost.max() < 100
        array.receive("survival", 0.0)
        assert np.array_equal(np.sort(first[array.heard().neuron < 0]), np.sort(first[first < 100]))

    def test_smaller_spikes_louder_electrodes_and_dead_ones_are_heard_less(self):
        blocks, hz = spikes(100), {}
        for name, value in {"": 0.0, "snr": 0.5, "impedance": 3.0, "dead": 0.25, "survival": 0.5}.items():
            array = bound()
            if name:
                array.receive(name, value)
            hz[name] = run(array, blocks).sum()
        assert max(hz[k] for k in hz if k) < 0.9 * hz[""]

    def test_impedance_adds_to_the_electrodes_own_noise_only(self):
        array = bound(spread=0.0)
        before = array.heard().noise_uv[0]
        array.receive("impedance", 2.0)
        grown = array.heard().noise_uv[0] ** 2 - before**2
        assert grown == pytest.approx(3.0 * (crossings.THERMAL_PASSES * 4.0) ** 2)


class TestHouse:
    def test_state_restored_and_reset_give_the_same_bits(self):
        array, blocks = bound(common_hz=5.0), spikes(60)
        fresh = run(array, blocks)
        array.receive("dead", 0.3)
        kept = {k: v.copy() for k, v in array.state().items()}
        first = run(array, blocks)
        array.receive("snr", 0.5)
        run(array, blocks)
        for name, value in array.state().items():
            value[...] = kept[name]
        assert np.array_equal(run(array, blocks), first)
        array.reset()
        assert np.array_equal(run(array, blocks), fresh)
        assert array.state()["step"][0] == 600

    def test_a_copy_goes_its_own_way(self):
        array, blocks = bound(), spikes(20)
        other = copy.deepcopy(array)
        first = run(other, blocks)
        assert array.state()["step"][0] == 0
        assert np.array_equal(run(array, blocks), first)

    def test_crossings_are_sensed(self):
        assert [(p.name, p.unit, p.sensed) for p in bound().outputs] == [("crossings", "count", True)]

    @pytest.mark.parametrize(("port", "value", "told"), [
        ("snr", 0.0, "above 0"), ("impedance", -1.0, "above 0"), ("dead", 1.2, "0 to 1"),
        ("turnover", np.nan, "finite"), ("survival", [1.0, 1.0], "shape"), ("heat", 1.0, "no input 'heat'"),
    ])  # fmt: skip
    def test_unsound_inputs(self, port, value, told):
        with pytest.raises(ContractError, match=told):
            once().receive(port, value)

    @pytest.mark.parametrize(("wrong", "told"), [
        ({"active": np.arange(5)}, "at least 6"), ({"active": np.array([0, N])}, "expected 0 to"),
        ({"tuned": np.array([1, 1])}, "each once"), ({"positions_um": np.zeros((3, 2))}, "positions_um"),
    ])  # fmt: skip
    def test_unsound_neurons(self, wrong, told):
        with pytest.raises(ContractError, match=told):
            bound(**wrong)


class TestFilter:
    """The constants of ``sim.sensors.crossings`` are those of the chain they stand for."""

    SOS = butter(2, [300, 6000], "bandpass", fs=30_000, output="sos")

    def spectrum(self, thermal, distant):
        f = (np.arange(4096) + 0.5) / 4096 * 15_000
        b, a = innovation(thermal, distant, 300.0, 3000.0, 30_000.0)
        z = np.exp(-2j * np.pi * f / 30_000)
        before = np.abs(np.polyval(b[::-1], z) / np.polyval(a[::-1], z)) ** 2
        return f, before, before * np.abs(sosfreqz(self.SOS, worN=f, fs=30_000)[1]) ** 2

    def test_what_it_leaves_of_noise_and_troughs(self):
        for thermal, distant, share in ((1.0, 1e-6, crossings.THERMAL_PASSES), (1e-6, 1.0, crossings.HASH_PASSES)):
            _, before, after = self.spectrum(thermal, distant)
            assert np.sqrt(after.mean() / before.mean()) == pytest.approx(share, abs=0.002)
        t = np.arange(-9, 60) / 30_000
        assert -sosfilt(self.SOS, waveform(t, 0.00035)).min() == pytest.approx(crossings.TROUGH_PASSES, abs=0.01)

    def test_how_often_its_noise_crosses(self):
        f, _, after = self.spectrum(4.0, 6.0)
        r = float((after * np.cos(2 * np.pi * f / 30_000)).mean() / after.mean())
        both = multivariate_normal([0, 0], [[1, r], [r, 1]], abseps=1e-12, releps=1e-9, maxpts=10**6).cdf([-4.5, -4.5])
        assert 30_000 * (norm.cdf(-4.5) - both) == pytest.approx(float(crossings.noise_hz(4.5)), rel=0.04)
