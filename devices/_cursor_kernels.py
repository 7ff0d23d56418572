"""Compiled motion of the cursor.

``head`` is (3,): time of the last command, time looked at last, armed. ``body`` is (4, n): position and
velocity at the last command, position and velocity now. What is now follows from the last command alone,
so looking more often changes nothing.
"""

from __future__ import annotations

import math

from numba import njit

T_COMMAND, T_NOW, ARMED = 0, 1, 2
P0, V0, P, V = 0, 1, 2, 3


@njit(cache=True, nogil=True, error_model="numpy")
def look(now, hold, head, body):  # type: ignore[no-untyped-def]
    """Let the last command be held until ``now``, at most for ``hold``."""
    held = min(max(now - head[T_COMMAND], 0.0), hold)
    silent = now - head[T_COMMAND] >= hold
    for i in range(body.shape[1]):
        moved = body[V0, i] * held if body[V0, i] != 0.0 else 0.0
        body[P, i] = body[P0, i] + moved
        body[V, i] = 0.0 if silent else body[V0, i]
    head[T_NOW] = now


@njit(cache=True, nogil=True, error_model="numpy")
def command(now, hold, limit, values, head, body):  # type: ignore[no-untyped-def]
    """Move until ``now``, then take ``values``, no faster than ``limit``; NaN, Inf and unarmed mean rest."""
    look(now, hold, head, body)
    square = 0.0
    for i in range(body.shape[1]):
        square += values[i] * values[i]
    scale = 1.0
    if square > limit * limit:
        scale = limit / math.sqrt(square)
    rests = not math.isfinite(square) or head[ARMED] == 0.0
    head[T_COMMAND] = now
    for i in range(body.shape[1]):
        body[P0, i] = body[P, i]
        body[V0, i] = 0.0 if rests else scale * values[i]
        body[V, i] = body[V0, i]
    return rests
