"""The tracts between neural masses, as a network of them runs: whole steps of delay, strengths, values per region."""

from __future__ import annotations

import math

import numpy as np

from bmi.errors import ContractError
from bmi.signals import F64, AnyArray
from sim.brain._delay_kernels import Lines, Tracts
from sim.brain.connectome import Connectome

LONGEST_PIECE = 64
"""Steps of a tract that are read at once at most; beyond, nothing is gained."""

PerRegion = float | tuple[float, ...]
"""A parameter: one value for all regions, or one for each (an array is taken as well)."""


def lines(name: str, connectome: Connectome | None, speed_m_s: float, dt_s: float) -> Lines:
    """Return the tracts of ``connectome`` at ``speed_m_s``, delays rounded to whole steps of ``dt_s``.

    A tract of no length takes no time: what it brings is what was sent at the beginning of the step. None is a single
    region without tracts.

    Raises
    ------
    ContractError
        If the speed is not positive, or a delay is beyond 10 s.
    """
    if not (math.isfinite(speed_m_s) and speed_m_s > 0.0):
        raise ContractError(f"{name}: speed_m_s is {speed_m_s!r}, expected above 0; give e.g. 4.0")
    weights = np.zeros((1, 1)) if connectome is None else connectome.weights
    to, source = np.nonzero(weights)
    length_mm = np.zeros(0) if connectome is None else connectome.lengths_mm[to, source]
    delay = np.rint(length_mm * 1e-3 / speed_m_s / dt_s)
    longest = float(delay.max(initial=0.0))
    if longest * dt_s > 10.0:
        raise ContractError(
            f"{name}: the longest tract takes {longest * dt_s:.3g} s at speed_m_s {speed_m_s:g}, expected at most "
            "10 s; lengths are in mm, the speed in m/s"
        )
    piece = np.minimum(2.0 ** np.floor(np.log2(delay + 1.0)), LONGEST_PIECE).astype(np.int32)
    order = np.lexsort((source, to, piece))
    to, source, delay, piece = to[order], source[order], delay[order], piece[order]
    kinds, first = np.unique(piece, return_index=True)
    tracts = Tracts(
        piece=kinds, first=np.append(first, len(piece)).astype(np.int32), to=to.astype(np.int32),
        source=source.astype(np.int32), delay=delay.astype(np.int32), weight=weights[to, source].copy(),
    )  # fmt: skip
    n, most = len(weights), int(kinds.max(initial=1))
    length = most * -(-int(longest + 1) // most)
    return Lines(tracts, length, most, np.zeros((n, padded(length + most))), np.zeros((n, padded(most))))


def padded(n: int) -> int:
    """Return the next odd multiple of a cache line, in float64: then a column does not crowd one place of the cache."""
    return 8 * (-(-n // 8) | 1)


def forget(lines: Lines, value: F64) -> None:
    """Let every region have sent ``value`` (n,) for all time."""
    lines.sent[...] = value[:, None]
    lines.arriving[...] = 0.0


def size(connectome: Connectome | None) -> int:
    """Return how many regions there are."""
    return 1 if connectome is None else connectome.n


def tract_count(connectome: Connectome | None) -> int:
    """Return how many tracts there are."""
    return 0 if connectome is None else int(np.count_nonzero(connectome.weights))


def per_region(name: str, field: str, value: PerRegion | AnyArray, n: int, least: float = -math.inf) -> F64:
    """Return a parameter as an array (n,) of its own.

    Raises
    ------
    ContractError
        If it is neither a number nor one for each region, not finite, or below ``least``.
    """
    array = np.asarray(value, np.float64)
    if array.shape not in ((), (n,)):
        raise ContractError(f"{name}.{field}: expected a number or one for each of {n} regions, given {array.shape}")
    array = np.array(np.broadcast_to(array, (n,)))
    wrong = ~np.isfinite(array) | (array < least)
    if wrong.any():
        raise ContractError(
            f"{name}.{field}: expected finite values of at least {least:g}, given {array[wrong][0]:g} "
            f"in region {int(np.flatnonzero(wrong)[0])}"
        )
    return array


def rows_each_ms(name: str, dt_s: float) -> int:
    """Return how many steps make up a millisecond, the spacing of sampled outputs.

    Raises
    ------
    ContractError
        If it is no whole number.
    """
    n = round(1e-3 / dt_s) if 0.0 < dt_s <= 1e-3 * (1.0 + 1e-9) else 0
    if n < 1 or abs(n * dt_s - 1e-3) > 1e-12:
        raise ContractError(
            f"{name}: dt_s is {dt_s * 1e3:g} ms, expected a whole part of 1 ms, the spacing of its outputs; "
            "give e.g. 0.0005"
        )
    return n
