"""Membranes written from the papers, in plain NumPy: the twins. Nothing here looks at the kernels or is fast."""

from __future__ import annotations

import math

import numpy as np


def vtrap(x, y):
    """x / (1 - exp(-x / y)), y where x is 0."""
    return y if x == 0.0 else x / -math.expm1(-x / y)


def squid_rates(V):
    """Hodgkin & Huxley (1952), J Physiol 117:500, in modern sign: opening and closing of m, h and n, 1/ms."""
    return (
        (0.1 * vtrap(V + 40.0, 10.0), 4.0 * math.exp(-(V + 65.0) / 18.0)),
        (0.07 * math.exp(-(V + 65.0) / 20.0), 1.0 / (1.0 + math.exp(-(V + 35.0) / 10.0))),
        (0.01 * vtrap(V + 55.0, 10.0), 0.125 * math.exp(-(V + 65.0) / 80.0)),
    )


def pv_rates(V):
    """Wang & Buzsáki (1996), J Neurosci 16:6402, without the factor 5."""
    return (
        (0.1 * vtrap(V + 35.0, 10.0), 4.0 * math.exp(-(V + 60.0) / 18.0)),
        (0.07 * math.exp(-(V + 58.0) / 20.0), 1.0 / (math.exp(-0.1 * (V + 28.0)) + 1.0)),
        (0.01 * vtrap(V + 34.0, 10.0), 0.125 * math.exp(-(V + 44.0) / 80.0)),
    )


def pyramidal_rates(V, shift=0.0):
    """Traub & Miles (1991) as in Ermentrout & Kopell (1998), PNAS 95:1259."""
    v = V - shift
    return (
        (0.32 * vtrap(v + 54.0, 4.0), 0.28 * vtrap(-(v + 27.0), 5.0)),
        (0.128 * math.exp(-(v + 50.0) / 18.0), 4.0 / (1.0 + math.exp(-(v + 27.0) / 5.0))),
        (0.032 * vtrap(v + 52.0, 5.0), 0.5 * math.exp(-(v + 57.0) / 40.0)),
    )


def relay_rates(V):
    """The same, 15 mV less excitable: half activation referred to -52 instead of -67 mV."""
    return pyramidal_rates(V, 15.0)


RATES = {"squid": squid_rates, "pv": pv_rates, "pyramidal": pyramidal_rates, "relay": relay_rates}
PARAMETERS = {
    # C, µF/cm²; g, mS/cm²: Na, K, leak; E, mV: Na, K, leak; factor of the rates.
    "squid": (1.0, (120.0, 36.0, 0.3), (50.0, -77.0, -54.387), 1.0),
    "pv": (1.0, (35.0, 9.0, 0.1), (55.0, -90.0, -65.0), 5.0),
    "pyramidal": (1.0, (100.0, 80.0, 0.1), (50.0, -100.0, -67.0), 1.0),
    "relay": (1.0, (90.0, 10.0, 0.1), (50.0, -100.0, -66.0), 1.0),
}


def t_gates(V):
    """Huguenard & McCormick (1992), J Neurophysiol 68:1373, at 24 °C: m∞, τm, h∞, τh (ms)."""
    m = 1.0 / (1.0 + math.exp(-(V + 57.0) / 6.2))
    h = 1.0 / (1.0 + math.exp((V + 81.0) / 4.0))
    tau_m = 0.612 + 1.0 / (math.exp(-(V + 132.0) / 16.7) + math.exp((V + 16.8) / 18.2))
    tau_h = math.exp((V + 467.0) / 66.6) if V < -80.0 else 28.0 + math.exp(-(V + 22.0) / 10.5)
    return m, tau_m, h, tau_h


def ghk(V, p_cm_s, celsius, inside_mm=2.4e-4, outside_mm=2.0):
    """Goldman, Hodgkin & Katz: current of a divalent ion, µA/cm²."""
    F, R = 96485.33212, 8.314462618
    u = 2.0 * F * V * 1e-3 / (R * (273.15 + celsius))
    if abs(u) < 1e-9:
        return p_cm_s * 2.0 * F * (inside_mm - outside_mm)
    return p_cm_s * 2.0 * F * u * (inside_mm - outside_mm * math.exp(-u)) / -math.expm1(-u)


def currents(name, V, gates, scales):
    """Outward current, µA/cm², of one cell; gates are m, h, n and the T channel's two."""
    _, (gna, gk, gl), (ena, ek, el), _ = PARAMETERS[name]
    m, h, n, tm, th = gates
    total = scales[0] * gna * m**3 * h * (V - ena) + scales[1] * gk * n**4 * (V - ek) + scales[2] * gl * (V - el)
    if name == "relay":
        total += scales[3] * tm**2 * th * ghk(V, 1.5e-4, 36.0)
    return total


def derivative(name, y, current, scales):
    """Time derivative, 1/ms, of V, h, n and, where they are not instant or absent, m and the T channel's gates."""
    C, _, _, phi = PARAMETERS[name]
    V, m, h, n, tm, th = y
    (am, bm), (ah, bh), (an, bn) = RATES[name](V)
    m = am / (am + bm) if name == "pv" else m
    tm8, taum, th8, tauh = t_gates(V)
    dm = 0.0 if name == "pv" else phi * (am * (1 - m) - bm * m)
    return np.array([
        (current - currents(name, V, (m, h, n, tm, th), scales)) / C, dm, phi * (ah * (1 - h) - bh * h),
        phi * (an * (1 - n) - bn * n), (tm8 - tm) * 5.0**1.2 / taum, (th8 - th) * 3.0**1.2 / tauh,
    ])  # fmt: skip


def rest(name, V):
    """State with every gate at its steady value at V."""
    (am, bm), (ah, bh), (an, bn) = RATES[name](V)
    tm, _, th, _ = t_gates(V)
    return np.array([V, am / (am + bm), ah / (ah + bh), an / (an + bn), tm, th])


def voltage(name, V0, current, seconds, dt_ms, scales=(1.0, 1.0, 1.0, 1.0)):
    """Runge-Kutta's method of fourth order from rest at V0: voltage after every step, mV."""
    y, out = rest(name, V0), []
    for _ in range(round(seconds * 1e3 / dt_ms)):
        k1 = derivative(name, y, current, scales)
        k2 = derivative(name, y + 0.5 * dt_ms * k1, current, scales)
        k3 = derivative(name, y + 0.5 * dt_ms * k2, current, scales)
        k4 = derivative(name, y + dt_ms * k3, current, scales)
        y = y + dt_ms / 6.0 * (k1 + 2 * k2 + 2 * k3 + k4)
        out.append(y[0])
    return np.array(out)


def cooperative_roots(v, v_half, k, j):
    """Every share o with o = 1 / (1 + exp(-(v - v_half + j o) / k)), by looking for changes of sign."""
    from scipy.optimize import brentq

    def f(o):
        return o - 1.0 / (1.0 + math.exp(-(v - v_half + j * o) / k))

    grid = np.linspace(0.0, 1.0, 4001)
    sign = np.sign([f(o) for o in grid])
    crossed = np.flatnonzero(sign[:-1] * sign[1:] < 0)
    return [brentq(f, grid[i], grid[i + 1], xtol=1e-15) for i in crossed]
