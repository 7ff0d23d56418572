"""Compiled core of reduced Wong-Wang masses: NMDA and GABA gates, rates by a threshold-linear function."""

from __future__ import annotations

import math
from typing import NamedTuple

from numba import njit

from bmi.signals import F64
from sim.brain._exchange_kernels import Given, Wires, exchange


class Firing(NamedTuple):
    """The function from a cell's current x to its rate: (a x - b) / (1 - exp(-d (a x - b)))."""

    a_per_na_s: float
    b_hz: float
    d_s: float


class Mass(NamedTuple):
    """What a region is: arrays (n,), and numbers alike in all; nA, Hz, s."""

    self_na: F64
    """w+ J_NMDA, excitatory on excitatory cells."""
    onto_i_na: F64
    """J_NMDA, excitatory on inhibitory."""
    inhibition_na: F64
    """J, inhibitory on excitatory."""
    steady_i_na: float
    excitatory: Firing
    inhibitory: Firing
    tau_e_s: float
    tau_i_s: float
    gamma: float


class Scratch(NamedTuple):
    """Written before it is read; (2, n) but for the last."""

    slope: F64
    ahead: F64
    rates: F64
    current: F64
    """(n,)"""


@njit(cache=True, nogil=True, error_model="numpy")
def fire(current: F64, cells: Firing, rate: F64) -> None:
    """Write the rates, Hz, of cells that receive ``current``, nA."""
    d = cells.d_s
    for i in range(rate.size):
        x = cells.a_per_na_s * current[i] - cells.b_hz
        near = abs(x * d) < 1e-7
        rate[i] = 1.0 / d + 0.5 * x if near else x / (1.0 - math.exp(-d * x))


@njit(cache=True, nogil=True, error_model="numpy")
def bend(x: F64, drive: F64, given: Given, mass: Mass, scratch: Scratch) -> None:
    """Write rates, Hz, and slopes of the gates, 1/s, (2, n)."""
    e, s, rates, slope, current = x[0], x[1], scratch.rates, scratch.slope, scratch.current
    for i in range(drive.size):
        current[i] = drive[i] + mass.self_na[i] * e[i] - mass.inhibition_na[i] * s[i]
    fire(current, mass.excitatory, rates[0])
    for i in range(drive.size):
        current[i] = mass.steady_i_na + mass.onto_i_na[i] * e[i] - s[i]
    fire(current, mass.inhibitory, rates[1])
    for i in range(drive.size):
        rates[0, i] += given.proxied[i] * (given.proxy[i] - rates[0, i])
        slope[0, i] = -e[i] / mass.tau_e_s + (1.0 - e[i]) * mass.gamma * rates[0, i]
        slope[1, i] = -s[i] / mass.tau_i_s + rates[1, i]


@njit(cache=True, nogil=True, error_model="numpy")
def advance(
    t0: int, n: int, every: int, dt_s: float, noisy: bool, mass: Mass, given: Given, sending: Given, wires: Wires,
    x: F64, scratch: Scratch, shown: F64,
) -> None:  # fmt: skip
    """Take ``n`` steps by Heun's rule; ``shown`` (n_rows, 3, n) takes both rates and the NMDA gate each ``every``.

    ``sending`` is ``given`` without proxies: a rate from outside opens the gate, and the gate is what is sent.
    """
    slope, ahead, rates, n_regions = scratch.slope, scratch.ahead, scratch.rates, x.shape[1]
    row = 0
    for t in range(t0, t0 + n):
        exchange(t, x[0], sending, wires, noisy)
        for k in range(2):
            for i in range(n_regions):
                ahead[k, i] = x[k, i]
        for _ in range(2):
            bend(ahead, wires.drive, given, mass, scratch)
            for k in range(2):
                for i in range(n_regions):
                    step = dt_s * slope[k, i]
                    ahead[k, i] = x[k, i] + step
                    x[k, i] += 0.5 * step
        for k in range(2):
            for i in range(n_regions):
                x[k, i] = min(max(x[k, i], 0.0), 1.0)
        if (t + 1) % every == 0:
            for i in range(n_regions):
                shown[row, 0, i] = rates[0, i]
                shown[row, 1, i] = rates[1, i]
                shown[row, 2, i] = x[0, i]
            row += 1
