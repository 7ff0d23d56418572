"""The latency histogram answers like the sorted durations themselves, in constant memory."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmi.latency import HIGH_NS, LOW_NS, N_BINS, RELATIVE_ERROR, Histogram

durations = st.lists(st.integers(LOW_NS, HIGH_NS), min_size=1, max_size=300)


def filled(values) -> Histogram:
    h = Histogram()
    h.add(np.asarray(values))
    return h


def nearest_rank(values, q) -> int:
    """Return the percentile by its definition, in exact arithmetic: the ceil(q n / 100)-th smallest."""
    rank = math.ceil(Fraction(str(q)) * len(values) / 100)
    return int(np.sort(values)[rank - 1])


@given(durations, st.sampled_from([1, 50, 90, 99, 99.9, 100]))
def test_percentiles_are_the_nearest_rank_within_half_a_percent(values, q):
    exact = nearest_rank(values, q)
    assert filled(values).percentile(q) == pytest.approx(exact, rel=1.01 * RELATIVE_ERROR)
    assert RELATIVE_ERROR < 0.005


@pytest.mark.parametrize("spread", [0.05, 0.5, 2.0])
def test_percentiles_of_many_durations(spread):
    rng = np.random.default_rng(5)
    values = np.clip(np.exp(rng.normal(np.log(80_000), spread, 200_000)), LOW_NS, HIGH_NS).astype(np.int64)
    h = filled(values)
    for q in (50, 99, 99.9):
        exact = nearest_rank(values, q)
        assert h.percentile(q) == pytest.approx(exact, rel=1.01 * RELATIVE_ERROR)


def test_numpy_agrees_on_durations_without_gaps():
    values = np.arange(100_000, 1_000_000, 10)
    h = filled(values)
    for q in (50, 90, 99, 99.9):
        assert h.percentile(q) == pytest.approx(np.percentile(values, q), rel=0.006)


def test_count_extremes_and_mean_are_exact():
    values = np.random.default_rng(5).integers(LOW_NS, HIGH_NS, 1000)
    h = filled(values)
    assert (h.min_ns, h.max_ns, h.n) == (values.min(), values.max(), values.size)
    assert h.mean_ns == pytest.approx(values.mean())


@given(st.lists(st.integers(-5, 10 * HIGH_NS), max_size=50))
def test_one_by_one_is_the_same_as_all_at_once(values):
    one = Histogram()
    for v in values:
        one.record(v)
    assert one.to_dict() == filled(np.array(values, np.int64)).to_dict()


@given(durations, durations)
def test_merging_is_adding_both(a, b):
    merged = filled(a)
    merged.merge(filled(b))
    assert merged.to_dict() == filled(a + b).to_dict()


def test_merging_with_nothing_changes_nothing():
    h = filled([5_000])
    before = h.to_dict()
    h.merge(Histogram())
    assert h.to_dict() == before


@given(durations)
def test_survives_its_dictionary(values):
    h = filled(values)
    assert Histogram.from_dict(h.to_dict()).to_dict() == h.to_dict()
    assert Histogram.from_dict(h.to_dict()).percentile(99) == h.percentile(99)


def test_a_histogram_with_other_bins_is_refused():
    d = filled([5_000]).to_dict() | {"growth": 1.1}
    with pytest.raises(ValueError, match=r"growing by 1\.01"):
        Histogram.from_dict(d)


def test_the_largest_duration_is_exact_even_beyond_the_last_bin():
    h = filled([2_000, 50 * HIGH_NS])
    assert h.percentile(100) == h.percentile(99) == 50 * HIGH_NS


def test_negative_durations_count_as_zero():
    h = filled([-3, -2])
    assert (h.n, h.min_ns, h.max_ns, h.percentile(50)) == (2, 0, 0, 0)


def test_empty_answers_zero():
    assert Histogram().summary() == (0, 0, 0, 0, 0)
    assert Histogram().grouped(5) == []


def test_memory_never_grows():
    h = Histogram()
    counts = h.counts
    for _ in range(100):
        h.add(np.arange(1, 1000) * 1_000)
    assert h.counts is counts
    assert counts.shape == (N_BINS,)
    assert h.n == 99_900


def test_reset_forgets_and_keeps_the_memory():
    h = filled([4_000, 5_000])
    counts = h.counts
    h.reset()
    assert h.counts is counts
    assert h.to_dict() == Histogram().to_dict()


@given(durations, st.integers(1, 20))
def test_grouped_rows_hold_every_count(values, n_rows):
    rows = filled(values).grouped(n_rows)
    assert len(rows) <= n_rows
    assert sum(n for _, _, n in rows) == len(values)
    assert all(low < high for low, high, _ in rows)


def test_summary_in_milliseconds():
    s = filled([1_000_000] * 999 + [7_000_000]).summary()
    assert s.scaled(1e6)["p50"] == pytest.approx(1.0, rel=0.005)
    assert s.scaled(1e6)["max"] == 7.0
