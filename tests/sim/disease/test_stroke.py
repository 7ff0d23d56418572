"""Lesions, and practice that brings back what they took."""

import numpy as np
import pytest
from figures import measured
from hypothesis import given
from hypothesis import strategies as st

from bmi.errors import ContractError
from sim.disease.stroke import Rehabilitation, Stroke, gain, lesioned

SHARES = st.lists(st.floats(0.0, 1.0), min_size=4, max_size=4)
WEIGHTS = np.random.default_rng(1).random((4, 4))


def lost(stroke, day):
    return np.asarray(stroke.at(day)["lesion"])


# --- lesions ----------------------------------------------------------------------------------------


@given(SHARES)
def test_a_tract_keeps_what_both_its_ends_keep(lesion):
    left = lesioned(WEIGHTS, np.array(lesion))
    for i in range(4):
        for j in range(4):
            assert left[i, j] == pytest.approx((1.0 - lesion[i]) * (1.0 - lesion[j]) * WEIGHTS[i, j])


def test_a_whole_lesion_leaves_no_tract_and_none_leaves_all():
    left = lesioned(WEIGHTS, np.array([0.0, 1.0, 0.0, 0.0]))
    assert not left[1].any()
    assert not left[:, 1].any()
    np.testing.assert_array_equal(lesioned(WEIGHTS, np.zeros(4)), WEIGHTS)


def test_the_scenarios_micro_lesion_takes_half_the_tracts_and_three_tenths_of_the_gain():
    np.testing.assert_allclose(gain(np.array([0.0, 0.5])), [1.0, 0.7])


def test_a_stroke_happens_at_once_and_recovers_towards_its_share():
    stroke = Stroke(n_regions=3, regions=(1,), loss=0.8, from_day=10.0, recovered=0.5, tau_days=20.0)
    assert not lost(stroke, 9.99).any()
    np.testing.assert_allclose(lost(stroke, 10.0), [0.0, 0.8, 0.0])
    np.testing.assert_allclose(lost(stroke, 30.0)[1], 0.8 * (1.0 - 0.5 * (1.0 - np.exp(-1.0))))
    np.testing.assert_allclose(lost(stroke, 1e5)[1], 0.4)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Stroke(n_regions=3, regions=()), "regions: expected some of 0 to 2"),
        (lambda: Stroke(n_regions=3, regions=(3,)), "regions: expected some of 0 to 2"),
        (lambda: Stroke(n_regions=3, regions=(0,), loss=1.5), "loss: expected 0 to 1, given 1.5"),
        (lambda: Stroke(n_regions=3, regions=(0,), tau_days=0.0), "tau_days above 0"),
        (lambda: lesioned(WEIGHTS, np.zeros(3)), r"given shapes \(4, 4\) and \(3,\)"),
        (lambda: lesioned(WEIGHTS, np.full(4, 1.1)), "shares of 0 to 1"),
        (lambda: Rehabilitation(delay_s=5.0).run(1, n_trials=1), "before the next attempt, given 5"),
        (lambda: Rehabilitation(contingent=False).run(1, n_trials=1), "what its contingent twin was"),
        (lambda: Rehabilitation().run(1, n_trials=1, released=np.zeros(1)), "contingent feedback makes its own"),
    ],
)
def test_what_is_no_stroke_and_no_practice_is_refused(build, message):
    with pytest.raises(ContractError, match=message):
        build()


# --- practice ---------------------------------------------------------------------------------------


def test_feedback_that_answers_the_attempt_brings_gain_back_and_the_same_at_other_times_hardly():
    practised = Rehabilitation().run(3, n_trials=12)
    twin = Rehabilitation(contingent=False).run(3, n_trials=12, released=practised.released)
    assert practised.gain[0] == pytest.approx(0.3)
    assert (np.diff(practised.gain) >= 0.0).all()
    assert practised.recovery > 3.0 * max(twin.recovery, 0.01)
    np.testing.assert_allclose(np.sort(twin.released), np.sort(practised.released))


def test_practice_repeats_to_the_last_bit():
    a, b = (Rehabilitation().run(5, n_trials=3) for _ in range(2))
    for x, y in zip(a, b, strict=True):
        assert x.tobytes() == y.tobytes()


@pytest.mark.bars
def test_the_later_the_feedback_the_less_comes_back():
    found = [Rehabilitation(delay_s=d).run(7, n_trials=60).recovery for d in (0.0, 0.2, 0.3, 0.6, 1.0)]
    measured("recovery by delay", found)
    assert (np.diff(found) < 0.0).all()
    assert found[2] > 5.0 * found[4]
