"""Pulled rows become chunks as a bookkeeper would cut them."""

from __future__ import annotations

import numpy as np
import pytest
from reference_lsl import Receiver, holes_from_stamps

from bmi.lsl import _ingest_kernels as k
from bmi.signals import SEQ_MODULO


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
    ints, floats = np.zeros(k.N_INTS, np.int64), np.array([0.5, np.nan, 0.0, 4.0])
    ints[[k.EXPECTED, k.PUSH]] = -1, cap
    got, start = [], 0
    while start < len(rows):
        n = int(rng.integers(1, cap + 1))
        piece = rows[start : start + n]
        twin.take(piece)
        raw[: len(piece)], stamps[: len(piece)] = piece, start + np.arange(len(piece))
        ints[k.ROW], ints[k.END] = 0, len(piece)
        more = 1
        while more:
            m, seq, lost, more, _ = k.ingest(raw, stamps, ints, floats, out, t_out)
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
    ints, floats = np.zeros(k.N_INTS, np.int64), np.array([0.0, np.nan, 1000.0, 20.0])
    ints[[k.EXPECTED, k.PUSH, k.END]] = -1, 1, len(t)
    first = k.ingest(raw, t, ints, floats, out, t_out)
    second = k.ingest(raw, t, ints, floats, out, t_out)
    assert holes_from_stamps(t, 1000.0, 20.0) == [(50, 70)]
    assert first[:4] == (50, 0, 0, 1)
    assert second[:4] == (len(t) - 50, 120, 70, 0)
