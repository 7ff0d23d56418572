"""Compiled core of conduction delays: what regions send arrives later, each tract with a delay of its own.

What a region sends lies in a row of its own, time along it. A tract is read in pieces: as many steps at once as its
delay allows without looking into the future, so that a piece is one contiguous product and sum (AXPY) and no element
is fetched by an index. Tracts are sorted into classes by the length of their pieces, powers of two; a tract without
delay is read step by step. Delays are whole steps, and no tract is longer or shorter for the way it is read.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from bmi.signals import F64

I32 = npt.NDArray[np.int32]


class Tracts(NamedTuple):
    """The tracts, class after class; within one by the region they reach."""

    piece: I32
    """(n_classes,) steps read at once, a power of two, at most the delay plus one."""
    first: I32
    """(n_classes + 1,) where each class begins."""
    to: I32
    source: I32
    delay: I32
    """Steps."""
    weight: F64


class Lines(NamedTuple):
    """The tracts and what travels on them."""

    tracts: Tracts
    length: int
    """Steps that are kept, a multiple of ``most``."""
    most: int
    """Steps in a block: of the longest piece."""
    sent: F64
    """(n, at least length + most) what each region sent at each of the last ``length`` steps; the first ``most`` of
    them lie behind the end too, so that a piece never ends at it. Rows are padded against cache conflicts."""
    arriving: F64
    """(n, at least most) what reaches each region at the steps of the present block."""


@njit(cache=True, nogil=True, error_model="numpy")
def post(t: int, value: F64, lines: Lines) -> None:
    """Keep what regions send at step ``t``, ``value`` (n,)."""
    sent = lines.sent
    k = t % lines.length
    for i in range(value.size):
        sent[i, k] = value[i]
    if k < lines.most:
        k += lines.length
        for i in range(value.size):
            sent[i, k] = value[i]


@njit(cache=True, nogil=True, error_model="numpy")
def add(weight: float, sent: F64, start: np.uint64, arriving: F64, place: np.uint64, n: np.uint64) -> None:
    """Add ``weight`` times ``n`` elements of ``sent`` from ``start`` on to those of ``arriving`` from ``place`` on.

    Both are flat and indices unsigned: a slice would cost more than the sum, a sign a check an element.
    """
    for k in range(n):
        arriving[place + np.uint64(k)] += weight * sent[start + np.uint64(k)]


@njit(cache=True, nogil=True, error_model="numpy")
def deliver(t: int, lines: Lines, out: F64) -> None:
    """Write what reaches each region in the step from ``t`` to ``t + 1`` into ``out`` (n,).

    Call it at every step, after ``post``.
    """
    tracts, sent, arriving = lines.tracts, lines.sent.ravel(), lines.arriving.ravel()
    to, source, delay, weight = tracts.to, tracts.source, tracts.delay, tracts.weight
    sent_row, arriving_row = lines.sent.shape[1], lines.arriving.shape[1]
    column = t % lines.most
    if column == 0 and to.size > 0:
        arriving[:] = 0.0
    now = t % lines.length
    for c in range(tracts.piece.size):
        piece = tracts.piece[c]
        if column % piece != 0:
            continue
        for e in range(tracts.first[c], tracts.first[c + 1]):
            at = now - delay[e]
            if at < 0:
                at += lines.length
            start, place = np.uint64(source[e] * sent_row + at), np.uint64(to[e] * arriving_row + column)
            if piece == 1:
                arriving[place] += weight[e] * sent[start]
            else:
                add(weight[e], sent, start, arriving, place, np.uint64(piece))
    for i in range(out.size):
        out[i] = arriving[np.uint64(i * arriving_row + column)]
