"""Compiled core of the corticothalamic rhythm: dendrites, rates, the axonal field, the loop and its delay."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from bmi.signals import F32, F64, I64
from sim._noise_kernels import U64, normals


class Loop(NamedTuple):
    """What every node is alike in: mV, mV s, Hz, steps."""

    ee: float
    ei: float
    es: float
    re: float
    rs: float
    se: float
    sr: float
    sn: float
    theta: float
    per_sigma: float
    most_hz: float
    mean_hz: float
    noise_hz: float
    """Standard deviation of the thalamic input in one step."""
    own: float
    common: float
    """Shares of a node's own and of the common noise, their squares summing to 1."""
    depth: float
    rest_hz: float
    """Rate of the relay nuclei at rest."""
    delay: int


class Nodes(NamedTuple):
    """State, flat arrays; blocks of n values, a value a node."""

    y: F64
    """(8 n,): the axonal field, Hz, and the potentials of cortex, reticular nucleus and relay nuclei, mV; then each of
    the four after the first of its two filters."""
    sent: F64
    """(delay, 2 n) Hz: field and relay rate on their way, circular."""
    common: F64
    """(slots,) common noise of the last steps, circular."""


class Scratch(NamedTuple):
    """Shares of the way that the second and the first filters go in a step, and arrays written before they are read."""

    second: F64
    """(4 n,)"""
    first: F64
    q: F64
    """(3 n,) Hz: rates."""
    goal: F64
    """(4 n,) what first filters approach."""


class Random(NamedTuple):
    """Of one ``Noise`` of n + 1 numbers a step."""

    key: np.uint64
    words: U64
    four: F32
    flat: F32


@njit(cache=True, nogil=True, error_model="numpy")
def fire(v: F64, q: F64, loop: Loop) -> None:
    """Write the rates ``q`` that potentials ``v`` amount to."""
    for i in range(q.size):
        q[i] = loop.most_hz / (1.0 + math.exp((loop.theta - v[i]) * loop.per_sigma))


@njit(cache=True, nogil=True, error_model="numpy")
def filter_on(y: F64, scratch: Scratch) -> None:
    """Let the second filters approach the first ones, and those their goals."""
    half = scratch.goal.size
    for i in range(half):
        y[i] += scratch.second[i] * (y[half + i] - y[i])
    for i in range(half):
        y[half + i] += scratch.first[i] * (scratch.goal[i] - y[half + i])


@njit(cache=True, nogil=True, error_model="numpy")
def advance(
    t0: int, n_steps: int, every: int, loop: Loop, gate: F64, lag: I64, nodes: Nodes, scratch: Scratch, random: Random,
    shown: F64,
) -> None:  # fmt: skip
    """Take ``n_steps`` from step ``t0`` on; write the cortical potential, mV, into ``shown`` each ``every`` steps.

    ``gate`` (n,) from 0 to 1; ``lag`` (n,) steps after which the common input arrives.
    """
    y, q, goal, n = nodes.y, scratch.q, scratch.goal, gate.size
    slots = nodes.common.size
    row = 0
    for t in range(t0, t0 + n_steps):
        fire(y[n : 4 * n], q, loop)
        sent = nodes.sent[t % loop.delay]
        normals(random.key, np.uint64(0), np.uint64(t), random.words, random.four)
        nodes.common[t % slots] = random.flat[n]
        for i in range(n):
            common = nodes.common[(t - lag[i]) % slots]
            input_hz = loop.mean_hz + loop.noise_hz * (loop.own * random.flat[i] + loop.common * common)
            field, relayed = sent[i], sent[n + i]
            heard = relayed - loop.depth * gate[i] * (relayed - loop.rest_hz)
            goal[i] = q[i]
            goal[n + i] = loop.ee * y[i] + loop.ei * q[i] + loop.es * heard
            goal[2 * n + i] = loop.re * field + loop.rs * q[2 * n + i]
            goal[3 * n + i] = loop.se * field + loop.sr * q[n + i] + loop.sn * input_hz
            sent[i] = y[i]
            sent[n + i] = q[2 * n + i]
        filter_on(y, scratch)
        if (t + 1) % every == 0:
            for i in range(n):
                shown[row, i] = y[n + i]
            row += 1
