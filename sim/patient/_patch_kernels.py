"""Compiled core of the tissue's patches: rates in, the dipoles they make out."""

from __future__ import annotations

from numba import njit

from bmi.signals import F64


@njit(cache=True, nogil=True, error_model="numpy")
def unusual(rates: F64, share: float, slow: float, smooth: F64, out: F64) -> None:
    """Write to ``out`` (n_ms, n) by how much ``rates`` (n_ms, n), smoothed, are above their usual.

    ``smooth`` (2, n) holds what was smoothed fast, by ``share`` a row, and the usual, by ``slow``; updated.
    """
    for k in range(rates.shape[0]):
        for i in range(rates.shape[1]):
            rate = rates[k, i]
            smooth[0, i] += share * (rate - smooth[0, i])
            smooth[1, i] += slow * (rate - smooth[1, i])
            out[k, i] = smooth[0, i] - smooth[1, i]
