"""Pulled rows become chunks as a bookkeeper would cut them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_lsl import Receiver, Stamps, holes_from_stamps

from bmi.lsl import _ingest_kernels as k
from bmi.signals import SEQ_MODULO

PERIOD = 1e-3


def memory(offset=0.0, rate=0.0, slack=4.0, push=1):
    """Return the kernel's memory before the first row."""
    ints, floats = np.zeros(k.N_INTS, np.int64), np.zeros(k.N_FLOATS)
    ints[[k.EXPECTED, k.PUSH]] = -1, push
    floats[[k.OFFSET, k.LAST, k.RATE, k.SLACK, k.ARRIVAL]] = offset, np.nan, rate, slack, np.inf
    return ints, floats


@pytest.mark.parametrize("seed", range(20))
def test_rows_become_chunks_as_the_twin_says(seed):
    rng = np.random.default_rng(seed)
    numbers = np.arange(400) + rng.integers(SEQ_MODULO)  # some seeds wrap
    numbers = numbers[rng.random(400) > 0.1] % SEQ_MODULO
    if seed % 2:
        numbers = np.concatenate([numbers, 7 + np.arange(50)])  # the sender restarted
        numbers[:-50] = np.maximum(numbers[:-50], 1000)
    numbers = numbers.astype(np.float32)
    rows = np.column_stack([rng.normal(size=(len(numbers), 3)), numbers]).astype(np.float32)
    twin = Receiver()
    cap = 16
    raw, stamps = np.zeros((cap, 4), np.float32), np.zeros(cap)
    out, t_out = np.zeros((cap, 3), np.float32), np.zeros(cap)
    ints, floats = memory(0.5, push=cap)
    got, start = [], 0
    while start < len(rows):
        n = int(rng.integers(1, cap + 1))
        piece = rows[start : start + n]
        twin.take(piece)
        raw[: len(piece)], stamps[: len(piece)] = piece, start + np.arange(len(piece))
        ints[k.ROW], ints[k.END] = 0, len(piece)
        more = 1
        while more:
            m, seq, lost, more, _, _ = k.ingest(raw, stamps, ints, floats, out, t_out)
            got.append((seq, lost, out[:m].copy()))
            np.testing.assert_array_equal(t_out[:m], stamps[ints[k.ROW] - m : ints[k.ROW]] + 0.5)
        start += n
    assert [g[:2] for g in got] == [c[:2] for c in twin.chunks]
    for (_, _, a), (_, _, b) in zip(got, twin.chunks, strict=True):
        np.testing.assert_array_equal(a, b)
    assert ints[k.N_LOST] == twin.n_lost


def test_without_numbers_a_hole_is_what_regular_stamps_leave_out():
    rng = np.random.default_rng(3)
    t = np.arange(300) / 1000 + rng.uniform(-4e-4, 4e-4, 300)
    t = np.delete(t, np.r_[50:120, 200:203])  # 70 missing; and 3, which jitter hides
    raw, out, t_out = np.zeros((len(t), 2), np.float32), np.zeros((len(t), 2), np.float32), np.zeros(len(t))
    ints, floats = memory(rate=1000.0, slack=20.0)
    ints[k.END] = len(t)
    first = k.ingest(raw, t, ints, floats, out, t_out)
    second = k.ingest(raw, t, ints, floats, out, t_out)
    assert holes_from_stamps(t, 1000.0, 20.0) == [(50, 70)]
    assert first[:4] == (50, 0, 0, 1)
    assert second[:4] == (len(t) - 50, 120, 70, 0)


def rows_of(numbers, channels=1):
    """Return rows (n, channels + 1) of zeros, numbered."""
    return np.column_stack([np.zeros((len(numbers), channels)), numbers]).astype(np.float32)


def test_another_sender_begins_anew_even_if_its_numbers_happen_to_go_on():
    ints, floats = memory()
    out, t_out = np.zeros((8, 1), np.float32), np.zeros(8)
    ints[k.END] = 3
    k.ingest(rows_of([7, 8, 9]), np.arange(3.0), ints, floats, out, t_out)
    ints[[k.ROW, k.END, k.RESTARTED]] = 0, 2, 1
    n, seq, lost, *_ = k.ingest(rows_of([10, 11]), np.arange(2.0), ints, floats, out, t_out)
    assert (n, seq, lost) == (2, 3 + 10, 10)
    assert ints[k.RESTARTED] == 0


def jumps(stamps, arrivals, numbered=True, rate=1000.0):
    """Feed one row at a time; return what the kernel says about the sender's clock, row by row, and what is lost."""
    ints, floats = memory(rate=rate)
    out, t_out, said, lost = np.zeros((1, 1), np.float32), np.zeros(1), [], 0
    for i, (stamp, arrival) in enumerate(zip(stamps, arrivals, strict=True)):
        ints[[k.ROW, k.END]], floats[k.ARRIVAL] = (0, 1), arrival
        raw = rows_of([i]) if numbered else np.zeros((1, 1), np.float32)
        *_, gap, _, _, jump = k.ingest(raw, np.array([stamp]), ints, floats, out, t_out)
        said.append(jump)
        lost += gap
    return np.array(said), lost


@pytest.mark.parametrize("numbered", [True, False])
@pytest.mark.parametrize("size", [5.0, -5.0, 0.1, -0.1])
def test_a_jump_of_the_senders_clock_is_told_with_its_size_when_it_comes_and_when_it_goes(numbered, size):
    true = 100.0 + PERIOD * np.arange(300)
    stamps = true + np.where((np.arange(300) >= 100) & (np.arange(300) < 200), size, 0.0)
    said, lost = jumps(stamps, true + 0.002, numbered)
    assert said[100] == pytest.approx(size)
    assert said[200] == pytest.approx(-size)
    assert not np.delete(said, [100, 200]).any()
    assert lost == 0, "a clock that jumps loses nothing"


def test_a_clock_reset_to_zero_is_a_jump_of_its_whole_reading():
    true = 5000.0 + PERIOD * np.arange(100)
    said, _ = jumps(np.where(np.arange(100) < 50, true, true - 5000.05), true)
    assert said[50] == pytest.approx(-5000.05)
    assert np.count_nonzero(said) == 1


def test_a_clock_that_runs_fast_is_told_once_when_it_has_run_into_the_future():
    true = 100.0 + PERIOD * np.arange(40_000)
    fast = 100.0 + PERIOD * np.arange(40_000) * (1.0 + 200e-6)
    said, lost = jumps(fast, true + 0.001)
    (when,) = np.flatnonzero(said)
    assert true[when] - 100.0 == pytest.approx(0.006 / 200e-6, abs=0.01)
    assert said[when] == pytest.approx(0.005, abs=1e-5)
    assert lost == 0


def test_a_clock_that_runs_slow_is_nobodys_jump():
    true = 100.0 + PERIOD * np.arange(40_000)
    said, lost = jumps(100.0 + PERIOD * np.arange(40_000) * (1.0 - 200e-6), true + 0.001)
    assert not said.any()
    assert lost == 0


@pytest.mark.parametrize("numbered", [True, False])
def test_a_sender_that_pauses_and_stamps_on_time_did_not_jump(numbered):
    true = 100.0 + PERIOD * np.arange(200)
    true[100:] += 5.0
    said, lost = jumps(true, true + 0.002, numbered)
    assert not said.any()
    assert lost == (0 if numbered else 5000), "what did not come is lost, as far as stamps can tell"


def test_a_reader_that_stalls_sees_no_jump_either():
    true = 100.0 + PERIOD * np.arange(200)
    arrivals = np.maximum(true + 0.002, np.where(np.arange(200) < 100, 0.0, 107.0))
    assert not jumps(true, arrivals)[0].any()


@settings(max_examples=50, deadline=None)
@given(
    steps=st.lists(st.floats(-10.0, 10.0).map(lambda x: x if abs(x) > 0.2 else 0.0), min_size=2, max_size=12),
    late=st.floats(0.0, 0.004),
)
def test_the_account_of_jumps_is_the_twins(steps, late):
    true = 100.0 + PERIOD * np.arange(10 * len(steps))
    stamps = true + np.repeat(np.cumsum(steps), 10)
    twin = Stamps(PERIOD)
    said, _ = jumps(stamps, true + late)
    np.testing.assert_allclose(said, [twin.take(t, a) for t, a in zip(stamps, true + late, strict=True)], atol=1e-9)
