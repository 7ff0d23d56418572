"""Compiled core of what disturbs field sensors: filters of first order, channels innermost."""

from __future__ import annotations

import numpy as np
from numba import njit

from bmi.signals import F32, F64


@njit(cache=True, nogil=True, error_model="numpy")
def cascade(coef: F64, z: F64, rows: F32) -> None:
    """Filter ``rows`` (n_rows, n) in place by sections of first order, one after the other.

    ``coef`` (n_sections, 3) is b0, b1, a1 of each; ``z`` (n_sections, n) the state (transposed direct form II).
    """
    for s in range(coef.shape[0]):
        b0, b1, a1 = coef[s, 0], coef[s, 1], coef[s, 2]
        held = z[s]
        for j in range(rows.shape[0]):
            row = rows[j]
            for i in range(row.size):
                x = np.float64(row[i])
                y = b0 * x + held[i]
                held[i] = b1 * x - a1 * y
                row[i] = y
