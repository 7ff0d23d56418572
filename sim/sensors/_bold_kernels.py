"""Compiled core of BOLD: the balloon, a region a column."""

from __future__ import annotations

import math
from typing import NamedTuple

from numba import njit

from bmi.signals import F64
from sim._math_kernels import exp64

LEAST = 1e-3
"""Flow never falls below this share of its value at rest."""


class Balloon(NamedTuple):
    """Parameters of the hemodynamics; ``sim.sensors.bold.Hemodynamics`` says what they are."""

    dt_s: float
    kappa: float
    gamma: float
    tau_s: float
    alpha: float
    rho: float
    v0: float
    k1: float
    k2: float
    k3: float


@njit(cache=True, nogil=True, error_model="numpy")
def advance(p: Balloon, u: F64, state: F64) -> None:
    """Take a step of Euler for each row of ``u`` (n_rows, n); ``state`` (4, n) is s, f, v, q.

    Oxygen extraction is taken as a share of its value at rest, computed alike: at rest nothing moves, to the last bit.
    """
    s, f, v, q = state[0], state[1], state[2], state[3]
    stays = math.log(1.0 - p.rho)
    at_rest = 1.0 - exp64(stays)
    a, b = p.dt_s, p.dt_s / p.tau_s
    for j in range(u.shape[0]):
        row = u[j]
        for i in range(row.size):
            out = exp64(math.log(v[i]) / p.alpha)
            extracted = (1.0 - exp64(stays / f[i])) / at_rest
            ds = row[i] - p.kappa * s[i] - p.gamma * (f[i] - 1.0)
            flow = f[i]
            q[i] += b * (flow * extracted - out * q[i] / v[i])
            v[i] += b * (flow - out)
            f[i] = max(flow + a * s[i], LEAST)
            s[i] += a * ds


@njit(cache=True, nogil=True, error_model="numpy")
def observe(p: Balloon, state: F64, out: F64) -> None:
    """Write the change of the signal, a share of its value at rest, to ``out`` (n,)."""
    for i in range(out.size):
        v, q = state[2, i], state[3, i]
        out[i] = p.v0 * (p.k1 * (1.0 - q) + p.k2 * (1.0 - q / v) + p.k3 * (1.0 - v))
