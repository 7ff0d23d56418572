"""Line length, running baselines and detections in plain Python, one thing at a time: the twins.

Nothing here looks at the kernels; nothing here is fast.
"""

from __future__ import annotations

import math

import numpy as np


def line_length(x, width, every, rate_hz):
    """Return, after every ``every``-th sample of one channel, the mean absolute difference of the last ``width``.

    What is missing is bridged by a straight line: the whole way counts where the next sample is. The first sample makes
    no difference, and nothing is known of the way before a channel's first value.
    """
    differences, out, last = [], [], None
    for i, v in enumerate(x):
        if i > 0:
            differences.append(abs(v - last) if last is not None and math.isfinite(v) else 0.0)
        if math.isfinite(v):
            last = v
        if (i + 1) % every == 0:
            window = differences[-width:]
            mean = sum(window) / max(len(window), 1)
            out.append(mean * rate_hz if math.isfinite(v) else math.nan)
    return np.array(out)


def scores(Y, n_warm, n_memory, clip, least):
    """Return z (n, m) of every row against the rows before it, the baseline following each.

    Until ``n_memory`` rows were seen mean and variance are plain; then old rows fade by 1 / n_memory a row. Rows count
    as at most ``clip`` standard deviations off.
    """
    n, m = Y.shape
    z = np.full((n, m), np.nan)
    for k in range(m):
        seen, mean, square = 0.0, 0.0, 0.0
        for i in range(n):
            v = float(Y[i, k])
            if not math.isfinite(v):
                continue
            sd = max(math.sqrt(max(square - mean**2, 0.0)), least)
            if seen >= n_warm:
                z[i, k] = (v - mean) / sd
                v = min(max(v, mean - clip * sd), mean + clip * sd)
            seen = min(seen + 1.0, n_memory)
            mean += (v - mean) / seen
            square += (v * v - square) / seen
    return z


def detections(score, on, off, n_on, n_off, n_rest):
    """Return whether a detection is on after each row, and how many there were.

    It begins with the ``n_on``-th row in a row at or above ``on``, ends with the ``n_off``-th below ``off``, and rests
    for ``n_rest`` rows.
    """
    active, above, below, rest, count, out = False, 0, 0, 0, 0, []
    for s in score:
        if not math.isnan(s):
            rest = max(rest - 1, 0)
            above = above + 1 if s >= on else 0
            below = below + 1 if s < off else 0
            if active and below >= max(n_off, 1):
                active, rest = False, n_rest
            elif not active and above >= max(n_on, 1) and rest == 0:
                active, count = True, count + 1
        out.append(active)
    return np.array(out), count
