"""Compiled core of networks of Jansen-Rit masses; regions are innermost, several short loops each of one result."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from bmi.signals import F64
from sim._math_kernels import exp64
from sim._noise_kernels import U64, normals
from sim.brain._delay_kernels import Lines, deliver, post
from sim.brain._heun_kernels import move, move_both

ONE = 1.0


class Clockwork(NamedTuple):
    """Numbers."""

    dt_s: float
    n_ms: int
    """Steps a millisecond."""
    heun: bool
    noisy: bool


class Mass(NamedTuple):
    """What a region is, scales applied.

    Where there are 3 n values: of pyramidal cells, excitatory, inhibitory interneurons, of each for all regions.
    """

    pace: F64
    """(3 n,) a, a and b, 1/s."""
    gain: F64
    """(3 n,) A a 2 e0, A a and B b C4 2 e0, mV/s, mV, mV/s."""
    push: F64
    """(n,) C2 2 e0, Hz."""
    to_e: F64
    """(n,) C1."""
    to_i: F64
    """(n,) C3."""
    top: F64
    """(n,) 2 e0, the greatest rate, Hz."""
    half: F64
    """(3 n,) v0, mV."""
    steep: F64
    """(3 n,) r, 1/mV."""
    noise: F64
    """(n,) standard deviation of the drive in a step, 1/s."""


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
    """How the regions are."""

    y: F64
    """(3 n,) y0, y1 and y2, mV."""
    dy: F64
    """(3 n,) their slopes, mV/s."""


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
    v: F64
    """(3 n,), and so on."""
    s: F64
    next_y: F64
    next_dy: F64
    now: F64
    then: F64


Thirds = tuple[F64, F64, F64]


@njit(cache=True, nogil=True, error_model="numpy")
def thirds(x: F64) -> Thirds:
    """Return views of the three populations."""
    n = x.size // 3
    return x[:n], x[n : 2 * n], x[2 * n :]


@njit(cache=True, nogil=True, error_model="numpy")
def fire(v: F64, half: F64, steep: F64, s: F64) -> None:
    """Write the rates that potentials ``v`` give, as shares of the greatest."""
    for i in range(v.size):
        s[i] = ONE / (ONE + exp64(steep[i] * (half[i] - v[i])))


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def respond(y: Thirds, mass: Mass, v: Thirds, every: F64, s: F64) -> None:
    """Write the potentials of the populations, ``v``, mV, all of which ``every`` (3 n,) is, and their rates ``s``."""
    y0, y1, y2 = y
    v0, v1, v2 = v
    to_e, to_i = mass.to_e, mass.to_i
    for i in range(v0.size):
        v0[i] = y1[i] - y2[i]
    for i in range(v0.size):
        v1[i] = to_e[i] * y0[i]
    for i in range(v0.size):
        v2[i] = to_i[i] * y0[i]
    fire(every, mass.half, mass.steep, s)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def urge(drive: F64, push: F64, s: F64) -> None:
    """Turn the rate of excitatory interneurons into all that excites pyramidal cells, 1/s."""
    for i in range(drive.size):
        s[i] = drive[i] + push[i] * s[i]


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def bend(y: F64, dy: F64, s: F64, pace: F64, gain: F64, out: F64) -> None:
    """Write the second derivatives (3 n,), mV/s²: a synapse answers with an alpha function."""
    for i in range(out.size):
        out[i] = gain[i] * s[i] - pace[i] * (2.0 * dy[i] + pace[i] * y[i])


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def send(rate: F64, mass: Mass, given: Given, out: F64) -> None:
    """Write what leaves each region (n,), Hz."""
    top, proxied, proxy, efferent = mass.top, given.proxied, given.proxy, given.efferent
    for i in range(out.size):
        out[i] = efferent[i] * (proxy[i] if proxied[i] > 0.0 else top[i] * rate[i])


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
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
    y, dy, v, s, drive = region.y, region.dy, scratch.v, scratch.s, scratch.drive
    next_y, next_dy, now, then = scratch.next_y, scratch.next_dy, scratch.now, scratch.then
    here, there, potential, rates = thirds(y), thirds(next_y), thirds(v), thirds(s)
    psps, firing, excited = potential[0], rates[0], rates[1]
    pace, gain, push = mass.pace, mass.gain, mass.push
    row = 0
    for t in range(t0, t0 + n_steps):
        respond(here, mass, potential, v, s)
        send(firing, mass, given, scratch.sent)
        post(t, scratch.sent, lines)
        deliver(t, lines, drive)
        if clock.noisy:
            normals(key, np.uint64(0), np.uint64(t), scratch.words, scratch.four)
        collect(given, mass, scratch.fresh, drive)
        urge(drive, push, excited)
        bend(y, dy, s, pace, gain, now)
        if clock.heun:
            move(y, dt, dy, next_y)
            move(dy, dt, now, next_dy)
            respond(there, mass, potential, v, s)
            urge(drive, push, excited)
            bend(next_y, next_dy, s, pace, gain, then)
            move_both(y, half, dy, next_dy)
            move_both(dy, half, now, then)
        else:
            move(y, dt, dy, y)
            move(dy, dt, now, dy)
        if (t + 1) % clock.n_ms == 0:
            respond(here, mass, potential, v, s)
            for i in range(n):
                psp[row, i] = psps[i]
            for i in range(n):
                rate[row, i] = given.proxy[i] if given.proxied[i] > 0.0 else mass.top[i] * firing[i]
            row += 1
