"""Compiled core of the electrodes: from counts of a millisecond to waveforms on channels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from bmi.signals import F32, F64, I64

TICKS = 8
"""Positions of a spike between two samples."""


class Sites(NamedTuple):
    """Where each neuron is heard, and how."""

    channel: I64
    """(n_neurons,) column of the data."""
    depth: F32
    """(n_neurons,) depth of the trough, µV."""
    shape: I64
    """(n_neurons,) row of ``bank``."""
    bank: F32
    """(n_shapes, TICKS, n_waveform) waveforms of depth 1, each a tick later than the one before."""


@njit(cache=True, nogil=True, error_model="numpy")
def plant(
    counts: F32, uniform: F64, slot: int, n_samples: int, refractory: int, sites: Sites, last: I64, ring: F32,
    found: I64,
) -> int:  # fmt: skip
    """Add the waveforms of one slot's spikes to ``ring``; return how many there were.

    Parameters
    ----------
    counts : (n_neurons,) float32
        Spikes each neuron would fire in this slot if it were never refractory; more than one count as one.
    uniform : (n_neurons,) float64
        When in the slot, 0 to 1.
    slot, n_samples : int
        Number of the slot and its samples.
    refractory : int
        Ticks after a spike within which the neuron fires no other.
    last : (n_neurons,) int64
        Tick of each neuron's last spike; updated.
    ring : (n_ring, n_channels) float32
        Waveforms to come; sample k is in row k modulo n_ring.
    found : (n_neurons, 2) int64
        Tick at which each waveform begins, counted from the first sample, and its neuron.
    """
    n_found = 0
    n_ring = ring.shape[0]
    for i in range(counts.size):
        if counts[i] == np.float32(0.0):
            continue
        tick = TICKS * n_samples * slot + np.int64(uniform[i] * (TICKS * n_samples))
        if tick - last[i] < refractory:
            continue
        last[i] = tick
        found[n_found, 0] = tick
        found[n_found, 1] = i
        n_found += 1
        waveform = sites.bank[sites.shape[i], tick % TICKS]
        depth, channel = sites.depth[i], sites.channel[i]
        row = (tick // TICKS) % n_ring
        for k in range(waveform.size):
            ring[row, channel] += depth * waveform[k]
            row = row + 1 if row + 1 < n_ring else 0
    return n_found


@njit(cache=True, nogil=True, error_model="numpy")
def collect(first: int, ring: F32, rows: npt.NDArray[np.float32]) -> None:
    """Add samples ``first`` and following of ``ring`` to ``rows`` (n_rows, n_channels), and clear them there."""
    n_ring = ring.shape[0]
    for j in range(rows.shape[0]):
        waiting = ring[(first + j) % n_ring]
        row = rows[j]
        for i in range(row.size):
            row[i] += waiting[i]
            waiting[i] = np.float32(0.0)
