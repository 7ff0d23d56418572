"""Compiled steps of the click decoders.

``params`` is one vector: mean (m), weights (m), then what each kernel says; ``memory`` is what it mutates.
"""

from __future__ import annotations

import math

from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def evidence(y, params, m):
    """Log-likelihood ratio of click to none, nats: w (y - mean) + b; what is missing counts as its mean."""
    total, seen = 0.0, 0
    for i in range(m):
        e = y[i] - params[i]
        finite = e - e == 0.0
        total += params[m + i] * e if finite else 0.0
        seen += finite
    return total + params[2 * m] if seen > 0 else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def smooth(y, alpha, out):
    """Exponential smoothing of every feature; the first value begins it, a missing one is held over."""
    for i in range(y.shape[0]):
        e = y[i] - out[i]
        if e - e == 0.0:
            out[i] += alpha * e
        elif y[i] - y[i] == 0.0:
            out[i] = y[i]


@njit(cache=True, nogil=True, error_model="numpy")
def smooth_all(Y, starts, alpha, out):
    """Smooth rows (n, m) in turn into ``out``; begin anew where ``starts`` (n,) is True."""
    for k in range(Y.shape[0]):
        if starts[k]:
            out[k] = math.nan
        else:
            out[k] = out[k - 1]
        smooth(Y[k], alpha, out[k])


@njit(cache=True, nogil=True, error_model="numpy")
def lda_step(y, alpha, params, memory):
    """Posterior of a click; params end in b, prior log odds; memory is the smoothed features (m)."""
    m = y.shape[0]
    smooth(y, alpha, memory)
    return 1.0 / (1.0 + math.exp(-(evidence(memory, params, m) + params[2 * m + 1])))


@njit(cache=True, nogil=True, error_model="numpy")
def hmm_step(y, params, memory):
    """Forward filter of two states; params end in b, P(click | none before), P(click | click before).

    memory (1): posterior of a click.
    """
    m = y.shape[0]
    p = memory[0]
    prior = (1.0 - p) * params[2 * m + 1] + p * params[2 * m + 2]
    rest = 1.0 - prior
    odds = rest * math.exp(-evidence(y, params, m))
    p = prior / (prior + odds) if prior > 0.0 else 0.0
    memory[0] = p
    return p
