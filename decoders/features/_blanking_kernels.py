"""Compiled artefact blanking. Channels are innermost: those loops vectorise."""

from __future__ import annotations

import numpy as np
from numba import njit

from decoders.features._noise_kernels import AGE, BLOCK, MEDIAN, all_finite, tally_rows

BASE, OFFSET, RATE, BEGUN, EARLY, LATE = range(6)
"""Rows of ``level``: baseline of what goes out; what is taken off the next sample; what of that is left after a sample;
whether the channel had a sample; sums of its distance from the baseline in the last quarter but one of a blank,
and in the last."""
AT, LEFT, PLACE, ARTEFACTS, BLANKED = range(5)
"""Places in ``at``: rows in the noise estimator's block; samples left to blank; place in ``past``; artefacts seen;
samples blanked."""
WAIT, SLOWEST, WARM, K, SHARE, WIDTH, FOLLOW, SLOW, MIRROR = range(9)
"""Places in ``scales``: those of ``tally_rows``; threshold in medians; share of channels; samples to blank; gain of
the baseline; what is left of a lasting offset after a sample; 1 to mirror, 0 to hold."""


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
        ok = v - v == np.float32(0)
        finite += ok
        over += (abs(v) > limit[c]) & ok
    return over / max(finite, 1)


@njit(cache=True, nogil=True, error_model="numpy")
def fill(x, base, past, weight, out):
    """Put out the baseline less ``weight`` times a past distance from it; what is missing stays missing."""
    for c in range(x.size):
        out[c] = base[c] - weight * past[c] if x[c] - x[c] == np.float32(0) else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def add_distance(x, base, total):
    """Add up how far each channel is from its baseline."""
    for c in range(x.size):
        total[c] += np.float64(x[c]) - base[c] if x[c] - x[c] == np.float32(0) else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def resume(level, limit, n, slow, large):
    """After a blank take off what is left of the artefact, and let it decay as it did in the last two quarters.

    n: samples in a quarter. If the distance was not ``large`` limits, or did not shrink, it decays slowly.
    """
    for c in range(limit.size):
        early, late = level[EARLY, c] / n, level[LATE, c] / n
        shrinks = (abs(early) > large * limit[c]) & (late / early > 0.0) & (late / early < 1.0)
        rate = min((late / early) ** (1.0 / n), slow) if shrinks else slow
        level[RATE, c], level[OFFSET, c] = rate, late * rate ** (0.5 * (n + 1))
        level[EARLY, c] = level[LATE, c] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def follow(x, base, offset, rate, begun, gain, u, out):
    """Put out the channel less its offset, and into u its distance from the baseline, which a first sample sets."""
    for c in range(x.size):
        v = np.float64(x[c])
        ok = v - v == 0.0
        b = base[c] if begun[c] > 0.0 else v
        left = offset[c]
        out[c] = v - left if ok else np.nan
        u[c] = v - left - b if ok else 0.0
        base[c] = b + gain * (v - left - b) if ok else base[c]
        offset[c] = left * rate[c] if abs(left) > 1e-9 else 0.0
        begun[c] = 1.0 if ok else begun[c]


@njit(cache=True, nogil=True, error_model="numpy")
def blank_row(x, scales, level, limit, past, at, out):
    """One row of a blank: fill it, watch the artefact's tail, and at the end take up the signal again."""
    width = past.shape[0]
    at[LEFT] -= 1
    at[BLANKED] += 1
    place = at[PLACE] - width + at[LEFT]  # the newest first: a mirror
    fill(x, level[BASE], past[place if place >= 0 else place + width], scales[MIRROR], out)
    quarter = max(width // 4, 1)
    if at[LEFT] < quarter:
        add_distance(x, level[BASE], level[LATE])
    elif at[LEFT] < 2 * quarter:
        add_distance(x, level[BASE], level[EARLY])
    if at[LEFT] == 0:
        resume(level, limit, quarter, scales[SLOW], 3.0 / scales[K])


@njit(cache=True, nogil=True, error_model="numpy")
def blank_rows(data, scales, est, level, past, limit, at, y, out):
    """Put out every row, artefacts filled. past (width, n): distances from the baseline of the last rows put out.

    limit (n,) and y (max_samples, n) are no state.
    """
    i, n_rows, clean = 0, data.shape[0], all_finite(data)
    base, offset, rate, begun = level[BASE], level[OFFSET], level[RATE], level[BEGUN]
    while i < n_rows:
        stop = min(n_rows, i + BLOCK - at[AT])
        thresholds(est, np.float32(scales[K]), scales[WARM], limit)
        for r in range(i, stop):
            share = look(data[r], base, offset, begun, limit, y[r])
            if at[LEFT] == 0 and share > scales[SHARE]:
                at[LEFT] = np.int64(scales[WIDTH])
                at[ARTEFACTS] += 1
            if at[LEFT] > 0:
                blank_row(data[r], scales, level, limit, past, at, out[r])
            else:
                follow(data[r], base, offset, rate, begun, scales[FOLLOW], past[at[PLACE]], out[r])
                at[PLACE] = at[PLACE] + 1 if at[PLACE] + 1 < past.shape[0] else 0
        tally_rows(y, i, stop, clean, est, at, scales)
        i = stop
