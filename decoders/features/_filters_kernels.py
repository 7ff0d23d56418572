"""Compiled biquad cascades and band power. Channels are innermost: those loops vectorise."""

from __future__ import annotations

import numpy as np
from numba import njit

from decoders.features._spikes_kernels import push_boxcar, turn_boxcar


@njit(cache=True, nogil=True, error_model="numpy")
def section(x, k, z0, z1, y):
    """One biquad, direct form II transposed, over all channels: k holds b0 b1 b2 a1 a2; y may be x."""
    b0, b1, b2, a1, a2 = k[0], k[1], k[2], k[3], k[4]
    for c in range(y.size):
        v = np.float64(x[c])
        w = b0 * v + z0[c]
        z0[c] = b1 * v - a1 * w + z1[c]
        z1[c] = b2 * v - a2 * w
        y[c] = w


@njit(cache=True, nogil=True, error_model="numpy")
def filter_row(data, i, coef, z, held):
    """Run row i of data through the cascade; the result is in ``held[2]``.

    coef (n_sections, 7): b0 b1 b2 a1 a2 and the state a constant 1 would have left behind. z (n_sections,
    2, n). held (3, n): last finite input, whether there was one, the row under way. A channel's first
    sample sets the state as though it had always been there: an electrode's offset makes no transient. What
    is not finite is replaced by the last that was.
    """
    n = held.shape[1]
    new = 0
    for c in range(n):
        x = np.float64(data[i, c])
        ok = x - x == 0.0
        held[0, c] = x if ok else held[0, c]
        new += ok & (held[1, c] == 0.0)
    if new > 0:
        for c in range(n):
            x = np.float64(data[i, c])
            if held[1, c] == 0.0 and x - x == 0.0:
                held[1, c] = 1.0
                for s in range(coef.shape[0]):
                    z[s, 0, c] = coef[s, 5] * x
                    z[s, 1, c] = coef[s, 6] * x
    for c in range(n):
        held[2, c] = held[0, c]
    row = held[2]
    for s in range(coef.shape[0]):
        section(row, coef[s], z[s, 0], z[s, 1], row)


@njit(cache=True, nogil=True, error_model="numpy")
def settled(data, held):
    """Whether every channel has begun and every value is finite: then rows need not be looked at one by one."""
    odd = 0
    for i in range(data.shape[0]):
        for c in range(data.shape[1]):
            x = data[i, c]
            odd += x - x != np.float32(0.0)
    for c in range(held.shape[1]):
        odd += held[1, c] == 0.0
    return odd == 0


@njit(cache=True, nogil=True, error_model="numpy")
def settled_row(data, i, coef, z, held):
    """``filter_row`` for settled data: the same arithmetic, nothing to decide."""
    row = held[2]
    section(data[i], coef[0], z[0, 0], z[0, 1], row)
    for s in range(1, coef.shape[0]):
        section(row, coef[s], z[s, 0], z[s, 1], row)
    if i == data.shape[0] - 1:
        for c in range(row.size):
            held[0, c] = np.float64(data[i, c])


@njit(cache=True, nogil=True, error_model="numpy")
def pair(x, coef, z, y):
    """Two biquads in one pass over settled data, values as of ``section`` twice, to the last bit."""
    b0, b1, b2, a1, a2 = coef[0, 0], coef[0, 1], coef[0, 2], coef[0, 3], coef[0, 4]
    d0, d1, d2, c1, c2 = coef[1, 0], coef[1, 1], coef[1, 2], coef[1, 3], coef[1, 4]
    z0, z1, y0, y1 = z[0, 0], z[0, 1], z[1, 0], z[1, 1]
    for c in range(x.size):
        v = np.float64(x[c])
        w = b0 * v + z0[c]
        z0[c] = b1 * v - a1 * w + z1[c]
        z1[c] = b2 * v - a2 * w
        u = d0 * w + y0[c]
        y0[c] = d1 * w - c1 * u + y1[c]
        y1[c] = d2 * w - c2 * u
        y[c] = u


@njit(cache=True, nogil=True, error_model="numpy")
def bandpass_rows(data, coef, z, held, out):
    """Filter every row; NaN comes out where NaN (or Inf) went in."""
    plain, last = settled(data, held), data.shape[0] - 1
    if plain and coef.shape[0] == 2:
        for i in range(data.shape[0]):
            pair(data[i], coef, z, out[i])
        for c in range(data.shape[1]):
            held[0, c] = np.float64(data[last, c])
        return
    for i in range(data.shape[0]):
        if plain:
            settled_row(data, i, coef, z, held)
        else:
            filter_row(data, i, coef, z, held)
        for c in range(data.shape[1]):
            x = data[i, c]
            out[i, c] = held[2, c] if x - x == np.float32(0.0) else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def pair_power(x, coef, z, oldest, running, fresh):
    """Two biquads, square and boxcar in one pass over settled data: half the time of four passes.

    The usual band-pass is of order 2; its intermediate values stay in registers. The arithmetic is that of
    ``section``, ``section``, square and ``slide``, value by value, to the last bit.
    """
    b0, b1, b2, a1, a2 = coef[0, 0], coef[0, 1], coef[0, 2], coef[0, 3], coef[0, 4]
    d0, d1, d2, c1, c2 = coef[1, 0], coef[1, 1], coef[1, 2], coef[1, 3], coef[1, 4]
    z0, z1, y0, y1 = z[0, 0], z[0, 1], z[1, 0], z[1, 1]
    for c in range(x.size):
        v = np.float64(x[c])
        w = b0 * v + z0[c]
        z0[c] = b1 * v - a1 * w + z1[c]
        z1[c] = b2 * v - a2 * w
        u = d0 * w + y0[c]
        y0[c] = d1 * w - c1 * u + y1[c]
        y1[c] = d2 * w - c2 * u
        narrow = np.float32(u * u)
        wide = np.float64(narrow)
        running[c] += wide - np.float64(oldest[c])
        fresh[c] += wide
        oldest[c] = narrow


@njit(cache=True, nogil=True, error_model="numpy")
def power_rows(data, seq, every, coef, z, held, ring, at, acc, out, index):
    """Band-pass, square, average over the ring; return the rows written.

    A row is written after every ``every``-th sample by sequence number, or after the chunk's last if every
    is 0; ``index`` (n_rows) receives which samples they were.
    """
    rows, last, plain, row = 0, data.shape[0] - 1, settled(data, held), held[2]
    for i in range(data.shape[0]):
        if plain and coef.shape[0] == 2:
            pair_power(data[i], coef, z, ring[at[0]], acc[0], acc[1])
            turn_boxcar(ring, at, acc)
        else:
            filter_row(data, i, coef, z, held)
            for c in range(row.size):
                row[c] *= row[c]
            push_boxcar(row, ring, at, acc)
        if (seq + i) % every != every - 1 if every > 0 else i < last:
            continue
        filled = 1.0 / min(at[1], ring.shape[0])
        for c in range(row.size):
            x = data[i, c]
            out[rows, c] = max(acc[0, c], 0.0) * filled if x - x == np.float32(0.0) else np.nan
        index[rows] = i
        rows += 1
    if plain:
        for c in range(row.size):
            held[0, c] = np.float64(data[last, c])
    return rows


@njit(cache=True, nogil=True, error_model="numpy")
def log_rows(out, rows, floor):
    """Natural logarithm in place, of at least ``floor``."""
    for i in range(rows):
        for c in range(out.shape[1]):
            x = out[i, c]
            out[i, c] = np.log(x if x > floor else floor) if x - x == np.float32(0.0) else np.nan
