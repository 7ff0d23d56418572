"""What a spike looks like outside: the potentials of cells that fire once, from their membrane currents.

A cell is a cable of 20 compartments (``sim.cable``): a soma, an axon that fires first, a trunk and a side branch of
passive dendrite. The current through each compartment's membrane is a point source in an ohmic medium, so that at
distance r from them all

    V = sum I_i / (4 π σ r_i),

the currents summing to zero [1]_. Sodium flowing in at soma and axon makes the trough; what leaves by the dendrites
makes it fall off faster than 1 / r, and potassium makes the hump. Cells differ in their conductances; the last ones are
inhibitory: more potassium makes their spikes narrow, and their sodium current is Nav1.1's [2]_.

The fall with distance depends on direction and dendrites. A single straight cell falls faster than the law
1 / (1 + d / 28 µm) that ``sim.sensors.array`` uses for all; shapes and the size next to the soma are what it takes
from here.

.. [1] Holt & Koch (1999) J Comput Neurosci 6:169; Gold et al. (2006) J Neurophysiol 95:3113.
.. [2] Yu et al. (2006) Nat Neurosci 9:1142.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from bmi.errors import ContractError
from bmi.signals import F32, F64
from sim._electrodes_kernels import TICKS
from sim.cable import Cable
from sim.electrodes import AFTER_S, BEFORE_S
from sim.fields import transfer_mv_ua
from sim.morphology import Branch, Site

RATE_HZ = 30_000.0 * TICKS
"""Samples a second of a template: a spike may fall on any eighth of a sample of 30 kHz."""
CELSIUS = 25.0
"""Temperature at which the squid's rates make spikes as wide as the cortex's, °C."""
PULSE_NA, PULSE_S, SETTLE_S, AFTERWARDS_S = 3.0, 0.001, 0.005, 0.004
NARROW = 2.0
"""Potassium conductance of an inhibitory cell, as a multiple."""
SPREAD = 0.1
"""Standard deviation over cells of the logarithm of each conductance."""
RADIUS_UM = 5.0
"""A contact nearer than that to the middle of a compartment sees its surface."""
DIRECTIONS = {"soma": (0.0, 0.0, 0.0), "axon": (0.0, -1.0, 0.0), "trunk": (0.0, 1.0, 0.0), "side": (1.0, 0.0, 0.0)}
"""Where each branch goes from the middle of the soma."""
SOMA_UM = 20.0
PASSIVE = {"ra_ohm_cm": 150.0, "g_leak_ms_cm2": 0.1, "e_leak_mv": -65.0}
ACTIVE = {"ra_ohm_cm": 150.0, "g_leak_ms_cm2": 0.3, "e_leak_mv": -54.387}
PROBE = (
    Branch(name="soma", length_um=SOMA_UM, diameter_um=SOMA_UM, g_na_ms_cm2=300.0, g_k_ms_cm2=90.0, **ACTIVE),
    Branch(name="axon", length_um=100.0, diameter_um=1.0, compartments=5, parent="soma", at=0.5, g_na_ms_cm2=600.0,
           g_k_ms_cm2=144.0, **ACTIVE),
    Branch(name="trunk", length_um=280.0, diameter_um=3.0, compartments=8, parent="soma", **PASSIVE),
    Branch(name="side", length_um=180.0, diameter_um=3.0, compartments=6, parent="soma", at=0.5, **PASSIVE),
)  # fmt: skip
"""The probe cell."""


class Templates(NamedTuple):
    """Extracellular spikes of n cells at D distances, m samples at ``RATE_HZ``."""

    waves_uv: F32
    """(n, D, m) potential, µV; the trough nearest the soma lies ``BEFORE_S`` after the first sample."""
    distances_um: F64
    """(D,) from the middle of the soma, each cell in a direction of its own."""
    depths_uv: F64
    """(n, D) depth of the trough, µV."""
    peaks_s: F64
    """(n,) time from the trough to the following peak, at the nearest distance, s."""


def templates(
    n: int, seed: int, *, nav11: float = 1.0, inhibitory: int = 1,
    distances_um: tuple[float, ...] = (15.0, 20.0, 30.0, 40.0, 60.0, 80.0),
) -> Templates:  # fmt: skip
    """Let ``n`` probe cells, drawn from ``seed``, fire once, and return what electrodes near them see.

    Parameters
    ----------
    n : int
        Cells, 1 to 100.
    seed : int
    nav11 : float
        Sodium conductance of the inhibitory cells, as a share of the healthy one.
    inhibitory : int
        How many of the cells, the last ones, are.
    distances_um : tuple of float
        From the middle of the soma to the electrode, µm, ascending.

    Raises
    ------
    ContractError
        If a number does not fit, or a cell does not fire (too little sodium).
    """
    if not 1 <= n <= 100 or not 0 <= inhibitory <= n:
        raise ContractError(f"templates: expected 1 to 100 cells, of which 0 to n inhibitory, given {n}, {inhibitory}")
    if not 0.0 <= nav11 < math.inf:
        raise ContractError(f"templates: nav11 is {nav11!r}, expected a share of at least 0")
    away = np.asarray(distances_um, np.float64)
    if away.ndim != 1 or not away.size or not (away[0] >= RADIUS_UM and (np.diff(away) > 0).all()):
        raise ContractError(f"templates: distances_um are {distances_um}, expected ascending, from {RADIUS_UM:g} on")
    rng = np.random.default_rng([seed, 0x7E3])
    scales = np.exp(SPREAD * rng.standard_normal((3, n)))
    scales[0, n - inhibitory :] *= nav11
    scales[1, n - inhibitory :] *= NARROW
    towards = rng.standard_normal((n, 3))
    towards /= np.linalg.norm(towards, axis=1)[:, None]
    cell, current_na = _fire(n, scales)
    places = _places(cell)
    waves = np.stack(
        [transfer_mv_ua(away[:, None] * u, places, radius_um=RADIUS_UM) @ i.T
         for u, i in zip(towards, current_na.swapaxes(0, 1), strict=True)]
    )  # fmt: skip
    return _cut(waves, away)


def _fire(n: int, scales: F64) -> tuple[Cable, F64]:
    """Return the cell and the membrane currents (samples, n, compartments), nA, of one spike of each."""
    cell = Cable(
        branches=PROBE, sites=(Site(name="soma", branch="soma"),), n_cells=n, name="probe", dt_s=1.0 / RATE_HZ,
        celsius=CELSIUS, voltage_hz=RATE_HZ, membrane_currents=True,
    )  # fmt: skip
    cell.bind(0)
    for channel, scale in zip(("na", "k", "leak"), scales, strict=True):
        cell.receive(channel, scale)
    cell.step(round(SETTLE_S * RATE_HZ))
    cell.receive("current_na", np.full((n, 1), PULSE_NA))
    first, _, during = cell.step(round(PULSE_S * RATE_HZ))
    cell.receive("current_na", np.zeros((n, 1)))
    second, _, after = cell.step(round(AFTERWARDS_S * RATE_HZ))
    fired = np.bincount(np.concatenate([first[:, 1], second[:, 1]]), minlength=n)
    if (fired == 0).any():
        raise ContractError(
            f"templates: cell {int(np.argmin(fired))} does not fire with its sodium conductance times "
            f"{scales[0][fired == 0][0]:.3g}; give more of it (nav11)"
        )
    current = np.concatenate([during, after]).astype(np.float64)
    current[: len(during), :, 0] -= PULSE_NA  # what the pipette sends into the soma is none of the cell's
    return cell, current


def _places(cell: Cable) -> F64:
    """Return the middle of every compartment, (n_compartments, 3), µm."""
    places = np.zeros((cell.n_compartments, 3))
    for b in PROBE[1:]:
        start, k = cell.tree.first[b.name]
        along = SOMA_UM / 2 + (np.arange(k) + 0.5) / k * b.length_um
        places[start : start + k] = along[:, None] * np.array(DIRECTIONS[b.name])
    return places


def _cut(waves: F64, away: F64) -> Templates:
    """Align the waves (n, D, samples) on their troughs nearest the soma."""
    before, after = round(BEFORE_S * RATE_HZ), round(AFTER_S * RATE_HZ)
    at = waves[:, 0].argmin(axis=1)
    padded = np.pad(waves, ((0, 0), (0, 0), (before, after)), mode="edge")
    cut = np.stack([w[:, k : k + before + after + 1] for w, k in zip(padded, at, strict=True)])
    cut = cut - cut[:, :, :1]  # electrodes pass no steady potential
    peak = cut[:, 0, before:].argmax(axis=1)
    return Templates(cut.astype(np.float32), away, -cut.min(axis=2), peak / RATE_HZ)


def bank(found: Templates) -> F32:
    """Return the templates at their nearest distance for ``sim.sensors.raw``, (n, 8, n_samples) of depth 1 at 30 kHz.

    The ends are brought to zero within a tenth of the whole; row k of a template is k eighths of a sample late.
    """
    waves = found.waves_uv[:, 0].astype(np.float64)
    m = waves.shape[1]
    edge = np.minimum(np.arange(m), np.arange(m)[::-1]) / (0.1 * m)
    waves *= np.sin(0.5 * np.pi * np.clip(edge, 0.0, 1.0)) ** 2 / found.depths_uv[:, :1]
    late = np.pad(waves, ((0, 0), (TICKS, TICKS)))
    shifted = [late[:, TICKS - k : TICKS - k + m : TICKS] for k in range(TICKS)]
    return np.ascontiguousarray(np.stack(shifted, axis=1), np.float32)
