"""Compiled core of the synapses: depression and facilitation per spike, receptors per step, in closed form.

The scalar functions are meant to be called inside other kernels; numba then compiles them in place. A synapse whose
terminals share their parameters needs u and x once a presynaptic neuron, not once a contact.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from bmi.signals import F32, F64
from sim._noise_kernels import U64, uniforms

I64 = npt.NDArray[np.int64]


@njit(cache=True, nogil=True, error_model="numpy")
def tm_release(
    u: float, x: float, since_s: float, U: float, tau_rec_s: float, tau_fac_s: float
) -> tuple[float, float, float]:
    """Return what a spike releases, and u and x right after it.

    ``u`` and ``x`` are the values right after the last spike, ``since_s`` ago: 0 and 1 before the first, whatever
    ``since_s`` is then. A time constant of 0 recovers at once.
    """
    u = u * math.exp(-since_s / tau_fac_s) if tau_fac_s > 0.0 else 0.0 * u
    x = 1.0 - (1.0 - x) * math.exp(-since_s / tau_rec_s) if tau_rec_s > 0.0 else 1.0 + 0.0 * x
    u = u + U * (1.0 - u)
    released = u * x
    return released, u, x - released


@njit(cache=True, nogil=True, error_model="numpy")
def mg_block(v_mv: float, mg_mm: float) -> float:
    """Return the share of NMDA conductance that magnesium leaves open (Jahr & Stevens 1990)."""
    return 1.0 / (1.0 + mg_mm / 3.57 * math.exp(-0.062 * v_mv))


@njit(cache=True, nogil=True, error_model="numpy")
def tm_train(times_s: F64, U: float, tau_rec_s: float, tau_fac_s: float, released: F64) -> None:
    """Fill ``released`` with what each spike of one rested terminal at ``times_s``, ascending, releases."""
    u = 0.0
    x = 1.0
    last = 0.0
    for k in range(len(times_s)):
        released[k], u, x = tm_release(u, x, times_s[k] - last, U, tau_rec_s, tau_fac_s)
        last = times_s[k]


class Course(NamedTuple):
    """What holds during one call of ``advance``."""

    dt_s: float
    release: float
    """U of short-term plasticity."""
    tau_rec_s: float
    tau_fac_s: float
    rate_hz: float
    regular: bool
    """Terminals fire together at even intervals; else each at random."""
    clamped: bool
    v_hold_mv: float
    mg_mm: float
    capacitance_pf: float
    g_leak_ns: float
    e_leak_mv: float


class Terminals(NamedTuple):
    """State of the presynaptic terminals, (n,) each."""

    u: F64
    x: F64
    last: I64
    """Step of the last spike."""


class Draws(NamedTuple):
    """Key and scratch of the noise, and of the conductances."""

    key: np.uint64
    words: U64
    four: F32
    scratch: F64
    """(2, 3)."""


class Target(NamedTuple):
    """State of what they end on."""

    gates: F64
    """(3, 2): rising and decaying part of AMPA, NMDA and GABA-A, nS."""
    phase: F64
    """(1,): intervals of a regular train gone by; a spike is due at 1."""
    v_mv: F64
    """(1,)."""


@njit(cache=True, nogil=True, error_model="numpy")
def arrivals(
    step: int, course: Course, noise: Draws, terminals: Terminals, target: Target, events: I64, n_events: int
) -> tuple[float, int]:
    """Return what all terminals release in this step, in contacts, and how many rows of ``events`` are filled now."""
    n = len(terminals.u)
    total = 0.0
    chance = 0.0
    if course.regular:
        if target.phase[0] >= 1.0 - 1e-9 and course.rate_hz > 0.0:
            target.phase[0] -= 1.0
            chance = 1.0
        target.phase[0] += course.rate_hz * course.dt_s
    elif course.rate_hz > 0.0:
        chance = -math.expm1(-course.rate_hz * course.dt_s)
        uniforms(noise.key, np.uint64(0), np.uint64(step), noise.words, noise.four)
    if chance > 0.0:
        draws = noise.four.reshape(-1)
        for i in range(n):
            if chance == 1.0 or draws[i] < chance:
                since_s = (step - terminals.last[i]) * course.dt_s
                released, terminals.u[i], terminals.x[i] = tm_release(
                    terminals.u[i], terminals.x[i], since_s, course.release, course.tau_rec_s, course.tau_fac_s
                )
                terminals.last[i] = step
                total += released
                events[n_events, 0] = step
                events[n_events, 1] = i
                n_events += 1
    return total, n_events


@njit(cache=True, nogil=True, error_model="numpy")
def membrane(course: Course, before: F64, after: F64, reversal_mv: F64, v_mv: float) -> float:
    """Return the potential one step later: exact for conductances (3,), nS, that hold at the mean of both."""
    total = course.g_leak_ns
    pull = course.g_leak_ns * course.e_leak_mv
    for r in range(3):
        g = 0.5 * (before[r] + after[r])
        total += g
        pull += g * reversal_mv[r]
    ends = pull / total
    return ends + (v_mv - ends) * math.exp(-1e3 * course.dt_s * total / course.capacitance_pf)


@njit(cache=True, nogil=True, error_model="numpy")
def advance(
    first: int, course: Course, receptors: F64, noise: Draws, terminals: Terminals, target: Target, events: I64,
    conductance_ns: F32, current_pa: F32, v_mv: F32,
) -> int:  # fmt: skip
    """Advance by ``len(v_mv)`` steps from step ``first`` on and return how many ``events`` (k, 2) there were.

    ``receptors`` is (3, 4): kept share of the rising and of the decaying part a step, peak of a contact (nS over the
    double exponential's own peak), reversal potential (mV). Spikes come at a step's beginning; the outputs
    (n, 3), (n,), (n,) show its end.
    """
    n_events = 0
    before = noise.scratch[0]
    after = noise.scratch[1]
    reversal = receptors[:, 3]
    gates = target.gates
    for k in range(len(v_mv)):
        v = target.v_mv[0] if not course.clamped else course.v_hold_mv
        opened, n_events = arrivals(first + k, course, noise, terminals, target, events, n_events)
        block = mg_block(v, course.mg_mm)
        for r in range(3):
            for c in range(2):
                gates[r, c] += receptors[r, 2] * opened
            before[r] = gates[r, 1] - gates[r, 0]
            gates[r, 0] *= receptors[r, 0]
            gates[r, 1] *= receptors[r, 1]
            after[r] = gates[r, 1] - gates[r, 0]
        before[1] *= block
        after[1] *= block
        if not course.clamped:
            v = membrane(course, before, after, reversal, v)
            after[1] *= mg_block(v, course.mg_mm) / block
        target.v_mv[0] = v
        current = 0.0
        for r in range(3):
            current += after[r] * (v - reversal[r])
            conductance_ns[k, r] = np.float32(after[r])
        current_pa[k] = np.float32(current)
        v_mv[k] = np.float32(v)
    return n_events
