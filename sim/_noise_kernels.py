"""Compiled core of the simulator's noise: random numbers that are a function of where and when they are used."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from bmi.signals import F32
from sim._background_kernels import box_muller

U64 = npt.NDArray[np.uint64]

MASK = np.uint64(0xFFFFFFFF)
SHIFT = np.uint64(32)
M0, M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
W0, W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
P24 = np.float32(2.0**-24)


@njit(cache=True, nogil=True, error_model="numpy")
def philox(key: np.uint64, stream: np.uint64, step: np.uint64, words: U64) -> None:
    """Fill ``words`` (2, m) with Philox4x32-10 of (i, stream, step) under ``key``: 128 bits a column i.

    The counter is i, stream (32 bits each) and step (64 bits); results depend on nothing else.
    """
    m = words.shape[1]
    low = words[0]
    high = words[1]
    for i in range(m):
        c0 = np.uint64(i)
        c1 = stream & MASK
        c2 = step & MASK
        c3 = step >> SHIFT
        k0 = key & MASK
        k1 = key >> SHIFT
        for _ in range(10):
            p0 = M0 * c0
            p1 = M1 * c2
            c0 = (p1 >> SHIFT) ^ c1 ^ k0
            c1 = p1 & MASK
            c2 = (p0 >> SHIFT) ^ c3 ^ k1
            c3 = p0 & MASK
            k0 = (k0 + W0) & MASK
            k1 = (k1 + W1) & MASK
        low[i] = c0 | (c1 << SHIFT)
        high[i] = c2 | (c3 << SHIFT)


@njit(cache=True, nogil=True, error_model="numpy")
def normals(key: np.uint64, stream: np.uint64, step: np.uint64, words: U64, four: F32) -> None:
    """Fill ``four`` (4, m) with independent standard normal numbers; ``words`` (2, m) is scratch.

    ``four.reshape(-1)[:n]`` are n numbers for this stream and step, m = ceil(n / 4).
    """
    philox(key, stream, step, words)
    box_muller(words[0], four[0], four[1])
    box_muller(words[1], four[2], four[3])


@njit(cache=True, nogil=True, error_model="numpy")
def uniforms(key: np.uint64, stream: np.uint64, step: np.uint64, words: U64, four: F32) -> None:
    """Fill ``four`` (4, m) with independent numbers uniform on [0, 1), multiples of 2^-24; ``words`` is scratch."""
    philox(key, stream, step, words)
    for i in range(words.shape[1]):
        four[0, i] = np.float32(np.int32((words[0, i] & MASK) >> np.uint64(8))) * P24
        four[1, i] = np.float32(np.int32(words[0, i] >> np.uint64(40))) * P24
        four[2, i] = np.float32(np.int32((words[1, i] & MASK) >> np.uint64(8))) * P24
        four[3, i] = np.float32(np.int32(words[1, i] >> np.uint64(40))) * P24
