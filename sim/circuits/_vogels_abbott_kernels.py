"""Compiled core of the conductance-based benchmark: Hodgkin-Huxley neurons as short loops that become vectors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from bmi.signals import F32, I64
from sim._math_kernels import exp32
from sim.circuits._connectivity_kernels import I32, Graph, Queue, deliver, note, scan, split

f = np.float32
ONE, TINY = f(1.0), f(1e-3)
V_T = f(63.0)
"""Minus V_T of Traub & Miles, mV: rates depend on V - V_T."""


class Membrane(NamedTuple):
    """What every neuron is alike in: nS, mV, ms; dt over capacitance in ms/pF."""

    n_e: int
    dt: np.float32
    dt_c: np.float32
    leak: np.float32
    sodium: np.float32
    potassium: np.float32
    e_leak: np.float32
    e_sodium: np.float32
    e_potassium: np.float32
    e_inhibition: np.float32
    decay_e: np.float32
    decay_i: np.float32
    weight_e: np.float32
    weight_i: np.float32
    threshold: np.float32


class Arrays(NamedTuple):
    """State and scratch, a value a neuron."""

    v: F32
    m: F32
    h: F32
    n: F32
    ge: F32
    gi: F32
    drive: F32
    """Current from outside, pA."""
    g_na: F32
    g_k: F32
    fired: I32


@njit(cache=True, nogil=True, error_model="numpy")
def conduct_sodium(m: F32, h: F32, g: np.float32, out: F32) -> None:
    """g m^3 h."""
    for i in range(out.size):
        out[i] = g * m[i] * m[i] * m[i] * h[i]


@njit(cache=True, nogil=True, error_model="numpy")
def conduct_potassium(n: F32, g: np.float32, out: F32) -> None:
    """g n^4."""
    for i in range(out.size):
        s = n[i] * n[i]
        out[i] = g * s * s


@njit(cache=True, nogil=True, error_model="numpy")
def gate_m(v: F32, m: F32, dt: np.float32) -> None:
    """Sodium activation relaxes for a step at the potential it finds."""
    for i in range(v.size):
        u = v[i] + V_T
        x = (f(13.0) - u) * f(0.25)
        x = x if abs(x) > TINY else TINY
        y = (u - f(40.0)) * f(0.2)
        y = y if abs(y) > TINY else TINY
        a = f(1.28) * x / (exp32(x) - ONE)
        s = a + f(1.4) * y / (exp32(y) - ONE)
        r = a / s
        m[i] = r + (m[i] - r) * exp32(-dt * s)


@njit(cache=True, nogil=True, error_model="numpy")
def gate_h(v: F32, h: F32, dt: np.float32) -> None:
    """Sodium inactivation."""
    for i in range(v.size):
        u = v[i] + V_T
        a = f(0.128) * exp32((f(17.0) - u) * f(1.0 / 18.0))
        s = a + f(4.0) / (ONE + exp32((f(40.0) - u) * f(0.2)))
        r = a / s
        h[i] = r + (h[i] - r) * exp32(-dt * s)


@njit(cache=True, nogil=True, error_model="numpy")
def gate_n(v: F32, n: F32, dt: np.float32) -> None:
    """Potassium activation."""
    for i in range(v.size):
        u = v[i] + V_T
        x = (f(15.0) - u) * f(0.2)
        x = x if abs(x) > TINY else TINY
        a = f(0.16) * x / (exp32(x) - ONE)
        s = a + f(0.5) * exp32((f(10.0) - u) * f(1.0 / 40.0))
        r = a / s
        n[i] = r + (n[i] - r) * exp32(-dt * s)


@njit(cache=True, nogil=True, error_model="numpy")
def potential(a: Arrays, p: Membrane) -> None:
    """The potential relaxes for a step with the conductances of its beginning."""
    v, ge, gi, g_na, g_k, drive = a.v, a.ge, a.gi, a.g_na, a.g_k, a.drive
    rest = p.leak * p.e_leak
    for i in range(v.size):
        g = p.leak + ge[i] + gi[i] + g_na[i] + g_k[i]
        to = (rest + drive[i] + gi[i] * p.e_inhibition + g_na[i] * p.e_sodium + g_k[i] * p.e_potassium) / g
        v[i] = to + (v[i] - to) * exp32(-p.dt_c * g)


@njit(cache=True, nogil=True, error_model="numpy")
def decay(g: F32, keep: np.float32) -> None:
    """Let a conductance decay by a step."""
    for i in range(g.size):
        g[i] *= keep


@njit(cache=True, nogil=True, error_model="numpy")
def rested(queue: Queue, step: int, above: I32) -> None:
    """Release those whose refractory period is over: they may count as firing again."""
    n = queue.neurons.size
    over = queue.fired[step % queue.fired.size]
    for j in range(over):
        above[queue.neurons[(queue.ends[0] + j) % n]] = 0
    queue.ends[0] = (queue.ends[0] + over) % n
    queue.ends[1] -= over


@njit(cache=True, nogil=True, error_model="numpy")
def once(queue: Queue, step: int, fired: I32, k: int, above: I32) -> int:
    """Keep of the first ``k`` of ``fired`` those that are not refractory, and make them so; return how many."""
    n = queue.neurons.size
    place = queue.ends[0] + queue.ends[1]
    kept = 0
    for j in range(k):
        i = fired[j]
        if above[i] == 0:
            above[i] = 1
            queue.neurons[(place + kept) % n] = i
            fired[kept] = i
            kept += 1
    queue.fired[step % queue.fired.size] = kept
    queue.ends[1] += kept
    return kept


@njit(cache=True, nogil=True, error_model="numpy")
def advance(n: int, first: int, p: Membrane, a: Arrays, queue: Queue, above: I32, graph: Graph, events: I64) -> int:
    """Take ``n`` steps from step ``first`` on; return how many events there were."""
    found = 0
    for step in range(first, first + n):
        conduct_sodium(a.m, a.h, p.sodium, a.g_na)
        conduct_potassium(a.n, p.potassium, a.g_k)
        gate_m(a.v, a.m, p.dt)
        gate_h(a.v, a.h, p.dt)
        gate_n(a.v, a.n, p.dt)
        potential(a, p)
        decay(a.ge, p.decay_e)
        decay(a.gi, p.decay_i)
        rested(queue, step, above)
        k = once(queue, step, a.fired, scan(a.v, p.threshold, a.fired), above)
        found = note(step, a.fired, k, found, events)
        k_e = split(a.fired, k, p.n_e)
        deliver(a.fired, 0, k_e, graph, p.weight_e, a.ge)
        deliver(a.fired, k_e, k, graph, p.weight_i, a.gi)
    return found
