"""Compiled core of what masses of a network give each other: sent, delayed, weighted, added to the drive."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from bmi.signals import F32, F64
from sim._noise_kernels import U64, normals
from sim.brain._delay_kernels import Lines, deliver, post


class Given(NamedTuple):
    """What reaches regions from outside, arrays (n,)."""

    drive: F64
    """Steady input and what is added."""
    proxied: F64
    """1 where a rate given from outside stands for the region's own, else 0."""
    proxy: F64
    """That rate, in the unit of what regions send."""
    efferent: F64
    """Share of what it sends that leaves."""
    afferent: F64
    """Coupling times the share of what others send that reaches it."""
    noise: F64
    """Standard deviation of the input in a step."""


class Random(NamedTuple):
    """Of one ``Noise`` of n numbers a step."""

    key: np.uint64
    words: U64
    four: F32
    flat: F32
    """``four``, a number a region."""


class Wires(NamedTuple):
    """Tracts, noise and scratch."""

    lines: Lines
    random: Random
    sent: F64
    arrived: F64
    """(n,) what reached each region from others in the last step."""
    drive: F64
    """(n,) the whole input of a region in the present step."""


@njit(cache=True, nogil=True, error_model="numpy")
def exchange(t: int, own: F64, given: Given, wires: Wires, noisy: bool) -> None:
    """Send ``own`` (n,) at step ``t`` and write what drives each region from ``t`` to ``t + 1``."""
    sent, arrived, drive = wires.sent, wires.arrived, wires.drive
    for i in range(own.size):
        sent[i] = given.efferent[i] * (own[i] + given.proxied[i] * (given.proxy[i] - own[i]))
    post(t, sent, wires.lines)
    deliver(t, wires.lines, arrived)
    for i in range(own.size):
        arrived[i] *= given.afferent[i]
        drive[i] = given.drive[i] + arrived[i]
    if noisy:
        random = wires.random
        normals(random.key, np.uint64(0), np.uint64(t), random.words, random.four)
        for i in range(own.size):
            drive[i] += given.noise[i] * random.flat[i]
