"""Compiled core of Wilson-Cowan masses."""

from __future__ import annotations

from typing import NamedTuple

from numba import njit

from bmi.signals import F64
from sim._math_kernels import exp64
from sim.brain._exchange_kernels import Given, Wires, exchange


class Mass(NamedTuple):
    """What a region is, arrays (n,)."""

    c1: F64
    c2: F64
    c3: F64
    c4: F64
    a_e: F64
    theta_e: F64
    low_e: F64
    """What the sigmoid is at no input, taken off."""
    a_i: F64
    theta_i: F64
    low_i: F64
    q: F64
    """Input of inhibitory cells from elsewhere."""


class Scratch(NamedTuple):
    """Arrays (2, n), written before they are read."""

    slope: F64
    ahead: F64


@njit(cache=True, nogil=True, error_model="numpy")
def bend(x: F64, drive: F64, r: float, mass: Mass, out: F64) -> None:
    """Write the slopes of excitatory and inhibitory activity (2, n) per time constant."""
    e, i, de, di = x[0], x[1], out[0], out[1]
    for k in range(e.size):
        u = mass.c1[k] * e[k] - mass.c2[k] * i[k] + drive[k]
        s = 1.0 / (1.0 + exp64(mass.a_e[k] * (mass.theta_e[k] - u))) - mass.low_e[k]
        de[k] = (1.0 - r * e[k]) * s - e[k]
    for k in range(e.size):
        u = mass.c3[k] * e[k] - mass.c4[k] * i[k] + mass.q[k]
        s = 1.0 / (1.0 + exp64(mass.a_i[k] * (mass.theta_i[k] - u))) - mass.low_i[k]
        di[k] = (1.0 - r * i[k]) * s - i[k]


@njit(cache=True, nogil=True, error_model="numpy")
def advance(
    t0: int, n: int, every: int, h: tuple[float, float], r: float, noisy: bool, mass: Mass, given: Given, wires: Wires,
    x: F64, scratch: Scratch, shown: F64,
) -> None:  # fmt: skip
    """Take ``n`` steps by Heun's rule; ``shown`` (n_rows, 2, n) takes a row of activity each ``every``.

    ``h`` is the step in time constants, excitatory and inhibitory. What reaches a region is held in a step.
    """
    slope, ahead, n_regions = scratch.slope, scratch.ahead, x.shape[1]
    row = 0
    for t in range(t0, t0 + n):
        exchange(t, x[0], given, wires, noisy)
        for k in range(2):
            for i in range(n_regions):
                ahead[k, i] = x[k, i]
        for _ in range(2):
            bend(ahead, wires.drive, r, mass, slope)
            for k in range(2):
                for i in range(n_regions):
                    step = h[k] * slope[k, i]
                    ahead[k, i] = x[k, i] + step
                    x[k, i] += 0.5 * step
        if (t + 1) % every == 0:
            for i in range(n_regions):
                shown[row, 0, i] = x[0, i] + given.proxied[i] * (given.proxy[i] - x[0, i])
                shown[row, 1, i] = x[1, i]
            row += 1
