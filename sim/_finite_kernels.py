"""Compiled look at states: their sum, which is finite only if all of them are."""

from __future__ import annotations

from numba import njit

from bmi.signals import AnyArray


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc"})
def total(flat: AnyArray) -> float:
    """Return the sum of (n,) numbers, n > 0, in whatever order is quickest; NaN and infinity stay in it."""
    s = flat[0] - flat[0]  # zero in their own precision, or NaN
    for i in range(flat.size):
        s += flat[i]
    return s
