"""Compiled core of the conductance-based benchmark: Hodgkin-Huxley neurons as short loops that become vectors."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from bmi.signals import F32, I64
from sim._math_kernels import exp32
from sim.circuits._connectivity_kernels import I32, Graph, Queue, deliver, fade, note, scan, split

f = np.float32
ONE = f(1.0)
NEAR = f(0.03)
"""Below it x / (e^x - 1) is 1 - x / 2 within 1e-4 of itself."""
E13_4, E_8, E8, E3, HALF_E1_4 = (f(k * math.exp(x)) for k, x in ((1, 3.25), (1, -8), (1, 8), (1, 3), (0.5, 0.25)))
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
    q: F32
    fired: I32


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def conduct_sodium(m: F32, h: F32, g: np.float32, out: F32) -> None:
    """g m^3 h."""
    for i in range(out.size):
        out[i] = g * m[i] * m[i] * m[i] * h[i]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def conduct_potassium(n: F32, g: np.float32, out: F32) -> None:
    """g n^4."""
    for i in range(out.size):
        s = n[i] * n[i]
        out[i] = g * s * s


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def powers(v: F32, q: F32) -> None:
    """e^(-u/40), u = V - V_T: of the five exponentials of the rates four are whole powers of it."""
    for i in range(v.size):
        q[i] = exp32((v[i] + V_T) * f(-1.0 / 40.0))


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def gate_m(v: F32, q: F32, m: F32, dt: np.float32) -> None:
    """Sodium activation relaxes for a step at the potential it finds."""
    for i in range(v.size):
        u = v[i] + V_T
        x = (f(13.0) - u) * f(0.25)
        y = (u - f(40.0)) * f(0.2)
        q2 = q[i] * q[i]
        q8 = q2 * q2 * q2 * q2
        a = f(1.28) * (ONE - f(0.5) * x if abs(x) < NEAR else x / (E13_4 * q8 * q2 - ONE))
        b = f(1.4) * (ONE - f(0.5) * y if abs(y) < NEAR else y * q8 / (E_8 - q8))
        s = a + b
        r = a / s
        m[i] = r + (m[i] - r) * exp32(-dt * s)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def gate_h(v: F32, q: F32, h: F32, dt: np.float32) -> None:
    """Sodium inactivation."""
    for i in range(v.size):
        q2 = q[i] * q[i]
        q8 = q2 * q2 * q2 * q2
        a = f(0.128) * exp32((f(17.0) - V_T - v[i]) * f(1.0 / 18.0))
        s = a + f(4.0) / (ONE + E8 * q8)
        r = a / s
        h[i] = r + (h[i] - r) * exp32(-dt * s)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def gate_n(v: F32, q: F32, n: F32, dt: np.float32) -> None:
    """Potassium activation."""
    for i in range(v.size):
        x = (f(15.0) - V_T - v[i]) * f(0.2)
        q2 = q[i] * q[i]
        q8 = q2 * q2 * q2 * q2
        a = f(0.16) * (ONE - f(0.5) * x if abs(x) < NEAR else x / (E3 * q8 - ONE))
        s = a + HALF_E1_4 * q[i]
        r = a / s
        n[i] = r + (n[i] - r) * exp32(-dt * s)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def settle(ge: F32, gi: F32, drive: F32, g_na: F32, g_k: F32, p: Membrane) -> None:
    """Overwrite ``g_na`` with the potential the membrane tends to and ``g_k`` with its whole conductance."""
    rest = p.leak * p.e_leak
    for i in range(g_k.size):
        g = p.leak + ge[i] + gi[i] + g_na[i] + g_k[i]
        current = rest + drive[i] + gi[i] * p.e_inhibition + g_na[i] * p.e_sodium + g_k[i] * p.e_potassium
        g_na[i] = current / g
        g_k[i] = g


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def relax(v: F32, to: F32, g: F32, dt_c: np.float32) -> None:
    """The potential relaxes for a step with the conductances of its beginning."""
    for i in range(v.size):
        v[i] = to[i] + (v[i] - to[i]) * exp32(-dt_c * g[i])


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
        powers(a.v, a.q)
        gate_m(a.v, a.q, a.m, p.dt)
        gate_h(a.v, a.q, a.h, p.dt)
        gate_n(a.v, a.q, a.n, p.dt)
        settle(a.ge, a.gi, a.drive, a.g_na, a.g_k, p)
        relax(a.v, a.g_na, a.g_k, p.dt_c)
        fade(a.ge, p.decay_e)
        fade(a.gi, p.decay_i)
        rested(queue, step, above)
        k = once(queue, step, a.fired, scan(a.v, p.threshold, a.fired), above)
        found = note(step, a.fired, k, found, events)
        k_e = split(a.fired, k, p.n_e)
        deliver(a.fired, 0, k_e, graph, p.weight_e, a.ge)
        deliver(a.fired, k_e, k, graph, p.weight_i, a.gi)
    return found
