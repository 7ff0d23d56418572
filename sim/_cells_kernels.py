"""Compiled core of point cells with ion channels: one class of cells at a time, lanes are cells."""

from __future__ import annotations

from typing import NamedTuple

from numba import njit

from bmi.signals import F64, I64
from sim._channels_kernels import Rate, TType, constant_field, rates, relax, t_gates
from sim._math_kernels import exp64

NA, K, LEAK, T = 0, 1, 2, 3
"""Rows of the scales: by what each channel's conductance is multiplied."""
V, M, H, N, TM, TH, LAST = 0, 1, 2, 3, 4, 5, 6
"""Rows of the state: voltage, mV, gates, and where instant activation stood a step ago."""


class Membrane(NamedTuple):
    """What the cells of a class are made of, for one temperature and step."""

    dt_ms: float
    c_uf_cm2: float
    g_na_ms_cm2: float
    g_k_ms_cm2: float
    g_leak_ms_cm2: float
    e_na_mv: float
    e_k_mv: float
    e_leak_mv: float
    spike_mv: float
    phi: float
    """Temperature factor of the sodium and potassium gates."""
    instant: bool
    """Whether sodium activation follows voltage without delay."""
    opening_m: Rate
    closing_m: Rate
    opening_h: Rate
    closing_h: Rate
    opening_n: Rate
    closing_n: Rate
    t: TType


@njit(cache=True, nogil=True, error_model="numpy")
def gates(p: Membrane, state: F64, work: F64) -> None:
    """Advance the gates by a step at fixed voltage.

    Instant activation is extrapolated from here and a step ago to the half step the other gates stand at.
    """
    v = state[V]
    a = work[0]
    b = work[1]
    factor = p.phi * p.dt_ms
    rates(p.opening_m, v, a)
    rates(p.closing_m, v, b)
    if p.instant:
        m = state[M]
        last = state[LAST]
        for i in range(v.size):
            steady = a[i] / (a[i] + b[i])
            m[i] = min(max(1.5 * steady - 0.5 * last[i], 0.0), 1.0)
            last[i] = steady
    else:
        relax(a, b, factor, state[M])
    rates(p.opening_h, v, a)
    rates(p.closing_h, v, b)
    relax(a, b, factor, state[H])
    rates(p.opening_n, v, a)
    rates(p.closing_n, v, b)
    relax(a, b, factor, state[N])
    if p.t.p_cm_s > 0.0:
        t_gates(v, a, work[2], b, work[3])
        for i in range(v.size):
            state[TM, i] += (a[i] - state[TM, i]) * (1.0 - exp64(-p.t.phi_m * p.dt_ms / work[2, i]))
            state[TH, i] += (b[i] - state[TH, i]) * (1.0 - exp64(-p.t.phi_h * p.dt_ms / work[3, i]))


@njit(cache=True, nogil=True, error_model="numpy")
def voltage(p: Membrane, current: F64, scales: F64, state: F64, work: F64) -> bool:
    """Advance the voltage by a step at fixed gates; the one before goes to ``work[0]``. Return whether one spiked."""
    v = state[V]
    m = state[M]
    h = state[H]
    n = state[N]
    before = work[0]
    total = work[1]
    toward = work[2]
    for i in range(v.size):
        before[i] = v[i]
        g_na = p.g_na_ms_cm2 * scales[NA, i] * m[i] * m[i] * m[i] * h[i]
        g_k = p.g_k_ms_cm2 * scales[K, i] * n[i] * n[i] * n[i] * n[i]
        g_leak = p.g_leak_ms_cm2 * scales[LEAK, i]
        total[i] = g_na + g_k + g_leak
        toward[i] = current[i] + g_na * p.e_na_mv + g_k * p.e_k_mv + g_leak * p.e_leak_mv
    if p.t.p_cm_s > 0.0:
        open_current = work[3]
        constant_field(p.t, v, open_current)
        for i in range(v.size):
            toward[i] -= scales[T, i] * state[TM, i] * state[TM, i] * state[TH, i] * open_current[i]
    for i in range(v.size):
        # The mean of e^(-G s / C) over the step, as a series where the membrane hardly conducts: scales may be 0.
        x = p.dt_ms * total[i] / p.c_uf_cm2
        mean = 1.0 - 0.5 * x if x < 1e-8 else (1.0 - exp64(-x)) / x
        v[i] += mean * (p.dt_ms / p.c_uf_cm2) * (toward[i] - total[i] * v[i])
    spiked = 0
    for i in range(v.size):
        spiked += (before[i] < p.spike_mv) & (v[i] >= p.spike_mv)
    return spiked > 0


@njit(cache=True, nogil=True, error_model="numpy")
def advance(
    p: Membrane, current: F64, scales: F64, steps: tuple[int, int, int], state: F64, work: F64, events: I64, parts: F64,
    shown: F64,
) -> tuple[int, int]:  # fmt: skip
    """Advance cells by some steps (exponential Euler, gates half a step ahead of the voltage).

    ``current`` (n,) µA/cm², ``scales`` (4, n), ``state`` (7, n), ``work`` (4, n) scratch; ``steps`` are the first, how
    many, and after how many voltage is shown (0: never). ``events`` (most, 2) take step and cell of each upward
    crossing of ``spike_mv``, ``parts`` (most,) the broken part of that step at which it happened, ``shown`` (rows, n)
    voltages. Returns how many events and rows there are.
    """
    first, n_steps, every = steps
    n_events = 0
    n_shown = 0
    for step in range(first, first + n_steps):
        gates(p, state, work)
        if voltage(p, current, scales, state, work):
            for i in range(state.shape[1]):
                if work[0, i] < p.spike_mv <= state[V, i] and n_events < parts.size:
                    events[n_events, 0] = step
                    events[n_events, 1] = i
                    parts[n_events] = (p.spike_mv - work[0, i]) / (state[V, i] - work[0, i])
                    n_events += 1
        if every > 0 and (step + 1) % every == 0:
            for i in range(state.shape[1]):
                shown[n_shown, i] = state[V, i]
            n_shown += 1
    return n_events, n_shown
