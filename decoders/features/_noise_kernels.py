"""Compiled running median of |x|, per channel. Channels are innermost: those loops vectorise.

Everything is float32, counters too: equal widths let one instruction hold sixteen channels.
"""

from __future__ import annotations

import numpy as np
from numba import njit

MEDIAN, LIMIT, HOLD, SEEN, USED, UNDER, TOTAL, BLOCKS, OFF, AGE = range(10)
"""Rows of ``est``: median of |x|; where censoring begins; samples still censored; of the block under way: finite
samples, uncensored ones, those below the median, sum of |x|; blocks averaged so far; blocks on end that said the
median is far off; blocks ever seen."""
BLOCK = 256
"""Samples between two corrections of the median."""
SIGMA = 0.6744897501960817
"""Median of |x| of a standard normal."""
SLOPE = 0.42867
"""How fast the share of |x| below the median m rises with ln m: 2 SIGMA phi(SIGMA)."""
CENSOR = 3.0 / SIGMA
"""Beyond 3 sigma a sample is taken for a spike's, in medians."""
PATIENCE = 24
"""So many blocks on end far off are no artefact: the estimate begins anew."""


@njit(cache=True, nogil=True, error_model="numpy")
def all_finite(data):
    """Whether no value is NaN or infinite: then rows need not be asked one by one."""
    odd = 0
    for i in range(data.shape[0]):
        for c in range(data.shape[1]):
            x = data[i, c]
            odd += x - x != np.float32(0)
    return odd == 0


@njit(cache=True, nogil=True, error_model="numpy")
def tally_rows(y, i, stop, clean, est, at, pace):
    """Take in rows i to stop, which must not reach beyond the block; at its end correct the medians.

    pace (3,): samples censored after a large one, slowest gain, blocks to warm up. clean: ``y`` is all finite.
    """
    count_rows(y, i, stop, est[MEDIAN], est[LIMIT], est[HOLD], est[USED], est[UNDER], np.float32(pace[0]))
    beginners = 0
    for c in range(est.shape[1]):
        beginners += est[BLOCKS, c] == np.float32(0)
    if beginners > 0 or not clean:
        sum_rows(y, i, stop, est[SEEN], est[TOTAL])
    else:
        est[SEEN] += np.float32(stop - i)
    at[0] += stop - i
    if at[0] == BLOCK:
        at[0] = 0
        turn_block(est, pace[1], pace[2])


@njit(cache=True, nogil=True, error_model="numpy")
def count_rows(y, i, stop, median, limit, hold, used, under, wait):
    """Count the samples outside spikes, and those of them below the median."""
    one, zero = np.float32(1), np.float32(0)
    for r in range(i, stop):
        for c in range(median.size):
            a = abs(y[r, c])
            h = wait if a > limit[c] else max(hold[c] - one, zero)
            hold[c] = h
            free = (a - a == zero) & (h == zero)
            used[c] += one if free else zero
            under[c] += one if free & (a < median[c]) else zero


@njit(cache=True, nogil=True, error_model="numpy")
def sum_rows(y, i, stop, seen, total):
    """Count and sum what is finite: the first guess."""
    one, zero = np.float32(1), np.float32(0)
    for r in range(i, stop):
        for c in range(seen.size):
            a = abs(y[r, c])
            ok = a - a == zero
            seen[c] += one if ok else zero
            total[c] += a if ok else zero


@njit(cache=True, nogil=True, error_model="numpy")
def turn_block(est, slowest, warm):
    """Correct the median of every channel that had half a block of finite samples; begin the next block."""
    for c in range(est.shape[1]):
        if est[SEEN, c] >= 0.5 * BLOCK:
            correct(est, c, slowest)
            est[LIMIT, c] = CENSOR * est[MEDIAN, c]
            est[AGE, c] = min(est[AGE, c] + 1.0, warm)
        for k in (SEEN, USED, UNDER, TOTAL):
            est[k, c] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def correct(est, c, slowest):
    """One Newton step on ln(median) of channel c, its gain 1/n until that is ``slowest``."""
    if est[BLOCKS, c] == 0.0:
        est[MEDIAN, c] = SIGMA * np.sqrt(np.pi / 2.0) * est[TOTAL, c] / est[SEEN, c]
        est[BLOCKS, c] = 1.0
        return
    share = 0.0
    if est[USED, c] >= 0.25 * BLOCK:
        share = est[UNDER, c] / est[USED, c]
        gain = max(1.0 / (est[BLOCKS, c] + 1.0), slowest)
        est[MEDIAN, c] *= np.exp(gain * (0.5 - share) / SLOPE)
        est[BLOCKS, c] = min(est[BLOCKS, c] + 1.0, 1e6)
    far = (share < 0.2) | (share > 0.8)
    est[OFF, c] = est[OFF, c] + 1.0 if far else 0.0
    if est[OFF, c] >= PATIENCE:
        est[OFF, c] = est[BLOCKS, c] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def noise_rows(data, seq, every, est, at, pace, out, index):
    """Take in every row; write sigma after every ``every``-th by sequence number; return the rows written."""
    rows, i, clean = 0, 0, all_finite(data)
    while i < data.shape[0]:
        stop = min(data.shape[0], i + every - (seq + i) % every, i + BLOCK - at[0])
        tally_rows(data, i, stop, clean, est, at, pace)
        i = stop
        if (seq + i) % every == 0:
            for c in range(data.shape[1]):
                out[rows, c] = est[MEDIAN, c] / SIGMA if est[AGE, c] >= pace[2] else np.nan
            index[rows] = i - 1
            rows += 1
    return rows
