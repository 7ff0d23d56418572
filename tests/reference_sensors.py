"""Field sensors once more, in plain NumPy: written from the papers, not from the kernels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]


def first_order(b0: float, b1: float, a1: float, x: F64) -> F64:
    """Filter the columns of ``x`` by y[k] = b0 x[k] + b1 x[k-1] - a1 y[k-1], from rest."""
    y = np.zeros_like(x)
    for k in range(len(x)):
        before = (x[k - 1], y[k - 1]) if k else (0.0, 0.0)
        y[k] = b0 * x[k] + b1 * before[0] - a1 * before[1]
    return y


def field_of_spikes(
    spikes: list[tuple[int, int]], positions: F64, n_exc: int, electrodes: F64, n_ms: int, *,
    amplitudes: tuple[float, float] = (0.48, 3.0), reach_um: float = 200.0, um_per_ms: float = 200.0,
    peak_ms: float = 10.4, widths_ms: tuple[float, float] = (3.15, 2.1), exact: bool = False,
) -> F64:  # fmt: skip
    """Return the potential in each millisecond of spikes (ms, neuron): Teleńczuk et al. (2020), equations 1 to 3.

    Unless ``exact``, a field that sets out within a millisecond is shared by the two beside it, and there is none
    before its spike has arrived nor 4 standard deviations of the wider kind after the peak.
    """
    t = np.arange(n_ms, dtype=float)
    longest = np.ceil(peak_ms + 4.0 * max(widths_ms))
    out = np.zeros((n_ms, len(electrodes)))
    for ms, neuron in spikes:
        kind = 0 if neuron < n_exc else 1
        for e, place in enumerate(electrodes):
            d = float(np.sqrt(((positions[neuron] - place) ** 2).sum()))
            size = amplitudes[kind] * np.exp(-d / reach_um)

            def bell(after: F64, kind: int = kind) -> F64:
                return np.exp(-((after - peak_ms) ** 2) / (2 * widths_ms[kind] ** 2))

            late = d / um_per_ms
            if exact:
                out[:, e] += size * bell(t - ms - late)
                continue
            for k, share in ((np.floor(late), 1.0 - late % 1.0), (np.floor(late) + 1.0, late % 1.0)):
                after = t - ms - k
                out[:, e] += size * share * np.where((after >= 0) & (after < longest), bell(after), 0.0)
    return out


def balloon(
    u: F64, dt: float, *, kappa: float = 0.65, gamma: float = 0.41, tau: float = 0.98, alpha: float = 0.32,
    rho: float = 0.34, v0: float = 0.02, ks: tuple[float, float, float] = (2.38, 2.0, 0.48),
) -> F64:  # fmt: skip
    """Return the signal after each step of ``u``: Friston, Harrison & Penny (2003), by Euler's method."""
    s, f, v, q = 0.0, 1.0, 1.0, 1.0
    k1, k2, k3 = ks
    y = np.zeros(len(u))
    for k, now in enumerate(u):
        extraction = 1.0 - (1.0 - rho) ** (1.0 / f)
        ds = now - kappa * s - gamma * (f - 1.0)
        dv = (f - v ** (1.0 / alpha)) / tau
        dq = (f * extraction / rho - v ** (1.0 / alpha) * q / v) / tau
        s, f, v, q = s + dt * ds, f + dt * s, v + dt * dv, q + dt * dq
        y[k] = v0 * (k1 * (1 - q) + k2 * (1 - q / v) + k3 * (1 - v))
    return y
