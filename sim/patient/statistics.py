"""What is read off the patient's sensors to tell how it is: the statistics that slow parameters declare to move.

A patient is looked at while it rests and while it intends movements in eight directions, one after the other; each
statistic of ``sim.patient.theta.STATISTICS`` is a function of what its sensors recorded meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from bmi.signals import F64, AnyArray
from sim import GRID_S
from sim.patient.patient import Patient
from sim.preparation import Preparation
from sim.sensors.montage import montage

REST_S, REACH_S, DIRECTIONS, ROUNDS = 16.0, 1.0, 8, 2
SPEED_MM_S = 150.0
FOCUS = ("T10", "T8", "TP8")
HAND = ("C3", "C1", "CP3", "FC3")


class Recording(NamedTuple):
    """What the sensors showed, at rest and in movement."""

    rest: dict[str, AnyArray]
    reaches: dict[str, AnyArray]
    """In order of direction, then round."""


def record(preparation: Preparation) -> Recording:
    """Let a patient rest, then intend movements all around."""
    turns = [0.0, *(np.arange(DIRECTIONS * ROUNDS) % DIRECTIONS * 2.0 * np.pi / DIRECTIONS)]
    found = []
    for k, angle in enumerate(turns):
        speed = SPEED_MM_S if k else 0.0
        velocity = speed * np.array([np.cos(angle), np.sin(angle)])
        preparation.give("velocity", preparation.t_s, velocity)
        shown = preparation.advance_s(REACH_S if k else REST_S)
        found.append({p.name: shown[p.name] for p in preparation.component.outputs if p.sensed})
    preparation.give("velocity", preparation.t_s, np.zeros(2))
    reaches = {k: np.concatenate([f[k] for f in found[1:]]) for k in found[0]}
    return Recording(found[0], reaches)


def power(x: AnyArray, rate_hz: float, low_hz: float, high_hz: float) -> float:
    """Return the mean power between two frequencies over channels of x (n, n_channels)."""
    f, density = _spectrum(x, rate_hz)
    within = (f >= low_hz) & (f <= high_hz)
    return float(density[within].mean(axis=1).sum() * (f[1] - f[0]))


def _spectrum(x: AnyArray, rate_hz: float) -> tuple[F64, F64]:
    from scipy.signal import welch

    f, density = welch(np.asarray(x, np.float64), rate_hz, nperseg=round(2 * rate_hz), axis=0)
    return f, density


def tuning(spikes: AnyArray) -> F64:
    """Return the mean rate of each channel in each direction, (n_directions, n_channels) Hz."""
    per = round(REACH_S * 1000.0)
    rates: F64 = 1000.0 * spikes.reshape(ROUNDS, DIRECTIONS, per, -1).mean(axis=(0, 2))
    return rates


def _channels(*names: str) -> list[int]:
    labels = montage(64).labels
    return [labels.index(n) for n in names]


def statistics(found: Recording, patient: Patient, *, day0: F64 | None = None) -> dict[str, float]:
    """Return every statistic of a recording; ``day0`` is the tuning that later ones are compared with."""
    rest, rate = found.rest, patient.implants.eeg_rate_hz
    eeg = rest["eeg"][round(2 * rate) :]
    f, density = _spectrum(eeg, rate)
    alpha = (f >= 5.0) & (f <= 14.0)
    tuned = tuning(found.reaches["spikes"])
    summed = rest["spikes"][2000:].sum(axis=1, keepdims=True).reshape(-1, 10, 1).sum(axis=1)
    first = tuned if day0 is None else day0
    return {
        "alpha_peak": float(np.average(f[alpha], weights=density[alpha].mean(axis=1))),
        "beta_power": power(rest["field"][2000:], 1000.0, 13.0, 35.0),
        "crossings": 1000.0 * float(rest["spikes"][2000:].mean()),
        "line_length": float(np.abs(np.diff(rest["eeg"][:, _channels(*FOCUS)], axis=0)).mean() * rate),
        "modulation": float(tuned.std(axis=0).mean()),
        "mu_power": power(eeg[:, _channels(*HAND)], rate, 8.0, 13.0),
        "noise": float(np.sqrt(power(rest["lfp"][2000:], 1000.0, 100.0, 490.0))),
        "silent": float((rest["spikes"].sum(axis=0) + found.reaches["spikes"].sum(axis=0) == 0).sum()),
        "slow_power": power(summed, 100.0, 1.0, 9.0),
        "tuning_change": 1.0 - float(np.corrcoef(tuned.ravel(), first.ravel())[0, 1]),
    }


def measured(patient: Patient, seed: int, theta: Mapping[str, Any], *, after_s: float = 4.0,
             day0: F64 | None = None) -> tuple[dict[str, float], F64]:  # fmt: skip
    """Return statistics and tuning of a patient that lives with ``theta`` for ``after_s`` before it is looked at."""
    preparation = Preparation(patient, seed)
    for name, value in theta.items():
        preparation.give(name, 0.0, value)
    preparation.advance_s(round(after_s / GRID_S) * GRID_S)
    found = record(preparation)
    return statistics(found, patient, day0=day0), tuning(found.reaches["spikes"])
