"""Compiled core of an explicit step: where slopes lead, and where two of them do (Heun's rule)."""

from __future__ import annotations

from numba import njit

from bmi.signals import F64


@njit(cache=True, nogil=True, error_model="numpy")
def move(x: F64, step: float, slope: F64, out: F64) -> None:
    """Write x + step slope; ``out`` may be ``x``."""
    for i in range(x.size):
        out[i] = x[i] + step * slope[i]


@njit(cache=True, nogil=True, error_model="numpy")
def move_both(x: F64, step: float, slope: F64, other: F64) -> None:
    """Add step (slope + other) to x; Heun's rule with half the step."""
    for i in range(x.size):
        x[i] += step * (slope[i] + other[i])
