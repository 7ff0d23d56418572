"""The background is as declared: Gaussian, coloured, independent between channels, and never the same twice."""

from __future__ import annotations

import numpy as np
import pytest
import reference_sim
from scipy import signal, stats

from bmi.errors import ContractError
from sim import _background_kernels as kernels
from sim.background import Background, innovation

RATE_HZ = 30_000.0
SILENT = {"thermal_uv": 0.0, "hash_uv": 0.0}


def record(background: Background, seconds: float, *, n_channels=8, seed=1, rate_hz=RATE_HZ) -> np.ndarray:
    """Return what it says, (n_samples, n_channels) float64."""
    background.bind(*np.random.default_rng(seed).spawn(2), n_channels=n_channels, rate_hz=rate_hz)
    n = round(rate_hz / 1000)
    out = np.empty((round(1000 * seconds) * n, n_channels), np.float32)
    for rows in out.reshape(-1, n, n_channels):
        background.step(rows)
    return out.astype(float)


def standard(n_rows: int, n: int, seed=1) -> np.ndarray:
    """Return the kernel's standard normal numbers, (n_rows, n) float64."""
    m = -(-n // 2)
    lanes = np.random.default_rng(seed).integers(0, 2**64, (2, m), np.uint64)
    out = np.empty((n_rows, n), np.float32)
    kernels.gaussians(lanes, np.zeros(m, np.uint64), np.zeros((2, m), np.float32), out)
    return out.astype(float)


class TestNumbers:
    def test_bits_are_those_of_the_published_generator(self):
        lanes, words = np.array([[1], [2]], np.uint64), np.zeros(1, np.uint64)
        found = []
        for _ in range(4):
            kernels.turn(lanes, words)
            found.append(int(words[0]))
        assert found == [393217, 669327710093319, 1732421326133921491, 11394790081659126983]

    @pytest.mark.parametrize("n", [1, 2, 7, 32])
    def test_normal_numbers_equal_box_and_mullers(self, n):
        lanes = np.random.default_rng(n).integers(0, 2**64, (2, -(-n // 2)), np.uint64)
        expected = reference_sim.gaussians([(int(a), int(b)) for a, b in lanes.T], 200, n)
        assert np.abs(standard(200, n, seed=n) - expected).max() < 5e-5

    def test_the_extremes_are_finite(self):
        words = np.array([0, 2**64 - 1, 2**63, 2**31, 2**33 - 1, 2**64 - 2**33], np.uint64)
        cosine, sine = np.empty(6, np.float32), np.empty(6, np.float32)
        kernels.box_muller(words, cosine, sine)
        expected = np.array([reference_sim.box_muller(int(w)) for w in words])
        assert np.allclose(np.c_[cosine, sine], expected, atol=1e-4)
        assert cosine[0] == pytest.approx(6.66, abs=0.01)

    def test_they_are_gaussian_in_variance_kurtosis_and_tails(self):
        x = standard(20_000, 100).ravel()
        assert x.var() == pytest.approx(1.0, abs=0.005)
        assert abs(stats.skew(x)) < 0.01
        assert abs(stats.kurtosis(x)) < 0.02
        assert stats.kstest(x, "norm").pvalue > 0.001
        for sds in (3.0, 4.0, 4.5):
            expected = len(x) * 2 * stats.norm.sf(sds)
            assert (np.abs(x) > sds).sum() == pytest.approx(expected, abs=4 * np.sqrt(expected))

    def test_channels_are_independent_and_so_are_their_squares(self):
        x = standard(40_000, 40)  # 0 and 20 share a generator
        for y in (x, x**2):
            off = np.corrcoef(y.T)[np.triu_indices(40, 1)]
            assert np.abs(off).max() < 4.8 / np.sqrt(len(x))
            assert np.sqrt(np.mean(off**2)) == pytest.approx(1 / np.sqrt(len(x)), rel=0.12)

    def test_nothing_repeats_at_any_lag_of_ten_seconds(self):
        x = standard(300_000, 2)[:, 0]
        power = np.abs(np.fft.rfft(x, 2 * len(x))) ** 2
        echo = np.fft.irfft(power)[1 : len(x) // 2] / np.sqrt(np.arange(len(x) - 1, len(x) // 2, -1))
        assert np.abs(echo).max() < 6.0


class TestColour:
    @pytest.mark.parametrize(("thermal", "distant"), [(4.0, 6.0), (0.0, 6.0), (4.0, 0.0), (8.0, 0.5), (0.0, 0.0)])
    def test_one_innovation_has_the_spectrum_of_the_sum(self, thermal, distant):
        b, a = innovation(thermal, distant, 300.0, 3000.0, RATE_HZ)
        _, both = signal.freqz(b, a, 2048, fs=RATE_HZ)
        _, high = signal.freqz(*signal.butter(1, 300.0, "high", fs=RATE_HZ), 2048, fs=RATE_HZ)
        _, low = signal.freqz(*signal.butter(1, 3000.0, fs=RATE_HZ), 2048, fs=RATE_HZ)
        band = np.abs(high * low) ** 2
        expected = thermal**2 + distant**2 * band / band.mean()
        assert np.allclose(np.abs(both) ** 2, expected, rtol=1e-3, atol=1e-9)
        assert (np.abs(np.roots(a)) < 1).all()

    def test_the_measured_spectrum_is_the_declared_one(self):
        background = Background(spread=0.0)
        x = record(background, 30.0)
        frequency, density = signal.welch(x, RATE_HZ, nperseg=1024, axis=0)
        found, told = density.mean(axis=1)[2:-2], background.density(frequency[2:-2])
        assert np.abs(found / told - 1).max() < 0.06
        assert np.abs(found.sum() / told.sum() - 1) < 0.01
        peak = frequency[2 + np.argmax(found)]
        assert 500 < peak < 1500

    def test_levels_are_declared_channel_by_channel(self):
        background = Background()
        x = record(background, 10.0, n_channels=20)
        assert np.allclose(x.std(axis=0), background.sd_uv_, rtol=0.02)
        assert np.std(np.log(background.sd_uv_)) == pytest.approx(0.1, rel=0.5)
        assert np.median(background.sd_uv_) == pytest.approx(np.hypot(4.0, 6.0), rel=0.08)

    def test_coloured_noise_is_still_gaussian_and_independent_between_channels(self):
        x = record(Background(spread=0.0), 20.0, n_channels=6)
        assert np.abs(stats.kurtosis(x, axis=0)).max() < 0.03
        assert np.abs(np.corrcoef(x.T)[np.triu_indices(6, 1)]).max() < 0.01

    def test_it_is_stationary_from_the_first_sample(self):
        first = np.concatenate([record(Background(spread=0.0), 0.001, n_channels=64, seed=s)[0] for s in range(60)])
        assert first.std() == pytest.approx(np.hypot(4.0, 6.0), rel=0.05)

    def test_the_kernel_filters_as_the_difference_equation_says(self):
        b, a = innovation(4.0, 6.0, 300.0, 3000.0, RATE_HZ)
        rows = standard(500, 3)
        filtered, z = rows.astype(np.float32), np.zeros((2, 3), np.float32)
        sd = np.array([1.0, 2.0, 0.5], np.float32)
        for part in np.split(filtered, [7, 100]):
            kernels.colour(np.array([*b, *a[1:]], np.float32), z, sd, part)
        assert np.allclose(filtered, signal.lfilter(b, a, rows, axis=0) * sd, rtol=1e-3, atol=1e-3)


    def test_sums_ramps_and_clipping_are_what_numpy_says(self):
        rng = np.random.default_rng(2)
        rows, series = rng.normal(size=(30, 5)).astype(np.float32), rng.normal(size=30)
        gain, start, end = rng.normal(size=(3, 5)).astype(np.float32)
        found = rows.copy()
        kernels.add_outer(series, gain, found)
        assert np.allclose(found, rows + np.outer(series, gain), atol=1e-6)
        kernels.add_ramp(start, end, found)
        share = np.arange(1, 31)[:, None] / 30
        expected = rows + np.outer(series, gain) + start + share * (end - start)
        assert np.allclose(found, expected, atol=1e-6)
        kernels.clip(np.float32(0.5), found)
        assert np.allclose(found, np.clip(expected, -0.5, 0.5), atol=1e-6)
        assert np.abs(found).max() == 0.5


class TestWhatMayBeAdded:
    def test_common_noise_is_the_same_on_every_channel(self):
        x = record(Background(**SILENT, common_uv=5.0), 2.0)
        assert np.array_equal(x, np.repeat(x[:, :1], 8, axis=1))
        assert x[:, 0].std() == pytest.approx(5.0, rel=0.02)

    @pytest.mark.parametrize("line_hz", [50.0, 60.0])
    def test_hum_is_one_line_of_the_declared_amplitude(self, line_hz):
        x = record(Background(**SILENT, line_uv=20.0, line_hz=line_hz, line_spread=0.0), 1.0)
        spectrum = np.abs(np.fft.rfft(x, axis=0)) / (len(x) / 2)
        assert np.allclose(spectrum[round(line_hz)], 20.0, rtol=1e-4)
        assert np.delete(spectrum, round(line_hz), axis=0).max() < 1e-3

    def test_hum_differs_between_channels_in_size_alone(self):
        x = record(Background(**SILENT, line_uv=20.0), 1.0, n_channels=40)
        assert np.abs(np.corrcoef(x.T) - 1).max() < 1e-6
        assert np.std(np.log(x.std(axis=0))) == pytest.approx(0.2, rel=0.4)

    def test_the_field_potential_is_slow_shared_and_as_large_as_declared(self):
        x = record(Background(**SILENT, lfp_uv=100.0, lfp_hz=10.0, lfp_shared=0.6), 60.0, n_channels=6)
        assert x.std() == pytest.approx(100.0, rel=0.1)
        assert np.corrcoef(x.T)[np.triu_indices(6, 1)].mean() == pytest.approx(0.6, abs=0.1)
        frequency, density = signal.welch(x[::30], 1000.0, nperseg=2000, axis=0)
        density = density.mean(axis=1)
        expected = 1 / ((1 + (frequency / 10) ** 2) * (1 + (frequency / 75) ** 2))
        octaves = [density[(frequency >= f) & (frequency < 2 * f)].mean() for f in (2, 5, 10, 20, 40, 80)]
        told = [expected[(frequency >= f) & (frequency < 2 * f)].mean() for f in (2, 5, 10, 20, 40, 80)]
        assert np.ptp(np.log2(np.divide(octaves, told))) < 0.35

    def test_the_field_potential_leaves_the_spikes_band_alone(self):
        x = record(Background(**SILENT, lfp_uv=100.0), 10.0, n_channels=2)
        spikes = signal.sosfilt(signal.butter(2, [300, 6000], "bandpass", fs=RATE_HZ, output="sos"), x, axis=0)[3000:]
        assert spikes.std() < 3.0

    def test_nothing_asked_is_nothing(self):
        assert not record(Background(**SILENT), 0.1).any()


def test_a_hash_without_a_band_is_refused():
    for wrong in ({"hash_low_hz": 4000.0}, {"hash_high_hz": 16_000.0}):
        with pytest.raises(ContractError, match="hash_low_hz < hash_high_hz < 15000 Hz"):
            record(Background(**wrong), 0.1)
