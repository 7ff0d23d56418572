"""Compiled edges of the tissue: what is intended as the drive of each neuron, and what it fired as rates."""

from __future__ import annotations

import numpy as np
from numba import njit

from bmi.signals import F32, F64

PER_S = np.float32(1000.0)
"""Milliseconds."""


@njit(cache=True, nogil=True, error_model="numpy")
def intend(
    drive: F64, tuned: F64, speeds: F64, clicks: F64, slope: F64, velocity: F64, speed: float, click: float,
    mass: float, out: F32,
) -> None:  # fmt: skip
    """Write the steady drive of every neuron to ``out`` (n,), mV.

    ``drive`` (n,) is that at rest. Excitatory neurons, the first of them, follow ``velocity`` (n_dims,) and its size
    ``speed`` in units of the reference speed, ``click``, and the population they stand in for, ``mass`` mV: ``tuned``
    (n_exc, n_dims) mV, ``speeds`` and ``clicks`` (n_exc,) Hz, which ``slope`` (n,) Hz/mV turns into drive.
    """
    n_exc = tuned.shape[0]
    for i in range(n_exc):
        along = tuned[i, 0] * velocity[0]
        for d in range(1, velocity.size):
            along += tuned[i, d] * velocity[d]
        untuned = (speeds[i] * speed + clicks[i] * click) / slope[i]
        out[i] = np.float32(drive[i] + (along + untuned + mass))
    for i in range(n_exc, drive.size):
        out[i] = np.float32(drive[i])


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc"})
def fired(counts: F32) -> np.float32:
    """Return the sum of whole numbers, which is exact in any order."""
    total = np.float32(0.0)
    for i in range(counts.size):
        total += counts[i]
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def mean_rates(counts: F32, n_exc: int, out: F32) -> None:
    """Write the mean rate of excitatory and of inhibitory neurons to ``out`` (n_ms, 2), Hz, from ``counts`` (n_ms, n).
    """
    n_inh = counts.shape[1] - n_exc
    for k in range(counts.shape[0]):
        out[k, 0] = np.float32(fired(counts[k, :n_exc]) / n_exc) * PER_S
        out[k, 1] = np.float32(fired(counts[k, n_exc:]) / n_inh) * PER_S
