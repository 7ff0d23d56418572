"""Compiled core of ion channels: voltage-dependent rates, gates, and the constant-field current. Lanes are cells."""

from __future__ import annotations

from typing import NamedTuple

from numba import njit

from bmi.signals import F64
from sim._math_kernels import exp64

EXPONENTIAL, SIGMOID, LINOID = 0, 1, 2
ZF = 2.0 * 96485.33212
"""Charge of a mole of calcium, C/mol; times cm/s and mmol/l it is µA/cm²."""


class Rate(NamedTuple):
    """A rate of a gate, 1/ms, as a function of voltage through x = (V - v_mv) / k_mv."""

    form: int
    """EXPONENTIAL: a e^x; SIGMOID: a / (1 + e^-x); LINOID: a x / (1 - e^-x), which is a where V = v_mv."""
    a_per_ms: float
    v_mv: float
    k_mv: float


class TType(NamedTuple):
    """A T-type calcium channel, m²h with permeability p (Huguenard & McCormick 1992)."""

    p_cm_s: float
    """Permeability with every gate open; 0 where a cell has none."""
    inside_mm: float
    outside_mm: float
    """Calcium concentrations, mmol/l."""
    rt_zf_mv: float
    """RT / 2F."""
    phi_m: float
    phi_h: float
    """Temperature factors of activation and inactivation."""


M_V, M_K, H_V, H_K = -57.0, 6.2, -81.0, -4.0
"""Half-way voltages and slopes of the T channel's activation and inactivation, mV."""


@njit(cache=True, nogil=True, error_model="numpy")
def rates(r: Rate, v: F64, out: F64) -> None:
    """Write the rate ``r`` at the voltages ``v`` (n,) mV to ``out``, 1/ms.

    Around its removable singularity the linoid form is its series: within 1e-14 of itself on both sides of the seam.
    """
    slope = 1.0 / r.k_mv
    if r.form == EXPONENTIAL:
        for i in range(v.size):
            out[i] = r.a_per_ms * exp64((v[i] - r.v_mv) * slope)
    elif r.form == SIGMOID:
        for i in range(v.size):
            out[i] = r.a_per_ms / (1.0 + exp64((r.v_mv - v[i]) * slope))
    else:
        for i in range(v.size):
            x = (v[i] - r.v_mv) * slope
            square = x * x
            near = 1.0 + 0.5 * x + square * (1.0 / 12.0 - square * (1.0 / 720.0 - square * (1.0 / 30240.0)))
            far = x / (1.0 - exp64(-x))
            out[i] = r.a_per_ms * (near if abs(x) < 0.03 else far)


@njit(cache=True, nogil=True, error_model="numpy")
def relax(opening: F64, closing: F64, factor_ms: float, gate: F64) -> None:
    """Advance ``gate`` exactly by ``factor_ms`` (temperature factor times step) at fixed rates, 1/ms."""
    for i in range(gate.size):
        total = opening[i] + closing[i]
        gate[i] += (opening[i] / total - gate[i]) * (1.0 - exp64(-total * factor_ms))


@njit(cache=True, nogil=True, error_model="numpy")
def t_gates(v: F64, m: F64, tau_m: F64, h: F64, tau_h: F64) -> None:
    """Write steady states and time constants (ms, at 24 °C) of the T channel's gates at ``v`` (n,) mV."""
    for i in range(v.size):
        m[i] = 1.0 / (1.0 + exp64((M_V - v[i]) / M_K))
        h[i] = 1.0 / (1.0 + exp64((H_V - v[i]) / H_K))
    for i in range(v.size):
        tau_m[i] = 0.612 + 1.0 / (exp64((-132.0 - v[i]) / 16.7) + exp64((v[i] + 16.8) / 18.2))
    for i in range(v.size):
        slow = exp64((v[i] + 467.0) / 66.6)
        tau_h[i] = slow if v[i] < -80.0 else 28.0 + exp64((-22.0 - v[i]) / 10.5)


@njit(cache=True, nogil=True, error_model="numpy")
def constant_field(t: TType, v: F64, out: F64) -> None:
    """Write the calcium current through open T channels at ``v`` (n,) mV to ``out``, µA/cm² (Goldman 1943).

    zF P u (c_in - c_out e^-u) / (1 - e^-u), u = V zF / RT; at u = 0 its limit.
    """
    slope = 1.0 / t.rt_zf_mv
    for i in range(v.size):
        u = v[i] * slope
        square = u * u
        near = 1.0 + 0.5 * u + square * (1.0 / 12.0 - square * (1.0 / 720.0 - square * (1.0 / 30240.0)))
        far = u / (1.0 - exp64(-u))
        linoid = near if abs(u) < 0.03 else far
        out[i] = ZF * t.p_cm_s * (t.inside_mm * linoid - t.outside_mm * (linoid - u))
