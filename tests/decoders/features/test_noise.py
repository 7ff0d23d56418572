"""Noise behind spikes: within 3 %, running, whatever the chunks."""

import numpy as np
import pytest
import reference_broadband as twin
from figures import measured
from hypothesis import given, settings
from hypothesis import strategies as st

from bmi.errors import ContractError
from bmi.signals import Chunk
from bmi.testing.stages import check_stage
from decoders.features.noise import Noise


def filtered(X):
    return np.stack([twin.bandpass(x) for x in X.T.astype(float)], axis=1)


def sigma(X, **settings):
    return twin.run([Noise(**settings)], X.astype(np.float32))


def worst(colour, snr, rate_hz, seconds, seed, n_channels=4):
    """Largest relative error at the end, of any channel."""
    rng = np.random.default_rng(seed)
    rates = [rate_hz] * n_channels
    X, pure, _ = twin.planted(rng, colour=colour, snr=snr, measured="band", rates_hz=rates, seconds=seconds)
    got = sigma(filtered(X))[2][-1]
    off = got / filtered(pure).std(axis=0) - 1
    measured("noise estimate off by, %", 100 * off)
    return np.abs(off).max()


@pytest.mark.parametrize("colour", ["white", "pink"])
@pytest.mark.parametrize(("snr", "rate_hz"), [(0, 10), (5, 50), (12, 50)])
def test_within_3_percent_without_and_with_spikes(colour, snr, rate_hz):
    assert worst(colour, snr, rate_hz, 6, seed=2) < 0.03


@pytest.mark.bars
@pytest.mark.parametrize("colour", ["white", "mixed", "pink"])
@pytest.mark.parametrize("snr", [0, 3, 4, 5, 8, 15])
@pytest.mark.parametrize("rate_hz", [5, 50])
def test_within_3_percent_on_many_channels(colour, snr, rate_hz):
    assert worst(colour, snr, rate_hz, 12, seed=3, n_channels=32) < 0.03


def test_the_plain_median_would_not_do():
    """Why large samples and what follows them are left out: at 50 spikes/s they alone shift the median."""
    rng = np.random.default_rng(4)
    X, pure, _ = twin.planted(rng, colour="white", snr=8, measured="band", rates_hz=[50] * 4, seconds=6)
    plain = np.median(np.abs(filtered(X)), axis=0) / 0.6745
    assert (plain / filtered(pure).std(axis=0) > 1.05).all()


def test_it_is_the_sequential_definition():
    rng = np.random.default_rng(5)
    X = 10 * rng.standard_normal((24000, 2))
    X[4000:4040, 0] -= 80
    X[15000:, 1] *= 5
    _, seqs, rows = sigma(X, every_s=0.01, window_s=0.2, warmup_s=0.05)
    for c in range(2):
        expected = twin.running_sigma(X[:, c].astype(np.float32), 0.2, 0.05)[299::300]
        np.testing.assert_allclose(rows[:, c], expected, rtol=2e-3)
    assert np.isnan(rows[:4]).all()
    assert seqs.tolist() == list(range(80))


def test_a_lasting_change_is_followed_in_half_a_second_and_an_artefact_not_at_all():
    rng = np.random.default_rng(6)
    X = 10 * rng.standard_normal((45000, 2))
    X[20000:, 0] *= 6
    X[20000:21500, 1] = 3000
    rows = sigma(X)[2]
    assert rows[-1, 0] == pytest.approx(60, rel=0.05)
    assert rows[-1, 1] == pytest.approx(10, rel=0.05)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e4])
def test_the_unit_does_not_matter(scale):
    X = 10 * np.random.default_rng(7).standard_normal((20000, 2))
    np.testing.assert_allclose(sigma(scale * X)[2], scale * sigma(X)[2], rtol=1e-4)


def test_a_silent_start_and_an_absurd_one_are_soon_forgotten():
    X = 10 * np.random.default_rng(8).standard_normal((45000, 3))
    X[:3000, 0], X[:3000, 1], X[0, 2] = 0, 1e6, 1e30
    np.testing.assert_allclose(sigma(X)[2][-1], 10, rtol=0.05)


def test_missing_samples_say_nothing():
    X = 10 * np.random.default_rng(9).standard_normal((30000, 2)).astype(np.float32)
    X[18000:26000, 0] = np.nan
    X[25000, 1] = np.inf
    rows = sigma(X)[2]
    assert np.isfinite(rows[6:]).all()
    np.testing.assert_allclose(rows[-1], 10, rtol=0.03)


@given(cuts=st.lists(st.integers(1, 700), min_size=10, max_size=30), every=st.sampled_from([1, 7, 30, 1000]))
@settings(max_examples=15, deadline=None)
def test_cuts_leave_no_trace(cuts, every):
    X = np.random.default_rng(10).standard_normal((sum(cuts), 3)).astype(np.float32)
    X[len(X) // 3, 1] = np.nan
    stage = {"every_s": every / twin.RATE, "warmup_s": 0.02}
    whole, pieces = (twin.run([Noise(**stage)], X, c, stream=twin.spec(3, max_samples=9000)) for c in (9000, cuts))
    np.testing.assert_array_equal(whole[1], pieces[1])
    np.testing.assert_array_equal(whole[2].view(np.uint32), pieces[2].view(np.uint32))


def test_rows_lost_in_a_gap_are_counted_and_the_estimate_is_held():
    stage = Noise(every_s=0.01, warmup_s=0.02)
    out = stage.bind(twin.spec(1))
    assert (out.rate_hz, out.unit) == (pytest.approx(100), "µV")
    X = np.random.default_rng(11).standard_normal((3000, 1)).astype(np.float32)
    before = stage.step(Chunk(X, np.arange(3000) / twin.RATE, 0.0, 0)).data[-1, 0]
    after = stage.step(Chunk(X[:50], np.arange(5970, 6020) / twin.RATE, 0.0, 5970, 2970))
    assert (after.seq, after.n_lost_before) == (19, 9)
    assert after.data[0, 0] == pytest.approx(before, rel=0.1)


def test_a_grid_that_does_not_fit_is_refused():
    with pytest.raises(ContractError, match=r"noise: every_s 5e-05 s is 1.5 samples .*6.66666667e-05 s would fit"):
        Noise(every_s=5e-5).bind(twin.spec())
    with pytest.raises(ContractError, match="irregular"):
        Noise().bind(twin.spec(rate_hz=0.0))


def test_it_keeps_the_contract_of_a_stage():
    check_stage(lambda: Noise(every_s=0.01, warmup_s=0.02), twin.spec(3), n_samples=2400, n_steps=2000)
