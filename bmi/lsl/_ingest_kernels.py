"""From pulled rows to a chunk: strip the sequence channel, find the holes, count what is not finite, and notice
stamps that jump."""

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
RESTARTED: Final = 6  # 1: the next row is the first of another sender, whose numbers begin anew
ORIGIN: Final = 7  # sample at which the sender's pushes begin, for the phase
PUSH: Final = 8  # samples per push
N_INTS: Final = 9

# Slots of ``floats``.
OFFSET: Final = 0  # this machine's clock minus the sender's, s
LAST: Final = 1  # stamp of the last row taken, s, sender's clock; NaN before the first
RATE: Final = 2  # nominal rate, Hz; 0 if irregular
SLACK: Final = 3  # jitter of stamps, in samples, that is not yet called a loss
ARRIVAL: Final = 4  # when the rows arrived, s, this machine's clock
SKEW: Final = 5  # how far the sender's stamps have jumped since it was bound, s
FAST: Final = 6  # 1 while stamps are known to run ahead of this clock
N_FLOATS: Final = 7

MODULO: Final = 1 << 24
STEP_S: Final = 0.05  # a shorter step of the stamps is called jitter
AHEAD_S: Final = 0.005  # stamps may lie so far in the future


@njit(cache=True, nogil=True, error_model="numpy")
def clock_step(step, stamp, floats):  # type: ignore[no-untyped-def]
    """Return ``step`` if the sender's clock jumped by it, s, and keep account of it; 0 if it did not.

    Backwards is always a jump. Forwards, stamps that now lie in the future jumped, and so did those that had
    fallen back before; others belong to samples that are missing, or to a sender that paused.
    """
    ahead = stamp + floats[OFFSET] - floats[ARRIVAL]
    if step < -STEP_S or (step > STEP_S and (ahead > AHEAD_S or floats[SKEW] < -STEP_S)):
        floats[SKEW] += step
        floats[FAST] = 1.0 if ahead > AHEAD_S else 0.0
        return step
    return 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def running_ahead(stamp, floats):  # type: ignore[no-untyped-def]
    """Return how far the stamps have come to lie in the future without a jump, s, the first time they do."""
    ahead = stamp + floats[OFFSET] - floats[ARRIVAL]
    if ahead < 0.5 * AHEAD_S:
        floats[FAST] = 0.0
    elif ahead > AHEAD_S and floats[FAST] == 0.0:
        floats[FAST] = 1.0
        return ahead
    return 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def gap_before(raw, stamps, row, n_channels, ints, floats):  # type: ignore[no-untyped-def]
    """Return how many samples are missing before ``row``; -1 - n if the sender restarted and n are."""
    if raw.shape[1] > n_channels:
        seq, expected = np.int64(raw[row, n_channels]), ints[EXPECTED]
        if ints[RESTARTED] == 1:
            return -1 - seq
        if expected < 0 or seq == expected:
            return np.int64(0)
        gap = (seq - expected) & (MODULO - 1)
        return -1 - seq if gap >= MODULO // 2 else gap
    missing = np.int64(0)
    if floats[RATE] > 0.0:
        step = stamps[row] - floats[LAST] - 1.0 / floats[RATE]  # NaN if nothing came before
        future = stamps[row] + floats[OFFSET] - floats[ARRIVAL] > AHEAD_S
        jumped = step > STEP_S and (future or floats[SKEW] < -STEP_S)
        if step * floats[RATE] > floats[SLACK] and not jumped:
            missing = np.int64(np.rint(step * floats[RATE]))
    return -1 - missing if ints[RESTARTED] == 1 else missing


@njit(cache=True, nogil=True, error_model="numpy")
def ingest(raw, stamps, ints, floats, out, t_out):  # type: ignore[no-untyped-def]
    """Copy the consecutive rows from ``ints[ROW]`` on into ``out``, up to the next hole.

    Returns (n copied, number of the first, lost before it, 1 if rows remain, rows to the end of the push,
    seconds the sender's clock jumped).
    """
    n_channels = out.shape[1]
    period = 1.0 / floats[RATE] if floats[RATE] > 0.0 else 0.0
    lost = np.int64(0)
    jump = 0.0
    n = 0
    bad = 0
    row, end = ints[ROW], ints[END]
    while row < end:
        gap = gap_before(raw, stamps, row, n_channels, ints, floats)
        followed = gap >= 0
        if gap != 0:
            if n > 0:
                break
            if not followed:
                gap = -1 - gap
                ints[ORIGIN] = ints[NEXT] + max(gap, 1) - gap
                ints[RESTARTED] = 0
                gap = max(gap, 1)  # what the old sender still held is unknown, but it was a break
            lost = gap
            ints[NEXT] += gap
            ints[N_LOST] += gap
        if raw.shape[1] > n_channels:
            ints[EXPECTED] = (np.int64(raw[row, n_channels]) + 1) & (MODULO - 1)
        if followed and floats[LAST] == floats[LAST]:
            jump += clock_step(stamps[row] - floats[LAST] - (gap + 1) * period, stamps[row], floats)
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
    if jump == 0.0 and n > 0:
        jump = running_ahead(floats[LAST], floats)
    phase = (ints[NEXT] - ints[ORIGIN]) % ints[PUSH]
    return n, ints[NEXT] - n, lost, int(row < end), ints[PUSH] - phase, jump
