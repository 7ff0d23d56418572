"""Compiled common reference: mean or median over channels, sample by sample."""

from __future__ import annotations

import numpy as np
from numba import njit

from decoders.features._noise_kernels import all_finite

LOWEST, HIGHEST = np.int32(-0x80000000), np.int32(0x7FFFFFFF)


@njit(cache=True, nogil=True, error_model="numpy")
def sound(x, member, good):
    """Mark the bank's members that are finite in this row (1 or 0); return how many."""
    n = 0
    for c in range(x.size):
        ok = (x[c] - x[c] == np.float32(0)) & member[c]
        good[c] = np.float32(1) if ok else np.float32(0)
        n += ok
    return n


@njit(cache=True, nogil=True, error_model="numpy")
def total(x, good):
    """Sum of the good channels, by eight sums side by side: always in the same order, yet not one by one."""
    a = b = c = d = e = f = g = h = 0.0
    whole = x.size - x.size % 8
    for i in range(0, whole, 8):
        a += x[i] if good[i] else np.float32(0)
        b += x[i + 1] if good[i + 1] else np.float32(0)
        c += x[i + 2] if good[i + 2] else np.float32(0)
        d += x[i + 3] if good[i + 3] else np.float32(0)
        e += x[i + 4] if good[i + 4] else np.float32(0)
        f += x[i + 5] if good[i + 5] else np.float32(0)
        g += x[i + 6] if good[i + 6] else np.float32(0)
        h += x[i + 7] if good[i + 7] else np.float32(0)
    for i in range(whole, x.size):
        a += x[i] if good[i] else np.float32(0)
    return ((a + b) + (c + d)) + ((e + f) + (g + h))


@njit(cache=True, nogil=True, error_model="numpy")
def order(bits, good, keys):
    """Turn the bits of floats into integers that sort alike; what is not good comes last."""
    for c in range(keys.size):
        b = bits[c]
        keys[c] = b ^ ((b >> np.int32(31)) & HIGHEST) if good[c] > np.float32(0) else HIGHEST


@njit(cache=True, nogil=True, error_model="numpy")
def up_to(keys, bound):
    """Return how many keys are at most ``bound``."""
    n = np.int32(0)
    for c in range(keys.size):
        n = np.int32(n + np.int32(keys[c] <= bound))
    return n


@njit(cache=True, nogil=True, error_model="numpy")
def next_above(keys, bound):
    """Return the smallest key above ``bound``; ``min`` because a comparison would branch at every key."""
    best, least = HIGHEST, np.int32(bound + 1)
    for c in range(keys.size):
        best = min(best, keys[c] if keys[c] >= least else HIGHEST)
    return best


@njit(cache=True, nogil=True, error_model="numpy")
def at_rank(keys, rank, n):
    """Return the key of this rank (1 … n), by bisection until one is left between the bounds: ~11 counts of 256."""
    low, high = np.int64(LOWEST) - 1, np.int64(HIGHEST)
    below, within = 0, n
    while within - below > 1 and high - low > 1:
        half = (low + high) >> 1
        k = up_to(keys, np.int32(half))
        if k >= rank:
            high, within = half, k
        else:
            low, below = half, k
    return next_above(keys, low)


@njit(cache=True, nogil=True, error_model="numpy")
def value_of(x, keys, key):
    """Return the value of the channel with this key."""
    for c in range(keys.size):
        if keys[c] == key:
            return np.float64(x[c])
    return np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def middle(x, bits, good, n, keys):
    """Median of the good channels."""
    order(bits, good, keys)
    low = at_rank(keys, (n + 1) // 2, n)
    if n % 2 == 1:
        return value_of(x, keys, low)
    high = low if up_to(keys, low) > n // 2 else next_above(keys, low)
    return 0.5 * (value_of(x, keys, low) + value_of(x, keys, high))


@njit(cache=True, nogil=True, error_model="numpy")
def subtract(x, member, reference, out):
    """Members minus the reference, others as they are; NaN for what is not finite."""
    for c in range(x.size):
        v = x[c] - reference if member[c] else x[c]
        out[c] = v if x[c] - x[c] == np.float32(0) else np.float32(np.nan)


@njit(cache=True, nogil=True, error_model="numpy")
def reference_rows(data, bits, edges, member, median, good, keys, out):
    """Subtract from every bank ``edges[g]`` … ``edges[g + 1]`` the mean or median of its good members.

    A bank with fewer than two is handed through: a channel minus itself would be silence.
    """
    clean = all_finite(data)
    for g in range(edges.size - 1):
        lo, hi, n = edges[g], edges[g + 1], 0
        m, ok = member[lo:hi], good[lo:hi]
        for i in range(data.shape[0]):
            x, reference = data[i, lo:hi], 0.0
            if i == 0 or not clean:
                n = sound(x, m, ok)
            if n >= 2:
                reference = middle(x, bits[i, lo:hi], ok, n, keys[lo:hi]) if median else total(x, ok) / n
            subtract(x, m, np.float32(reference), out[i, lo:hi])
