"""Compiled core of networks of leaky integrate-and-fire neurons. Short loops over few arrays become vectors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from bmi.signals import F32, I64
from sim._noise_kernels import U64, normals, uniforms
from sim.circuits._connectivity_kernels import (
    I32,
    ZERO,
    Graph,
    Queue,
    arrive,
    deliver,
    enter,
    heard,
    hold,
    note,
    scan,
    split,
)

ONE = np.float32(1.0)


class Cell(NamedTuple):
    """What every neuron is alike in, and the inputs that are one number."""

    exponential: int
    """1 for synapses that decay, 0 for jumps of the potential."""
    n_e: int
    delay: int
    """Steps from the end of the step in which a neuron fires; 0 only for synapses that decay."""
    leak: np.float32
    """What is left of a deviation of the potential after a step; below, of a synaptic input."""
    decay_e: np.float32
    decay_i: np.float32
    from_e: np.float32
    """What a step turns of a synaptic input into potential."""
    from_i: np.float32
    threshold: np.float32
    reset: np.float32
    weight_e: np.float32
    weight_i: np.float32
    external: np.float32
    """Weight of an event from outside; 0 if there are none."""
    noise: np.float32
    """Standard deviation white noise gives the potential in a step."""


class Arrays(NamedTuple):
    """State and scratch, a value a neuron."""

    v: F32
    ge: F32
    gi: F32
    toward: F32
    """What a step adds to the potential whatever it is: (1 - leak) times where it rests."""
    due_e: F32
    """(slots, n): what arrives at the end of which step, circular; for jumps all of it."""
    due_i: F32
    fired: I32


class Random(NamedTuple):
    """Key and scratch of the noise."""

    key: np.uint64
    words: U64
    four: F32
    flat: F32
    """``four`` in one row."""
    below: F32
    """P(events in a step <= k), k = 0, 1 …"""


@njit(cache=True, nogil=True, error_model="numpy")
def leak(v: F32, toward: F32, keep: np.float32) -> None:
    """Let the potential decay by a step."""
    for i in range(v.size):
        v[i] = heard(toward[i] + v[i] * keep)


@njit(cache=True, nogil=True, error_model="numpy")
def charge(v: F32, ge: F32, gi: F32, toward: F32, cell: Cell) -> None:
    """Integrate a step exactly: potential and both synaptic inputs are linear."""
    for i in range(v.size):
        e = ge[i]
        h = gi[i]
        v[i] = heard(toward[i] + v[i] * cell.leak + e * cell.from_e + h * cell.from_i)
        ge[i] = heard(e * cell.decay_e)
        gi[i] = heard(h * cell.decay_i)


@njit(cache=True, nogil=True, error_model="numpy")
def shake(v: F32, z: F32, sd: np.float32) -> None:
    """Add white noise."""
    for i in range(v.size):
        v[i] += sd * z[i]


@njit(cache=True, nogil=True, error_model="numpy")
def rain(into: F32, u: F32, below: F32, weight: np.float32) -> None:
    """Add Poisson events: each ``u`` counts how many of the probabilities ``below`` it reaches."""
    for k in range(below.size):
        c = below[k]
        if c >= ONE:
            break
        for i in range(into.size):
            into[i] += weight if u[i] >= c else ZERO


@njit(cache=True, nogil=True, error_model="numpy")
def advance(n: int, first: int, cell: Cell, a: Arrays, queue: Queue, graph: Graph, random: Random, events: I64) -> int:
    """Take ``n`` steps from step ``first`` on; return how many events there were.

    A step integrates to its end, takes what arrives there, and asks who is above threshold.
    """
    found = 0
    slots = a.due_e.shape[0]
    into = a.ge if cell.exponential else a.v
    for step in range(first, first + n):
        if cell.exponential:
            charge(a.v, a.ge, a.gi, a.toward, cell)
        else:
            leak(a.v, a.toward, cell.leak)
        if cell.noise > ZERO:
            normals(random.key, np.uint64(0), np.uint64(step), random.words, random.four)
            shake(a.v, random.flat, cell.noise)
        if cell.external != ZERO:
            uniforms(random.key, np.uint64(1), np.uint64(step), random.words, random.four)
            rain(into, random.flat, random.below, cell.external)
        if cell.delay > 0:
            arrive(a.due_e[step % slots], into)
            if cell.exponential:
                arrive(a.due_i[step % slots], a.gi)
        hold(queue, step, cell.reset, a.v)
        k = scan(a.v, cell.threshold, a.fired)
        enter(queue, step, a.fired, k, cell.reset, a.v)
        found = note(step, a.fired, k, found, events)
        k_e = split(a.fired, k, cell.n_e)
        to_e = a.due_e[(step + cell.delay) % slots] if cell.delay > 0 else a.ge
        to_i = a.gi if cell.delay == 0 else a.due_i[(step + cell.delay) % slots] if cell.exponential else to_e
        deliver(a.fired, 0, k_e, graph, cell.weight_e, to_e)
        deliver(a.fired, k_e, k, graph, cell.weight_i, to_i)
    return found
