"""Compiled core of every network: who fired, to whom it goes, and what is held in its refractory period."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from bmi.signals import F32, I64

I32 = npt.NDArray[np.int32]
SCAN = 64
ZERO, FAINT = np.float32(0.0), np.float32(1e-25)


class Graph(NamedTuple):
    """Who projects to whom, sparse by presynaptic neuron: the targets of i are targets[start[i]:start[i + 1]]."""

    start: I64
    """(n_pre + 1,)."""
    targets: I32
    """(n_synapses,), ascending for each i."""


class Queue(NamedTuple):
    """Neurons in their refractory period, which is equally long for all, so that the first in is the first out."""

    neurons: I32
    """(n,), circular."""
    fired: I64
    """(refractory steps + 1,): how many came in at each of the last steps, circular."""
    ends: I64
    """(2,): place of the first, and how many there are."""


@njit(cache=True, nogil=True, error_model="numpy")
def heard(x: np.float32) -> np.float32:
    """Return ``x``, or 0 where it has decayed to nothing: below 1e-38 arithmetic is fifty times as slow.

    A circuit that falls silent must not fall behind.
    """
    return x if abs(x) > FAINT else ZERO


@njit(cache=True, nogil=True, error_model="numpy")
def fade(g: F32, keep: np.float32) -> None:
    """Let ``g`` decay by a step."""
    for i in range(g.size):
        g[i] = heard(g[i] * keep)


@njit(cache=True, nogil=True, error_model="numpy")
def by_presynaptic(sources: I32, start: I64, fill: I64, targets: I32) -> None:
    """Turn ``sources`` (n_post, k), each neuron's inputs, into rows by presynaptic neuron; ``fill`` is scratch."""
    start[:] = 0
    for j in range(sources.shape[0]):
        for k in range(sources.shape[1]):
            start[sources[j, k] + 1] += 1
    for i in range(fill.size):
        start[i + 1] += start[i]
        fill[i] = start[i]
    for j in range(sources.shape[0]):
        for k in range(sources.shape[1]):
            i = sources[j, k]
            targets[fill[i]] = j
            fill[i] += 1


@njit(cache=True, nogil=True, error_model="numpy")
def scan(v: F32, threshold: np.float32, fired: I32) -> int:
    """Write who is above ``threshold`` into ``fired``, ascending, and return how many.

    Most blocks hold nobody, and asking a block costs a few vector instructions.
    """
    n = v.size
    k = 0
    whole = n // SCAN * SCAN
    for base in range(0, whole, SCAN):
        above = np.int32(0)
        for j in range(SCAN):
            above += np.int32(v[base + j] > threshold)
        if above > 0:
            for j in range(base, base + SCAN):
                if v[j] > threshold:
                    fired[k] = j
                    k += 1
    for j in range(whole, n):
        if v[j] > threshold:
            fired[k] = j
            k += 1
    return k


@njit(cache=True, nogil=True, error_model="numpy")
def deliver(fired: I32, first: int, end: int, graph: Graph, weight: np.float32, due: F32) -> None:
    """Add ``weight`` to ``due`` at every target of ``fired[first:end]``."""
    start = graph.start
    targets = graph.targets
    for j in range(first, end):
        i = fired[j]
        for q in range(start[i], start[i + 1]):
            due[targets[q]] += weight


@njit(cache=True, nogil=True, error_model="numpy")
def split(fired: I32, k: int, n_e: int) -> int:
    """Return how many of the first ``k`` of ``fired``, ascending, are excitatory: below ``n_e``."""
    low = 0
    high = k
    while low < high:
        mid = (low + high) // 2
        if fired[mid] < n_e:
            low = mid + 1
        else:
            high = mid
    return low


@njit(cache=True, nogil=True, error_model="numpy")
def arrive(due: F32, into: F32) -> None:
    """Add what is due to ``into`` and forget it."""
    for i in range(into.size):
        into[i] += due[i]
    for i in range(due.size):
        due[i] = ZERO


@njit(cache=True, nogil=True, error_model="numpy")
def hold(queue: Queue, step: int, reset: np.float32, v: F32) -> None:
    """Release those whose refractory period is over and keep the others at ``reset``."""
    neurons = queue.neurons
    fired = queue.fired
    ends = queue.ends
    n = neurons.size
    over = fired[step % fired.size]
    ends[0] = (ends[0] + over) % n
    ends[1] -= over
    first = ends[0]
    last = first + ends[1]
    for q in range(first, min(last, n)):
        v[neurons[q]] = reset
    for q in range(last - n):
        v[neurons[q]] = reset


@njit(cache=True, nogil=True, error_model="numpy")
def enter(queue: Queue, step: int, fired: I32, k: int, reset: np.float32, v: F32) -> None:
    """Reset the first ``k`` of ``fired`` and begin their refractory period."""
    n = queue.neurons.size
    place = queue.ends[0] + queue.ends[1]
    for j in range(k):
        v[fired[j]] = reset
        queue.neurons[(place + j) % n] = fired[j]
    queue.fired[step % queue.fired.size] = k
    queue.ends[1] += k


@njit(cache=True, nogil=True, error_model="numpy")
def note(step: int, fired: I32, k: int, n_before: int, events: I64) -> int:
    """Append (step, neuron) of the first ``k`` of ``fired`` to ``events`` (capacity, 2); return how many there are."""
    for j in range(k):
        events[n_before + j, 0] = step
        events[n_before + j, 1] = fired[j]
    return n_before + k
