"""Drift over days and time to a share of the asymptote, by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmi.errors import ContractError
from bmi.trend import asymptote, slope, time_to_fraction


def test_three_sessions_by_hand():
    """Scores 0, 1, 1 on days 0, 1, 2: sum((d - 1)(s - 2/3)) = 1, sum((d - 1)^2) = 2."""
    assert slope([0, 1, 2], [0, 1, 1], 0).value == pytest.approx(0.5)


def test_a_straight_line_leaves_no_doubt():
    days = np.array([0.0, 1, 5, 9, 30])
    assert slope(days, 0.7 - 0.01 * days, 0) == pytest.approx((-0.01, -0.01, -0.01))


def test_the_interval_is_that_of_a_regression():
    rng = np.random.default_rng(0)
    days = np.arange(60.0)
    score = 0.8 - 0.005 * days + rng.normal(0, 0.05, 60)
    found = slope(days, score, 1)
    error = 0.05 / math.sqrt(((days - days.mean()) ** 2).sum())
    assert found.value == pytest.approx(-0.005, abs=3 * error)
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.25)
    assert found.high < 0.0


def test_sessions_without_a_score_are_left_out():
    assert slope([0, 1, 2, 3], [0, 1, 1, math.nan], 0).value == pytest.approx(0.5)
    assert all(math.isnan(v) for v in slope([3, 3, 3], [0, 1, 2], 0))  # all on one day
    assert all(math.isnan(v) for v in slope([], [], 0))


RISE_S = np.arange(0.0, 200.0, 10.0)  # 20 points, the last quarter from 142.5 s on: five of them
RISE = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10], float)


def test_the_asymptote_is_the_median_of_the_last_quarter():
    assert asymptote(RISE_S, RISE) == 10.0
    outlier = RISE.copy()
    outlier[-1] = 1000.0
    assert asymptote(RISE_S, outlier) == 10.0
    # 100 s of 190 s and later: 100, 110 ... 190 s, but with half the time from 95 s on: ten points of 10
    assert asymptote(RISE_S, RISE, tail=0.5) == 10.0
    assert asymptote(RISE_S, RISE, tail=1.0) == np.median(RISE)


def test_time_to_a_share_by_hand():
    assert time_to_fraction(RISE_S, RISE, 0.8) == 80.0
    assert time_to_fraction(RISE_S, RISE, 0.75) == 80.0  # 7.5 is first passed by 8
    assert time_to_fraction(RISE_S, RISE, 1.0) == 100.0


def test_one_lucky_score_does_not_count():
    lucky = RISE.copy()
    lucky[2] = 9.0
    assert time_to_fraction(RISE_S, lucky, 0.8) == 80.0
    assert time_to_fraction(RISE_S, lucky, 0.8, stay=1) == 20.0


def test_the_way_begins_at_chance():
    """From 4 to 10, half the way is 7; from 0 it is 5."""
    assert time_to_fraction(RISE_S, RISE, 0.5, floor=4.0) == 70.0
    assert time_to_fraction(RISE_S, RISE, 0.5) == 50.0


def test_two_curves_are_held_to_one_asymptote():
    assert time_to_fraction(RISE_S, RISE, 0.8, asymptote_score=5.0) == 40.0
    assert math.isnan(time_to_fraction(RISE_S, RISE, 0.8, asymptote_score=20.0))


def test_what_never_gets_there_has_no_time():
    assert math.isnan(time_to_fraction(RISE_S, -RISE, 0.8))  # below chance all along
    late = np.append(np.zeros(18), [10.0, 10.0])
    assert math.isnan(time_to_fraction(RISE_S, late, 0.8, asymptote_score=10.0))  # two scores, three asked for
    assert time_to_fraction(RISE_S, late, 0.8, asymptote_score=10.0, stay=2) == 180.0
    gap = np.where(np.arange(20) == 9, math.nan, RISE)
    assert time_to_fraction(RISE_S, gap, 0.8) == 100.0  # not known at 90 s


@given(st.floats(0.05, 0.9), st.floats(5.0, 40.0), st.floats(0.1, 100.0))
def test_an_exponential_rise_takes_as_long_as_it_should(fraction, tau_s, height):
    t = np.linspace(0.0, 400.0, 4001)
    found = time_to_fraction(t, height * (1 - np.exp(-t / tau_s)), fraction, asymptote_score=height)
    assert found == pytest.approx(-tau_s * math.log(1 - fraction), abs=0.11)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: time_to_fraction(RISE_S, RISE, 80), "fraction=80"),
        (lambda: time_to_fraction(RISE_S, RISE, 0.8, stay=0), "stay=0"),
        (lambda: time_to_fraction(RISE_S[::-1], RISE, 0.8), "times must rise"),
        (lambda: time_to_fraction(RISE_S, RISE[:-1], 0.8), "one score a time"),
        (lambda: asymptote([0.0, 1.0, 2.0], [1.0, 1.0, 1.0]), "1 scores in the last 25 %"),
        (lambda: asymptote([], []), "0 scores"),
        (lambda: asymptote(RISE_S, RISE, tail=0.0), "tail=0"),
        (lambda: slope([1.0], [1.0, 2.0], 0), "one score a time"),
    ],
)
def test_what_makes_no_sense_is_refused(call, message):
    with pytest.raises(ContractError, match=message):
        call()
