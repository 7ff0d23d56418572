"""Compiled core of the corticothalamic rhythm: dendrites, rates, the axonal field, the loop and its delay."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from bmi.signals import F32, F64, I64
from sim._math_kernels import exp64
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
    alpha: float
    """Shares by which dendrites and the axonal field approach what drives them in one step."""
    beta: float
    gamma: float
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
    """State, a column a node."""

    half: F64
    """(3, n) mV: cortex, reticular nucleus, relay nuclei after the first of the two dendritic filters."""
    v: F64
    """(3, n) mV: potentials."""
    q: F64
    """(3, n) Hz: rates, scratch."""
    field: F64
    """(2, n) Hz: excitatory rate after one and after both halves of the axonal field."""
    sent: F64
    """(2, delay, n) Hz: field and relay rate on their way, circular."""
    common: F64
    """(slots,) common noise of the last steps, circular."""


class Random(NamedTuple):
    """Of one ``Noise`` of n + 1 numbers a step."""

    key: np.uint64
    words: U64
    four: F32
    flat: F32


@njit(cache=True, nogil=True, error_model="numpy")
def fire(v: F64, q: F64, loop: Loop) -> None:
    """Write the rates ``q`` that potentials ``v`` amount to."""
    for k in range(v.shape[0]):
        row, out = v[k], q[k]
        for i in range(row.size):
            out[i] = loop.most_hz / (1.0 + exp64((loop.theta - row[i]) * loop.per_sigma))


@njit(cache=True, nogil=True, error_model="numpy")
def approach(x: F64, target: F64, share: float) -> None:
    """Move ``x`` by ``share`` of the way to ``target``."""
    for i in range(x.size):
        x[i] += share * (target[i] - x[i])


@njit(cache=True, nogil=True, error_model="numpy")
def advance(
    n: int, first: int, every: int, loop: Loop, gate: F64, lag: I64, nodes: Nodes, drive: F64, random: Random,
    shown: F64,
) -> None:  # fmt: skip
    """Take ``n`` steps from step ``first`` on; write the cortical potential, mV, into ``shown`` each ``every`` steps.

    ``gate`` (n_nodes,) from 0 to 1; ``lag`` (n_nodes,) steps after which the common input arrives; ``drive`` (3, n)
    is scratch.
    """
    slots = nodes.common.size
    row = 0
    for step in range(first, first + n):
        fire(nodes.v, nodes.q, loop)
        q, at = nodes.q, step % loop.delay
        sent_e, sent_s = nodes.sent[0, at], nodes.sent[1, at]
        normals(random.key, np.uint64(0), np.uint64(step), random.words, random.four)
        nodes.common[step % slots] = random.flat[gate.size]
        for i in range(gate.size):
            common = nodes.common[(step - lag[i]) % slots]
            input_hz = loop.mean_hz + loop.noise_hz * (loop.own * random.flat[i] + loop.common * common)
            relayed = sent_s[i] - loop.depth * gate[i] * (sent_s[i] - loop.rest_hz)
            drive[0, i] = loop.ee * nodes.field[1, i] + loop.ei * q[0, i] + loop.es * relayed
            drive[1, i] = loop.re * sent_e[i] + loop.rs * q[2, i]
            drive[2, i] = loop.se * sent_e[i] + loop.sr * q[1, i] + loop.sn * input_hz
        for i in range(gate.size):
            sent_e[i] = nodes.field[1, i]
            sent_s[i] = q[2, i]
        approach(nodes.field[1], nodes.field[0], loop.gamma)
        approach(nodes.field[0], q[0], loop.gamma)
        for k in range(3):
            approach(nodes.v[k], nodes.half[k], loop.beta)
            approach(nodes.half[k], drive[k], loop.alpha)
        if (step + 1) % every == 0:
            shown[row] = nodes.v[0]
            row += 1
