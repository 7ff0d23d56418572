"""Compiled core of networks of adaptive exponential integrate-and-fire neurons."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from bmi.signals import F32, I64
from sim._math_kernels import exp32
from sim._noise_kernels import uniforms
from sim.circuits._connectivity_kernels import I32, ZERO, Graph, arrive, deliver, fade, heard, note, scan, split
from sim.circuits._lif_kernels import Random, rain

HALF = np.float32(0.5)


class Cell(NamedTuple):
    """What every neuron is alike in: mV, nS, pA, ms; c is the capacitance in pF."""

    n_e: int
    delay: int
    dt: np.float32
    c: np.float32
    leak: np.float32
    rest: np.float32
    knee: np.float32
    """Where the exponential sets in, V_T."""
    sharpness: np.float32
    per_sharpness: np.float32
    peak: np.float32
    reset: np.float32
    a: np.float32
    b: np.float32
    per_tau_w: np.float32
    decay_e: np.float32
    decay_i: np.float32
    mean_e: np.float32
    """Mean of a conductance over a step, relative to its beginning."""
    mean_i: np.float32
    reversal_e: np.float32
    reversal_i: np.float32
    weight_e: np.float32
    weight_i: np.float32
    external: np.float32


class Arrays(NamedTuple):
    """State and scratch, a value a neuron."""

    v: F32
    w: F32
    ge: F32
    gi: F32
    current: F32
    g: F32
    """Synaptic conductance over the step, and below what it drives with the current from outside."""
    drive: F32
    due_e: F32
    """(slots, n): what arrives at the end of which step, circular."""
    due_i: F32
    fired: I32


@njit(cache=True, nogil=True, error_model="numpy")
def gather(a: Arrays, cell: Cell) -> None:
    """Sum what synapses do in this step, and let them decay."""
    ge, gi, g, drive, current = a.ge, a.gi, a.g, a.drive, a.current
    mean_e, mean_i = cell.mean_e, cell.mean_i
    for i in range(g.size):
        g[i] = mean_e * ge[i] + mean_i * gi[i]
    to_e, to_i = mean_e * cell.reversal_e, mean_i * cell.reversal_i
    for i in range(g.size):
        drive[i] = current[i] + to_e * ge[i] + to_i * gi[i]
    fade(ge, cell.decay_e)
    fade(gi, cell.decay_i)


@njit(cache=True, nogil=True, error_model="numpy")
def climb(v: F32, w: F32, g: F32, drive: F32, cell: Cell) -> None:
    """Advance potential and adaptation by the midpoint rule; halfway the potential is no higher than the peak."""
    half = HALF * cell.dt
    per_c = np.float32(1.0) / cell.c
    rise = cell.leak * cell.sharpness
    for i in range(v.size):
        x = v[i]
        grow = rise * exp32((x - cell.knee) * cell.per_sharpness)
        slope = (cell.leak * (cell.rest - x) + grow - w[i] + drive[i] - g[i] * x) * per_c
        adapt = (cell.a * (x - cell.rest) - w[i]) * cell.per_tau_w
        y = min(x + half * slope, cell.peak)
        u = w[i] + half * adapt
        grow = rise * exp32((y - cell.knee) * cell.per_sharpness)
        slope = (cell.leak * (cell.rest - y) + grow - u + drive[i] - g[i] * y) * per_c
        v[i] = x + cell.dt * slope
        w[i] = heard(w[i] + cell.dt * (cell.a * (y - cell.rest) - u) * cell.per_tau_w)


@njit(cache=True, nogil=True, error_model="numpy")
def advance(n: int, first: int, cell: Cell, a: Arrays, graph: Graph, random: Random, events: I64) -> int:
    """Take ``n`` steps from step ``first`` on; return how many events there were."""
    found = 0
    slots = a.due_e.shape[0]
    for step in range(first, first + n):
        gather(a, cell)
        climb(a.v, a.w, a.g, a.drive, cell)
        if cell.external != ZERO:
            uniforms(random.key, np.uint64(1), np.uint64(step), random.words, random.four)
            rain(a.ge, random.flat, random.below, cell.external)
        arrive(a.due_e[step % slots], a.ge)
        arrive(a.due_i[step % slots], a.gi)
        k = scan(a.v, cell.peak, a.fired)
        for j in range(k):
            a.v[a.fired[j]] = cell.reset
            a.w[a.fired[j]] += cell.b
        found = note(step, a.fired, k, found, events)
        k_e = split(a.fired, k, cell.n_e)
        deliver(a.fired, 0, k_e, graph, cell.weight_e, a.due_e[(step + cell.delay) % slots])
        deliver(a.fired, k_e, k, graph, cell.weight_i, a.due_i[(step + cell.delay) % slots])
    return found
