"""Compiled steps of binning, smoothing and lagging. Channels are innermost: those loops vectorise."""

from __future__ import annotations

import numpy as np
from numba import njit

BIN, HAVE, LAST, FIRST = 0, 1, 2, 3
"""Places in the integer state: number of the bin, samples in it, number last emitted, none emitted yet."""


@njit(cache=True, nogil=True, error_model="numpy")
def _emit(state, sums, t_last, width, k, out, out_t):
    """Write bin ``state[BIN]``, scaled to what it would have held without loss, as row k."""
    scale = width / state[HAVE]
    for c in range(sums.size):
        out[k, c] = sums[c] * scale
        sums[c] = 0.0
    out_t[k] = t_last[0]
    state[HAVE] = 0


@njit(cache=True, nogil=True, error_model="numpy")
def bin_rows(data, t, seq, width, state, sums, t_last, out, out_t, head):
    """Sum samples into bins aligned to multiples of ``width`` in sequence numbers; return rows written.

    head[0] is set to the number of the first bin written, head[1] to the bins lost before it.
    """
    rows = 0
    for i in range(data.shape[0]):
        b = (seq + i) // width
        if b != state[BIN]:
            # cut short by loss: worth scaling only if no whole bin is missing after it
            if state[HAVE] > 0 and b == state[BIN] + 1:
                if rows == 0:
                    head[0] = state[BIN]
                _emit(state, sums, t_last, width, rows, out, out_t)
                rows += 1
            elif state[HAVE] > 0:
                state[HAVE] = 0
                for c in range(sums.size):
                    sums[c] = 0.0
            state[BIN] = b
        for c in range(sums.size):
            sums[c] += data[i, c]
        state[HAVE] += 1
        t_last[0] = t[i]
        if (seq + i) % width == width - 1:
            if rows == 0:
                head[0] = b
            _emit(state, sums, t_last, width, rows, out, out_t)
            rows += 1
    if rows > 0:
        head[1] = 0 if state[FIRST] else max(head[0] - state[LAST] - 1, 0)
        state[LAST] = head[0] + rows - 1
        state[FIRST] = 0
    return rows


@njit(cache=True, nogil=True, error_model="numpy")
def exponential_rows(data, alpha, state, out):
    """s += alpha (x - s) per channel; state (2, n): smoothed value, whether any sample was seen."""
    for i in range(data.shape[0]):
        for c in range(data.shape[1]):
            x = np.float64(data[i, c])
            ok = x - x == 0.0
            s = state[0, c]
            new = s + alpha * (x - s) if state[1, c] > 0.0 else x
            state[0, c] = new if ok else s
            state[1, c] = 1.0 if ok else state[1, c]
            out[i, c] = new if ok else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def boxcar_rows(data, ring, at, acc, out):
    """Mean of the last ``width`` rows. acc (4, n): running sum, fresh sum, unused, last finite."""
    width = ring.shape[0]
    for i in range(data.shape[0]):
        for c in range(data.shape[1]):
            x = data[i, c]
            ok = x - x == np.float32(0.0)
            acc[3, c] = x if ok else acc[3, c]
        push_boxcar(acc[3], ring, at, acc)
        filled = min(at[1], width)
        for c in range(data.shape[1]):
            x = data[i, c]
            out[i, c] = acc[0, c] / filled if x - x == np.float32(0.0) else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def slide(x, oldest, running, fresh):
    """Put row x in the place of the oldest, in the ring and in the sums; plain vectors, so that it vectorises."""
    for c in range(x.size):
        v = np.float32(x[c])
        wide = np.float64(v)
        running[c] += wide - np.float64(oldest[c])
        fresh[c] += wide
        oldest[c] = v


@njit(cache=True, nogil=True, error_model="numpy")
def push_boxcar(x, ring, at, acc):
    """Add row x to a running sum over the ring, drop the oldest.

    A running sum collects rounding for ever. A second sum, ``fresh``, only ever adds; when the ring has gone
    round it holds exactly the ring's rows and takes over. The error is that of one window, at no extra spike.
    """
    slide(x, ring[at[0]], acc[0], acc[1])
    turn_boxcar(ring, at, acc)


@njit(cache=True, nogil=True, error_model="numpy")
def turn_boxcar(ring, at, acc):
    """Go on to the next place in the ring; once round, let the fresh sum take over."""
    at[0] += 1
    at[1] += 1
    if at[0] == ring.shape[0]:
        at[0] = 0
        for c in range(acc.shape[1]):
            acc[0, c] = acc[1, c]
            acc[1, c] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def lag_rows(data, n_lost, past, out):
    """Newest row first, then the ``n-1`` before it; lost and not yet seen rows are NaN."""
    lags, n = past.shape
    for _ in range(min(n_lost, lags)):
        for k in range(lags - 1, 0, -1):
            for c in range(n):
                past[k, c] = past[k - 1, c]
        for c in range(n):
            past[0, c] = np.nan
    for i in range(data.shape[0]):
        for k in range(lags - 1, 0, -1):
            for c in range(n):
                past[k, c] = past[k - 1, c]
        for c in range(n):
            past[0, c] = data[i, c]
        for k in range(lags):
            for c in range(n):
                out[i, k * n + c] = past[k, c]
