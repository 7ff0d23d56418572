"""Compiled core of the local field potential: spikes to fields. Electrodes are innermost."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from bmi.signals import F32

ZERO, ONE = np.float32(0.0), np.float32(1.0)


class Field(NamedTuple):
    """Whom each electrode hears, how loud and how late; what is on its way to them."""

    n_exc: int
    """Excitatory neurons come first."""
    gain: F32
    """(n_neurons, n) µV at the peak of one spike's field."""
    late: F32
    """(n_neurons, n) ms that it takes to an electrode."""
    shape: F32
    """(2, n_shape) field of one spike in the milliseconds after it arrived; excitatory, inhibitory."""
    ring: F32
    """(2, n_ring, n) µV arriving in each millisecond; millisecond k is in row k modulo n_ring."""


@njit(cache=True, nogil=True, error_model="numpy")
def arrive(first: int, counts: F32, field: Field) -> None:
    """Put the spikes ``counts`` (n_ms, n_neurons) of milliseconds ``first`` and following on their way.

    A spike that arrives between two milliseconds is shared by both.
    """
    n_ring = field.ring.shape[1]
    for j in range(counts.shape[0]):
        for i in range(counts.shape[1]):
            c = counts[j, i]
            if c == ZERO:
                continue
            ring = field.ring[0 if i < field.n_exc else 1]
            gain = field.gain[i]
            late = field.late[i]
            for e in range(gain.size):
                k = int(late[e])
                share = late[e] - np.float32(k)
                row = (first + j + k) % n_ring
                after = row + 1 if row + 1 < n_ring else 0
                ring[row, e] += c * gain[e] * (ONE - share)
                ring[after, e] += c * gain[e] * share


@njit(cache=True, nogil=True, error_model="numpy")
def unfold(first: int, field: Field, rows: F32) -> None:
    """Write the field in milliseconds ``first`` and following to ``rows`` (n_ms, n); forget what can no longer act."""
    n_ring, n_shape = field.ring.shape[1], field.shape.shape[1]
    for j in range(rows.shape[0]):
        row = rows[j]
        for i in range(row.size):
            row[i] = ZERO
        for kind in range(2):
            shape, ring = field.shape[kind], field.ring[kind]
            for m in range(n_shape):
                arrived = ring[(first + j - m) % n_ring]
                weight = shape[m]
                for i in range(row.size):
                    row[i] += weight * arrived[i]
            gone = ring[(first + j - n_shape + 1) % n_ring]
            for i in range(row.size):
                gone[i] = ZERO
