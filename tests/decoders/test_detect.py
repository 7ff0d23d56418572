"""Detectors against their twins: a baseline that follows, and events that last."""

import numpy as np
import pytest
import reference_control as twin
from hypothesis import given, settings
from hypothesis import strategies as st

from bmi.errors import ContractError
from bmi.signals import StreamSpec
from decoders.detect import CLIP_SD, Seizure, Threshold

RATE = 50.0


def spec(n=1, rate_hz=RATE):
    return StreamSpec(name="features", n_channels=n, rate_hz=rate_hz, unit="ln")


def through(detector, Y):
    detector.bind(spec(Y.shape[1]))
    active, scores = [], []
    for y in Y.astype(float):
        active.append(detector.step(y))
        scores.append(detector.score_)
    return np.array(active), np.array(scores)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 1000), n_on=st.integers(0, 5), n_off=st.integers(0, 5), n_rest=st.integers(0, 20),
    missing=st.lists(st.integers(0, 199), max_size=20),
)  # fmt: skip
def test_an_event_begins_lasts_and_rests_as_the_rule_says(seed, n_on, n_off, n_rest, missing):
    Y = np.random.default_rng(seed).standard_normal((200, 1))
    Y[missing] = np.nan
    detector = Threshold(on=0.5, off=-0.2, on_s=n_on / RATE, off_s=n_off / RATE, rest_s=n_rest / RATE)
    active, _ = through(detector, Y)
    expected, count = twin.detections(Y[:, 0], 0.5, -0.2, n_on, n_off, n_rest)
    np.testing.assert_array_equal(active, expected)
    assert detector.count_ == count


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), votes=st.integers(1, 3))
def test_scores_are_standard_deviations_above_the_running_baseline(seed, votes):
    rng = np.random.default_rng(seed)
    Y = rng.standard_normal((300, 3)) * [0.5, 1.0, 2.0] + [3.0, -7.0, 0.0]
    Y[rng.integers(0, 300, 10), rng.integers(0, 3, 10)] = np.nan
    detector = Seizure(on_z=90.0, off_z=80.0, votes=votes, warmup_s=1.0, baseline_s=2.0)
    _, got = through(detector, Y)
    z = twin.scores(Y, 50, 100, CLIP_SD, 0.3)
    expected = [np.sort(row[np.isfinite(row)])[::-1] for row in z]
    expected = [row[votes - 1] if len(row) >= votes else np.nan for row in expected]
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)


def seizing(seed=0, n=3000, begin=2000, end=2600, up=2.0):
    Y = 0.2 * np.random.default_rng(seed).standard_normal((n, 2))
    Y[begin:end] += up
    return Y


def test_a_seizure_is_seen_at_once_and_over_when_it_is_over():
    active, _ = through(Seizure(votes=2), seizing())
    on = np.flatnonzero(active)
    np.testing.assert_array_equal(on, np.arange(on[0], on[-1] + 1))
    assert 0.3 <= (on[0] - 2000 + 1) / RATE <= 0.4
    assert 1.0 <= (on[-1] - 2600 + 2) / RATE <= 1.1


def test_one_feature_alone_is_not_enough_where_two_must_agree():
    Y = seizing()
    Y[2000:2600, 1] -= 2.0
    for votes, seen in ((1, True), (2, False)):
        assert through(Seizure(votes=votes), Y)[0].any() == seen


def test_a_seizure_does_not_become_the_baseline():
    long = seizing(n=8000, end=7000)
    frozen, _ = through(Seizure(baseline_s=20.0), long)
    assert frozen[2100:7000].all()


def test_what_lasts_beyond_reason_does():
    long = seizing(n=12000, end=12000)
    active, _ = through(Seizure(baseline_s=20.0, freeze_s=20.0), long)
    assert active[2100:3000].all()
    assert not active[-100:].any()


def test_nothing_is_detected_while_warming_up():
    active, scores = through(Seizure(warmup_s=10.0), seizing(begin=200, end=400))
    assert not active[:500].any()
    assert np.isnan(scores[:500]).all()


def test_missing_features_change_nothing():
    Y = seizing()
    detector = Seizure()
    through(detector, Y[:2100])
    before = [a.copy() for a in detector.state()[:2]]
    assert detector.step(np.full(2, np.nan))
    for a, b in zip(detector.state()[:2], before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_reset_is_fresh():
    detector = Seizure()
    first = through(detector, seizing())
    detector.reset()
    assert detector.count_ == 0
    again = [detector.step(y) for y in seizing()]
    np.testing.assert_array_equal(again, first[0])


def test_what_cannot_be_is_refused():
    with pytest.raises(ContractError, match="cannot end below"):
        Threshold(on=1.0, off=2.0)
    with pytest.raises(ContractError, match="longer than the memory"):
        Seizure(warmup_s=400.0)
    with pytest.raises(ContractError, match="lower votes"):
        Seizure(votes=3).bind(spec(2))
    with pytest.raises(ContractError, match="irregularly"):
        Threshold(on=1.0, off=0.0).bind(spec(rate_hz=0.0))
