"""The simulated population once more, from its equations, without compilation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import poisson

F64 = npt.NDArray[np.float64]


def tuned_rates(coefficients: F64, velocity: F64) -> F64:
    """Return b + m d·v/v_ref + s |v|/v_ref, (n,), Hz, from rows of (m d / v_ref, s / v_ref, b)."""
    regressors = np.concatenate([velocity, [np.linalg.norm(velocity)], [1.0]])
    return coefficients @ regressors


def poisson_block(
    block: int,
    dt_s: float,
    rates: F64,
    lags: npt.NDArray[np.int64],
    shared: F64,
    uniform: F64,
    n_samples: int,
) -> npt.NDArray[np.float32]:
    """Return counts (n_samples, n) of one block: the Poisson quantile of ``uniform`` at the lagged rates.

    ``rates`` (n_blocks, n) holds the tuned rates of every block since the first, ``lags`` (n,) is in samples.
    """
    counts = np.zeros((n_samples, len(lags)), np.float32)
    for i, lag in enumerate(lags):
        for j in range(n_samples):
            then = (block * n_samples + j - lag) // n_samples
            mean = dt_s * max(0.0, rates[then, i] + shared[i])
            counts[j, i] = poisson.ppf(uniform[j, i], mean)
    return counts


def xoroshiro128pp(s0: int, s1: int) -> Iterator[int]:
    """Yield the 64-bit numbers of the generator with this state (Blackman & Vigna 2021, figure 9)."""
    mask = (1 << 64) - 1

    def rotl(x: int, k: int) -> int:
        return (x << k | x >> (64 - k)) & mask

    while True:
        yield (rotl((s0 + s1) & mask, 17) + s0) & mask
        s1 ^= s0
        s0, s1 = rotl(s0, 49) ^ s1 ^ (s1 << 21 & mask), rotl(s1, 28)


def box_muller(word: int) -> tuple[float, float]:
    """Return two standard normal numbers from the upper 31 and the lower 32 bits of a word."""
    u = ((word >> 33) + 0.5) / 2**31
    low = word & 0xFFFFFFFF
    angle = 2 * math.pi * (low - 2**32 if low >= 2**31 else low) / 2**32
    radius = math.sqrt(-2 * math.log(min(u, 1.0)))
    return radius * math.cos(angle), radius * math.sin(angle)


def gaussians(lanes: list[tuple[int, int]], n_rows: int, n: int) -> F64:
    """Return (n_rows, n): the cosines of every generator, then the sines, as many as there is room for."""
    streams = [xoroshiro128pp(*lane) for lane in lanes]
    rows = [[box_muller(next(s)) for s in streams] for _ in range(n_rows)]
    return np.array([[c for c, _ in row] + [s for _, s in row] for row in rows])[:, :n]


def plant(
    counts: F64, uniform: F64, n_samples: int, refractory: int, sites: tuple[npt.NDArray[Any], ...], n_channels: int
) -> tuple[F64, list[tuple[int, int]]]:
    """Return the waveforms (samples, n_channels) and spikes (tick, neuron) of counts (n_slots, n_neurons).

    ``sites`` is channel, depth and shape of every neuron and the waveforms (n_shapes, n_ticks, n_waveform).
    """
    channel, depth, shape, bank = sites
    n_ticks, n_waveform = bank.shape[1:]
    out = np.zeros((len(counts) * n_samples + n_waveform, n_channels))
    last = np.full(counts.shape[1], -np.inf)
    spikes = []
    for slot, neuron in zip(*np.nonzero(counts), strict=True):
        tick = n_ticks * n_samples * slot + int(uniform[slot, neuron] * n_ticks * n_samples)
        if tick - last[neuron] >= refractory:
            last[neuron] = tick
            start, late = divmod(tick, n_ticks)
            out[start : start + n_waveform, channel[neuron]] += depth[neuron] * bank[shape[neuron], late]
            spikes.append((tick, neuron))
    return out, spikes
