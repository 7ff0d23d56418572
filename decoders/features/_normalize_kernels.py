"""Compiled running standardisation. Channels are innermost: the loop vectorises."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def zscore_rows(data, forget, warmup, clip, stats, out):
    """(x - mean) / sd with running estimates; stats (3, n): mean, variance, samples seen.

    A weight of 1/k for the k-th sample until that falls below ``forget`` makes the early estimates plain
    means.
    """
    for i in range(data.shape[0]):
        for c in range(data.shape[1]):
            x = np.float64(data[i, c])
            ok = x - x == 0.0
            k = stats[2, c] + 1.0
            a = max(1.0 / k, forget)
            d = x - stats[0, c]
            mean = stats[0, c] + a * d
            var = (1.0 - a) * (stats[1, c] + a * d * d)
            sd = np.sqrt(var)
            z = (x - mean) / sd if sd > 1e-12 else 0.0
            z = min(max(z, -clip), clip)
            out[i, c] = z if ok & (k >= warmup) else np.nan
            stats[0, c] = mean if ok else stats[0, c]
            stats[1, c] = var if ok else stats[1, c]
            stats[2, c] = k if ok else stats[2, c]
