"""Classes of cells by name: which ion channels a membrane holds, and what one that is scaled does to its rest.

``C dV/dt = I - s_na g_na m³h (V - E_na) - s_k g_k n⁴ (V - E_k) - s_leak g_leak (V - E_leak) - s_t I_T``; the scales s
are 1 in health. A channelopathy is a scale on a class: Nav1.1 carries a part of the sodium current of fast-spiking
interneurons, so that the loss of one copy of its gene is about ``{"na": 0.65}`` on "pv" [1]_.

References
----------
.. [1] Yu et al. (2006) Reduced sodium current in GABAergic interneurons in a mouse model of severe myoclonic epilepsy
   in infancy. Nat Neurosci 9:1142.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from bmi.errors import ContractError
from bmi.signals import F64
from sim._cells_kernels import Membrane
from sim.channels import Gate, exponential, linoid, sigmoid, t_current, t_steady, t_type, temperature_factor


class CellClass(NamedTuple):
    """What cells of one class have in common; conductances are per area of membrane."""

    name: str
    about: str
    c_uf_cm2: float
    g_na_ms_cm2: float
    g_k_ms_cm2: float
    g_leak_ms_cm2: float
    e_na_mv: float
    e_k_mv: float
    e_leak_mv: float
    m: Gate
    h: Gate
    n: Gate
    phi: float
    """Temperature factor of the rates at the reference temperature."""
    reference_c: float
    q10: float = 3.0
    instant: bool = False
    """Whether sodium activation follows voltage without delay."""
    p_t_cm_s: float = 0.0
    """Permeability of T-type calcium channels, cm/s."""
    spike_mv: float = 0.0
    """A spike is an upward crossing of this voltage; what stays below hardly opens calcium channels of a terminal."""

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels whose conductance can be scaled."""
        return ("na", "k", "leak", "t") if self.p_t_cm_s else ("na", "k", "leak")


def _shifted(gate: Gate, by_mv: float) -> Gate:
    return Gate(*(r._replace(v_mv=r.v_mv + by_mv) for r in gate))


TRAUB_MILES = (
    Gate(linoid(0.32 * 4.0, -54.0, 4.0), linoid(0.28 * 5.0, -27.0, -5.0)),
    Gate(exponential(0.128, -50.0, -18.0), sigmoid(4.0, -27.0, 5.0)),
    Gate(linoid(0.032 * 5.0, -52.0, 5.0), exponential(0.5, -57.0, -40.0)),
)
"""Sodium and potassium gates of hippocampal pyramidal cells (Traub & Miles 1991)."""
LESS_EXCITABLE = (_shifted(TRAUB_MILES[0], 15.0), _shifted(TRAUB_MILES[1], 15.0), _shifted(TRAUB_MILES[2], 15.0))
"""The same, referred to -52 instead of -67 mV, for relay cells (Destexhe et al. 1998)."""


CELL_CLASSES = {
    c.name: c
    for c in (
        CellClass(
            "squid", "squid giant axon (Hodgkin & Huxley 1952)", 1.0, 120.0, 36.0, 0.3, 50.0, -77.0, -54.387,
            Gate(linoid(1.0, -40.0, 10.0), exponential(4.0, -65.0, -18.0)),
            Gate(exponential(0.07, -65.0, -20.0), sigmoid(1.0, -35.0, 10.0)),
            Gate(linoid(0.1, -55.0, 10.0), exponential(0.125, -65.0, -80.0)),
            phi=1.0, reference_c=6.3,
        ),
        CellClass(
            "pv", "fast-spiking interneuron (Wang & Buzsáki 1996)", 1.0, 35.0, 9.0, 0.1, 55.0, -90.0, -65.0,
            Gate(linoid(1.0, -35.0, 10.0), exponential(4.0, -60.0, -18.0)),
            Gate(exponential(0.07, -58.0, -20.0), sigmoid(1.0, -28.0, 10.0)),
            Gate(linoid(0.1, -34.0, 10.0), exponential(0.125, -44.0, -80.0)),
            phi=5.0, reference_c=37.0, instant=True, spike_mv=-10.0,
        ),
        CellClass(
            "pyramidal", "regular cortical cell (Traub & Miles 1991 as reduced by Ermentrout & Kopell 1998)",
            1.0, 100.0, 80.0, 0.1, 50.0, -100.0, -67.0, *TRAUB_MILES, phi=1.0, reference_c=36.0,
        ),
        CellClass(
            "relay", "thalamic relay cell (Huguenard & McCormick 1992; spikes and densities of Destexhe et al. 1996)",
            1.0, 90.0, 10.0, 0.1, 50.0, -100.0, -66.0, *LESS_EXCITABLE,
            phi=1.0, reference_c=36.0, p_t_cm_s=1.5e-4,  # and its leak: chosen so that it rests at -64 mV and rebounds
        ),
    )
}  # fmt: skip
"""Every class there is, by name."""


def named(name: str) -> CellClass:
    """Return the class called ``name``. Raises ContractError, giving the nearest name, if there is none."""
    if name not in CELL_CLASSES:
        raise ContractError(f"cell_class: there is no {name!r}{_nearest(name, tuple(CELL_CLASSES))}")
    return CELL_CLASSES[name]


def scales_of(of: CellClass, scales: Mapping[str, float] | None) -> F64:
    """Return the scale of sodium, potassium, leak and T conductance (4,), 1 where none is given.

    Raises
    ------
    ContractError
        If the class has no such channel, or a scale is negative or no number.
    """
    rows = dict.fromkeys(("na", "k", "leak", "t"), 1.0)
    for channel, scale in (scales or {}).items():
        if channel not in of.channels:
            raise ContractError(f"{of.name}: has no channel {channel!r}{_nearest(channel, of.channels)}")
        if not 0.0 <= scale < np.inf:
            raise ContractError(f"{of.name}: scale of {channel!r}: expected 0 or more, finite, given {scale!r}")
        rows[channel] = float(scale)
    return np.array(list(rows.values()))


def _nearest(given: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(given, known, 1, 0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(known)}"


def membrane(of: CellClass, dt_s: float, temperature_c: float | None) -> Membrane:
    """Return the class's constants for a step and a temperature, °C (None: the one its rates are given for)."""
    at_c = of.reference_c if temperature_c is None else temperature_c
    phi = of.phi * temperature_factor(of.q10, at_c, of.reference_c)
    return Membrane(
        dt_s * 1e3, of.c_uf_cm2, of.g_na_ms_cm2, of.g_k_ms_cm2, of.g_leak_ms_cm2, of.e_na_mv, of.e_k_mv,
        of.e_leak_mv, of.spike_mv, phi, of.instant, *of.m, *of.h, *of.n, t_type(of.p_t_cm_s, at_c),
    )  # fmt: skip


def gates_at(of: CellClass, p: Membrane, v_mv: ArrayLike) -> F64:
    """Return the state (7, n) of cells that have been at the voltages ``v_mv`` (n,) for a long time."""
    v = np.atleast_1d(np.asarray(v_mv, np.float64))
    t = t_steady(p.t, v)
    m = of.m.steady(v)
    return np.stack([v, m, of.h.steady(v), of.n.steady(v), t.m, t.h, m])


def ionic_current(p: Membrane, scales: F64, state: F64) -> F64:
    """Return the current through all channels (n,), µA/cm², outward positive; ``scales`` (4,) or (4, n)."""
    v, m, h, n, tm, th, _ = state
    return (
        scales[0] * p.g_na_ms_cm2 * m**3 * h * (v - p.e_na_mv)
        + scales[1] * p.g_k_ms_cm2 * n**4 * (v - p.e_k_mv)
        + scales[2] * p.g_leak_ms_cm2 * (v - p.e_leak_mv)
        + scales[3] * t_current(p.t, v, tm, th)
    )


def rest_mv(of: CellClass, p: Membrane, scales: F64) -> float:
    """Return the lowest voltage at which the steady currents cancel, mV."""
    v = np.linspace(-130.0, 40.0, 3401)
    current = ionic_current(p, scales, gates_at(of, p, v))
    first = int(np.argmax(current >= 0.0))
    low, high = v[first - 1], v[first]
    for _ in range(60):
        middle = 0.5 * (low + high)
        above = ionic_current(p, scales, gates_at(of, p, middle))[0] >= 0.0
        low, high = (low, middle) if above else (middle, high)
    return float(0.5 * (low + high))


def held(of: CellClass, p: Membrane, from_mv: ArrayLike, hold_mv: ArrayLike, hold_s: float) -> F64:
    """Return the state (7, n) of cells at rest at ``from_mv``, then clamped to ``hold_mv`` for ``hold_s``; exact.

    At a fixed voltage every gate relaxes as an exponential.
    """
    state, end = gates_at(of, p, from_mv), gates_at(of, p, hold_mv)
    t = t_steady(p.t, end[0])
    taus = (*(gate.tau_ms(end[0]) / p.phi for gate in (of.m, of.h, of.n)), t.tau_m_ms, t.tau_h_ms)
    for row, tau_ms in enumerate(taus, start=1):
        state[row] = end[row] + (state[row] - end[row]) * np.exp(-1e3 * hold_s / tau_ms)
    if of.instant:
        state[1] = end[1]
    state[0], state[6] = end[0], end[6]
    return state
