"""Bits per spike, by hand and against the Poisson distribution."""

import math

import numpy as np
import pytest
from scipy import stats

from bmi.errors import ContractError
from decoders.metrics import co_bps, co_bps_interval

COUNTS = np.array([[0], [2], [0], [2]])


def test_four_bins_by_hand():
    """Mean 1. Rates of 0.5 and 1.5 sum to the same 4; each of 4 spikes gains log2 1.5."""
    assert co_bps(np.array([[0.5], [1.5], [0.5], [1.5]]), COUNTS) == pytest.approx(math.log2(1.5))
    # rates sum to 8, 4 too many: log2 2 gained by every spike, 4 / ln 2 lost over 4 spikes
    assert co_bps(np.full((4, 1), 2.0), COUNTS) == pytest.approx(1 - 1 / math.log(2))


def test_mean_rates_are_worth_nothing():
    counts = np.random.default_rng(0).poisson(3.0, (50, 7))
    assert co_bps(np.tile(counts.mean(0), (50, 1)), counts) == pytest.approx(0.0, abs=1e-12)


def test_another_opponent_makes_another_figure():
    """Against 2 a bin the true mean gains what 2 loses above."""
    assert co_bps(np.ones((4, 1)), COUNTS, null=[2.0]) == pytest.approx(1 / math.log(2) - 1)


def test_it_is_the_poisson_likelihood():
    rng = np.random.default_rng(1)
    rates = rng.gamma(2.0, 0.5, (5, 40, 6))  # trials, bins, neurons
    counts = rng.poisson(rates)
    flat = np.broadcast_to(counts.mean((0, 1)), counts.shape)
    gain = stats.poisson.logpmf(counts, rates).sum() - stats.poisson.logpmf(counts, flat).sum()
    assert co_bps(rates, counts) == pytest.approx(gain / counts.sum() / math.log(2))
    assert co_bps(rates, counts) > 0.1


def test_what_was_not_counted_is_left_out():
    rates = np.array([[0.5], [1.5], [0.5], [1.5], [np.nan]])
    assert co_bps(rates, np.append(COUNTS.astype(float), [[np.nan]], 0)) == pytest.approx(math.log2(1.5))


def test_a_silent_neuron_is_no_spike_and_a_spike_never_expected_is_dear_but_finite():
    silent = np.hstack([COUNTS, np.zeros((4, 1), int)])
    rates = np.array([[0.5, 0.0], [1.5, 0], [0.5, 0], [1.5, 0]])
    assert co_bps(rates, silent) == pytest.approx(math.log2(1.5), abs=1e-6)
    assert -31 < co_bps(np.zeros((4, 1)), COUNTS) < -25
    assert math.isnan(co_bps(np.zeros((4, 1)), np.zeros((4, 1))))


def test_the_interval_resamples_trials():
    rng = np.random.default_rng(2)
    rates = rng.gamma(2.0, 0.5, (200, 6))
    counts = rng.poisson(rates)
    found = co_bps_interval(rates, counts, np.repeat(np.arange(20), 10), 0)
    assert found.value == pytest.approx(co_bps(rates, counts))
    assert 0.0 < found.low < found.value < found.high
    alike = np.tile([[0.5], [1.5]], (6, 1))
    again = co_bps_interval(alike, np.tile([[0], [2]], (6, 1)), np.repeat(np.arange(6), 2), 0)
    assert again == pytest.approx((math.log2(1.5),) * 3)  # every trial the same


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: co_bps(np.ones((4, 1)), np.ones((4, 2))), r"given \(4, 1\) and \(4, 2\)"),
        (lambda: co_bps(-np.ones((4, 1)), COUNTS), "not logarithms"),
        (lambda: co_bps(np.full((4, 1), np.nan), COUNTS), "must be finite"),
        (lambda: co_bps(np.ones((4, 1)), COUNTS, null=[1.0, 2.0]), "one null rate a neuron"),
        (lambda: co_bps_interval(np.ones((4, 1)), COUNTS, [0, 1], 0), "one group a bin"),
    ],
)
def test_what_makes_no_sense_is_refused(call, message):
    with pytest.raises(ContractError, match=message):
        call()
