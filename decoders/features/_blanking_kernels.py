"""Compiled artefact blanking. Channels are innermost, those loops vectorise; except at the end of a blank."""

from __future__ import annotations

import numpy as np
from numba import njit

from decoders.features._noise_kernels import AGE, BLOCK, MEDIAN, SIGMA, all_finite, tally_rows

BASE, OFF, TAIL, RATE, REST, BEGUN, LAST, SAID, SAY = range(9)
"""Rows of ``level``: baseline of what goes out; what is taken off the next sample, the sum of: a tail, of which RATE is
left after a sample, and a lasting offset; whether the channel had a sample; its last sample in a blank; over artefacts,
sums of what is left of a tail after ``lag`` samples, each times its say, and of that."""
AT, LEFT, PLACE, ARTEFACTS, BLANKED = range(5)
"""Places in ``at``: rows in the noise estimator's block; samples left to blank; place in ``past``; artefacts seen;
samples blanked."""
WAIT, SLOWEST, WARM, K, SHARE, WIDTH, FOLLOW, SLOW, MIRROR = range(9)
"""Places in ``scales``: those of ``tally_rows``; threshold in medians; share of channels; samples to blank; gain of
the baseline; what is left of a lasting offset after a sample; 1 to mirror, 0 to hold."""
KEEP = 0.95
"""What is left of an artefact's say in the rate of decay when the next has come."""
HALF = 10.0
"""A tail so many standard deviations high has half a say."""
SURE = 3.0
"""So many standard deviations from nothing are not nothing."""
HUGE = np.float32(3e38)


@njit(cache=True, nogil=True, error_model="numpy")
def thresholds(est, k, warm, limit, ceiling):
    """What counts as large on each channel, nothing while its noise is not known; and the most its noise hears of."""
    for c in range(limit.size):
        large = k * est[MEDIAN, c]
        limit[c] = large if est[AGE, c] >= warm else HUGE
        ceiling[c] = large if large > np.float32(0) else HUGE


@njit(cache=True, nogil=True, error_model="numpy")
def look(x, base, off, begun, limit, ceiling, u):
    """Distance of each channel from its baseline, cut off, into u; return the share of finite ones beyond the limit."""
    finite = over = 0
    for c in range(x.size):
        wide = np.float64(x[c]) - off[c] - base[c]
        v = np.float32(wide if begun[c] > 0.0 else wide * 0.0)
        a = abs(v)
        ok = v - v == np.float32(0)
        u[c] = ceiling[c] if (a > ceiling[c]) & ok else a
        finite += ok
        over += (a > limit[c]) & ok
    return over / max(finite, 1)


@njit(cache=True, nogil=True, error_model="numpy")
def fill(x, base, past, weight, out):
    """Put out the baseline less ``weight`` times a past distance from it; what is missing stays missing."""
    for c in range(x.size):
        out[c] = base[c] - weight * past[c] if x[c] - x[c] == np.float32(0) else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def note(x, base, off, last, place, tail):
    """Keep each channel's distance from where it should be, unless ``place`` is too early; NaN if that says nothing.

    A sample equal to the one before it is one at the amplifier's rail.
    """
    for c in range(x.size):
        v = np.float64(x[c])
        if place >= 0:
            tail[c, place] = v - off[c] - base[c] if (v != last[c]) & (v - v == 0.0) else np.nan
        last[c] = v


@njit(cache=True, nogil=True, error_model="numpy")
def decay(level, slow):
    """A sample passes for what is taken off; what is next to nothing becomes nothing."""
    off, tail, rate, rest = level[OFF], level[TAIL], level[RATE], level[REST]
    for c in range(tail.size):
        a = tail[c] * rate[c] if abs(tail[c]) > 1e-9 else 0.0
        b = rest[c] * slow if abs(rest[c]) > 1e-9 else 0.0
        tail[c], rest[c], off[c] = a, b, a + b


@njit(cache=True, nogil=True, error_model="numpy")
def regress(tail, lag):
    """Sums over one channel's tail: products of samples ``lag`` apart, squares of the earlier ones, and how many."""
    pairs = power = 0.0
    n = 0
    for r in range(tail.size - lag):
        product = tail[r] * tail[r + lag]
        ok = product - product == 0.0
        pairs += product if ok else 0.0
        power += tail[r] * tail[r] if ok else 0.0
        n += ok
    return pairs, power, n


@njit(cache=True, nogil=True, error_model="numpy")
def fit(tail, rate, sd):
    """Least squares on one channel: a tail of this rate, 0 for none, and an offset, none unless that is sure.

    Returns both as of the last sample.
    """
    n = s = x1 = xs = ss = 0.0
    shape = 1.0 if rate > 0.0 else 0.0
    for r in range(tail.size - 1, -1, -1):
        x = tail[r]
        if x - x == 0.0:
            n, s, ss = n + 1.0, s + shape, ss + shape * shape
            x1, xs = x1 + x, xs + x * shape
        shape = shape / rate if rate > 0.0 else 0.0
    if n == 0.0:
        return 0.0, 0.0
    if ss == 0.0:
        return 0.0, x1 / n if abs(x1) > SURE * sd * np.sqrt(n) else 0.0
    room = n - s * s / ss
    offset = (x1 - s * xs / ss) / room if room > 0.03 * n else 0.0
    offset = offset if abs(offset) * np.sqrt(max(room, 0.0)) > SURE * sd else 0.0
    return (xs - offset * s) / ss, offset


@njit(cache=True, nogil=True, error_model="numpy")
def resume(level, est, tail, slowest):
    """After a blank learn from the tails how fast they decay, and take off what is left of them.

    What decays more slowly than ``slowest``, or lies over what is left of another tail, teaches nothing.
    """
    lag = max(tail.shape[1] // 2, 1)
    for c in range(tail.shape[0]):
        sd = est[MEDIAN, c] / SIGMA
        pairs, power, n = regress(tail[c], lag)
        tails = (power > n * (SURE * sd) ** 2) & (pairs > 0.0) & (pairs < slowest**lag * power)
        if tails & (abs(level[TAIL, c]) < sd):
            say = power / (power + n * (HALF * sd) ** 2)
            level[SAID, c] = KEEP * level[SAID, c] + say * pairs / power
            level[SAY, c] = KEEP * level[SAY, c] + say
        rate = (level[SAID, c] / level[SAY, c]) ** (1.0 / lag) if level[SAY, c] > 0.0 else 0.0
        left, offset = fit(tail[c], rate, sd)
        level[RATE, c] = rate
        level[TAIL, c] += left * rate
        level[REST, c] += offset
        level[OFF, c] = level[TAIL, c] + level[REST, c]


@njit(cache=True, nogil=True, error_model="numpy")
def follow(x, base, off, begun, gain, u, out):
    """Put out the channel less its offsets, and into u its distance from the baseline, which a first sample sets."""
    for c in range(x.size):
        v = np.float64(x[c]) - off[c]
        ok = v - v == 0.0
        b = base[c] if begun[c] > 0.0 else v
        out[c] = v if ok else np.nan
        u[c] = v - b if ok else 0.0
        base[c] = b + gain * (v - b) if ok else base[c]
        begun[c] = 1.0 if ok else begun[c]


@njit(cache=True, nogil=True, error_model="numpy")
def blank_row(x, scales, est, level, past, tail, at, out):
    """One row of a blank: fill it, watch the artefact's tail, and at the end take up the signal again."""
    width = past.shape[0]
    at[LEFT] -= 1
    at[BLANKED] += 1
    place = at[PLACE] - width + at[LEFT]  # the newest first: a mirror
    fill(x, level[BASE], past[place if place >= 0 else place + width], scales[MIRROR], out)
    note(x, level[BASE], level[OFF], level[LAST], tail.shape[1] - 1 - at[LEFT], tail)
    decay(level, scales[SLOW])
    if at[LEFT] == 0:
        resume(level, est, tail, np.exp(-1.0 / width))


@njit(cache=True, nogil=True, error_model="numpy")
def blank_rows(data, scales, est, level, past, tail, at, y, out):
    """Put out every row, artefacts filled.

    past (width, n): distances from the baseline of the last rows put out. tail (n, few): those of the last rows of a
    blank. y (max_samples + 2, n) is no state.
    """
    i, n_rows, clean = 0, data.shape[0], all_finite(data)
    base, off, begun = level[BASE], level[OFF], level[BEGUN]
    limit, ceiling = y[y.shape[0] - 2], y[y.shape[0] - 1]
    while i < n_rows:
        stop = min(n_rows, i + BLOCK - at[AT])
        thresholds(est, np.float32(scales[K]), scales[WARM], limit, ceiling)
        for r in range(i, stop):
            share = look(data[r], base, off, begun, limit, ceiling, y[r])
            if at[LEFT] == 0 and share > scales[SHARE]:
                at[LEFT] = np.int64(scales[WIDTH])
                at[ARTEFACTS] += 1
            if at[LEFT] > 0:
                blank_row(data[r], scales, est, level, past, tail, at, out[r])
            else:
                follow(data[r], base, off, begun, scales[FOLLOW], past[at[PLACE]], out[r])
                decay(level, scales[SLOW])
                at[PLACE] = at[PLACE] + 1 if at[PLACE] + 1 < past.shape[0] else 0
        tally_rows(y, i, stop, clean, est, at, scales)
        i = stop
