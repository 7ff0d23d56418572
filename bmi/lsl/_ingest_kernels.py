"""From pulled rows to a chunk: strip the sequence channel, find the holes, count what is not finite."""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

# Slots of ``ints``.
ROW: Final = 0  # next row of ``raw`` to take
END: Final = 1  # rows in ``raw``
NEXT: Final = 2  # number of the next sample since the stream was opened, lost ones included
EXPECTED: Final = 3  # what the sequence channel should say next; -1 before the first sample
N_LOST: Final = 4
N_BAD: Final = 5  # values that were not finite
RESTARTED: Final = 6  # 1: the sender is known to have restarted; the next break in the numbers is that
ORIGIN: Final = 7  # sample at which the sender's pushes begin, for the phase
PUSH: Final = 8  # samples per push
N_INTS: Final = 9

# Slots of ``floats``.
OFFSET: Final = 0  # this machine's clock minus the sender's, s
LAST: Final = 1  # stamp of the last row taken, s, sender's clock; NaN before the first
RATE: Final = 2  # nominal rate, Hz; 0 if irregular
SLACK: Final = 3  # jitter of stamps, in samples, that is not yet called a loss
N_FLOATS: Final = 4

MODULO: Final = 1 << 24


@njit(cache=True, nogil=True, error_model="numpy")
def gap_before(raw, stamps, row, n_channels, ints, floats):  # type: ignore[no-untyped-def]
    """Return how many samples are missing before ``row``; -1 - n if the sender restarted and n are."""
    if raw.shape[1] > n_channels:
        seq, expected = np.int64(raw[row, n_channels]), ints[EXPECTED]
        if expected < 0 or seq == expected:
            return np.int64(0)
        gap = (seq - expected) & (MODULO - 1)
        if ints[RESTARTED] == 1 or gap >= MODULO // 2:
            return -1 - seq
        return gap
    if floats[RATE] > 0.0:
        ahead = (stamps[row] - floats[LAST]) * floats[RATE] - 1.0
        if ahead > floats[SLACK]:  # False for NaN: nothing came before
            return np.int64(np.rint(ahead))
    return np.int64(0)


@njit(cache=True, nogil=True, error_model="numpy")
def ingest(raw, stamps, ints, floats, out, t_out):  # type: ignore[no-untyped-def]
    """Copy the consecutive rows from ``ints[ROW]`` on into ``out``, up to the next hole.

    Returns (n copied, number of the first, lost before it, 1 if rows remain, rows to the end of the push).
    """
    n_channels = out.shape[1]
    lost = np.int64(0)
    n = 0
    bad = 0
    row, end = ints[ROW], ints[END]
    while row < end:
        gap = gap_before(raw, stamps, row, n_channels, ints, floats)
        if gap != 0:
            if n > 0:
                break
            if gap < 0:
                gap = -1 - gap
                ints[ORIGIN] = ints[NEXT] + max(gap, 1) - gap
                ints[RESTARTED] = 0
                gap = max(gap, 1)  # what the old sender still held is unknown, but it was a break
            lost = gap
            ints[NEXT] += gap
            ints[N_LOST] += gap
        if raw.shape[1] > n_channels:
            ints[EXPECTED] = (np.int64(raw[row, n_channels]) + 1) & (MODULO - 1)
        floats[LAST] = stamps[row]
        t_out[n] = stamps[row] + floats[OFFSET]
        for c in range(n_channels):
            out[n, c] = raw[row, c]
        for c in range(n_channels):
            v = raw[row, c]
            bad += v - v != 0.0
        ints[NEXT] += 1
        n += 1
        row += 1
    ints[ROW] = row
    ints[N_BAD] += bad
    phase = (ints[NEXT] - ints[ORIGIN]) % ints[PUSH]
    return n, ints[NEXT] - n, lost, int(row < end), ints[PUSH] - phase
