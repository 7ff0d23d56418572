"""Compiled core of reduced Wong-Wang masses: NMDA and GABA gates, rates by a threshold-linear function."""

from __future__ import annotations

from typing import NamedTuple

from numba import njit

from bmi.signals import F64
from sim._math_kernels import exp64
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
    """Arrays (2, n), written before they are read."""

    now: F64
    then: F64
    ahead: F64
    rates: F64


@njit(cache=True, nogil=True, error_model="numpy")
def fire(current: float, cells: Firing) -> float:
    """Return the rate, Hz, of cells that receive ``current``, nA."""
    x = cells.a_per_na_s * current - cells.b_hz
    d = cells.d_s
    return x / (1.0 - exp64(-d * x)) if abs(d * x) > 1e-7 else 1.0 / d + 0.5 * x


@njit(cache=True, nogil=True, error_model="numpy")
def bend(x: F64, drive: F64, given: Given, mass: Mass, rates: F64, out: F64) -> None:
    """Write rates, Hz, and slopes of the gates, 1/s, (2, n)."""
    for i in range(drive.size):
        e, s = x[0, i], x[1, i]
        own = fire(drive[i] + mass.self_na[i] * e - mass.inhibition_na[i] * s, mass.excitatory)
        rates[0, i] = own + given.proxied[i] * (given.proxy[i] - own)
        rates[1, i] = fire(mass.steady_i_na + mass.onto_i_na[i] * e - s, mass.inhibitory)
        out[0, i] = -e / mass.tau_e_s + (1.0 - e) * mass.gamma * rates[0, i]
        out[1, i] = -s / mass.tau_i_s + rates[1, i]


@njit(cache=True, nogil=True, error_model="numpy")
def advance(
    t0: int, n: int, every: int, dt_s: float, noisy: bool, mass: Mass, given: Given, sending: Given, wires: Wires,
    x: F64, scratch: Scratch, shown: F64,
) -> None:  # fmt: skip
    """Take ``n`` steps by Heun's rule; ``shown`` (n_rows, 3, n) takes both rates and the NMDA gate each ``every``.

    ``sending`` is ``given`` without proxies: a rate from outside opens the gate, and the gate is what is sent.
    """
    now, then, ahead, rates = scratch.now, scratch.then, scratch.ahead, scratch.rates
    row = 0
    for t in range(t0, t0 + n):
        exchange(t, x[0], sending, wires, noisy)
        bend(x, wires.drive, given, mass, rates, now)
        for k in range(2):
            for i in range(now.shape[1]):
                ahead[k, i] = x[k, i] + dt_s * now[k, i]
        bend(ahead, wires.drive, given, mass, rates, then)
        for k in range(2):
            for i in range(now.shape[1]):
                x[k, i] = min(max(x[k, i] + 0.5 * dt_s * (now[k, i] + then[k, i]), 0.0), 1.0)
        if (t + 1) % every == 0:
            shown[row, :2] = rates
            shown[row, 2] = x[0]
            row += 1
