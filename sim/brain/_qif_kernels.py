"""Compiled core of quadratic integrate-and-fire neurons, exact between the kicks of their inputs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from bmi.signals import F32, F64
from sim._noise_kernels import U64, normals


class Cells(NamedTuple):
    """Neurons; potentials without a unit."""

    v: F32
    cosine: F32
    """Of sqrt(eta) h, with h the step in time constants; hyperbolic where eta is negative."""
    sine: F32
    """Its sine over sqrt(eta)."""
    pull: F32
    """eta times ``sine``."""
    fired: F32
    """(n,) 1 where a neuron fired in this step, scratch."""


class Numbers(NamedTuple):
    """Of the population."""

    h: float
    """Step, time constants."""
    weight: float
    """Potential of all neurons by one spike: J / N."""
    noise: float
    """Standard deviation of the common input in a step."""
    every: int


@njit(cache=True, nogil=True, error_model="numpy")
def flow(cells: Cells, kick: np.float32) -> float:
    """Kick every neuron, let it move for one step by v' = v² + eta, and return how many fired.

    The flow is a Möbius map; a neuron that passes infinity comes back from minus infinity, and has fired.
    """
    v, c, s, p, fired = cells.v, cells.cosine, cells.sine, cells.pull, cells.fired
    zero, one, tiny = np.float32(0.0), np.float32(1.0), np.float32(1e-30)
    for i in range(v.size):
        x = v[i] + kick
        below = c[i] - x * s[i]
        fired[i] = one if below <= zero else zero
        v[i] = (x * c[i] + p[i]) / (below if below != zero else -tiny)
    total = 0.0
    for i in range(v.size):
        total += fired[i]
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def advance(
    t0: int, n: int, numbers: Numbers, cells: Cells, drive: F64, kept: F64, key: np.uint64, words: U64, four: F32,
    shown: F64,
) -> None:  # fmt: skip
    """Take ``n`` steps; ``shown`` (n_rows,) takes the spikes of each ``every``.

    ``kept`` holds the spikes of the last step and those of the present row; ``drive`` (1,) is the common input.
    """
    row = 0
    for t in range(t0, t0 + n):
        common = drive[0]
        if numbers.noise > 0.0:
            normals(key, np.uint64(0), np.uint64(t), words, four)
            common += numbers.noise * four[0, 0]
        kick = np.float32(numbers.h * common + numbers.weight * kept[0])
        kept[0] = flow(cells, kick)
        kept[1] += kept[0]
        if (t + 1) % numbers.every == 0:
            shown[row] = kept[1]
            kept[1] = 0.0
            row += 1
