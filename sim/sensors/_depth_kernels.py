"""Compiled core of the depth lead: a field through the amplifier, everything else and what pulses leave, ms by ms."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from bmi.signals import F32, F64


class Amplifier(NamedTuple):
    """Numbers of a lead; shares are of a millisecond."""

    uv: float
    """Field for a change of the synaptic activation by 1."""
    hold: float
    """Share that the high-pass keeps of the mean."""
    keep: float
    """Share that stays of the field of everything else."""
    far_uv: float
    """What comes to it, standard deviation."""
    fade: float
    """Share that stays of an artefact."""
    artefact_uv: float
    """Of a pulse, for each mA."""
    noise_uv: float


@njit(cache=True, nogil=True, error_model="numpy")
def record(activation: F64, pulses_ma: F64, drawn: F32, lead: Amplifier, held: F64, rows: F32) -> None:
    """Write the record to ``rows`` (n_ms, 1), µV.

    ``drawn`` (2 n_ms,) holds white noise of the amplifier and of everything else; ``held`` (3,) what is left of
    everything else, the mean and the artefact; updated.
    """
    n = rows.shape[0]
    distant, mean, artefact = held[0], held[1], held[2]
    for k in range(n):
        near = lead.uv * activation[k]
        mean += (1.0 - lead.hold) * (near - mean)
        distant = lead.keep * distant + lead.far_uv * np.float64(drawn[n + k])
        artefact = lead.fade * artefact + lead.artefact_uv * pulses_ma[k]
        rows[k, 0] = near - mean + distant + lead.noise_uv * np.float64(drawn[k]) + artefact
    held[0], held[1], held[2] = distant, mean, artefact
