"""Compiled work that never changes."""

from __future__ import annotations

import numpy as np
from numba import njit

from bmi.signals import F32

STRIDE = 9973


@njit(cache=True, nogil=True, error_model="numpy")
def work(n: int, x: F32) -> None:
    """Change ``n`` of the numbers ``x`` (a power of two of them), far apart from each other."""
    for i in range(n):
        j = (i * STRIDE) & (x.size - 1)
        x[j] = x[j] * np.float32(0.999) + np.float32(1.0)
