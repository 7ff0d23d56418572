"""Compiled step of a linear decoder with history."""

from __future__ import annotations

import numpy as np
from numba import njit

from decoders._kalman_kernels import dot


@njit(cache=True, nogil=True, error_model="numpy")
def history_rows(data, n_lost, m, params, memory, h, d):
    """x = offset + sum over lags of W (y - mean); what is missing counts as the mean. Return features seen.

    params: mean (m), offset (d), cov (d d), W (d h m). memory: place in the history, history (h m), y (m),
    output mean (d) and covariance (d d), scratch (m).
    """
    mean, offset = params[:m], params[m : m + d]
    cov, W = params[m + d : m + d + d * d], params[m + d + d * d :].reshape(d, h, m)
    past, w = memory[1 : 1 + h * m].reshape(h, m), 1 + h * m
    y, out, r = memory[w : w + m], memory[w + m : w + m + d], memory[w + m + d + d * d :]
    at = int(memory[0])
    for _ in range(min(n_lost, h)):
        at = at + 1 if at + 1 < h else 0
        for c in range(m):
            past[at, c] = np.nan
    seen = 0
    for row in range(data.shape[0]):
        at = at + 1 if at + 1 < h else 0
        for c in range(data.shape[1]):
            y[c] = data[row, c]
        seen = 0
        for c in range(m):
            past[at, c] = y[c]
            seen += y[c] - y[c] == 0.0
    for i in range(d):
        out[i] = offset[i]
    for k in range(h):
        p = past[at - k if at >= k else at - k + h]
        for c in range(m):
            e = p[c] - mean[c]
            r[c] = e if e - e == 0.0 else 0.0
        for i in range(d):
            out[i] += dot(W[i, k], r)
    for i in range(d * d):
        memory[w + m + d + i] = cov[i]
    memory[0] = at
    return seen
