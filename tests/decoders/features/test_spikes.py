"""Bins that keep their grid, smoothing that does not drift, lags that know what they have not seen."""

import numpy as np
import pytest
import reference_decoders as twin
from hypothesis import given, settings
from hypothesis import strategies as st

from bmi.errors import ContractError
from bmi.signals import Chunk, StreamSpec
from decoders.features.spikes import Bin, Lags, Smooth

RATE = 1000.0


def spec(n=3, rate_hz=RATE, max_samples=64):
    return StreamSpec(
        name="m1", n_channels=n, rate_hz=rate_hz, unit="count", labels=tuple("abc"[:n]), max_samples=max_samples
    )


def bound(stage, **kw):
    return stage, stage.bind(spec(**kw))


def send(stage, X, seqs, cut):
    """Send the samples numbered ``seqs`` in chunks of at most ``cut``, broken where numbers jump."""
    out, i, expected = [], 0, seqs[0] if len(seqs) else 0
    while i < len(seqs):
        n = 1
        while n < cut and i + n < len(seqs) and seqs[i + n] == seqs[i] + n:
            n += 1
        t = (np.arange(seqs[i], seqs[i] + n) + 1.0) / RATE
        got = stage.step(Chunk(X[seqs[i] : seqs[i] + n], t, t[-1] + 0.01, seqs[i], seqs[i] - expected))
        if got is not None:
            out.append((got.data.copy(), got.t.copy(), got.seq, got.n_lost_before, got.t_arrival))
        expected, i = seqs[i] + n, i + n
    return out


def counts(n, seed=0):
    return np.random.default_rng(seed).poisson(0.3, (n, 3)).astype(np.float32)


def test_a_bin_is_the_sum_of_its_samples_at_the_time_of_the_last():
    stage, out = bound(Bin(bin_s=0.02))
    assert (out.rate_hz, out.n_channels, out.unit) == (50.0, 3, "count")
    X = counts(64)
    ((rows, t, seq, lost, arrival),) = send(stage, X, list(range(64)), 64)
    np.testing.assert_array_equal(rows, [X[k : k + 20].sum(axis=0) for k in (0, 20, 40)])
    np.testing.assert_allclose(t, [0.020, 0.040, 0.060])
    assert (seq, lost) == (0, 0)
    assert arrival == pytest.approx(0.074)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    width=st.integers(1, 25),
    cut=st.integers(1, 64),
    gaps=st.lists(st.tuples(st.integers(1, 250), st.integers(1, 70)), max_size=4),
)
def test_loss_never_shifts_the_grid_and_chunks_never_change_a_bin(seed, width, cut, gaps):
    X = counts(300, seed)
    lost = {s for start, n in gaps for s in range(start, start + n)}
    seqs = [s for s in range(300) if s not in lost]
    stage, _ = bound(Bin(bin_s=width / RATE))
    got = send(stage, X, seqs, cut)
    expected = twin.bins(X[seqs].astype(float), seqs, width)
    numbers = [k for rows, _, seq, _, _ in got for k in range(seq, seq + len(rows))]
    rows = np.concatenate([g[0] for g in got]) if got else np.zeros((0, 3))
    assert numbers == sorted(expected)
    np.testing.assert_allclose(rows, [expected[k] for k in numbers] if numbers else rows, rtol=1e-6)
    at = 0
    for k, (chunk, _, seq, n_lost, _) in enumerate(got):
        assert n_lost == (seq - at if k else 0)
        at = seq + len(chunk)


def test_a_bin_that_lost_samples_is_scaled_to_what_it_would_have_held():
    stage, _ = bound(Bin(bin_s=0.01))
    X = np.ones((20, 3), np.float32)
    (first, second) = send(stage, X, [0, 1, 2, 3, 8, 9, *range(10, 20)], 10)
    np.testing.assert_allclose(first[0], 10.0)
    np.testing.assert_allclose(second[0], 10.0)


def test_bins_lost_entirely_are_skipped_and_counted_with_the_broken_one_before():
    stage, _ = bound(Bin(bin_s=0.01))
    X = counts(100)
    got = send(stage, X, [*range(25), *range(50, 100)], 10)
    assert [g[2] for g in got] == [0, 1, 5, 6, 7, 8, 9]
    assert [g[3] for g in got] == [0, 0, 3, 0, 0, 0, 0]


@pytest.mark.parametrize(("bin_s", "fits"), [(0.0155, "0.016"), (0.0004, "0.001")])
def test_a_bin_that_is_no_whole_number_of_samples_is_refused_with_one_that_is(bin_s, fits):
    with pytest.raises(ContractError, match=f"{fits} s would fit"):
        Bin(bin_s=bin_s).bind(spec())


@pytest.mark.parametrize("stage", [Bin(), Smooth()])
def test_an_irregular_stream_is_refused(stage):
    with pytest.raises(ContractError, match="irregular"):
        stage.bind(spec(rate_hz=0.0))


@pytest.mark.parametrize("kind", ["exponential", "boxcar"])
def test_smoothing_is_the_textbooks(kind):
    stage, _ = bound(Smooth(kind=kind, width_s=0.02), max_samples=200)
    X = np.random.default_rng(0).standard_normal((200, 3)).astype(np.float32)
    got = stage.step(Chunk(X, np.arange(200) / RATE, 1.0)).data
    expected = twin.exponential(X, 0.02, RATE) if kind == "exponential" else twin.boxcar(X, 20)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["exponential", "boxcar"])
def test_a_missing_sample_comes_out_missing_and_is_bridged(kind):
    stage, _ = bound(Smooth(kind=kind, width_s=0.02), max_samples=200)
    X = np.ones((200, 3), np.float32)
    X[50, 1] = np.nan
    got = stage.step(Chunk(X, np.arange(200) / RATE, 1.0)).data
    assert np.isnan(got[50, 1])
    got[50, 1] = 1.0
    np.testing.assert_allclose(got, 1.0, rtol=1e-6)


def test_a_boxcar_forgets_an_artefact_completely():
    """A plain running sum would keep the rounding of 1e9 for ever; here one window later nothing is left."""
    stage, _ = bound(Smooth(kind="boxcar", width_s=0.02), max_samples=4000)
    X = np.random.default_rng(0).standard_normal((4000, 3)).astype(np.float32)
    X[100] = 1e9
    got = stage.step(Chunk(X, np.arange(4000) / RATE, 1.0)).data
    np.testing.assert_allclose(got[160:], twin.boxcar(X.astype(float), 20)[160:], rtol=0, atol=2e-7)


def test_lags_stand_newest_first():
    stage, out = bound(Lags(n=3))
    assert out.n_channels == 9
    assert out.labels == ("a", "b", "c", "a-1", "b-1", "c-1", "a-2", "b-2", "c-2")
    X = counts(30)
    got = stage.step(Chunk(X, np.arange(30) / RATE, 1.0)).data
    np.testing.assert_array_equal(got, twin.lags(X, 3).astype(np.float32))


def test_a_lag_that_was_lost_is_missing_not_older():
    stage, _ = bound(Lags(n=3))
    X = counts(4)
    stage.step(Chunk(X[:3], np.arange(3) / RATE, 1.0))
    (row,) = stage.step(Chunk(X[3:], np.zeros(1), 1.0, 4, 1)).data
    np.testing.assert_array_equal(row, np.r_[X[3], [np.nan] * 3, X[2]])
