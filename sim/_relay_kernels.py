"""Compiled core of the basal ganglia's run: cortical and stimulating pulses, spikes, what is shown."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from bmi.signals import F32, F64, I64
from sim._basal_ganglia_kernels import (
    D_GP,
    D_STN,
    D_TH,
    GP_V,
    GPI_S,
    GPI_Z,
    KICK_GPI,
    KICK_STN,
    STN_S,
    STN_V,
    STN_Z,
    TH_V,
    N,
    alpha,
    pallidum,
    ring,
    subthalamus,
    synapses,
    thalamus,
)
from sim._noise_kernels import uniforms

TH, STN, GPE, GPI = range(4)
SMC_UA_CM2, SMC_MS, GAMMA_SHAPE = 3.5, 5.0, 25
"""A pulse from sensorimotor cortex; 1 / CV^2 of the rate at which they come, CV 0.2."""
RELAYED_MV, FIRED_MV = -40.0, -10.0
"""Upward crossings that count as a spike: of a thalamic cell, of any other."""


class Drive(NamedTuple):
    """What the circuit is driven by."""

    dopamine_loss: F64
    dbs: F64
    """(3,): amplitude µA/cm², rate Hz, width s."""
    smc_rate_hz: F64
    smc_scale: F64
    bias: F64
    """(10,): what one external pallidal cell gets more than another, µA/cm²."""


class Clocks(NamedTuple):
    """Where the circuit stands in time."""

    count: I64
    """(2,): steps since bind; lengths of cortical cycles drawn."""
    dbs: F64
    """(2,): cycles since the last pulse, steps which that pulse still lasts."""
    smc: F64
    """(3,): mean cycles since the last pulse, at how many the next one is due, steps the pulse still lasts."""


class Work(NamedTuple):
    """Scratch."""

    w: F64
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
def cycle(key: np.uint64, k: int, words: npt.NDArray[np.uint64], four: F32) -> float:
    """Return how many mean cycles the ``k``-th interval of the cortex lasts: 1 / Gamma(25, 1 / 25)."""
    uniforms(key, np.uint64(1), np.uint64(k), words, four)
    total = 0.0
    for i in range(GAMMA_SHAPE):
        total -= math.log(1.0 - four[i // 7, i % 7])
    return GAMMA_SHAPE / total


@njit(cache=True, nogil=True, error_model="numpy")
def cortex(drive: Drive, clocks: Clocks, key: np.uint64, dt: float, work: Work, shown: Shown) -> float:
    """Advance the cortex by a step and return the current density it injects into the thalamus, µA/cm²."""
    clock = clocks.smc
    clock[0] += 1e-3 * drive.smc_rate_hz[0] * dt
    if clock[0] >= clock[1]:
        clock[0] -= clock[1]
        clock[1] = cycle(key, clocks.count[1], work.words, work.four)
        clock[2] = SMC_MS / dt
        clocks.count[1] += 1
        shown.pulses[shown.found[1], 0] = clocks.count[0]
        shown.pulses[shown.found[1], 1] = 0
        shown.found[1] += 1
    share = min(1.0, clock[2])
    clock[2] -= share
    return SMC_UA_CM2 * drive.smc_scale[0] * share


@njit(cache=True, nogil=True, error_model="numpy")
def stimulator(dbs: F64, clock: F64, dt: float) -> float:
    """Advance the stimulator by a step and return its current density, µA/cm².

    Pulses begin with a step; the last step of one carries what is left of its charge.
    """
    if dbs[1] > 0.0:
        if clock[0] >= 1.0 - 1e-9:  # a sum of 1 / 400 may end just short of 1
            clock[0] -= 1.0
            clock[1] = 1e3 * dbs[2] / dt
        clock[0] += 1e-3 * dbs[1] * dt
    share = min(1.0, clock[1])
    clock[1] -= share
    return dbs[0] * share


@njit(cache=True, nogil=True, error_model="numpy")
def fire(v: F64, dv: F64, dt: float, at_mv: float, first: int, step: int, spikes: I64, k: int) -> int:
    """Advance voltages, note as spike k, k + 1 … who crosses ``at_mv`` upward, and return how many there are then."""
    for i in range(v.shape[0]):
        after = v[i] + dt * dv[i]
        if v[i] < at_mv <= after:
            spikes[k, 0] = step
            spikes[k, 1] = first + i
            k += 1
        v[i] = after
    return k


@njit(cache=True, nogil=True, error_model="numpy")
def advance(
    x: F64, drive: Drive, clocks: Clocks, key: np.uint64, dt: float, n: int, work: Work, shown: Shown
) -> None:
    """Advance by ``n`` steps of ``dt`` ms; ``shown`` has room for every spike, pulse and row there can be."""
    every = round(1.0 / dt)
    w, spikes, n_spikes = work.w, shown.spikes, 0
    th, stn, gp = x[TH_V : TH_V + N], x[STN_V : STN_V + N], x[GP_V : GP_V + 2 * N]
    d_th, d_stn, d_gp = w[D_TH : D_TH + N], w[D_STN : D_STN + N], w[D_GP : D_GP + 2 * N]
    n_cells = drive.bias.shape[0]  # not the constant: LLVM would unroll
    shown.found[:] = 0
    for _ in range(n):
        step = clocks.count[0]
        smc = cortex(drive, clocks, key, dt, work, shown)
        dbs, loss = stimulator(drive.dbs, clocks.dbs, dt), drive.dopamine_loss[0]
        ring(x, w, n_cells)
        thalamus(x, smc, dt, w, n_cells + 2)
        subthalamus(x, 33.0 - 10.0 * loss + dbs, dt, w, n_cells + 2)
        pallidum(x, dt, w, 2 * n_cells)
        synapses(x, 21.0 - 13.0 * loss, 22.0 - 6.0 * loss, drive.bias, w)
        alpha(x, STN_S, STN_Z, dt, n_cells)
        alpha(x, GPI_S, GPI_Z, dt, n_cells)
        before = n_spikes
        n_spikes = fire(th, d_th, dt, RELAYED_MV, TH * N, step, spikes, n_spikes)
        n_spikes = fire(stn, d_stn, dt, FIRED_MV, STN * N, step, spikes, n_spikes)
        n_spikes = fire(gp, d_gp, dt, FIRED_MV, GPE * N, step, spikes, n_spikes)
        for e in range(before, n_spikes):
            cell = spikes[e, 1]
            if cell // N == STN:
                x[STN_Z + cell - STN * N] += KICK_STN
            elif cell // N == GPI:
                x[GPI_Z + cell - GPI * N] += KICK_GPI
        clocks.count[0] = step + 1
        if (step + 1) % every == 0:
            k = shown.found[2]
            total = 0.0
            for i in range(N):
                shown.thalamus_mv[k, i] = np.float32(x[TH_V + i])
                total += x[GPI_S + i]
            shown.gpi_synapse[k] = np.float32(total / N)
            shown.found[2] = k + 1
    shown.found[0] = n_spikes
