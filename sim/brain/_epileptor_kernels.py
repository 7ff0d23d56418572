"""Compiled core of networks of Epileptors; regions are innermost, several short loops each of one result."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from bmi.signals import F64
from sim._noise_kernels import U64, normals
from sim.brain._delay_kernels import Lines, deliver, post

PACE = 0.00035
"""1 / tau0: of the permittivity, against the fast variables."""


class Clockwork(NamedTuple):
    """Numbers."""

    dt: float
    """Units of the model's time."""
    n_row: int
    """Steps a row of output."""
    heun: bool
    noisy: bool


class Given(NamedTuple):
    """Parameters and inputs, arrays (n,)."""

    x0: F64
    """Excitability."""
    rest1: F64
    """I_rest1, with the stimulus."""
    rest2: F64
    fast: F64
    """Coupling into x1'."""
    slow: F64
    """Coupling into z'; negative brings regions together."""
    afferent: F64
    efferent: F64
    total: F64
    """Sum of the weights that reach it, each times the share that leaves its source."""
    noise: F64
    """Standard deviation that x2 and y2 gain in a step."""


class Scratch(NamedTuple):
    """Written before it is read."""

    words: U64
    four: F64
    fresh: F64
    """``four``, two numbers a region."""
    sent: F64
    """(n,)"""
    reach: F64
    """(n,)"""
    kick: F64
    """(2 n,)"""
    next_x: F64
    """(6 n,), and so on."""
    now: F64
    then: F64


@njit(cache=True, nogil=True, error_model="numpy")
def discharge(x: F64, given: Given, reach: F64, out: F64) -> None:
    """Write the slopes of x1, y1 (fast discharges) and g (their running mean)."""
    n = reach.size
    rest1, fast = given.rest1, given.fast
    x1, y1, z, x2, g = x[:n], x[n : 2 * n], x[2 * n : 3 * n], x[3 * n : 4 * n], x[5 * n :]
    d0, d1, d5 = out[:n], out[n : 2 * n], out[5 * n :]
    for i in range(n):
        over = z[i] - 4.0
        bound = x1[i] * (3.0 - x1[i])
        free = 0.6 * over * over - x2[i]
        d0[i] = y1[i] - z[i] + x1[i] * (bound if x1[i] < 0.0 else free)
    for i in range(n):
        d0[i] += rest1[i] + fast[i] * reach[i]
    for i in range(n):
        d1[i] = 1.0 - 5.0 * x1[i] * x1[i] - y1[i]
    for i in range(n):
        d5[i] = -0.01 * (g[i] - 0.1 * x1[i])


@njit(cache=True, nogil=True, error_model="numpy")
def permit(x: F64, given: Given, reach: F64, out: F64) -> None:
    """Write the slope of z, the permittivity; below zero it is held back steeply."""
    n = reach.size
    x0, slow = given.x0, given.slow
    x1, z, d2 = x[:n], x[2 * n : 3 * n], out[2 * n : 3 * n]
    for i in range(n):
        below = min(z[i], 0.0)
        square = below * below
        d2[i] = PACE * (4.0 * (x1[i] - x0[i]) - z[i] - 0.1 * square * square * square * below + slow[i] * reach[i])


@njit(cache=True, nogil=True, error_model="numpy")
def spike_and_wave(x: F64, given: Given, out: F64) -> None:
    """Write the slopes of x2 and y2, the spike-and-wave complexes."""
    rest2 = given.rest2
    n = rest2.size
    z, x2, y2, g = x[2 * n : 3 * n], x[3 * n : 4 * n], x[4 * n : 5 * n], x[5 * n :]
    d3, d4 = out[3 * n : 4 * n], out[4 * n : 5 * n]
    for i in range(n):
        d3[i] = x2[i] * (1.0 - x2[i] * x2[i]) - y2[i] + rest2[i] + 2.0 * g[i] - 0.3 * (z[i] - 3.5)
    for i in range(n):
        d4[i] = 0.1 * (6.0 * max(x2[i] + 0.25, 0.0) - y2[i])


@njit(cache=True, nogil=True, error_model="numpy")
def slopes(x: F64, given: Given, reach: F64, out: F64) -> None:
    """Write all six slopes (6 n,), per unit of time."""
    discharge(x, given, reach, out)
    permit(x, given, reach, out)
    spike_and_wave(x, given, out)


@njit(cache=True, nogil=True, error_model="numpy")
def move(x: F64, step: float, slope: F64, out: F64) -> None:
    """Write x + step slope."""
    for i in range(x.size):
        out[i] = x[i] + step * slope[i]


@njit(cache=True, nogil=True, error_model="numpy")
def move_both(x: F64, step: float, slope: F64, other: F64) -> None:
    """Add step (slope + other) to x."""
    for i in range(x.size):
        x[i] += step * (slope[i] + other[i])


@njit(cache=True, nogil=True, error_model="numpy")
def jump(kick: F64, x: F64) -> None:
    """Add what the noise of a step gives x2 and y2, (2 n,)."""
    n = kick.size // 2
    both = x[3 * n : 5 * n]
    for i in range(kick.size):
        both[i] += kick[i]


@njit(cache=True, nogil=True, error_model="numpy")
def draw(key: np.uint64, t: int, noise: F64, scratch: Scratch) -> None:
    """Write what the noise of step ``t`` gives x2 and y2 into ``scratch.kick`` (2 n,)."""
    normals(key, np.uint64(0), np.uint64(t), scratch.words, scratch.four)
    n = noise.size
    kick, fresh = scratch.kick, scratch.fresh
    for i in range(n):
        kick[i] = noise[i] * fresh[i]
    for i in range(n):
        kick[n + i] = noise[i] * fresh[n + i]


@njit(cache=True, nogil=True, error_model="numpy")
def differ(x1: F64, given: Given, reach: F64) -> None:
    """Turn the weighted sum of what arrives into that of its differences from a region's own x1."""
    afferent, total = given.afferent, given.total
    for i in range(reach.size):
        reach[i] = afferent[i] * (reach[i] - total[i] * x1[i])


@njit(cache=True, nogil=True, error_model="numpy")
def advance(
    key: np.uint64, t0: int, n_steps: int, clock: Clockwork, given: Given, lines: Lines, x: F64, scratch: Scratch,
    lfp: F64, slow: F64,
) -> None:  # fmt: skip
    """Advance x (6 n,) by ``n_steps`` from step ``t0``; ``lfp`` and ``slow`` (n_rows, n) take a row when one is due."""
    dt = clock.dt
    n = scratch.reach.size
    x1 = x[:n]
    sent, efferent = scratch.sent, given.efferent
    row = 0
    for t in range(t0, t0 + n_steps):
        for i in range(n):
            sent[i] = efferent[i] * x1[i]
        post(t, sent, lines)
        deliver(t, lines, scratch.reach)
        differ(x1, given, scratch.reach)
        if clock.noisy:
            draw(key, t, given.noise, scratch)
        slopes(x, given, scratch.reach, scratch.now)
        if clock.heun:
            move(x, dt, scratch.now, scratch.next_x)
            if clock.noisy:
                jump(scratch.kick, scratch.next_x)
            slopes(scratch.next_x, given, scratch.reach, scratch.then)
            move_both(x, 0.5 * dt, scratch.now, scratch.then)
        else:
            move(x, dt, scratch.now, x)
        if clock.noisy:
            jump(scratch.kick, x)
        if (t + 1) % clock.n_row == 0:
            for i in range(n):
                lfp[row, i] = x[3 * n + i] - x[i]
                slow[row, i] = x[2 * n + i]
            row += 1
