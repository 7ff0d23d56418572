"""Compiled core of the basal ganglia: one explicit Euler step of four nuclei.

Equations and constants are those of So, Kent & Grill (2012), ModelDB 141699; voltages in mV, times in ms, currents in
µA/cm², conductances in mS/cm², capacitance 1 µF/cm². ``sim._relay_kernels`` drives it.

The whole state is one array ``x``, every variable a stretch of it that begins at a constant, so that LLVM needs no
checks for overlap; loops take their length from outside, because a dozen turns known beforehand are unrolled and not
vectorised (twice as slow, measured). Thalamus and subthalamus have two idle lanes, for whole vectors. Exponentials of
one voltage scale differ by a factor only and are computed once; a gate and its time constant share one division.
"""

from __future__ import annotations

import math

from numba import njit

from bmi.signals import F64
from sim._math_kernels import exp64

N, LANES, PAIR = 10, 12, 20
"""Cells of a nucleus; lanes of thalamus and subthalamus; of the pallidum, external cells before internal ones."""

TH_V, TH_H, TH_R = 0, 12, 24
STN_V, STN_N, STN_H, STN_R, STN_CA, STN_C, STN_S, STN_Z = 36, 48, 60, 72, 84, 96, 108, 120
GP_V, GP_N, GP_H, GP_R, GP_CA, GPE_S, GPI_S, GPI_Z = 132, 152, 172, 192, 212, 232, 242, 252
SIZE = 262
"""Where a variable begins in ``x``: voltage, gates, calcium, synapses made (s, and its slope z in 1/ms)."""

D_TH, D_STN, D_GP, CALCIUM, NEAR, FAR, SCRATCH = 0, 12, 24, 44, 64, 75, 88
"""Where a stretch of scratch begins: slopes of voltages, calcium current, synapses of STN and GPe around the ring."""

TAU_MS = 5.0
KICK_STN, KICK_GPI = 0.43 * math.e / TAU_MS, 0.3 * math.e / TAU_MS
"""What a spike adds to the slope of an alpha function that peaks at 0.43 and 0.3, 1/ms."""
B_REST = 1.0 / (1.0 + math.exp(4.0))
E_1_5, E_6_5, E_10_75, E_11 = (math.exp(k) for k in (1.5, 6.5, 10.75, 11.0))


@njit(cache=True, nogil=True, error_model="numpy")
def slope(gate: float, e: float, f: float, least: float, span: float) -> float:
    """Return (1 / (1 + e) - gate) / (least + span / (1 + f)) with one division."""
    return (1.0 - gate * (1.0 + e)) * (1.0 + f) / ((1.0 + e) * (least * (1.0 + f) + span))


@njit(cache=True, nogil=True, error_model="numpy")
def thalamus(x: F64, smc: float, dt: float, w: F64, n: int) -> None:
    """Write slopes of the thalamic voltages into ``w`` and advance the gates; ``smc`` is what cortex injects."""
    for i in range(n):
        v, h = x[TH_V + i], x[TH_H + i]
        m = 1.0 / (1.0 + exp64((v + 37.0) * (-1.0 / 7.0)))
        p = 1.0 / (1.0 + exp64((v + 60.0) * (-1.0 / 6.2)))
        k = 0.75 * (1.0 - h)
        sodium = 3.0 * m * m * m * h * (v - 50.0)
        potassium = 5.0 * k * k * k * k * (v + 75.0)
        calcium = 5.0 * p * p * x[TH_R + i] * v
        w[D_TH + i] = smc - 0.05 * (v + 70.0) - sodium - potassium - calcium
    for i in range(n):
        v, h, r = x[TH_V + i], x[TH_H + i], x[TH_R + i]
        e = exp64((v + 41.0) * 0.25)
        opening = 0.128 * exp64((v + 46.0) * (-1.0 / 18.0)) + 4.0 / (1.0 + exp64((v + 23.0) * -0.2))
        tau = 0.15 * (28.0 + exp64((v + 25.0) * (-1.0 / 10.5)))
        x[TH_H + i] = h + dt * opening * (1.0 / (1.0 + e) - h)
        e *= E_10_75
        x[TH_R + i] = r + dt * (1.0 - r * (1.0 + e)) / (tau * (1.0 + e))


@njit(cache=True, nogil=True, error_model="numpy")
def subthalamus(x: F64, applied: float, dt: float, w: F64, n: int) -> None:
    """Write slopes of the subthalamic voltages into ``w`` and advance gates and calcium."""
    for i in range(n):
        v, c = x[STN_V + i], x[STN_C + i]
        a = 1.0 / (1.0 + exp64((v + 63.0) * (-1.0 / 7.8)))
        b = 1.0 / (1.0 + exp64((x[STN_R + i] - 0.4) * -10.0)) - B_REST
        w[CALCIUM + i] = (0.5 * a * a * a * b * b + 2.0 * c * c) * (v - 140.0)
    for i in range(n):
        v, ca = x[STN_V + i], x[STN_CA + i]
        m = 1.0 / (1.0 + exp64((v + 30.0) * (-1.0 / 15.0)))
        k = x[STN_N + i] * x[STN_N + i]
        potassium = (45.0 * k * k + 20.0 * ca / (ca + 15.0)) * (v + 80.0)
        sodium = 37.0 * m * m * m * x[STN_H + i] * (v - 55.0)
        w[D_STN + i] = applied - 2.25 * (v + 60.0) - sodium - potassium - w[CALCIUM + i]
    for i in range(n):
        v = x[STN_V + i]
        slow, e = exp64((v + 80.0) * (1.0 / 26.0)), exp64((v + 32.0) * -0.125)
        x[STN_N + i] += 0.75 * dt * slope(x[STN_N + i], e, slow, 1.0, 100.0)
        x[STN_C + i] += 0.08 * dt * slope(x[STN_C + i], e * E_1_5, slow, 1.0, 10.0)
    for i in range(n):
        v = x[STN_V + i]
        e, f = exp64((v + 39.0) * (1.0 / 3.1)), exp64((v + 57.0) * (1.0 / 3.0))
        x[STN_H + i] += 0.75 * dt * slope(x[STN_H + i], e, f, 1.0, 500.0)
    for i in range(n):
        v = x[STN_V + i]
        e, f = exp64((v + 67.0) * 0.5), exp64((v - 68.0) * (1.0 / 2.2))
        x[STN_R + i] += 0.2 * dt * slope(x[STN_R + i], e, f, 7.1, 17.5)
    for i in range(n):
        x[STN_CA + i] -= 3.75e-5 * dt * (w[CALCIUM + i] + 22.5 * x[STN_CA + i])


@njit(cache=True, nogil=True, error_model="numpy")
def pallidum(x: F64, dt: float, w: F64, n: int) -> None:
    """Write slopes of the pallidal voltages into ``w`` and advance gates, calcium and what GPe releases."""
    for i in range(n):
        v, r = x[GP_V + i], x[GP_R + i]
        e = exp64((v + 57.0) * -0.5)
        a, s = 1.0 / (1.0 + e), 1.0 / (1.0 + e * E_11)
        w[CALCIUM + i] = (0.5 * a * a * a * r + 0.15 * s * s) * (v - 120.0)
        x[GP_R + i] = r + dt / 30.0 * (e / (e + E_6_5) - r)
    for i in range(n // 2):
        open_ = 1.0 / (1.0 + exp64((x[GP_V + i] + 37.0) * -0.5))
        x[GPE_S + i] += dt * (2.0 * (1.0 - x[GPE_S + i]) * open_ - 0.04 * x[GPE_S + i])
    for i in range(n):
        v, ca = x[GP_V + i], x[GP_CA + i]
        m = 1.0 / (1.0 + exp64((v + 37.0) * -0.1))
        k = x[GP_N + i] * x[GP_N + i]
        potassium = (30.0 * k * k + 10.0 * ca / (ca + 10.0)) * (v + 80.0)
        sodium = 120.0 * m * m * m * x[GP_H + i] * (v - 55.0)
        w[D_GP + i] = -0.1 * (v + 65.0) - sodium - potassium - w[CALCIUM + i]
        x[GP_CA + i] = ca - 1e-4 * dt * (w[CALCIUM + i] + 15.0 * ca)
    for i in range(n):
        v = x[GP_V + i]
        f, e = exp64((v + 40.0) * (1.0 / 12.0)), exp64((v + 50.0) * (-1.0 / 14.0))
        x[GP_N + i] += 0.1 * dt * slope(x[GP_N + i], e, f, 0.05, 0.27)
        x[GP_H + i] += 0.05 * dt * slope(x[GP_H + i], f * E_1_5, f, 0.05, 0.27)


@njit(cache=True, nogil=True, error_model="numpy")
def synapses(x: F64, gpe: float, gpi: float, bias: F64, w: F64) -> None:
    """Add synaptic and applied current, ``gpe`` and ``gpi``, to the slopes of voltages in ``w``.

    ``ring`` was called before the nuclei advanced what they release.
    """
    n = bias.shape[0]
    for i in range(n):
        w[D_TH + i] -= 0.112 * x[GPI_S + i] * (x[TH_V + i] + 85.0)
    for i in range(n):
        w[D_STN + i] -= 0.5 * (w[FAR + 2 + i] + w[FAR + 3 + i]) * (x[STN_V + i] + 85.0)
    for i in range(n):
        w[D_GP + i] += gpe + bias[i] - 0.15 * (w[NEAR + i] + w[NEAR + 1 + i]) * x[GP_V + i]
        w[D_GP + i] -= 0.5 * (w[FAR + i] + w[FAR + 3 + i]) * (x[GP_V + i] + 85.0)
    for i in range(n):
        v = x[GP_V + N + i]
        w[D_GP + N + i] += gpi - 0.15 * (w[NEAR + i] + w[NEAR + 1 + i]) * v
        w[D_GP + N + i] -= 0.5 * (w[FAR + i] + w[FAR + 3 + i]) * (v + 85.0)


@njit(cache=True, nogil=True, error_model="numpy")
def ring(x: F64, w: F64, n: int) -> None:
    """Copy what STN and GPe release into ``w``, the ends repeated: STN from cell -1 on, GPe from cell -2 on."""
    w[NEAR] = x[STN_S + n - 1]
    w[FAR] = x[GPE_S + n - 2]
    w[FAR + 1] = x[GPE_S + n - 1]
    w[FAR + 2 + n] = x[GPE_S]
    for i in range(n):
        w[NEAR + 1 + i] = x[STN_S + i]
        w[FAR + 2 + i] = x[GPE_S + i]


@njit(cache=True, nogil=True, error_model="numpy")
def alpha(x: F64, s: int, z: int, dt: float, n: int) -> None:
    """Advance alpha functions that begin at ``s`` and their slopes at ``z``, the slope after the value as published."""
    for i in range(n):
        x[s + i] += dt * x[z + i]
        x[z + i] -= dt * (2.0 / TAU_MS * x[z + i] + x[s + i] / (TAU_MS * TAU_MS))
