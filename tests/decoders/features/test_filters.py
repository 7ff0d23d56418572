"""Causal filters against scipy, band power against its definition, z-scores against weighted sums."""

import numpy as np
import pytest
import reference_decoders as twin

from bmi.errors import ContractError
from bmi.signals import Chunk, StreamSpec
from decoders.features.bands import BandPower
from decoders.features.filters import Bandpass
from decoders.features.normalize import ZScore

RATE = 1000.0


def spec(n=3, max_samples=2000):
    return StreamSpec(name="lfp", n_channels=n, rate_hz=RATE, unit="µV", max_samples=max_samples)


def bound(stage):
    return stage, stage.bind(spec())


def chunk(X, seq=0):
    return Chunk(X, (np.arange(seq, seq + len(X)) + 1.0) / RATE, 10.0, seq)


def noise(n=2000, seed=0):
    return np.random.default_rng(seed).standard_normal((n, 3)).astype(np.float32)


@pytest.mark.parametrize("order", [1, 2, 4])
def test_band_pass_is_scipys(order):
    stage, _ = bound(Bandpass(low_hz=15, high_hz=200, order=order))
    X = noise() + 300
    got = stage.step(chunk(X)).data
    np.testing.assert_allclose(got, twin.bandpass(X.astype(float), 15, 200, order, RATE), atol=2e-5)


def test_an_electrodes_offset_makes_no_transient():
    stage, _ = bound(Bandpass(low_hz=1, high_hz=40))
    got = stage.step(chunk(np.full((500, 3), 5000, np.float32))).data
    assert np.abs(got).max() < 1e-5


def test_the_declared_delay_is_the_one_a_burst_arrives_with():
    stage, _ = bound(Bandpass(low_hz=60, high_hz=100))
    t = np.arange(2000) / RATE
    centre = np.sqrt(60 * 100)
    envelope = np.exp(-0.5 * ((t - 1.0) / 0.1) ** 2)
    X = (envelope * np.sin(2 * np.pi * centre * t)).astype(np.float32)[:, None].repeat(3, axis=1)
    got = stage.step(chunk(X)).data[:, 0].astype(float) ** 2
    arrives = (got * t).sum() / got.sum()
    assert arrives - 1.0 == pytest.approx(stage.delay_s, abs=3e-4)
    assert stage.delay_s > 0.005


def test_a_missing_sample_comes_out_missing_and_leaves_the_filter_sound():
    stage, _ = bound(Bandpass(low_hz=15, high_hz=200))
    X = noise()
    X[:3, 0] = np.nan
    X[700, 1] = np.inf
    got = stage.step(chunk(X)).data
    assert np.flatnonzero(~np.isfinite(got[:, 0])).tolist() == [0, 1, 2]
    assert np.flatnonzero(~np.isfinite(got[:, 1])).tolist() == [700]
    np.testing.assert_allclose(got[3:, 0], twin.bandpass(X[3:, :1].astype(float), 15, 200, 2, RATE)[:, 0], atol=2e-5)


@pytest.mark.parametrize(("low", "high"), [(0.1, 600), (50, 20), (200, 500)])
def test_a_band_beyond_half_the_rate_or_upside_down_is_refused(low, high):
    with pytest.raises(ContractError, match=r"0 < low_hz < high_hz < 500 Hz"):
        Bandpass(low_hz=low, high_hz=high).bind(spec())


def power(X, window):
    return twin.boxcar(twin.bandpass(X.astype(float), 15, 200, 2, RATE) ** 2, window)


def test_band_power_is_the_mean_square_of_the_last_window():
    stage, out = bound(BandPower(low_hz=15, high_hz=200, window_s=0.05, every_s=0.02, log=False))
    assert (out.rate_hz, out.unit) == (50.0, "µV²")
    X = noise()
    got = stage.step(chunk(X))
    np.testing.assert_allclose(got.data, power(X, 50)[19::20], rtol=1e-5)
    np.testing.assert_allclose(got.t, np.arange(1, 101) * 0.02)


def test_its_logarithm_is_natural_and_bounded_below():
    stage, out = bound(BandPower(low_hz=15, high_hz=200, every_s=0.02))
    assert out.unit == "ln(µV²)"
    X = noise()
    X[:, 2] = 0
    got = stage.step(chunk(X)).data
    np.testing.assert_allclose(got[:, :2], np.log(power(X, 50)[19::20, :2]), atol=1e-5)
    np.testing.assert_allclose(got[:, 2], np.log(1e-12), rtol=1e-6)


def test_without_a_grid_every_chunk_gives_its_newest_row():
    stage, out = bound(BandPower(low_hz=15, high_hz=200, every_s=None, log=False))
    assert out.rate_hz == 0
    X = noise()
    expected = power(X, 50)
    for i in range(0, 1990, 30):
        got = stage.step(chunk(X[i : i + 30], i))
        assert (len(got), got.seq, got.t[0]) == (1, i // 30, (min(i + 30, 2000)) / RATE)
        np.testing.assert_allclose(got.data[0], expected[min(i + 29, 1999)], rtol=1e-5)


def test_rows_of_band_power_lost_in_a_gap_are_counted():
    stage, _ = bound(BandPower(low_hz=15, high_hz=200, every_s=0.02))
    X = noise()
    assert stage.step(chunk(X[:40])).seq == 0
    late = chunk(X[100:130], 100)
    late.n_lost_before = 60
    got = stage.step(late)
    assert (got.seq, got.n_lost_before) == (5, 3)


def test_power_never_goes_negative_after_an_artefact():
    stage, _ = bound(BandPower(low_hz=15, high_hz=200, every_s=0.001, log=False))
    X = 1e-3 * noise()
    X[500:505] = 1e7
    assert (stage.step(chunk(X)).data >= 0).all()


def test_zscores_are_weighted_sums():
    stage, out = bound(ZScore(half_life_s=0.1, warmup_s=0.01, clip=2.0))
    assert out.unit == "z"
    X = 5 + 3 * noise(400)
    got = stage.step(chunk(X)).data
    assert np.isnan(got[:9]).all()
    np.testing.assert_allclose(got[9:], twin.zscore(X.astype(float), 100, 2.0)[9:], atol=1e-5)


def test_a_channel_that_never_varies_is_nought_and_a_missing_sample_teaches_nothing():
    stage, _ = bound(ZScore(half_life_s=0.1, warmup_s=0.01))
    X = noise(400)
    X[:, 0] = 7
    X[200:220, 1] = np.nan
    got = stage.step(chunk(X)).data
    assert not got[10:, 0].any()
    assert np.isnan(got[200:220, 1]).all()
    without = np.delete(X[:, 1:2], np.s_[200:220], axis=0).astype(float)
    np.testing.assert_allclose(got[220:, 1], twin.zscore(without, 100, 10.0)[200:, 0], atol=1e-5)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_a_broken_neighbour_changes_no_bit_of_a_sound_channel(order):
    """Settled data takes a shorter way through the kernel; the figures must not know."""
    x = np.random.default_rng(3).standard_normal((400, 5)).astype(np.float32)
    broken = np.concatenate([x, np.full((400, 1), np.nan, np.float32)], axis=1)

    def powers(samples):
        stage = BandPower(low_hz=15.0, high_hz=200.0, order=order, window_s=0.05, every_s=0.01, log=False)
        n = samples.shape[1]
        stage.bind(StreamSpec(name="x", n_channels=n, rate_hz=1000.0, unit="µV", max_samples=10))
        rows = []
        for k in range(0, 400, 10):
            out = stage.step(Chunk(np.ascontiguousarray(samples[k : k + 10]), np.arange(k, k + 10) / 1e3, 0.0, k))
            rows.append(out.data.copy())
        return np.concatenate(rows)

    beside = np.ascontiguousarray(powers(broken)[:, :5])
    np.testing.assert_array_equal(powers(x).view(np.uint32), beside.view(np.uint32))
