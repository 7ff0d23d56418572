"""Compiled core of networks of Epileptors; regions are innermost, several short loops each of one result."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from bmi.signals import F64
from sim._noise_kernels import U64, normals
from sim.brain._delay_kernels import Lines, deliver, post
from sim.brain._heun_kernels import move, move_both

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


Sixths = tuple[F64, F64, F64, F64, F64, F64]


@njit(cache=True, nogil=True, error_model="numpy")
def sixths(x: F64) -> Sixths:
    """Return views of x1, y1, z, x2, y2 and g of all regions."""
    n = x.size // 6
    return x[:n], x[n : 2 * n], x[2 * n : 3 * n], x[3 * n : 4 * n], x[4 * n : 5 * n], x[5 * n :]


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def discharge(x1: F64, y1: F64, z: F64, x2: F64, rest1: F64, fast: F64, reach: F64, out: F64) -> None:
    """Write the slope of x1, the fast discharges."""
    for i in range(out.size):
        over = z[i] - 4.0
        bound = x1[i] * (3.0 - x1[i])
        free = 0.6 * over * over - x2[i]
        out[i] = y1[i] - z[i] + x1[i] * (bound if x1[i] < 0.0 else free)
    for i in range(out.size):
        out[i] += rest1[i] + fast[i] * reach[i]


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def follow(x1: F64, y1: F64, g: F64, fast_out: F64, mean_out: F64) -> None:
    """Write the slopes of y1, which ends discharges, and of g, the running mean of x1."""
    for i in range(x1.size):
        fast_out[i] = 1.0 - 5.0 * x1[i] * x1[i] - y1[i]
    for i in range(x1.size):
        mean_out[i] = -0.01 * (g[i] - 0.1 * x1[i])


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def permit(x1: F64, z: F64, x0: F64, slow: F64, reach: F64, out: F64) -> None:
    """Write the slope of z, the permittivity; below zero it is held back steeply."""
    for i in range(out.size):
        below = min(z[i], 0.0)
        square = below * below
        held = 0.1 * square * square * square * below
        out[i] = PACE * (4.0 * (x1[i] - x0[i]) - z[i] - held + slow[i] * reach[i])


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def spike_and_wave(z: F64, x2: F64, y2: F64, g: F64, rest2: F64, spike: F64, wave: F64) -> None:
    """Write the slopes of x2 and y2."""
    for i in range(z.size):
        spike[i] = x2[i] * (1.0 - x2[i] * x2[i]) - y2[i] + rest2[i] + 2.0 * g[i] - 0.3 * (z[i] - 3.5)
    for i in range(z.size):
        wave[i] = 0.1 * (6.0 * max(x2[i] + 0.25, 0.0) - y2[i])


@njit(cache=True, nogil=True, error_model="numpy")
def slopes(x: Sixths, given: Given, reach: F64, out: Sixths) -> None:
    """Write all six slopes, per unit of time."""
    x1, y1, z, x2, y2, g = x
    d1, e1, dz, d2, e2, dg = out
    discharge(x1, y1, z, x2, given.rest1, given.fast, reach, d1)
    follow(x1, y1, g, e1, dg)
    permit(x1, z, given.x0, given.slow, reach, dz)
    spike_and_wave(z, x2, y2, g, given.rest2, d2, e2)


@njit(cache=True, nogil=True, error_model="numpy")
def jump(kick: F64, x: F64) -> None:
    """Add what the noise of a step gives x2 and y2, one after the other (2 n,)."""
    for i in range(kick.size):
        x[i] += kick[i]


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
def differ(x1: F64, afferent: F64, total: F64, reach: F64) -> None:
    """Turn the weighted sum of what arrives into that of its differences from a region's own x1."""
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
    reach, kick, next_x, now, then = scratch.reach, scratch.kick, scratch.next_x, scratch.now, scratch.then
    here, there, slope, other = sixths(x), sixths(next_x), sixths(now), sixths(then)
    x1, z, x2 = here[0], here[2], here[3]
    shaken, next_shaken = x[3 * n : 5 * n], next_x[3 * n : 5 * n]
    sent, efferent = scratch.sent, given.efferent
    row = 0
    for t in range(t0, t0 + n_steps):
        for i in range(n):
            sent[i] = efferent[i] * x1[i]
        post(t, sent, lines)
        deliver(t, lines, reach)
        differ(x1, given.afferent, given.total, reach)
        if clock.noisy:
            draw(key, t, given.noise, scratch)
        slopes(here, given, reach, slope)
        if clock.heun:
            move(x, dt, now, next_x)
            if clock.noisy:
                jump(kick, next_shaken)
            slopes(there, given, reach, other)
            move_both(x, 0.5 * dt, now, then)
        else:
            move(x, dt, now, x)
        if clock.noisy:
            jump(kick, shaken)
        if (t + 1) % clock.n_row == 0:
            for i in range(n):
                lfp[row, i] = x2[i] - x1[i]
                slow[row, i] = z[i]
            row += 1
