"""Mains hum out, the rest untouched."""

import numpy as np
import pytest
import reference_broadband as twin
from hypothesis import given, settings
from hypothesis import strategies as st

from bmi.errors import ContractError
from bmi.testing.stages import check_stage
from decoders.features.filters import Notch


def tone(hz, n=75000):
    return np.sin(2 * np.pi * hz * np.arange(n) / twin.RATE)[:, None].repeat(2, axis=1).astype(np.float32)


def gain_db(X, **settings):
    _, _, rows = twin.run([Notch(**settings)], X)
    settled = slice(len(X) // 5 * 4, None)
    return 20 * np.log10(rows[settled].std() / X[settled].std())


@pytest.mark.parametrize("hz", [50, 60])
def test_the_mains_and_its_harmonics_vanish_and_their_neighbours_stay(hz):
    for n in (1, 2, 3):
        assert gain_db(tone(n * hz), hz=hz) < -40
        assert abs(gain_db(tone(n * hz * 1.1), hz=hz)) < 0.5
    assert abs(gain_db(tone(4 * hz), hz=hz)) < 0.1
    assert abs(gain_db(tone(1000), hz=hz)) < 0.01


def test_a_notch_is_as_wide_as_q_says():
    f, q = 50, 10
    edge = f * (np.sqrt(1 + 1 / (4 * q * q)) + 1 / (2 * q))
    assert gain_db(tone(edge), q=q, harmonics=1) == pytest.approx(-3.01, abs=0.1)


def test_it_is_scipys_cascade_at_rest_on_the_first_sample():
    X = (300 + np.random.default_rng(0).standard_normal((2000, 2))).astype(np.float32)
    _, _, rows = twin.run([Notch(hz=60, harmonics=4)], X)
    np.testing.assert_allclose(rows, twin.notch(X.astype(float), 60, 4, 30, twin.RATE), atol=1e-4)


@given(cuts=st.lists(st.integers(1, 90), min_size=5, max_size=15))
@settings(max_examples=15, deadline=None)
def test_cuts_leave_no_trace(cuts):
    X = np.random.default_rng(1).standard_normal((sum(cuts), 3)).astype(np.float32)
    X[len(X) // 3, 1] = np.nan
    whole, pieces = twin.run([Notch()], X)[2], twin.run([Notch()], X, cuts)[2]
    np.testing.assert_array_equal(whole.view(np.uint32), pieces.view(np.uint32))


def test_a_harmonic_beyond_half_the_rate_is_refused_with_what_would_fit():
    with pytest.raises(ContractError, match=r"10 harmonics of 60 Hz reach 600 Hz; .*less than 500 Hz.*at most 8"):
        Notch(hz=60, harmonics=10).bind(twin.spec(rate_hz=1000.0))


def test_it_keeps_the_contract_of_a_stage():
    check_stage(lambda: Notch(), twin.spec(3), n_steps=2000)
