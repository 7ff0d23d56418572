"""Compiled core of the spiking population: one block of Poisson counts from one intended velocity."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from bmi.signals import F32, F64, I64


@njit(cache=True, nogil=True, error_model="numpy")
def tuned_rates(coefficients: F64, velocity: F64, rates: F64) -> None:
    """Write b + m d·v/v_ref + s |v|/v_ref of every neuron into ``rates`` (n,), Hz; it may be negative.

    ``coefficients`` (n, n_dims + 2) holds m d / v_ref, then s / v_ref, then b.
    """
    n_dims = velocity.shape[0]
    square = 0.0
    for k in range(n_dims):
        square += velocity[k] * velocity[k]
    speed = math.sqrt(square)
    for i in range(rates.shape[0]):
        r = coefficients[i, n_dims + 1] + coefficients[i, n_dims] * speed
        for k in range(n_dims):
            r += coefficients[i, k] * velocity[k]
        rates[i] = r


@njit(cache=True, nogil=True, error_model="numpy")
def poisson_block(
    block: int, dt_s: float, history: F64, lags: I64, shared: F64, uniform: F64, counts: F32
) -> None:
    """Write Poisson counts of one block into ``counts`` (n_samples, n) float32 by inverting the distribution.

    ``history`` (n_history, n) is a ring of tuned rates, Hz, a row a block, ``block % n_history`` the newest;
    ``lags`` (n, 2) int64 is each neuron's lag as whole blocks and remaining samples; ``shared`` (n,) is the
    common fluctuation, Hz; ``uniform`` (n_samples, n) decides. A neuron's rate is constant but for one step
    inside the block, where its lagged input changes, so two exponentials a neuron suffice.
    """
    n_samples, n = counts.shape
    n_history = history.shape[0]
    for i in range(n):
        whole = block - lags[i, 0]
        split = lags[i, 1]
        for part in range(2):
            first = 0 if part == 0 else split
            last = split if part == 0 else n_samples
            if first == last:
                continue
            mean = dt_s * max(0.0, history[(whole - 1 + part) % n_history, i] + shared[i])
            p_zero = math.exp(-mean)
            for j in range(first, last):
                u = uniform[j, i]
                if u < p_zero:
                    counts[j, i] = np.float32(0.0)
                    continue
                k = 0
                p = p_zero
                before = 0.0
                cumulative = p_zero
                while u >= cumulative and cumulative > before:  # rounding may end the sum just short of u
                    k += 1
                    p *= mean / k
                    before = cumulative
                    cumulative += p
                counts[j, i] = np.float32(k)
