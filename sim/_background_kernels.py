"""Compiled core of the background noise: Gaussian numbers of one's own making, coloured. Channels are innermost.

Only additions, multiplications, shifts and square roots: the same bits on every machine.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from bmi.signals import F32, F64

U64 = npt.NDArray[np.uint64]

ZERO, HALF, ONE, TWO, QUARTER = (np.float32(v) for v in (0.0, 0.5, 1.0, 2.0, 0.25))
SQRT2, LN2 = np.float32(np.sqrt(2.0)), np.float32(np.log(2.0))
P31, P32 = np.float32(2.0**-31), np.float32(2.0**-32)
# ln(1 + t) / t on [sqrt(1/2) - 1, sqrt(2) - 1] within 1.3e-6, and sin(2 pi y) / y in y^2 on |y| <= 1/4 within 5e-6:
# least squares on Chebyshev nodes.
L0, L1, L2, L3, L4, L5, L6 = (
    np.float32(v) for v in (1.00000096, -0.50001145, 0.33314674, -0.24908289, 0.2049176, -0.18680751, 0.11931054)
)
S0, S1, S2, S3 = (np.float32(v) for v in (6.28318054, -41.33925387, 81.40833658, -71.61119422))


@njit(cache=True, nogil=True, error_model="numpy")
def turn(lanes: U64, words: U64) -> None:
    """Turn every xoroshiro128++ generator in ``lanes`` (2, n) once; its 64 bits go to ``words`` (n,)."""
    for i in range(words.size):
        s0 = lanes[0, i]
        s1 = lanes[1, i]
        total = s0 + s1
        words[i] = ((total << np.uint64(17)) | (total >> np.uint64(47))) + s0
        s1 ^= s0
        lanes[0, i] = ((s0 << np.uint64(49)) | (s0 >> np.uint64(15))) ^ s1 ^ (s1 << np.uint64(21))
        lanes[1, i] = (s1 << np.uint64(28)) | (s1 >> np.uint64(36))


@njit(cache=True, nogil=True, error_model="numpy")
def box_muller(words: U64, cosine: F32, sine: F32) -> None:
    """Turn each word into two independent standard normal numbers; none is beyond 6.7.

    The upper 31 bits are u, the lower 32 the angle: sqrt(-2 ln u) (cos, sin). The logarithm is taken of a mantissa
    brought near 1; both functions of the angle are one sine on a quarter turn to either side.
    """
    for i in range(words.size):
        u = (np.float32(np.int32(words[i] >> np.uint64(33))) + HALF) * P31
        bits = np.float32(u).view(np.int32)
        m = np.int32((bits & np.int32(0x7FFFFF)) | np.int32(0x3F800000)).view(np.float32)
        e = np.float32((bits >> np.int32(23)) - np.int32(127))
        large = m > SQRT2
        m = m * HALF if large else m
        e = e + ONE if large else e
        t = m - ONE
        ln = t * (L0 + t * (L1 + t * (L2 + t * (L3 + t * (L4 + t * (L5 + t * L6)))))) + e * LN2
        r = np.sqrt(-TWO * ln)
        x = np.float32(np.int32(words[i] & np.uint64(0xFFFFFFFF))) * P32  # turns, -1/2 to 1/2
        far = abs(x)
        y = QUARTER - abs(far - QUARTER)
        y = -y if x < ZERO else y
        z = QUARTER - far
        yy = y * y
        zz = z * z
        sine[i] = r * (y * (S0 + yy * (S1 + yy * (S2 + yy * S3))))
        cosine[i] = r * (z * (S0 + zz * (S1 + zz * (S2 + zz * S3))))


@njit(cache=True, nogil=True, error_model="numpy")
def gaussians(lanes: U64, words: U64, pair: F32, out: F32) -> None:
    """Fill ``out`` (n_rows, n) with standard normal numbers, independent along both axes.

    ``lanes`` (2, m), ``words`` (m,) and ``pair`` (2, m) with m = ceil(n / 2): a generator serves two columns.
    """
    m, n = words.size, out.shape[1]
    for j in range(out.shape[0]):
        turn(lanes, words)
        box_muller(words, pair[0], pair[1])
        for i in range(m):
            out[j, i] = pair[0, i]
        for i in range(n - m):
            out[j, m + i] = pair[1, i]


@njit(cache=True, nogil=True, error_model="numpy")
def colour(coef: F32, z: F32, sd: F32, rows: F32) -> None:
    """Filter ``rows`` (n_rows, n) in place by one biquad and scale every column by ``sd`` (n,).

    ``coef`` (5,) is b0 b1 b2 a1 a2, ``z`` (2, n) the state (transposed direct form II).
    """
    b0, b1, b2, a1, a2 = coef[0], coef[1], coef[2], coef[3], coef[4]
    z0 = z[0]
    z1 = z[1]
    for j in range(rows.shape[0]):
        row = rows[j]
        for i in range(row.size):
            x = row[i]
            y = b0 * x + z0[i]
            z0[i] = b1 * x - a1 * y + z1[i]
            z1[i] = b2 * x - a2 * y
            row[i] = y * sd[i]


@njit(cache=True, nogil=True, error_model="numpy")
def add_outer(series: F64, gain: F32, rows: F32) -> None:
    """Add ``series`` (n_rows,) times ``gain`` (n,) to ``rows`` (n_rows, n)."""
    for j in range(rows.shape[0]):
        value = np.float32(series[j])
        for i in range(gain.size):
            rows[j, i] += value * gain[i]


@njit(cache=True, nogil=True, error_model="numpy")
def add_ramp(start: F32, end: F32, rows: F32) -> None:
    """Add to ``rows`` (n_rows, n) a straight line from ``start`` (n,), excluded, to ``end`` (n,), included."""
    n_rows = rows.shape[0]
    for j in range(n_rows):
        share = np.float32((j + 1) / n_rows)
        for i in range(start.size):
            rows[j, i] += start[i] + share * (end[i] - start[i])


@njit(cache=True, nogil=True, error_model="numpy")
def clip(rail: np.float32, rows: F32) -> None:
    """Keep ``rows`` within plus and minus ``rail``."""
    for j in range(rows.shape[0]):
        row = rows[j]
        for i in range(row.size):
            row[i] = min(max(row[i], -rail), rail)
