"""Stages per stream, then the decoder: chunking never matters, state is what ``state`` says, misfits are named."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from line_rig import BIN_S, SPEC, N, chunks, counts, fitted, saved

from bmi.errors import ContractError, NotFittedError
from bmi.pipeline import Pipeline, pack_into, unpack
from bmi.signals import Chunk
from decoders.features.filters import Bandpass
from decoders.features.normalize import ZScore
from decoders.features.spikes import Bin, Lags, Smooth
from decoders.kalman import Kalman
from decoders.linear import Ridge

LONGEST = 70


def binned(decoder, *more):
    return Pipeline({"m1": [Bin(bin_s=BIN_S), *more]}, decoder)


CHAINS = {
    "bin, kalman": lambda: binned(fitted()),
    "bin, zscore, kalman": lambda: binned(fitted(), ZScore(half_life_s=1.0, warmup_s=0.1)),
    "bin, smooth, lags, ridge": lambda: binned(
        fitted(Ridge(history=3), n_features=3 * N), Smooth(kind="boxcar", width_s=0.06), Lags(n=3)
    ),
    "bandpass, bin, steady kalman": lambda: Pipeline(
        {"m1": [Bandpass(low_hz=5, high_hz=200), Bin(bin_s=BIN_S)]}, fitted(Kalman(form="steady"))
    ),
    "kalman over samples": lambda: Pipeline({}, fitted(dt_s=0.001)),
}


def bound(make):
    pipeline = make()
    pipeline.bind([replace(SPEC, max_samples=LONGEST)])
    return pipeline


def decode(pipeline, pieces):
    """Return {time of the newest sample: (bytes of mean, bytes of covariance, abstains)} of every intent."""
    said = {}
    for chunk in pieces:
        intent = pipeline.step((chunk,))
        if intent is not None:
            said[intent.t] = (intent.mean.tobytes(), intent.cov.tobytes(), intent.abstains)
    return said


@pytest.mark.parametrize("make", CHAINS.values(), ids=CHAINS)
@settings(max_examples=15, deadline=None)
@given(lengths=st.lists(st.integers(1, LONGEST), min_size=1, max_size=6), seed=st.integers(0, 3))
def test_however_samples_travel_together_the_intents_are_the_same_to_the_bit(make, lengths, seed):
    data = counts(400, seed)
    pipeline = bound(make)
    one_by_one = decode(pipeline, chunks(data, [1]))
    pipeline.reset()
    together = decode(pipeline, chunks(data, lengths))
    assert together
    assert together.items() <= one_by_one.items()
    assert max(together) == max(one_by_one)


@pytest.mark.parametrize("make", CHAINS.values(), ids=CHAINS)
@settings(max_examples=10, deadline=None)
@given(cut=st.integers(0, 50), seed=st.integers(0, 3))
def test_restoring_a_snapshot_repeats_what_followed_to_the_bit(make, cut, seed):
    pieces = chunks(counts(400, seed), [7])
    pipeline = bound(make)
    decode(pipeline, pieces[:cut])
    snapshot = saved(pipeline)
    first = decode(pipeline, pieces[cut:])
    assert first
    unpack(pipeline.state(), snapshot)
    assert decode(pipeline, pieces[cut:]) == first
    other = bound(make)  # what was not in the arrays would be missing here
    unpack(other.state(), snapshot)
    assert decode(other, pieces[cut:]) == first


@pytest.mark.parametrize("make", CHAINS.values(), ids=CHAINS)
def test_after_reset_it_is_as_if_freshly_bound(make):
    pieces = chunks(counts(300))
    pipeline = bound(make)
    first = decode(pipeline, pieces)
    pipeline.reset()
    assert decode(pipeline, pieces) == first
    assert saved(pipeline).tobytes() != saved(bound(make)).tobytes()
    pipeline.reset()
    assert saved(pipeline).tobytes() == saved(bound(make)).tobytes()


@pytest.mark.parametrize("make", CHAINS.values(), ids=CHAINS)
def test_state_is_always_the_same_arrays(make):
    pipeline = bound(make)
    before = [id(a) for a in pipeline.state()]
    decode(pipeline, chunks(counts(100)))
    assert [id(a) for a in pipeline.state()] == before


def test_new_parameters_between_two_steps_act_from_the_next_one_on():
    pieces = chunks(counts(200))
    other = fitted(seed=1).params_
    pipeline = bound(CHAINS["bin, kalman"])
    decode(pipeline, pieces[:20])
    snapshot = saved(pipeline)
    kept = decode(pipeline, pieces[20:])
    unpack(pipeline.state(), snapshot)
    pipeline.decoder.params_ = other
    assert decode(pipeline, pieces[20:]).keys() == kept.keys()
    unpack(pipeline.state(), snapshot)
    assert decode(pipeline, pieces[20:]) != kept


def test_nothing_is_said_until_a_bin_is_full():
    pipeline = bound(CHAINS["bin, kalman"])
    spoke = [pipeline.step((c,)) is not None for c in chunks(counts(60), [5])]
    assert spoke == [False, False, False, True] * 3


def test_what_the_decoder_meets_can_be_asked():
    pipeline = bound(CHAINS["bin, smooth, lags, ridge"])
    (features,) = pipeline.features
    assert (features.name, features.n_channels, features.rate_hz) == ("m1", 3 * N, 50.0)
    assert binned(Kalman()).meet([SPEC])[0].rate_hz == 50.0  # needs no fitted decoder


# --- several streams --------------------------------------------------------------------------------


def two_streams():
    """Spikes in bins, and beside them two slow channels as they come."""
    decoder = fitted(n_features=N + 2)
    pipeline = binned(decoder)
    pipeline.bind([SPEC, replace(SPEC, name="lfp", n_channels=2, rate_hz=100.0)])
    return pipeline


def test_a_stream_without_stages_goes_to_the_decoder_as_it_is():
    assert [(s.name, s.n_channels, s.rate_hz) for s in two_streams().features] == [("m1", N, 50.0), ("lfp", 2, 100.0)]


def test_another_streams_newest_row_is_held_until_the_primary_is_due():
    pipeline = two_streams()
    slow = Chunk(np.array([[1.0, 2.0], [3.0, 4.0]], np.float32), np.array([1000.0, 1000.01]), 1000.01)
    assert pipeline.step((None, slow)) is None
    for chunk in chunks(counts(20)):
        intent = pipeline.step((chunk, None))
    assert intent is not None
    assert pipeline.decoder.y_[N:].tolist() == [3.0, 4.0]


# --- what does not fit ------------------------------------------------------------------------------


def test_the_stage_that_does_not_fit_is_named_with_its_stream():
    pipeline = Pipeline({"m1": [ZScore(), Bin(bin_s=0.0205)]}, fitted())
    with pytest.raises(ContractError, match=r"stage 1 \(Bin\) of stream 'm1': bin: bin_s 0\.0205 s .* whole number"):
        pipeline.bind([SPEC])


def test_a_decoder_for_other_features_is_refused():
    with pytest.raises(ContractError, match=r"parameters are for 9 features, the streams \['m1'\] bring 8"):
        binned(fitted(n_features=9)).bind([SPEC])


def test_a_decoder_for_other_bins_is_refused():
    with pytest.raises(ContractError, match=r"fitted with bins of 0\.02 s, stream 'm1' has bins of 0\.05 s"):
        Pipeline({"m1": [Bin(bin_s=0.05)]}, fitted()).bind([SPEC])


def test_a_decoder_without_parameters_is_refused_unless_it_may_start_cold():
    with pytest.raises(NotFittedError, match="no parameters; fit, load a calibration, or start cold"):
        binned(Kalman()).bind([SPEC])
    pipeline = binned(Kalman())
    pipeline.bind([SPEC], cold_start=True)
    for chunk in chunks(counts(20)):
        intent = pipeline.step((chunk,))
    assert intent.mean.tolist() == [0.0, 0.0]


def test_a_cold_start_keeps_parameters_that_are_there():
    pipeline = binned(fitted())
    before = pipeline.decoder.params_
    pipeline.bind([SPEC], cold_start=True)
    assert pipeline.decoder.params_ is before


# --- snapshots --------------------------------------------------------------------------------------


def test_a_snapshot_holds_every_byte_in_order_and_goes_back_in_place():
    arrays = (np.arange(3, dtype=np.int64), np.array([[1.5, np.nan]]), np.array([7], np.float32))
    snapshot = np.zeros(24 + 16 + 4, np.uint8)
    pack_into(arrays, snapshot)
    was = [a.tobytes() for a in arrays]
    assert snapshot.tobytes() == b"".join(was)
    for a in arrays:
        a[...] = 9
    unpack(arrays, snapshot)
    assert [a.tobytes() for a in arrays] == was


def test_a_snapshot_of_another_recipe_is_refused():
    pipeline = bound(CHAINS["bin, kalman"])
    with pytest.raises(ContractError, match=r"snapshot has 7 bytes, the state here \d+: it is of another recipe"):
        unpack(pipeline.state(), np.zeros(7, np.uint8))
