"""Compiled artefact blanking. Channels are innermost: those loops vectorise."""

from __future__ import annotations

import numpy as np
from numba import njit

from decoders.features._noise_kernels import AGE, BLOCK, MEDIAN, all_finite, tally_rows

BASE, OFFSET, BEGUN, PENDING = 0, 1, 2, 3
"""Rows of ``level``: baseline of what goes out; what is taken off the channel; whether it had a sample; whether it
is to go on where the baseline was."""
AT, LEFT, ARTEFACTS, BLANKED = 0, 1, 2, 3
"""Places in ``at``: rows in the noise estimator's block; samples left to blank; artefacts seen; samples blanked."""
WAIT, SLOWEST, WARM, K, SHARE, WIDTH, FOLLOW, DECAY = 0, 1, 2, 3, 4, 5, 6, 7
"""Places in ``scales``: those of ``tally_rows``; threshold in medians; share of channels; samples to blank; gain of
the baseline; what is left of an offset after a sample."""


@njit(cache=True, nogil=True, error_model="numpy")
def thresholds(est, k, warm, limit):
    """What counts as large on each channel; nothing does while its noise is not known."""
    for c in range(limit.size):
        limit[c] = k * est[MEDIAN, c] if est[AGE, c] >= warm else np.float32(3e38)


@njit(cache=True, nogil=True, error_model="numpy")
def look(x, base, offset, begun, limit, u):
    """Distance of each channel from its baseline into u; return the share of finite channels beyond the limit."""
    finite = over = 0
    for c in range(x.size):
        wide = np.float64(x[c]) - offset[c] - base[c]
        v = np.float32(wide if begun[c] > 0.0 else wide * 0.0)
        u[c] = v
        finite += v - v == np.float32(0)
        over += (abs(v) > limit[c]) & (v - v == np.float32(0))
    return over / max(finite, 1)


@njit(cache=True, nogil=True, error_model="numpy")
def hold(x, base, pending, out):
    """Put out the baseline; what is missing stays missing."""
    for c in range(x.size):
        out[c] = base[c] if x[c] - x[c] == np.float32(0) else np.nan
        pending[c] = 1.0


@njit(cache=True, nogil=True, error_model="numpy")
def follow(x, base, offset, begun, pending, gain, decay, out):
    """Put out the channel less its offset. A first sample is the baseline; after a blank it goes on at the baseline."""
    for c in range(x.size):
        v = np.float64(x[c])
        ok = v - v == 0.0
        b = base[c] if begun[c] > 0.0 else v
        left = offset[c] * decay if abs(offset[c]) > 1e-9 else 0.0
        left = v - b if pending[c] > 0.0 else left
        out[c] = v - left if ok else np.nan
        base[c] = b + gain * (v - left - b) if ok else base[c]
        offset[c] = left if ok else offset[c]
        begun[c] = 1.0 if ok else begun[c]
        pending[c] = 0.0 if ok else pending[c]


@njit(cache=True, nogil=True, error_model="numpy")
def blank_rows(data, scales, est, level, limit, at, y, out):
    """Put out every row, the baseline in place of artefacts. limit (n,) and y (max_samples, n) are no state."""
    i, n_rows, clean = 0, data.shape[0], all_finite(data)
    base, offset, begun, pending = level[BASE], level[OFFSET], level[BEGUN], level[PENDING]
    while i < n_rows:
        stop = min(n_rows, i + BLOCK - at[AT])
        thresholds(est, np.float32(scales[K]), scales[WARM], limit)
        for r in range(i, stop):
            share = look(data[r], base, offset, begun, limit, y[r])
            if at[LEFT] == 0 and share > scales[SHARE]:
                at[LEFT] = np.int64(scales[WIDTH])
                at[ARTEFACTS] += 1
            if at[LEFT] > 0:
                at[LEFT] -= 1
                at[BLANKED] += 1
                hold(data[r], base, pending, out[r])
            else:
                follow(data[r], base, offset, begun, pending, scales[FOLLOW], scales[DECAY], out[r])
        tally_rows(y, i, stop, clean, est, at, scales)
        i = stop
