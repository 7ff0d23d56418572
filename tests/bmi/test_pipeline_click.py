"""A click decoder beside the decoder: it sees the very features, each bin once, however samples travel together."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from line_rig import BIN_S, SPEC, N, chunks, counts, fitted, saved

from bmi.errors import NotFittedError
from bmi.params import Both, flatten, unflatten
from bmi.pipeline import COAST, Pipeline, pack_into, unpack
from bmi.signals import StreamSpec
from bmi.testing.clicks import clicking
from decoders.click import HMM, LDA
from decoders.features.spikes import Bin

LONGEST = 70
LONG = replace(SPEC, max_samples=LONGEST)


class Witness(HMM):
    """A click decoder that remembers what it was shown."""

    def bind(self, specs):
        super().bind(specs)
        self.seen = []

    def step(self, y):
        self.seen.append(np.array(y))
        return super().step(y)


def taught(kind=HMM, n=N):
    Y, clicked = clicking(n, 1000)
    return kind().fit(Y - 4.0, clicked, dt_s=BIN_S)


def bound(click, specs=(LONG,), stages=None):
    n = sum(s.n_channels for s in specs)
    stages = {"m1": [Bin(bin_s=BIN_S)]} if stages is None else stages
    pipeline = Pipeline(stages, fitted(n_features=n), click)
    pipeline.bind(specs)
    return pipeline


def said(pipeline, pieces):
    """Return {time: probability} of every intent."""
    out = {}
    for chunk in pieces:
        intent = pipeline.step((chunk,))
        if intent is not None:
            out[intent.t] = intent.select
    return out


def test_it_sees_every_bin_once_as_the_decoder_does():
    pipeline = bound(taught(Witness))
    data = counts(400)
    pipeline.click.seen.clear()
    p = said(pipeline, chunks(data, [5]))
    bins = data.reshape(20, 20, N).sum(axis=1)
    np.testing.assert_array_equal(pipeline.click.seen, bins)
    assert len(set(p.values())) == len(p) == 20


@settings(max_examples=15, deadline=None)
@given(lengths=st.lists(st.integers(1, LONGEST), min_size=1, max_size=6), seed=st.integers(0, 3))
@pytest.mark.parametrize("kind", [HMM, LDA])
def test_however_samples_travel_together_the_probability_is_the_same_to_the_bit(kind, lengths, seed):
    data = counts(400, seed)
    one = said(bound(taught(kind)), chunks(data, [1]))
    together = said(bound(taught(kind)), chunks(data, lengths))
    assert together.items() <= one.items()
    assert max(together) == max(one)


@pytest.mark.parametrize(("lost_bins", "shown"), [(3, 3), (5000, COAST)])
def test_a_lost_bin_is_one_without_features(lost_bins, shown):
    pipeline = bound(taught(Witness))
    data = counts(80)
    said(pipeline, chunks(data[:40], [20]))
    pipeline.click.seen.clear()
    (after,) = chunks(data[40:60], [20], seq=40 + 20 * lost_bins)
    after.n_lost_before = 20 * lost_bins
    said(pipeline, [after])
    seen = np.array(pipeline.click.seen)
    assert len(seen) == shown + 1
    assert np.isnan(seen[:-1]).all()
    np.testing.assert_array_equal(seen[-1], data[40:60].sum(axis=0))


def test_of_two_streams_it_sees_both_the_secondary_held():
    other = StreamSpec(name="lfp", n_channels=3, rate_hz=50.0, unit="µV", max_samples=4)
    pipeline = bound(taught(Witness, N + 3), (LONG, other))
    pipeline.click.seen.clear()
    data, (slow,) = counts(60), chunks(np.ones((1, 3), np.float32))
    (first,), (rest,) = chunks(data[:20], [20]), chunks(data[20:], [40], seq=20)
    pipeline.step((first, slow))
    pipeline.step((rest, None))
    seen = np.array(pipeline.click.seen)
    np.testing.assert_array_equal(seen[:, :N], data.reshape(3, 20, N).sum(axis=1))
    np.testing.assert_array_equal(seen[:, N:], 1.0)


def test_the_movement_is_the_same_with_and_without_it():
    data = counts(400)
    alone, beside = bound(None), bound(taught())
    for chunk in chunks(data, [20]):
        a, b = alone.step((chunk,)), beside.step((chunk,))
        assert a.select == 0.0
        assert a.mean.tobytes() == b.mean.tobytes()


def test_state_is_everything_and_without_clicks_what_it_always_was():
    data = counts(800)
    one, two, alone = bound(taught()), bound(taught()), bound(None)
    said(one, chunks(data[:430], [20]))
    snapshot = np.zeros(sum(a.nbytes for a in one.state()), np.uint8)
    pack_into(one.state(), snapshot)
    unpack(two.state(), snapshot)
    rest = chunks(data[430:], [20], seq=430)
    assert said(one, rest) == said(two, rest)
    assert len(saved(one)) == len(saved(alone)) + 8
    one.reset()
    assert saved(one).tobytes() == saved(bound(taught())).tobytes()


def test_parameters_of_both_are_adopted_between_two_steps():
    pipeline = bound(taught())
    before = pipeline.params_
    assert isinstance(before, Both)
    vector = flatten(before)
    vector *= 0.5
    vector[-1] = BIN_S
    pipeline.adopt(unflatten(before, vector), 7)
    assert (pipeline.decoder.params_version, pipeline.click.params_version) == (7, 7)
    np.testing.assert_array_equal(pipeline.click.params_.w, 0.5 * before.click.w)
    np.testing.assert_array_equal(pipeline.decoder.params_.C, 0.5 * before.decoder.C)


def test_without_clicks_parameters_are_the_decoders_alone():
    pipeline = bound(None)
    assert pipeline.params_ is pipeline.decoder.params_
    pipeline.adopt(pipeline.params_, 3)
    assert pipeline.decoder.params_version == 3


def test_a_cold_start_clicks_never_and_without_one_parameters_are_needed():
    pipeline = Pipeline({"m1": [Bin(bin_s=BIN_S)]}, fitted(), HMM())
    with pytest.raises(NotFittedError, match="hmm"):
        pipeline.bind([LONG])
    pipeline.bind([LONG], cold_start=True)
    assert set(said(pipeline, chunks(50.0 * counts(400), [20])).values()) == {0.0}
