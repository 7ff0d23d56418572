"""Ion channels: rates of gates as functions of voltage and temperature, and the T-type calcium channel.

A gate is a two-state process, closed to open with one rate and back with another (Hodgkin & Huxley 1952 [1]_). Three
forms of rate are enough for the classical cells; the linoid one has a removable singularity, where its limit is taken.
The T channel is the low-threshold calcium channel of thalamic relay cells [2]_, whose inactivation wears off during a
hyperpolarisation, so that the cell answers its end with a burst.

References
----------
.. [1] Hodgkin & Huxley (1952) A quantitative description of membrane current. J Physiol 117:500.
.. [2] Huguenard & McCormick (1992) Simulation of the currents involved in rhythmic oscillations in thalamic relay
   neurons. J Neurophysiol 68:1373.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from bmi.errors import ContractError
from bmi.signals import F64
from sim._channels_kernels import EXPONENTIAL, LINOID, SIGMOID, Rate, TType, constant_field, rates, t_gates

GAS, FARADAY, ZERO_C = 8.314462618, 96485.33212, 273.15
T_MEASURED_C, T_Q10_M, T_Q10_H = 24.0, 5.0, 3.0
"""The T channel's time constants were measured at 24 °C; their temperature coefficients (Coulter et al. 1989)."""


class Gate(NamedTuple):
    """A gate: rate of opening and rate of closing, at its class's reference temperature."""

    opening: Rate
    closing: Rate

    def steady(self, v_mv: ArrayLike) -> F64:
        """Return the share open after a long time at ``v_mv``."""
        a, b = rate(self.opening, v_mv), rate(self.closing, v_mv)
        return a / (a + b)

    def tau_ms(self, v_mv: ArrayLike) -> F64:
        """Return the time constant at ``v_mv``, ms, at the reference temperature."""
        return 1.0 / (rate(self.opening, v_mv) + rate(self.closing, v_mv))


def exponential(a_per_ms: float, v_mv: float, k_mv: float) -> Rate:
    """Return the rate a e^x, x = (V - v) / k."""
    return Rate(EXPONENTIAL, a_per_ms, v_mv, k_mv)


def sigmoid(a_per_ms: float, v_mv: float, k_mv: float) -> Rate:
    """Return the rate a / (1 + e^-x), x = (V - v) / k."""
    return Rate(SIGMOID, a_per_ms, v_mv, k_mv)


def linoid(a_per_ms: float, v_mv: float, k_mv: float) -> Rate:
    """Return the rate a x / (1 - e^-x), x = (V - v) / k; a at V = v."""
    return Rate(LINOID, a_per_ms, v_mv, k_mv)


def rate(of: Rate, v_mv: ArrayLike) -> F64:
    """Return the rate at ``v_mv``, 1/ms, in its shape."""
    v = np.asarray(v_mv, np.float64)
    out = np.empty(v.size)
    rates(of, np.ascontiguousarray(v.reshape(-1)), out)
    return out.reshape(v.shape)


def temperature_factor(q10: float, temperature_c: float, reference_c: float) -> float:
    """Return by how much faster gates move at ``temperature_c`` than at ``reference_c``.

    Raises
    ------
    ContractError
        Outside 0 to 45 °C, where no channel of these was measured.
    """
    if not 0.0 <= temperature_c <= 45.0:
        raise ContractError(f"temperature_c: expected 0 to 45 °C, given {temperature_c!r}")
    return float(q10 ** ((temperature_c - reference_c) / 10.0))


def t_type(p_cm_s: float, temperature_c: float, inside_mm: float = 2.4e-4, outside_mm: float = 2.0) -> TType:
    """Return a T channel of permeability ``p_cm_s`` at a temperature; calcium concentrations in mmol/l.

    Its activation speeds up fivefold, its inactivation threefold every 10 °C.
    """
    rt_zf_mv = 1e3 * GAS * (ZERO_C + temperature_c) / (2.0 * FARADAY)
    phi_m = temperature_factor(T_Q10_M, temperature_c, T_MEASURED_C)
    phi_h = temperature_factor(T_Q10_H, temperature_c, T_MEASURED_C)
    return TType(p_cm_s, inside_mm, outside_mm, rt_zf_mv, phi_m, phi_h)


class TSteady(NamedTuple):
    """Where the T channel's gates tend to, and how fast."""

    m: F64
    tau_m_ms: F64
    h: F64
    tau_h_ms: F64


def t_steady(of: TType, v_mv: ArrayLike) -> TSteady:
    """Return steady states and time constants of the T channel's gates at ``v_mv`` (n,)."""
    v = np.ascontiguousarray(np.atleast_1d(np.asarray(v_mv, np.float64)))
    m, tau_m, h, tau_h = np.empty((4, v.size))
    t_gates(v, m, tau_m, h, tau_h)
    return TSteady(m, tau_m / of.phi_m, h, tau_h / of.phi_h)


def t_current(of: TType, v_mv: ArrayLike, m: ArrayLike, h: ArrayLike) -> F64:
    """Return the T current at ``v_mv`` (n,) with gates ``m`` and ``h``, µA/cm², inward negative.

    P m² h times the constant-field current of calcium, rectifying because there is so little of it inside.
    """
    v = np.ascontiguousarray(np.atleast_1d(np.asarray(v_mv, np.float64)))
    out = np.empty(v.size)
    constant_field(of, v, out)
    return np.square(m) * np.asarray(h) * out


def reversal_mv(of: TType) -> float:
    """Return the voltage at which the T current turns, mV (Nernst)."""
    return of.rt_zf_mv * math.log(of.outside_mm / of.inside_mm)
