"""Compiled core of the synapses: depression and facilitation per spike, receptors per step, in closed form.

The scalar functions are meant to be called inside other kernels; numba then compiles them in place. A synapse whose
terminals share their parameters needs u and x once a presynaptic neuron, not once a contact.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from bmi.signals import F64

I64 = npt.NDArray[np.int64]


@njit(cache=True, nogil=True, error_model="numpy")
def tm_release(
    u: float, x: float, since_s: float, U: float, tau_rec_s: float, tau_fac_s: float
) -> tuple[float, float, float]:
    """Return what a spike releases, and u and x right after it.

    ``u`` and ``x`` are the values right after the last spike, ``since_s`` ago: 0 and 1 before the first, whatever
    ``since_s`` is then. A time constant of 0 recovers at once.
    """
    u = u * math.exp(-since_s / tau_fac_s) if tau_fac_s > 0.0 else 0.0 * u
    x = 1.0 - (1.0 - x) * math.exp(-since_s / tau_rec_s) if tau_rec_s > 0.0 else 1.0 + 0.0 * x
    u = u + U * (1.0 - u)
    released = u * x
    return released, u, x - released


@njit(cache=True, nogil=True, error_model="numpy")
def mg_block(v_mv: float, mg_mm: float) -> float:
    """Return the share of NMDA conductance that magnesium leaves open (Jahr & Stevens 1990)."""
    return 1.0 / (1.0 + mg_mm / 3.57 * math.exp(-0.062 * v_mv))


@njit(cache=True, nogil=True, error_model="numpy")
def tm_train(times_s: F64, U: float, tau_rec_s: float, tau_fac_s: float, released: F64) -> None:
    """Fill ``released`` with what each spike of one rested terminal at ``times_s``, ascending, releases."""
    u = 0.0
    x = 1.0
    last = 0.0
    for k in range(len(times_s)):
        released[k], u, x = tm_release(u, x, times_s[k] - last, U, tau_rec_s, tau_fac_s)
        last = times_s[k]
