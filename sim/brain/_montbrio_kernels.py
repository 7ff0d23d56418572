"""Compiled core of the exact mean field of quadratic integrate-and-fire neurons."""

from __future__ import annotations

import math
from typing import NamedTuple

from numba import njit

from bmi.signals import F64
from sim.brain._exchange_kernels import Given, Wires, exchange


class Mass(NamedTuple):
    """What a region is, arrays (n,); rates in spikes per time constant."""

    width: F64
    """Delta, half width of the distribution of eta."""
    eta: F64
    """Its centre."""
    j: F64
    """Recurrent coupling."""


class Scratch(NamedTuple):
    """Arrays (2, n), written before they are read."""

    slope: F64
    ahead: F64


@njit(cache=True, nogil=True, error_model="numpy")
def bend(x: F64, drive: F64, mass: Mass, out: F64) -> None:
    """Write the slopes of rate and mean potential (2, n) per time constant."""
    r, v, dr, dv = x[0], x[1], out[0], out[1]
    for i in range(r.size):
        dr[i] = mass.width[i] / math.pi + 2.0 * r[i] * v[i]
    for i in range(r.size):
        pulled = math.pi * r[i]
        dv[i] = v[i] * v[i] + mass.eta[i] + mass.j[i] * r[i] + drive[i] - pulled * pulled


@njit(cache=True, nogil=True, error_model="numpy")
def advance(
    t0: int, n: int, every: int, h: float, noisy: bool, mass: Mass, given: Given, wires: Wires, x: F64,
    scratch: Scratch, shown: F64,
) -> None:  # fmt: skip
    """Take ``n`` steps of ``h`` time constants by Heun's rule; ``shown`` (n_rows, 3, n) takes a row each ``every``.

    A row is the rate, the mean potential, and what reached the region from others. What reaches it is held in a step.
    """
    slope, ahead, n_regions = scratch.slope, scratch.ahead, x.shape[1]
    row = 0
    for t in range(t0, t0 + n):
        exchange(t, x[0], given, wires, noisy)
        for k in range(2):
            for i in range(n_regions):
                ahead[k, i] = x[k, i]
        for _ in range(2):
            bend(ahead, wires.drive, mass, slope)
            for k in range(2):
                for i in range(n_regions):
                    step = h * slope[k, i]
                    ahead[k, i] = x[k, i] + step
                    x[k, i] += 0.5 * step
        for i in range(n_regions):
            x[0, i] = max(x[0, i], 0.0)
        if (t + 1) % every == 0:
            for i in range(n_regions):
                shown[row, 0, i] = x[0, i] + given.proxied[i] * (given.proxy[i] - x[0, i])
                shown[row, 1, i] = x[1, i]
                shown[row, 2, i] = wires.arrived[i]
            row += 1
