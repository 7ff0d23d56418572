"""Threshold crossings: planted spikes found, the rest left alone, whatever the chunks."""

from functools import lru_cache

import figures
import numpy as np
import pytest
import reference_broadband as twin
from hypothesis import given, settings
from hypothesis import strategies as st

from bmi.errors import ContractError
from bmi.signals import Chunk
from bmi.testing.stages import check_stage
from decoders.features.crossings import Crossings, boxcar_pieces
from decoders.features.filters import Bandpass
from decoders.features.reference import CommonReference
from decoders.features.spikes import Bin

SAMPLE_S = 1 / twin.RATE
COLOURS = ["white", "mixed", "pink"]


def band():
    return Bandpass(low_hz=300, high_hz=6000)


@lru_cache(maxsize=2)
def recording(colour, measured, rates_hz, seconds, seed, shape):
    rng = np.random.default_rng(seed)
    how = {"colour": colour, "snr": 5, "measured": measured, "shape": shape}
    return twin.planted(rng, rates_hz=rates_hz, seconds=seconds, **how)


def detection(colour, measured, rates_hz=(5, 10, 20, 50), seconds=10, seed=1, shape="usual", **settings):
    """Return recall and false positives per second of each channel, the first second left out."""
    X, _, trains = recording(colour, measured, rates_hz, seconds, seed, shape)
    _, seqs, rows = twin.run([band(), Crossings(step_s=SAMPLE_S, **settings)], X)
    recall, wrong = [], []
    for c, train in enumerate(trains):
        times = seqs[rows[:, c] > 0] / twin.RATE
        hit, extra = twin.score(times[times > 1], train[train > 1])
        recall.append(hit)
        wrong.append(extra / (seconds - 1))
    figures.measured("recall", recall)
    figures.measured("false spikes/s", wrong)
    return np.array(recall), np.array(wrong)


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("measured", ["raw", "band"])
def test_spikes_of_snr_5_are_found_and_little_else(colour, measured):
    recall, wrong = detection(colour, measured)
    assert recall.min() >= 0.95
    assert wrong.mean() <= 1.0


@pytest.mark.bars
@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("measured", ["raw", "band"])
@pytest.mark.parametrize("rate_hz", [5, 20, 50])
def test_on_every_channel_of_many(colour, measured, rate_hz):
    recall, wrong = detection(colour, measured, (rate_hz,) * 16, seconds=61, seed=2)
    assert recall.min() >= 0.95
    assert wrong.max() <= 1.0


@pytest.mark.bars
@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("shape", ["narrow", "broad", "monophasic"])
def test_spikes_of_other_shapes_are_found_too(colour, shape):
    recall, wrong = detection(colour, "band", (5, 20, 50) * 4, 31, 4, shape)
    assert recall.min() >= 0.95
    assert wrong.max() <= 1.0


@pytest.mark.bars
@pytest.mark.parametrize("colour", COLOURS)
def test_the_plain_amplitude_meets_it_in_the_raw_trace_only(colour):
    """What the docstring says of it."""
    rates = (5, 20, 50) * 4
    recall, wrong = detection(colour, "raw", rates, 61, 3, detector="amplitude", k=4.25)
    assert recall.mean() >= 0.95
    assert wrong.mean() <= 1.0
    recall, wrong = detection(colour, "band", rates, 61, 3, detector="amplitude", k=4.25)
    assert recall.mean() < 0.95


@pytest.mark.parametrize(("detector", "polarity"), [("biphasic", "negative"), ("amplitude", "positive"),
                                                    ("amplitude", "both")])  # fmt: skip
def test_it_is_the_sequential_definition(detector, polarity):
    rng = np.random.default_rng(4)
    X = (10 * rng.standard_normal((24000, 3))).astype(np.float32)
    settings = {"detector": detector, "polarity": polarity, "k": 2.5, "noise_s": 0.2, "warmup_s": 0.05}
    _, seqs, rows = twin.run([Crossings(step_s=SAMPLE_S, **settings)], X)
    y = twin.matched(X.astype(float)) if detector == "biphasic" else X.astype(float)
    y = {"negative": y, "positive": -y, "both": -np.abs(y)}[polarity]
    assert seqs.tolist() == list(range(24000))
    for c in range(3):
        sigma = twin.running_sigma(y[:, c], 0.2, 0.05)
        expected = twin.crossings(y[:, c], sigma, 2.5, 30)
        known = np.isfinite(rows[:, c])
        assert known.argmax() == np.isfinite(sigma).argmax() == 6 * 256 - 1
        started = slice(6 * 256 + 60, None)
        np.testing.assert_array_equal(rows[started, c], expected[started])
        assert expected[started].sum() > 50


def test_the_filter_is_its_two_boxcars():
    for width in range(1, 40):
        ages = [a + j for level, a, _ in boxcar_pieces(3, width, 1.0) for j in range(1 << level)]
        assert sorted(ages) == list(range(3, 3 + width))
    stage = Crossings()
    stage.bind(twin.spec(1))
    assert stage.delay_s == pytest.approx(12.5 / 30000)


def test_counts_on_the_grid_are_the_sums_of_those_of_each_sample():
    X = recording("white", "raw", (5, 10, 20, 50), 10, 1, "usual")[0]
    fine = twin.run([band(), Crossings(step_s=SAMPLE_S)], X)[2]
    out, seqs, coarse = twin.run([band(), Crossings()], X)
    assert (out.rate_hz, out.unit, out.type, out.labels) == (1000.0, "count", "spikes", ("e0", "e1", "e2", "e3"))
    np.testing.assert_array_equal(seqs, np.arange(10000))
    sums = fine.reshape(-1, 30, 4).sum(axis=1)
    known = np.isfinite(sums).all(axis=1)
    np.testing.assert_array_equal(coarse[known], sums[known])
    assert known.argmax() - np.isfinite(coarse).all(axis=1).argmax() <= 1  # the step in which the noise became known


@given(cuts=st.lists(st.integers(1, 400), min_size=10, max_size=30), seed=st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_cuts_leave_no_trace_in_the_whole_chain(cuts, seed):
    """Also where channels are missing or infinite for a while."""
    rng = np.random.default_rng(seed)
    X = (10 * rng.standard_normal((sum(cuts), 4))).astype(np.float32)
    at = len(X) // 2
    X[at, 1], X[at : at + 40, 2] = np.inf, np.nan
    chain = lambda: [band(), CommonReference(), Crossings(k=2.0, warmup_s=0.02), Bin(bin_s=0.005)]  # noqa: E731
    whole, pieces = (twin.run(chain(), X, c, stream=twin.spec(4, max_samples=12000)) for c in (12000, cuts))
    np.testing.assert_array_equal(whole[1], pieces[1])
    np.testing.assert_array_equal(whole[2].view(np.uint32), pieces[2].view(np.uint32))


def test_thirty_at_once_are_thirty_one_at_a_time():
    X = recording("white", "raw", (5, 10, 20, 50), 10, 1, "usual")[0][:60000]
    one, thirty = (twin.run([band(), CommonReference(), Crossings(), Bin(bin_s=0.02)], X, c)[2] for c in (1, 30))
    np.testing.assert_array_equal(one.view(np.uint32), thirty.view(np.uint32))
    assert np.nansum(one) > 100


def crossing(X, **settings):
    """A detector warmed up on noise of SD 1 takes X behind it; returns the counts of X, a sample each."""
    lead = np.random.default_rng(5).standard_normal((9000, X.shape[1]))
    stage = Crossings(detector="amplitude", step_s=SAMPLE_S, warmup_s=0.1, k=5.0, **settings)
    return twin.run([stage], np.concatenate([lead, X]).astype(np.float32))[2][9000:]


def test_a_crossing_is_counted_once_and_the_next_after_the_dead_time_from_above():
    X = np.zeros((400, 2))
    X[[50, 70, 79, 80, 120], 0] = -20  # 79 is dead, 80 is 30 samples after 50 but was below already
    X[50:200, 1] = -20
    X[[201, 240], 1] = -20
    counts = crossing(X)
    assert np.flatnonzero(counts[:, 0]).tolist() == [50, 120]
    assert np.flatnonzero(counts[:, 1]).tolist() == [50, 201, 240]


def test_a_missing_sample_is_missing_in_its_step_and_begins_a_dead_time():
    X = np.zeros((300, 2))
    X[100, 0] = np.nan
    X[[120, 140], 0] = X[[120, 140], 1] = -20
    counts = crossing(X)
    assert np.flatnonzero(np.isnan(counts[:, 0])).tolist() == [100]
    assert np.flatnonzero(counts[:, 0] > 0).tolist() == [140]
    assert np.flatnonzero(counts[:, 1]).tolist() == [120]


def test_a_step_with_a_loss_is_left_out_and_counted():
    stage = Crossings(warmup_s=0.01)
    stage.bind(twin.spec(2))
    X = np.random.default_rng(6).standard_normal((600, 2)).astype(np.float32)
    assert len(stage.step(Chunk(X, np.arange(600) / twin.RATE, 0.0, 0))) == 20
    late = stage.step(Chunk(X[:100], np.arange(725, 825) / twin.RATE, 0.0, 725, 125))
    assert (late.seq, late.n_lost_before, len(late)) == (25, 5, 2)
    np.testing.assert_allclose(late.t * twin.RATE, [779, 809])


def test_until_the_noise_is_known_nothing_is_said():
    X = np.random.default_rng(7).standard_normal((6000, 2)).astype(np.float32)
    X[1000:2000, 1] = np.nan
    rows = twin.run([Crossings(warmup_s=0.1)], X)[2]
    assert np.isfinite(rows[:, 0]).argmax() == 3072 // 30
    assert np.isfinite(rows[:, 1]).argmax() > 130


def test_counts_and_grids_that_do_not_fit_are_refused():
    with pytest.raises(ContractError, match="crossings: stream 'raw' is in counts"):
        Crossings().bind(twin.spec(unit="count"))
    with pytest.raises(ContractError, match=r"step_s 0.001 s is 24.4.* samples .*; expected a whole number: 0.00098"):
        Crossings().bind(twin.spec(rate_hz=24414.0625))


@pytest.mark.parametrize("detector", ["biphasic", "amplitude"])
@pytest.mark.parametrize("polarity", ["negative", "both"])
def test_it_keeps_the_contract_of_a_stage(detector, polarity):
    settings = {"detector": detector, "polarity": polarity, "warmup_s": 0.03, "k": 2.5}
    check_stage(lambda: Crossings(**settings), twin.spec(4), n_samples=3000, n_steps=2000)
