"""Compiled line length. Channels are innermost: those loops vectorise."""

from __future__ import annotations

import numpy as np
from numba import njit

from decoders.features._spikes_kernels import push_boxcar

VALUE, BEGUN, LEAP = 0, 1, 2
"""Rows of what is held: last finite sample, whether there was one, distance of this row from the last."""


@njit(cache=True, nogil=True, error_model="numpy")
def leaps(x, held):
    """Set ``held[LEAP]`` to how far each channel of the row x is from its last finite sample; 0 if it has none."""
    for c in range(x.size):
        v = np.float64(x[c])
        ok = v - v == 0.0
        known = ok & (held[BEGUN, c] > 0.0)
        held[LEAP, c] = abs(v - held[VALUE, c]) if known else 0.0
        held[VALUE, c] = v if ok else held[VALUE, c]
        held[BEGUN, c] = 1.0 if ok else held[BEGUN, c]


@njit(cache=True, nogil=True, error_model="numpy")
def length_rows(data, seq, every, scale, held, ring, at, acc, out, index):
    """Average leaps over the ring, times ``scale``; return the rows written, one after every ``every``-th sample.

    held (3, n), see above; ring (width, n), at (2,) and acc (4, n) as of ``push_boxcar``, ``at[1]`` being the leaps so
    far: the first row of all makes none. ``index`` (n_rows,) receives which samples ended a row.
    """
    rows = 0
    for i in range(data.shape[0]):
        begun = held[BEGUN].max() > 0.0
        leaps(data[i], held)
        if begun:
            push_boxcar(held[LEAP], ring, at, acc)
        if (seq + i) % every != every - 1:
            continue
        filled = scale / max(min(at[1], ring.shape[0]), 1)
        for c in range(data.shape[1]):
            x = data[i, c]
            out[rows, c] = max(acc[0, c], 0.0) * filled if x - x == np.float32(0.0) else np.nan
        index[rows] = i
        rows += 1
    return rows
