"""Compiled core of the basal ganglia: one explicit Euler step of four nuclei, and the loop over steps.

Equations and constants are those of So, Kent & Grill (2012), ModelDB 141699; voltages in mV, times in ms, currents in
uA/cm2, conductances in mS/cm2, capacitance 1 uF/cm2. Loops are short, write one array and take their length from it:
LLVM makes vector instructions of them, which it does not of a dozen turns known beforehand (twice as slow, measured).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from bmi.signals import F32, F64, I64
from sim._math_kernels import exp64
from sim._noise_kernels import uniforms

N = 10
"""Cells of a nucleus."""
TH, STN, GPE, GPI = range(4)

SMC_UA_CM2, SMC_MS, GAMMA_SHAPE = 3.5, 5.0, 25
"""A pulse from sensorimotor cortex; 1 / CV^2 of the rate at which they come, CV 0.2."""
TAU_MS = 5.0
KICK_STN, KICK_GPI = 0.43 * math.e / TAU_MS, 0.3 * math.e / TAU_MS
"""What a spike adds to the slope of an alpha function that peaks at 0.43 and 0.3, 1/ms."""
B_REST = 1.0 / (1.0 + math.exp(4.0))
RELAYED_MV, FIRED_MV = -40.0, -10.0
"""Upward crossings that count as a spike: of a thalamic cell, of any other."""


class Thalamus(NamedTuple):
    """State of the thalamic relay cells, (10,) each."""

    v_mv: F64
    h: F64
    r: F64


class Subthalamus(NamedTuple):
    """State of the subthalamic cells and of the synapses they make, (10,) each."""

    v_mv: F64
    n: F64
    h: F64
    r: F64
    ca: F64
    c: F64
    s: F64
    z: F64
    """Slope of ``s``, 1/ms."""


class Pallidum(NamedTuple):
    """State of the pallidum, (20,) each: external cells, then internal ones, which have equal membranes."""

    v_mv: F64
    n: F64
    h: F64
    r: F64
    ca: F64
    s: F64
    z: F64
    """(10,) slope of ``s`` of the internal cells, 1/ms."""


class Drive(NamedTuple):
    """What the circuit is driven by."""

    dopamine_loss: F64
    dbs: F64
    """(3,): amplitude uA/cm2, rate Hz, width s."""
    smc_rate_hz: F64
    smc_scale: F64
    bias: F64
    """(10,) what one external pallidal cell gets more than another, uA/cm2."""


class Clocks(NamedTuple):
    """Where the circuit stands in time."""

    count: I64
    """(2,): steps since bind; lengths of cortical cycles drawn."""
    dbs: F64
    """(2,): cycles since the last pulse, steps which that pulse still lasts."""
    smc: F64
    """(3,): cycles of the mean rate since the last pulse, at how many the next is due, steps the pulse still lasts."""


class Work(NamedTuple):
    """Scratch."""

    dv: F64
    """(3, 20)."""
    calcium: F64
    """(20,)."""
    ring: F64
    """(2, 13): subthalamic and external pallidal synapses, the ring's ends repeated."""
    words: npt.NDArray[np.uint64]
    """(2, 7)."""
    four: F32
    """(4, 7)."""


class Shown(NamedTuple):
    """What a run of steps shows."""

    spikes: I64
    """(room, 2): step, nucleus * 10 + cell."""
    pulses: I64
    """(room, 2): step, 0."""
    thalamus_mv: F32
    """(room, 10)."""
    gpi_synapse: F32
    """(room,): mean over the ten internal cells."""
    found: I64
    """(3,): spikes, pulses, rows."""


@njit(cache=True, nogil=True, error_model="numpy")
def falling(x: float) -> float:
    """Return 1 / (1 + e^x)."""
    return 1.0 / (1.0 + exp64(x))


@njit(cache=True, nogil=True, error_model="numpy")
def thalamus(cells: Thalamus, s_gpi: F64, smc: float, dt: float, dv: F64) -> None:
    """Advance the gates of the relay cells by ``dt`` and write the slope of their voltage, mV/ms, into ``dv``."""
    v, h, r = cells.v_mv, cells.h, cells.r
    for i in range(v.shape[0]):
        dv[i] = smc - 0.112 * s_gpi[N + i] * (v[i] + 85.0)
    for i in range(v.shape[0]):
        m = falling((v[i] + 37.0) * (-1.0 / 7.0))
        p = falling((v[i] + 60.0) * (-1.0 / 6.2))
        n = 0.75 * (1.0 - h[i])
        sodium = 3.0 * m * m * m * h[i] * (v[i] - 50.0)
        potassium = 5.0 * n * n * n * n * (v[i] + 75.0)
        calcium = 5.0 * p * p * r[i] * v[i]
        dv[i] -= 0.05 * (v[i] + 70.0) + sodium + potassium + calcium
    for i in range(v.shape[0]):
        rate = 0.128 * exp64((v[i] + 46.0) * (-1.0 / 18.0)) + 4.0 * falling((v[i] + 23.0) * -0.2)
        h[i] += dt * rate * (falling((v[i] + 41.0) * 0.25) - h[i])
    for i in range(v.shape[0]):
        tau = 0.15 * (28.0 + exp64((v[i] + 25.0) * (-1.0 / 10.5)))
        r[i] += dt / tau * (falling((v[i] + 84.0) * 0.25) - r[i])


@njit(cache=True, nogil=True, error_model="numpy")
def subthalamus(cells: Subthalamus, dt: float, calcium: F64, dv: F64) -> None:
    """Advance gates and calcium of the subthalamic cells; ``dv`` comes with synaptic and applied current."""
    v, n, h, r, ca, c = cells.v_mv, cells.n, cells.h, cells.r, cells.ca, cells.c
    for i in range(v.shape[0]):
        a = falling((v[i] + 63.0) * (-1.0 / 7.8))
        b = falling((r[i] - 0.4) * -10.0) - B_REST
        calcium[i] = (0.5 * a * a * a * b * b + 2.0 * c[i] * c[i]) * (v[i] - 140.0)
    for i in range(v.shape[0]):
        m = falling((v[i] + 30.0) * (-1.0 / 15.0))
        n2 = n[i] * n[i]
        potassium = (45.0 * n2 * n2 + 20.0 * ca[i] / (ca[i] + 15.0)) * (v[i] + 80.0)
        sodium = 37.0 * m * m * m * h[i] * (v[i] - 55.0)
        dv[i] -= 2.25 * (v[i] + 60.0) + sodium + potassium + calcium[i]
    for i in range(v.shape[0]):
        tau = 1.0 + 100.0 * falling((v[i] + 80.0) * (1.0 / 26.0))
        n[i] += 0.75 * dt / tau * (falling((v[i] + 32.0) * -0.125) - n[i])
    for i in range(v.shape[0]):
        tau = 1.0 + 500.0 * falling((v[i] + 57.0) * (1.0 / 3.0))
        h[i] += 0.75 * dt / tau * (falling((v[i] + 39.0) * (1.0 / 3.1)) - h[i])
    for i in range(v.shape[0]):
        tau = 7.1 + 17.5 * falling((v[i] - 68.0) * (1.0 / 2.2))
        r[i] += 0.2 * dt / tau * (falling((v[i] + 67.0) * 0.5) - r[i])
    for i in range(v.shape[0]):
        ca[i] -= 3.75e-5 * dt * (calcium[i] + 22.5 * ca[i])
    for i in range(v.shape[0]):
        tau = 1.0 + 10.0 * falling((v[i] + 80.0) * (1.0 / 26.0))
        c[i] += 0.08 * dt / tau * (falling((v[i] + 20.0) * -0.125) - c[i])


@njit(cache=True, nogil=True, error_model="numpy")
def pallidum(cells: Pallidum, dt: float, calcium: F64, dv: F64) -> None:
    """Advance gates and calcium of both pallidal segments; ``dv`` comes with synaptic and applied current."""
    v, n, h, r, ca = cells.v_mv, cells.n, cells.h, cells.r, cells.ca
    for i in range(v.shape[0]):
        a = falling((v[i] + 57.0) * -0.5)
        s = falling((v[i] + 35.0) * -0.5)
        calcium[i] = (0.5 * a * a * a * r[i] + 0.15 * s * s) * (v[i] - 120.0)
    for i in range(v.shape[0]):
        m = falling((v[i] + 37.0) * -0.1)
        n2 = n[i] * n[i]
        potassium = (30.0 * n2 * n2 + 10.0 * ca[i] / (ca[i] + 10.0)) * (v[i] + 80.0)
        sodium = 120.0 * m * m * m * h[i] * (v[i] - 55.0)
        dv[i] -= 0.1 * (v[i] + 65.0) + sodium + potassium + calcium[i]
    for i in range(v.shape[0]):
        rate = dt / (0.05 + 0.27 * falling((v[i] + 40.0) * (1.0 / 12.0)))
        n[i] += 0.1 * rate * (falling((v[i] + 50.0) * (-1.0 / 14.0)) - n[i])
        h[i] += 0.05 * rate * (falling((v[i] + 58.0) * (1.0 / 12.0)) - h[i])
    for i in range(v.shape[0]):
        r[i] += dt / 30.0 * (falling((v[i] + 70.0) * 0.5) - r[i])
    for i in range(v.shape[0]):
        ca[i] -= 1e-4 * dt * (calcium[i] + 15.0 * ca[i])


@njit(cache=True, nogil=True, error_model="numpy")
def cycle(key: np.uint64, k: int, work: Work) -> float:
    """Return how many mean cycles the ``k``-th interval of the cortex lasts: 1 / Gamma(25, 1 / 25)."""
    uniforms(key, np.uint64(1), np.uint64(k), work.words, work.four)
    total = 0.0
    for i in range(GAMMA_SHAPE):
        total -= math.log(1.0 - work.four[i // 7, i % 7])
    return GAMMA_SHAPE / total


@njit(cache=True, nogil=True, error_model="numpy")
def stimulator(dbs: F64, clock: F64, dt_ms: float) -> float:
    """Advance the stimulator by a step and return its current density, uA/cm2.

    Pulses begin with a step; the last step of one carries what is left of its charge.
    """
    if dbs[1] > 0.0:
        if clock[0] >= 1.0:
            clock[0] -= 1.0
            clock[1] = 1e3 * dbs[2] / dt_ms
        clock[0] += 1e-3 * dbs[1] * dt_ms
    share = min(1.0, clock[1])
    clock[1] -= share
    return dbs[0] * share


@njit(cache=True, nogil=True, error_model="numpy")
def synaptic(drive: Drive, stn: Subthalamus, gp: Pallidum, dbs: float, work: Work) -> None:
    """Write synaptic and applied currents of subthalamus and pallidum into ``work.dv``, rows 1 and 2."""
    loss = drive.dopamine_loss[0]
    near, far = work.ring[0], work.ring[1]
    to_stn, to_gp = work.dv[1], work.dv[2]
    near[0] = stn.s[N - 1]
    far[0] = gp.s[N - 2]
    far[1] = gp.s[N - 1]
    far[N + 2] = gp.s[0]
    for i in range(N):
        near[i + 1] = stn.s[i]
        far[i + 2] = gp.s[i]
    for i in range(N):
        to_stn[i] = 33.0 - 10.0 * loss + dbs - 0.5 * (far[i + 2] + far[i + 3]) * (stn.v_mv[i] + 85.0)
    for i in range(N):
        excited, inhibited = 0.15 * (near[i] + near[i + 1]), 0.5 * (far[i] + far[i + 3])
        external, internal = gp.v_mv[i], gp.v_mv[N + i]
        to_gp[i] = 21.0 - 13.0 * loss + drive.bias[i] - excited * external - inhibited * (external + 85.0)
        to_gp[N + i] = 22.0 - 6.0 * loss - excited * internal - inhibited * (internal + 85.0)


@njit(cache=True, nogil=True, error_model="numpy")
def alpha(s: F64, z: F64, first: int, dt: float) -> None:
    """Advance alpha functions ``s[first:]`` with slopes ``z``."""
    for i in range(z.shape[0]):
        s[first + i] += dt * z[i]
    for i in range(z.shape[0]):
        z[i] -= dt * (2.0 / TAU_MS * z[i] + s[first + i] / (TAU_MS * TAU_MS))


@njit(cache=True, nogil=True, error_model="numpy")
def fire(v: F64, dv: F64, dt: float, at_mv: float, first: int, step: int, shown: Shown) -> None:
    """Advance voltages and note who crosses ``at_mv`` upward, as cell ``first`` + i."""
    k = shown.found[0]
    for i in range(v.shape[0]):
        after = v[i] + dt * dv[i]
        if v[i] < at_mv <= after:
            shown.spikes[k, 0] = step
            shown.spikes[k, 1] = first + i
            k += 1
        v[i] = after
    shown.found[0] = k


@njit(cache=True, nogil=True, error_model="numpy")
def nuclei(
    th: Thalamus, stn: Subthalamus, gp: Pallidum, smc: float, dt: float, step: int, work: Work, shown: Shown
) -> None:
    """Advance the four nuclei by a step; ``work.dv`` comes with the currents ``synaptic`` wrote."""
    first = shown.found[0]
    thalamus(th, gp.s, smc, dt, work.dv[0])
    subthalamus(stn, dt, work.calcium, work.dv[1])
    pallidum(gp, dt, work.calcium, work.dv[2])
    for i in range(N):
        gp.s[i] += dt * (2.0 * (1.0 - gp.s[i]) * falling((gp.v_mv[i] + 37.0) * -0.5) - 0.04 * gp.s[i])
    alpha(stn.s, stn.z, 0, dt)
    alpha(gp.s, gp.z, N, dt)
    fire(th.v_mv, work.dv[0], dt, RELAYED_MV, TH * N, step, shown)
    fire(stn.v_mv, work.dv[1], dt, FIRED_MV, STN * N, step, shown)
    fire(gp.v_mv, work.dv[2], dt, FIRED_MV, GPE * N, step, shown)
    for e in range(first, shown.found[0]):
        cell = shown.spikes[e, 1]
        if cell // N == STN:
            stn.z[cell - STN * N] += KICK_STN
        elif cell // N == GPI:
            gp.z[cell - GPI * N] += KICK_GPI


@njit(cache=True, nogil=True, error_model="numpy")
def advance(
    th: Thalamus, stn: Subthalamus, gp: Pallidum, drive: Drive, clocks: Clocks, key: np.uint64, dt_ms: float, n: int,
    work: Work, shown: Shown,
) -> None:  # fmt: skip
    """Advance by ``n`` steps of ``dt_ms``; ``shown`` has room for every spike, pulse and row there can be."""
    every = round(1.0 / dt_ms)
    smc = clocks.smc
    shown.found[:] = 0
    for _ in range(n):
        step = clocks.count[0]
        smc[0] += 1e-3 * drive.smc_rate_hz[0] * dt_ms
        if smc[0] >= smc[1]:
            smc[0] -= smc[1]
            smc[1] = cycle(key, clocks.count[1], work)
            smc[2] = SMC_MS / dt_ms
            clocks.count[1] += 1
            shown.pulses[shown.found[1], 0] = step
            shown.pulses[shown.found[1], 1] = 0
            shown.found[1] += 1
        share = min(1.0, smc[2])
        smc[2] -= share
        synaptic(drive, stn, gp, stimulator(drive.dbs, clocks.dbs, dt_ms), work)
        nuclei(th, stn, gp, SMC_UA_CM2 * drive.smc_scale[0] * share, dt_ms, step, work, shown)
        clocks.count[0] = step + 1
        if (step + 1) % every == 0:
            k = shown.found[2]
            total = 0.0
            for i in range(N):
                shown.thalamus_mv[k, i] = np.float32(th.v_mv[i])
                total += gp.s[N + i]
            shown.gpi_synapse[k] = np.float32(total / N)
            shown.found[2] = k + 1


@njit(cache=True, nogil=True, error_model="numpy")
def settle(th: Thalamus, stn: Subthalamus, gp: Pallidum) -> None:
    """Set gates to what they tend to at the present voltage, calcium to 0.1, synapses to rest."""
    for i in range(N):
        th.h[i] = falling((th.v_mv[i] + 41.0) * 0.25)
        th.r[i] = falling((th.v_mv[i] + 84.0) * 0.25)
        v = stn.v_mv[i]
        stn.n[i] = falling((v + 32.0) * -0.125)
        stn.h[i] = falling((v + 39.0) * (1.0 / 3.1))
        stn.r[i] = falling((v + 67.0) * 0.5)
        stn.c[i] = falling((v + 20.0) * -0.125)
        stn.ca[i] = 0.1
    for i in range(2 * N):
        v = gp.v_mv[i]
        gp.n[i] = falling((v + 50.0) * (-1.0 / 14.0))
        gp.h[i] = falling((v + 58.0) * (1.0 / 12.0))
        gp.r[i] = falling((v + 70.0) * 0.5)
        gp.ca[i] = 0.1
