"""Compiled core of networks of Jansen-Rit masses; regions are innermost, several short loops each of one result."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from bmi.signals import F64
from sim._math_kernels import exp64
from sim._noise_kernels import U64, normals
from sim.brain._delay_kernels import Lines, deliver, post

ONE = 1.0


class Clockwork(NamedTuple):
    """Numbers."""

    dt_s: float
    n_ms: int
    """Steps a millisecond."""
    heun: bool
    noisy: bool


class Mass(NamedTuple):
    """What a region is, arrays (n,), scales applied."""

    a: F64
    """1/s, of excitatory synapses."""
    b: F64
    gain_e: F64
    """A a, mV/s."""
    gain_i: F64
    to_e: F64
    """C1, and so on: contacts onto and from the excitatory and inhibitory interneurons."""
    from_e: F64
    to_i: F64
    from_i: F64
    top: F64
    """2 e0, the greatest rate, Hz."""
    half: F64
    """v0, mV."""
    steep: F64
    """r, 1/mV."""
    noise: F64
    """Standard deviation of the drive in a step, 1/s."""


class Given(NamedTuple):
    """Inputs, arrays (n,)."""

    drive: F64
    """p and what is added, 1/s."""
    proxied: F64
    """1 where a rate given from outside stands for the region's own, else 0."""
    proxy: F64
    """That rate, Hz."""
    efferent: F64
    """Share of what it sends that leaves."""
    afferent: F64
    """Coupling times the share of what others send that reaches it."""


class Region(NamedTuple):
    """How the regions are: y0, y1, y2 one after the other (3 n,), and their slopes."""

    y: F64
    """mV."""
    dy: F64
    """mV/s."""


class Scratch(NamedTuple):
    """Written before it is read."""

    words: U64
    four: F64
    fresh: F64
    """``four``, a number a region."""
    drive: F64
    """(n,)"""
    sent: F64
    """(n,)"""
    s: F64
    """(3, n)"""
    next_y: F64
    """(3 n,), and so on."""
    next_dy: F64
    now: F64
    then: F64


@njit(cache=True, nogil=True, error_model="numpy")
def logistic(u: F64) -> None:
    """Turn every u into 1 / (1 + e^u)."""
    for i in range(u.size):
        u[i] = ONE / (ONE + exp64(u[i]))


@njit(cache=True, nogil=True, error_model="numpy")
def fire(y: F64, mass: Mass, rate: F64) -> None:
    """Write the rate (n,) at which pyramidal cells fire, as a share of the greatest."""
    n = rate.size
    steep, half = mass.steep, mass.half
    y1 = y[n : 2 * n]
    y2 = y[2 * n :]
    for i in range(n):
        rate[i] = steep[i] * (half[i] - (y1[i] - y2[i]))
    logistic(rate)


@njit(cache=True, nogil=True, error_model="numpy")
def interneurons(y: F64, mass: Mass, s: F64) -> None:
    """Write the rates of excitatory and inhibitory interneurons, (2 n,), as shares of the greatest."""
    steep, half, to_e, to_i = mass.steep, mass.half, mass.to_e, mass.to_i
    n = steep.size
    e = s[:n]
    f = s[n:]
    for i in range(n):
        e[i] = steep[i] * (half[i] - to_e[i] * y[i])
    for i in range(n):
        f[i] = steep[i] * (half[i] - to_i[i] * y[i])
    logistic(s)


@njit(cache=True, nogil=True, error_model="numpy")
def bend(y: F64, dy: F64, s: F64, drive: F64, mass: Mass, out: F64) -> None:
    """Write the second derivatives (3 n,), mV/s², for the rates ``s`` (3 n,) and ``drive`` (n,)."""
    n = drive.size
    a, b, gain_e, gain_i, top = mass.a, mass.b, mass.gain_e, mass.gain_i, mass.top
    from_e, from_i = mass.from_e, mass.from_i
    o0, o1, o2 = out[:n], out[n : 2 * n], out[2 * n :]
    s0, s1, s2 = s[:n], s[n : 2 * n], s[2 * n :]
    x0, x1, x2 = y[:n], y[n : 2 * n], y[2 * n :]
    v0, v1, v2 = dy[:n], dy[n : 2 * n], dy[2 * n :]
    for i in range(n):
        o0[i] = gain_e[i] * top[i] * s0[i] - a[i] * (2.0 * v0[i] + a[i] * x0[i])
    for i in range(n):
        o1[i] = drive[i] + from_e[i] * top[i] * s1[i]
    for i in range(n):
        o1[i] = gain_e[i] * o1[i] - a[i] * (2.0 * v1[i] + a[i] * x1[i])
    for i in range(n):
        o2[i] = gain_i[i] * from_i[i] * top[i] * s2[i] - b[i] * (2.0 * v2[i] + b[i] * x2[i])


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
def send(rate: F64, mass: Mass, given: Given, out: F64) -> None:
    """Write what leaves each region (n,), Hz."""
    top, proxied, proxy, efferent = mass.top, given.proxied, given.proxy, given.efferent
    for i in range(out.size):
        own = top[i] * rate[i]
        out[i] = efferent[i] * (own + proxied[i] * (proxy[i] - own))


@njit(cache=True, nogil=True, error_model="numpy")
def collect(given: Given, mass: Mass, noise: F64, drive: F64) -> None:
    """Turn what reaches each region into what drives it in this step, 1/s."""
    steady, afferent, sd = given.drive, given.afferent, mass.noise
    for i in range(drive.size):
        drive[i] = steady[i] + afferent[i] * drive[i] + sd[i] * noise[i]


@njit(cache=True, nogil=True, error_model="numpy")
def advance(
    key: np.uint64, t0: int, n_steps: int, clock: Clockwork, mass: Mass, given: Given, lines: Lines, region: Region,
    scratch: Scratch, psp: F64, rate: F64,
) -> None:  # fmt: skip
    """Advance by ``n_steps`` from step ``t0``; ``psp`` and ``rate`` (n_rows, n) take a row each millisecond."""
    dt, half = clock.dt_s, 0.5 * clock.dt_s
    n = scratch.drive.size
    y, dy, s = region.y, region.dy, scratch.s
    firing = s[:n]
    others = s[n:]
    row = 0
    for t in range(t0, t0 + n_steps):
        fire(y, mass, firing)
        interneurons(y, mass, others)
        send(firing, mass, given, scratch.sent)
        post(t, scratch.sent, lines)
        deliver(t, lines, scratch.drive)
        if clock.noisy:
            normals(key, np.uint64(0), np.uint64(t), scratch.words, scratch.four)
        collect(given, mass, scratch.fresh, scratch.drive)
        bend(y, dy, s, scratch.drive, mass, scratch.now)
        if clock.heun:
            move(y, dt, dy, scratch.next_y)
            move(dy, dt, scratch.now, scratch.next_dy)
            fire(scratch.next_y, mass, firing)
            interneurons(scratch.next_y, mass, others)
            bend(scratch.next_y, scratch.next_dy, s, scratch.drive, mass, scratch.then)
            move_both(y, half, dy, scratch.next_dy)
            move_both(dy, half, scratch.now, scratch.then)
        else:
            move(y, dt, dy, y)
            move(dy, dt, scratch.now, dy)
        if (t + 1) % clock.n_ms == 0:
            fire(y, mass, firing)
            for i in range(n):
                psp[row, i] = y[n + i] - y[2 * n + i]
            for i in range(n):
                own = mass.top[i] * firing[i]
                rate[row, i] = own + given.proxied[i] * (given.proxy[i] - own)
            row += 1
