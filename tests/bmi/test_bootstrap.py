"""Intervals that can be counted on the fingers, intervals with a known width, and how often they hold the truth."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from bmi.bootstrap import Estimate, cluster_interval, interval, mean, median, ratio_interval, resampled, share_interval
from bmi.errors import ContractError

NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30)


def test_two_values_by_hand():
    """Resamples of {0, 1} have mean 0, 1/2, 1 with probability 1/4, 1/2, 1/4."""
    assert interval([0.0, 1.0], 0) == (0.5, 0.0, 1.0)  # 2.5 and 97.5 % lie in the outer quarters
    assert interval([0.0, 1.0], 0, level=0.4) == (0.5, 0.5, 0.5)  # 30 and 70 % lie in the middle half
    assert interval([0.0, 1.0], 0, level=0.4, method="bca") == (0.5, 0.5, 0.5)  # ties count half: no bias


def test_three_values_by_hand():
    """Resamples of {0, 0, 3}: mean 0, 1, 2, 3 with 8, 12, 6, 1 of 27; cumulated 0.296, 0.741, 0.963, 1."""
    assert interval([0.0, 0.0, 3.0], 1) == (1.0, 0.0, 3.0)
    assert interval([0.0, 0.0, 3.0], 1, level=0.9) == (1.0, 0.0, 2.0)
    assert interval([0.0, 0.0, 3.0], 1, level=0.3) == (1.0, 1.0, 1.0)


def test_the_interval_of_many_is_that_of_the_central_limit():
    x = np.random.default_rng(0).normal(3.0, 2.0, 400)
    found = interval(x, 1)
    half = 1.96 * x.std() / 20.0
    assert found.value == pytest.approx(x.mean())
    assert (found.low, found.high) == pytest.approx((x.mean() - half, x.mean() + half), abs=0.08 * half)


@given(st.integers(1, 200), st.floats(0, 1), st.sampled_from([0.8, 0.95, 0.99]))
def test_a_share_has_wilsons_interval(n, share, level):
    k = round(share * n)
    found = share_interval([True] * k + [False] * (n - k), level=level)
    oracle = stats.binomtest(k, n).proportion_ci(level, method="wilson")
    assert found == pytest.approx((k / n, oracle.low, oracle.high), abs=1e-12)
    assert 0.0 <= found.low <= found.value <= found.high <= 1.0


def test_four_of_four_are_not_certain_and_none_of_none_is_nothing():
    assert share_interval([True] * 4).low == pytest.approx(0.51, abs=0.001)
    assert math.isnan(share_interval([]).value)


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_it_holds_the_truth_as_often_as_it_says(method):
    """20 seeds, 300 experiments: 95 % nominal, about 93 % is what the bootstrap of 20 normal values reaches."""
    rng = np.random.default_rng(2)
    found = [interval(rng.normal(size=20), k, n_bootstrap=500, method=method) for k in range(300)]
    assert 0.89 <= np.mean([e.low <= 0.0 <= e.high for e in found]) <= 0.98


def test_bca_agrees_with_another_implementation():
    x = np.random.default_rng(3).exponential(size=40)
    ours = interval(x, 0, method="bca", n_bootstrap=20000)
    theirs = stats.bootstrap((x,), np.mean, method="BCa", n_resamples=20000, rng=np.random.default_rng(1))
    low, high = theirs.confidence_interval
    assert (ours.low, ours.high) == pytest.approx((low, high), abs=0.03 * (high - low))
    plain = interval(x, 0, n_bootstrap=20000)
    assert ours.low > plain.low  # skewed to the right, and BCa moves that way
    assert ours.high > plain.high


def test_long_sessions_are_drawn_in_pieces_of_the_same_draws(monkeypatch):
    x = np.random.default_rng(4).normal(size=50)
    whole = [interval(x, 5), interval(x, 5, method="bca")]
    monkeypatch.setattr("bmi.bootstrap._CELLS", 333)
    assert [interval(x, 5), interval(x, 5, method="bca")] == whole


def test_what_has_no_figure_is_left_out():
    assert interval([1.0, math.nan, 3.0], 0).value == 2.0
    assert interval([5.0, math.nan, 1.0, 2.0], 0, statistic=median).value == 2.0
    for nothing in (interval([], 0), interval([math.nan] * 3, 0), cluster_interval([math.nan], [0], 0)):
        assert all(math.isnan(v) for v in nothing)


@given(NUMBERS)
@settings(max_examples=30, deadline=None)
def test_means_and_medians_are_numpys(values):
    x = np.array(values)
    assert mean(x) == pytest.approx(np.mean(x), rel=1e-9, abs=1e-6)
    assert median(x) == np.median(x)


@given(NUMBERS, st.integers(0, 99), st.sampled_from(["percentile", "bca"]))
@example([0.0, 1.6338552947153736e-111], 0, "bca")
@example([0.0, 5e-324], 0, "bca")
@settings(max_examples=30, deadline=None)
def test_an_interval_stays_within_the_values_and_follows_from_the_seed(values, seed, method):
    found = interval(values, seed, n_bootstrap=100, method=method)
    slack = 1e-9 * (1.0 + max(map(abs, values)))
    assert min(values) - slack <= found.low <= found.high <= max(values) + slack
    assert found == interval(values, seed, n_bootstrap=100, method=method)


def test_any_figure_of_trials_has_an_interval():
    """A correlation: paired values are drawn together."""
    rng = np.random.default_rng(6)
    a = rng.normal(size=100)
    b = 0.8 * a + 0.6 * rng.normal(size=100)
    found = resampled(lambda trials: np.array([np.corrcoef(a[t], b[t])[0, 1] for t in trials]), 100, 0)
    assert found.value == pytest.approx(np.corrcoef(a, b)[0, 1])
    fisher = np.tanh(np.arctanh(found.value) + np.array([-1.96, 1.96]) / math.sqrt(97))
    assert (found.low, found.high) == pytest.approx(fisher, abs=0.03)


def test_two_seeds_by_hand():
    """Without spread inside, only the seeds count: mean of two draws of {1, 3}."""
    values, seeds = [1.0, 1.0, 1.0, 3.0, 3.0, 3.0], list("aaabbb")
    assert cluster_interval(values, seeds, 0) == (2.0, 1.0, 3.0)
    assert cluster_interval(values, seeds, 0, level=0.4) == (2.0, 2.0, 2.0)


def test_every_seed_counts_the_same():
    assert cluster_interval([0.0] * 9 + [1.0], ["a"] * 9 + ["b"], 0).value == 0.5
    assert cluster_interval([1.0, 2.0, 9.0, 4.0], [7, 7, 7, 8], 0, statistic=median).value == 3.0


def test_seeds_that_differ_widen_what_their_trials_alone_would_say():
    rng = np.random.default_rng(7)
    seeds = np.repeat(np.arange(20), 50)
    x = rng.normal(size=20)[seeds] + rng.normal(size=1000)
    trials, clusters = interval(x, 0), cluster_interval(x, seeds, 0)
    sd = np.array([x[seeds == k].mean() for k in range(20)]).std(ddof=1) / math.sqrt(20)
    assert clusters.high - clusters.low > 2.5 * (trials.high - trials.low)
    assert clusters.high - clusters.low == pytest.approx(2 * 1.96 * sd, rel=0.1)


def test_the_second_level_is_cautious_by_the_root_of_two_where_seeds_do_not_differ():
    seeds = np.repeat(np.arange(50), 50)
    x = np.random.default_rng(8).normal(size=2500)
    both, alone = cluster_interval(x, seeds, 0), cluster_interval(x, seeds, 0, trials=False)
    assert (both.high - both.low) / (alone.high - alone.low) == pytest.approx(math.sqrt(2), rel=0.1)


def test_pairs_by_hand():
    """A takes 1 and 3 s, B 1 s each: resampled pairs give 1, 2, 3 with 1/4, 1/2, 1/4."""
    assert ratio_interval([1.0, 3.0], [1.0, 1.0], 0) == (2.0, 1.0, 3.0)
    found = ratio_interval([1.0, 4.0], [1.0, 1.0], 0, how="geometric")
    assert found == pytest.approx((2.0, 1.0, 4.0))


def test_what_a_seed_does_to_both_cancels():
    b = np.random.default_rng(9).uniform(0.5, 5.0, 20)
    for how in ("means", "geometric"):
        assert ratio_interval(1.2 * b, b, 0, how=how) == pytest.approx((1.2, 1.2, 1.2))


def test_a_ratio_of_means_follows_the_slow_seeds_a_geometric_mean_does_not():
    a, b = [2.0, 2.0, 2.0, 100.0], [1.0, 1.0, 1.0, 100.0]
    assert ratio_interval(a, b, 0).value == pytest.approx(106 / 103)
    assert ratio_interval(a, b, 0, how="geometric").value == pytest.approx(2.0**0.75)


@given(st.lists(st.tuples(st.floats(0.1, 10.0), st.floats(0.1, 10.0)), min_size=1, max_size=20))
@settings(max_examples=30, deadline=None)
def test_b_over_a_is_one_over_a_over_b(pairs):
    a, b = zip(*pairs, strict=True)
    for how in ("means", "geometric"):
        there, back = ratio_interval(a, b, 0, how=how), ratio_interval(b, a, 0, how=how)
        assert there.value * back.value == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: interval([1.0], 0, level=95), "level=95, expected between 0 and 1"),
        (lambda: interval([1.0], 0, method="basic"), "'percentile' or 'bca'"),
        (lambda: interval([1.0], 0, n_bootstrap=0), "at least 1"),
        (lambda: interval(np.zeros((2, 2)), 0), r"given shape \(2, 2\)"),
        (lambda: cluster_interval([1.0, 2.0], ["a"], 0), "one cluster a value"),
        (lambda: ratio_interval([1.0, math.nan], [1.0, 2.0], 0), "pair 1 is nan and 2"),
        (lambda: ratio_interval([1.0], [1.0, 2.0], 0), "expected pairs"),
        (lambda: ratio_interval([0.0], [1.0], 0, how="geometric"), "above 0"),
        (lambda: ratio_interval([1.0], [1.0], 0, how="median"), "how='means' or 'geometric'"),
    ],
)
def test_what_makes_no_sense_is_refused(call, message):
    with pytest.raises(ContractError, match=message):
        call()


def test_a_ratio_to_nothing_is_unknown():
    assert all(math.isnan(v) for v in ratio_interval([1.0, 2.0], [0.0, 0.0], 0))


def test_it_reads_as_in_a_paper():
    assert str(Estimate(0.75, 0.625, 0.9)) == "0.75 [0.625, 0.9]"
