"""Compiled core of the array: a millisecond's spikes in, threshold crossings of every electrode out."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from bmi.signals import F32, F64, I64
from sim._noise_kernels import U64, uniforms

STREAM = np.uint64(0)
LATER = 2.0
"""A phase that does not come within this millisecond."""
HALF_SQRT = math.sqrt(0.5)


class Law(NamedTuple):
    """What holds for every electrode; times in ms, levels in standard deviations of the noise."""

    level: float
    """Threshold."""
    lift: float
    """What noise adds to a trough."""
    noise: float
    """Upward crossings of level 0 by the noise, a ms."""
    common: float
    """Probability that something all electrodes hear makes them cross in a given ms."""
    line_uv: float
    """Amplitude of mains hum, and its turns a ms."""
    line: float
    dead: float
    """Dead time after a crossing."""
    blank: float
    """Time blanked after a pulse; 0 lets artefacts through."""
    decay: float
    """Time constant of an artefact."""


class Ears(NamedTuple):
    """What each electrode hears at present; C electrodes, S neurons each."""

    neuron: I64
    """(C, S) who; -1 a neuron that is gone."""
    snr: F64
    """(C, S) depth of the trough over the noise, behind the filter."""
    noise_uv: F64
    """(C,) standard deviation of the noise, µV."""
    most: F64
    """(C,) bound on the probability that noise crosses in a ms."""
    gain: F64
    """(C,) share of an artefact's amplitude that reaches it."""
    live: npt.NDArray[np.uint8]
    """(C,) whether it works."""


class Scratch(NamedTuple):
    """Where the random numbers of a millisecond are drawn."""

    words: U64
    four: F32
    uniform: F32
    """``four``, flat: C numbers for each of the S neurons, C for the noise, one for what is common."""


@njit(cache=True, nogil=True, error_model="numpy")
def listen(
    key: np.uint64, step: int, counts: F32, artefact_uv: F32, law: Law, ears: Ears, clear: F64, scratch: Scratch,
    out: F32,
) -> None:  # fmt: skip
    """Write the crossings of each ms of ``counts`` (n_ms, n_neurons) to ``out`` (n_ms, C).

    Parameters
    ----------
    key, step
        Of the noise; number of the first ms.
    artefact_uv : (n_ms,) float32
        Artefact at the begin of each ms at gain 1; 0 none.
    clear : (C,) float64
        Time until which an electrode can count no crossing, ms from the begin of the ms; updated.
    """
    n, s = ears.neuron.shape
    u = scratch.uniform
    for k in range(counts.shape[0]):
        uniforms(key, STREAM, np.uint64(step + k), scratch.words, scratch.four)
        turns = law.line * (step + k + 0.5)
        hum_uv = law.line_uv * math.sin(2.0 * math.pi * (turns - math.floor(turns)))
        shared = np.float64(u[n * (s + 1)])
        common = shared / law.common if shared < law.common else LATER
        pulse_uv = abs(np.float64(artefact_uv[k]))
        for c in range(n):
            out[k, c] = np.float32(0.0)
            busy = clear[c]
            if ears.live[c]:
                ratio = pulse_uv * ears.gain[c] / (law.level * ears.noise_uv[c])
                if ratio > 1.0:
                    lost = law.blank
                    if law.blank == 0.0:
                        out[k, c] = np.float32(busy <= 0.0)
                        lost = max(law.dead, law.decay * math.log(ratio))
                    busy = max(busy, lost)
                level = law.level - hum_uv / ears.noise_uv[c]
                first = common if common >= busy else LATER
                x = np.float64(u[s * n + c])
                if x < ears.most[c]:
                    p = law.noise * math.exp(-0.5 * level * level)
                    if x < p and busy <= x / p < first:
                        first = x / p
                for j in range(s):
                    i = ears.neuron[c, j]
                    if i >= 0 and counts[k, i] > np.float32(0.0):
                        p = 0.5 * math.erfc((level - law.lift - ears.snr[c, j]) * HALF_SQRT)
                        x = np.float64(u[j * n + c])
                        if x < p and busy <= x / p < first:
                            first = x / p
                if first < LATER and out[k, c] == np.float32(0.0):
                    out[k, c] = np.float32(1.0)
                    busy = first + law.dead
            clear[c] = max(busy - 1.0, 0.0)
