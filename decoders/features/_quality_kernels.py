"""Compiled watch over channels. Channels are innermost: those loops vectorise."""

from __future__ import annotations

import numpy as np
from numba import njit

HELD, STILL, RAILED, GOOD, MASKED = 0, 1, 2, 3, 4
"""Rows of ``watch``: value a flat run began with; samples without a change; samples at the rail; samples since a
channel was last bad; whether it is masked."""


@njit(cache=True, nogil=True, error_model="numpy")
def runs(x, held, still, railed, rail, tolerance):
    """Count on how long each channel has not changed (or not been finite), and how long it has been at the rail."""
    one, zero = np.float32(1), np.float32(0)
    for c in range(x.size):
        v = x[c]
        moves = abs(v - held[c]) > tolerance
        ok = v - v == zero
        still[c] = zero if moves & ok else min(still[c] + one, np.float32(1e7))
        held[c] = v if moves & ok else held[c]
        railed[c] = min(railed[c] + one, np.float32(1e7)) if abs(v) >= rail else zero


@njit(cache=True, nogil=True, error_model="numpy")
def judge(still, railed, good, masked, flat, stuck, enough):
    """Mask what has been bad for long enough; take the mask off what has been good for long enough."""
    one, zero = np.float32(1), np.float32(0)
    for c in range(good.size):
        bad = (still[c] >= flat) | (railed[c] >= stuck)
        g = zero if bad else min(good[c] + one, enough)
        good[c] = g
        masked[c] = one if bad else (zero if g >= enough else masked[c])


@njit(cache=True, nogil=True, error_model="numpy")
def mask(x, masked, out):
    """Copy; NaN for masked channels and for what is not finite."""
    for c in range(x.size):
        v = x[c]
        out[c] = v if (masked[c] == np.float32(0)) & (v - v == np.float32(0)) else np.float32(np.nan)


@njit(cache=True, nogil=True, error_model="numpy")
def quality_rows(data, scales, watch, out):
    """Watch and mask every row. scales (5,) float32: rail, tolerance, samples flat, at the rail, and good."""
    held, still, railed, good, masked = watch[HELD], watch[STILL], watch[RAILED], watch[GOOD], watch[MASKED]
    rail, tolerance, flat, stuck, enough = scales[0], scales[1], scales[2], scales[3], scales[4]
    for i in range(data.shape[0]):
        runs(data[i], held, still, railed, rail, tolerance)
        judge(still, railed, good, masked, flat, stuck, enough)
        mask(data[i], masked, out[i])
