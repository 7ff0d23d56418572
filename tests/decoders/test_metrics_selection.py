"""Selections counted by hand, and what a guesser reaches."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmi.errors import ContractError
from decoders.metrics import accuracy, auc, chance_accuracy, confusion, itr_bit, itr_interval, kappa

TABLE = [[1, 1, 0], [0, 3, 0], [0, 0, 1]]


def test_six_selections_by_hand():
    counts = confusion([0, 0, 1, 1, 1, 2], [0, 1, 1, 1, 1, 2], 3)
    np.testing.assert_array_equal(counts, TABLE)
    assert accuracy(counts) == pytest.approx(5 / 6)
    # rows 2, 3, 1 and columns 1, 4, 1: by chance (2 + 12 + 1) / 36; (30 - 15) / (36 - 15)
    assert kappa(counts) == pytest.approx(15 / 21)


def test_saying_always_the_same_is_chance_however_often_it_is_right():
    counts = np.array([[90, 0], [10, 0]])
    assert accuracy(counts) == 0.9
    assert kappa(counts) == 0.0


def test_without_selections_there_is_nothing():
    empty = confusion(np.zeros(0, int), np.zeros(0, int), 2)
    assert math.isnan(accuracy(empty))
    assert math.isnan(kappa(empty))
    assert math.isnan(kappa(np.array([[5]])))


def test_chance_by_hand():
    """20 tosses: at most 13 heads with 0.9423, at most 14 with 0.9793. 4 tosses: all four with 1/16 > 0.05."""
    assert chance_accuracy(20, 2) == 0.7
    assert chance_accuracy(4, 2) == 1.0  # nothing beats chance with so few
    assert chance_accuracy(4, 2, alpha=0.1) == 0.75
    assert chance_accuracy(20, 3, prior=0.5) == 0.7


def test_a_guesser_passes_as_seldom_as_promised():
    right = np.random.default_rng(0).binomial(40, 0.25, size=20000) / 40
    assert np.mean(right > chance_accuracy(40, 4)) <= 0.05
    assert np.mean(right > chance_accuracy(40, 4) - 1 / 40) > 0.05  # and the bound is the lowest that does


@given(st.integers(1, 500), st.integers(2, 30))
def test_chance_lies_between_the_share_and_one(n_trials, n_classes):
    assert 1 / n_classes - 1 / n_trials < chance_accuracy(n_trials, n_classes) <= 1.0


def test_with_many_trials_chance_comes_down_to_the_share():
    assert chance_accuracy(100000, 4) == pytest.approx(0.25 + 1.645 * math.sqrt(0.25 * 0.75 / 100000), abs=1e-4)


def test_area_by_hand():
    """0.35 beats 0.1 and not 0.4, 0.8 beats both: three of four."""
    assert auc([False, False, True, True], [0.1, 0.4, 0.35, 0.8]) == 0.75
    assert auc([False, True], [0.5, 0.5]) == 0.5
    assert auc([False, False, True], [0.5, 0.1, 0.5]) == 0.75  # a tie and a win
    assert math.isnan(auc([True, True], [0.1, 0.2]))


SCORED = st.lists(st.tuples(st.booleans(), st.integers(-5, 5)), min_size=2, max_size=40).filter(
    lambda rows: len({t for t, _ in rows}) == 2
)


@given(SCORED)
def test_area_is_the_share_of_pairs_in_order(rows):
    truth, score = (np.array(c) for c in zip(*rows, strict=True))
    pairs = score[truth][:, None] - score[~truth][None]
    area = auc(truth, score)
    assert area == pytest.approx(np.mean((pairs > 0) + 0.5 * (pairs == 0)))
    assert auc(~truth, score) == pytest.approx(1 - area)
    assert auc(truth, np.exp(score)) == area  # the order is all that counts


def test_information_by_hand():
    assert itr_bit(4, 1.0) == 2.0
    assert itr_bit(4, 0.25) == 0.0
    assert itr_bit(2, 0.9) == pytest.approx(0.5310, abs=1e-4)  # 1 + 0.9 log2 0.9 + 0.1 log2 0.1
    # 2 + 0.8 x (-0.32193) + 0.2 x log2(0.2 / 3) = 2 - 0.25754 - 0.78138
    assert itr_bit(4, 0.8) == pytest.approx(0.96108, abs=1e-5)


def test_below_chance_nothing_is_gained():
    """The formula gives 1 bit to who is always wrong of two, and log2(4 / 3) of four."""
    assert itr_bit(2, 0.0) == 0.0
    assert itr_bit(4, 0.0) == 0.0
    assert itr_bit(4, 0.2) == 0.0


@given(st.integers(2, 60), st.floats(0, 1), st.floats(0, 1))
def test_information_is_bounded_and_grows_with_accuracy(n, a, b):
    low, high = itr_bit(n, min(a, b)), itr_bit(n, max(a, b))
    assert 0.0 <= low <= high + 1e-12 <= math.log2(n) + 1e-9


@given(st.integers(2, 12), st.floats(0.51, 0.999))
def test_where_its_assumptions_hold_it_is_the_mutual_information(n, p):
    joint = np.full((n, n), (1 - p) / (n - 1) / n)
    np.fill_diagonal(joint, p / n)
    assert itr_bit(n, p) == pytest.approx((joint * np.log2(joint * n * n)).sum(), abs=1e-9)


def test_the_rate_and_its_interval():
    right, seconds = np.arange(40) % 5 != 0, np.full(40, 2.0)  # 80 %
    found = itr_interval(4, right, seconds, 0)
    assert found.value == pytest.approx(0.96108 / 2, abs=1e-5)
    error = 1.96 * math.sqrt(0.8 * 0.2 / 40)
    assert (found.low, found.high) == pytest.approx((itr_bit(4, 0.8 - error) / 2, itr_bit(4, 0.8 + error) / 2), rel=0.1)
    assert itr_interval(4, [True] * 5, [1.0] * 5, 0) == (2.0, 2.0, 2.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: confusion([0, 3], [0, 1], 3), "0 to 2, given 0 to 3 as truth"),
        (lambda: confusion([0, 1], [0, -1], 3), "given -1 to 0 as said"),
        (lambda: confusion([0.0, 1.0], [0, 1], 3), "integer arrays"),
        (lambda: confusion([0, 1], [0], 3), "integer arrays"),
        (lambda: chance_accuracy(0, 2), "n_trials >= 1"),
        (lambda: chance_accuracy(10, 2, prior=1.0), "given 10, 2, 0.05 and 1.0"),
        (lambda: auc([True], [1.0, 2.0]), "one score"),
        (lambda: auc([True, False], [1.0, math.nan]), "not NaN"),
        (lambda: itr_bit(1, 0.5), "n_classes >= 2"),
        (lambda: itr_bit(4, 80), "accuracy of 0 to 1, given 4, 80"),
        (lambda: itr_interval(4, [True], [0.0], 0), "one time above 0 s"),
    ],
)
def test_what_makes_no_sense_is_refused(call, message):
    with pytest.raises(ContractError, match=message):
        call()
