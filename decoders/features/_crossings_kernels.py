"""Compiled threshold crossings. Channels are innermost: those loops vectorise."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from decoders.features._noise_kernels import AGE, BLOCK, MEDIAN, all_finite, tally_rows

OVER, DEAD, COUNT, BAD = 0, 1, 2, 3
"""Rows of ``tally``: beyond the threshold just now; samples of dead time left; crossings in the step under way;
samples in it that were not finite."""
AT, NEXT, HAVE = 0, 1, 2
"""Places in ``at``: rows in the noise estimator's block; sequence number expected; samples in the step under way."""
WAIT, SLOWEST, WARM, DEAD_TIME, POLARITY, K = 0, 1, 2, 3, 4, 5
"""Places in ``scales``: those of ``tally_rows``; samples of dead time after a crossing; -1, 1 or 0 for both; threshold
in medians of |y|."""


class Detector(NamedTuple):
    """What stays the same while a detector runs."""

    places: np.ndarray
    """(n_pieces, 2) int64: the filter's sums of 2**level samples: level, age of the newest."""
    weights: np.ndarray
    """(n_pieces,) float32: what each counts."""
    scales: np.ndarray
    """(6,) float64."""


class Memory(NamedTuple):
    """What changes; all but ``sums`` and ``y`` is state."""

    past: np.ndarray
    """(n_past * n_channels,) float32: the samples before the chunk, the oldest first."""
    est: np.ndarray
    """(10, n_channels) float32: noise of the filtered signal."""
    tally: np.ndarray
    """(4, n_channels) float32."""
    at: np.ndarray
    """(3,) int64."""
    sums: np.ndarray
    """(n_levels, (n_past + max_samples) * n_channels) float32: at every sample the sum of the newest 2**level."""
    y: np.ndarray
    """(max_samples, n_channels) float32: the filtered chunk, crossings upward."""


@njit(cache=True, nogil=True, error_model="numpy")
def finite(x, row):
    """Copy, with 0 for what is not finite."""
    for c in range(x.size):
        v = x[c]
        row[c] = v if v - v == np.float32(0) else np.float32(0)


@njit(cache=True, nogil=True, error_model="numpy")
def add(a, b, row):
    """row = a + b."""
    for j in range(row.size):
        row[j] = a[j] + b[j]


@njit(cache=True, nogil=True, error_model="numpy")
def add_weighted(y, x, weight):
    """y += weight * x."""
    for j in range(y.size):
        y[j] += weight * x[j]


@njit(cache=True, nogil=True, error_model="numpy")
def filter_chunk(x, detector, memory, y):
    """Filter a chunk, all its rows on end in one long vector, by a few sums of 2**level samples each.

    Every sum is made of its samples anew and always in the same order: nothing accumulates, and how the samples
    were cut into chunks leaves no trace.
    """
    sums, past, n = memory.sums, memory.past, memory.tally.shape[1]
    lead, size = past.size, past.size + x.size
    now = sums[0]
    now[:lead] = past
    finite(x, now[lead:size])
    for level in range(1, sums.shape[0]):
        below, shift = sums[level - 1], n << (level - 1)
        add(below[shift:size], below[: size - shift], sums[level, shift:size])
    y[:] = np.float32(0)
    for k in range(detector.weights.size):
        first = lead - detector.places[k, 1] * n
        add_weighted(y, sums[detector.places[k, 0], first : first + x.size], detector.weights[k])
    past[:] = now[x.size : size]


@njit(cache=True, nogil=True, error_model="numpy")
def orient(x, y, polarity):
    """Turn y so that crossings point upward; NaN where x is not finite."""
    nan, zero = np.float32(np.nan), np.float32(0)
    sign = np.float32(-1 if polarity < 0 else 1)
    for j in range(y.size):
        u = abs(y[j]) if polarity == 0 else sign * y[j]
        y[j] = u if x[j] - x[j] == zero else nan


@njit(cache=True, nogil=True, error_model="numpy")
def cross_rows(y, i, stop, median, k, dead, over, left, count):
    """Count what goes beyond k medians and is not dead; what is not finite is dead too."""
    one, zero = np.float32(1), np.float32(0)
    for r in range(i, stop):
        for c in range(median.size):
            v = y[r, c]
            now = one if v > k * median[c] else zero
            fires = (now > over[c]) & (left[c] == zero)
            over[c] = now
            left[c] = dead if fires | (v - v != zero) else max(left[c] - one, zero)
            count[c] += one if fires else zero


@njit(cache=True, nogil=True, error_model="numpy")
def bad_rows(y, i, stop, bad):
    """Count what is not finite."""
    for r in range(i, stop):
        for c in range(bad.size):
            bad[c] += np.float32(0) if y[r, c] - y[r, c] == np.float32(0) else np.float32(1)


@njit(cache=True, nogil=True, error_model="numpy")
def end_step(memory, whole, warm, row):
    """Write the counts of a step if it was whole, NaN where they mean nothing; begin the next."""
    age, count, bad = memory.est[AGE], memory.tally[COUNT], memory.tally[BAD]
    for c in range(count.size):
        if whole:
            row[c] = count[c] if age[c] >= warm and bad[c] == np.float32(0) else np.float32(np.nan)
        count[c] = bad[c] = np.float32(0)
    memory.at[HAVE] = 0


@njit(cache=True, nogil=True, error_model="numpy")
def seam(dead, memory):
    """After a gap begin the step anew, and a dead time."""
    memory.at[HAVE] = 0
    memory.tally[:] = np.float32(0)
    memory.tally[DEAD] = dead


@njit(cache=True, nogil=True, error_model="numpy")
def crossing_rows(data, seq, every, detector, memory, out, index):
    """Count crossings in each step of the grid; write the steps completed whole, return how many.

    index (n_rows,) receives which samples ended the steps.
    """
    rows, i, n_rows, scales = 0, 0, data.shape[0], detector.scales
    est, tally, at, y, dead = memory.est, memory.tally, memory.at, memory.y[:n_rows], np.float32(scales[DEAD_TIME])
    if seq != at[NEXT]:
        seam(dead, memory)
    at[NEXT] = seq + n_rows
    clean = all_finite(data)
    flat = data.reshape(data.size)
    filter_chunk(flat, detector, memory, y.reshape(y.size))
    orient(flat, y.reshape(y.size), scales[POLARITY])
    while i < n_rows:
        stop = min(n_rows, i + every - (seq + i) % every, i + BLOCK - at[AT])
        k = np.float32(scales[K])
        cross_rows(y, i, stop, est[MEDIAN], k, dead, tally[OVER], tally[DEAD], tally[COUNT])
        if not clean:
            bad_rows(y, i, stop, tally[BAD])
        tally_rows(y, i, stop, clean, est, at, scales)
        at[HAVE] += stop - i
        i = stop
        if (seq + i) % every == 0:
            whole = at[HAVE] == every
            end_step(memory, whole, scales[WARM], out[rows])
            index[rows] = i - 1
            rows += whole
    return rows
