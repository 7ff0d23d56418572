"""The exponential, so that loops over neurons become vector instructions: libm's stays scalar without Intel's SVML.

The argument is split into whole and broken powers of two; the broken one is a polynomial, the whole one goes into the
exponent's bits. Only additions and multiplications: call it inside a loop and LLVM vectorises that loop.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

LOG2E32, LOW32, HIGH32 = (np.float32(v) for v in (1.44269504, -126.0, 126.0))
# 2^f on [0, 1): least squares on Chebyshev nodes, within 1e-7 of itself before rounding.
A0, A1, A2, A3, A4, A5, A6 = (
    np.float32(v) for v in (1.0, 6.931472028e-1, 2.402264791e-1, 5.550332471e-2, 9.618437357e-3, 1.339887440e-3,
                            1.535336188e-4)
)  # fmt: skip
LOG2E, LN2_HIGH, LN2_LOW = 1.4426950408889634, 0.693147180369123816490, 1.90821492927058770002e-10

C2, C3, C4, C5, C6, C7, C8, C9, C10, C11 = (1.0 / math.factorial(k) for k in range(2, 12))


@njit(cache=True, nogil=True, error_model="numpy")
def exp32(x: np.float32) -> np.float32:
    """Return e^x in single precision, within 1e-5 of itself for |x| < 87; beyond it stays at the edge."""
    t = min(max(x * LOG2E32, LOW32), HIGH32)
    r = np.float32(math.floor(t))
    f = t - r
    p = A0 + f * (A1 + f * (A2 + f * (A3 + f * (A4 + f * (A5 + f * A6)))))
    return p * np.int32((np.int32(r) + np.int32(127)) << np.int32(23)).view(np.float32)


@njit(cache=True, nogil=True, error_model="numpy")
def exp64(x: float) -> float:
    """Return e^x in double precision, within 1e-14 of itself for |x| < 700; beyond it stays at the edge."""
    t = min(max(x, -700.0), 700.0)
    r = math.floor(t * LOG2E + 0.5)
    f = (t - r * LN2_HIGH) - r * LN2_LOW  # |f| <= ln 2 / 2
    p = C6 + f * (C7 + f * (C8 + f * (C9 + f * (C10 + f * C11))))
    p = 1.0 + f * (1.0 + f * (C2 + f * (C3 + f * (C4 + f * (C5 + f * p)))))
    return p * np.int64((np.int64(r) + np.int64(1023)) << np.int64(52)).view(np.float64)
