"""Compiled core of what translates between rates of masses and spikes of neurons."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from bmi.signals import F32, F64, I64
from sim._noise_kernels import U64, uniforms


@njit(cache=True, nogil=True, error_model="numpy")
def poisson(mean: float, u: float) -> int:
    """Return the Poisson number of ``mean`` (at most 500) at which the distribution reaches ``u``."""
    p = math.exp(-mean)
    reached = p
    k = 0
    most = mean + 12.0 * math.sqrt(mean) + 30.0
    while reached <= u and k < most:
        k += 1
        p *= mean / k
        reached += p
    return k


@njit(cache=True, nogil=True, error_model="numpy")
def pour(means: F64, first: int, key: np.uint64, words: U64, four: F32, events: I64) -> int:
    """Fill ``events`` (n_rows, n_targets) with Poisson numbers of each row's mean; return how many there are.

    Row k is of step ``first`` + k; ``words`` and ``four`` are of a ``Noise`` of n_targets numbers.
    """
    n = events.shape[1]
    m = four.shape[1]
    total = 0
    for k in range(means.size):
        uniforms(key, np.uint64(0), np.uint64(first + k), words, four)
        for i in range(n):
            found = poisson(means[k], four[i // m, i % m])
            events[k, i] = found
            total += found
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def smooth(rates: F64, share: float, kept: F64, out: F64) -> None:
    """Write ``rates`` after a filter that moves ``kept`` (1,) by ``share`` of the way in every row."""
    x = kept[0]
    for k in range(rates.size):
        x += share * (rates[k] - x)
        out[k] = x
    kept[0] = x
